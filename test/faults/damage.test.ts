// Bits flip and files are cut: the rest is recovered, what is delivered is unaltered, and the loss is said.
import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openQueueFile } from '../../../../src/pipeline/outbox/disk/recover.ts';
import { disk } from './rig.ts';

const PLACES = Number(process.env.FAULTS_DAMAGES ?? 150);
const ENTRIES = 60;

test(`${PLACES} files damaged at random places open, and give unaltered batches only`, async t => {
  const { dir, file, start, stop, put } = disk(t);
  const store = await start();
  for (let n = 1; n <= ENTRIES; n++) await put(store, `profile-${n}`, ['a'], 1000 + n * 400);
  await stop(store);
  const sound = readFileSync(file);
  const seed = Date.now() % 2 ** 31;
  t.diagnostic(`seed ${seed}`);
  let state = seed;
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  let recovered = 0;
  let untouched = 0;
  for (let n = 0; n < PLACES; n++) {
    const copy = join(dir, `damaged-${n}.db`);
    copyFileSync(file, copy);
    const cut = n % 10 === 0;
    if (cut) truncateSync(copy, random(sound.length));
    else {
      const bytes = Buffer.from(sound);
      const at = random(bytes.length);
      bytes[at] = bytes[at]! ^ (1 << random(8));
      writeFileSync(copy, bytes);
    }
    const { database, warnings } = openQueueFile(copy, 'normal', n);
    let whole = 0;
    for (const { payload } of database.entries()) {
      let row: { meta: string; body: Uint8Array };
      try {
        row = database.read(payload);
      } catch {
        continue;
      }
      const [, text] = /name=(profile-\d+)/.exec(row.meta)!;
      assert.ok(Buffer.alloc(row.body.length, text!).equals(row.body), `${text} is altered`);
      whole++;
    }
    database.close();
    if (warnings.length > 0) assert.match(warnings[0]!, /set aside as .*saved/);
    // One flipped bit may cost one page of the tables, seldom more.
    if (!cut && warnings.length === 0) assert.ok(whole >= ENTRIES - 1, `${whole} of ${ENTRIES}`);
    recovered += whole;
    untouched += warnings.length === 0 ? 1 : 0;
  }
  t.diagnostic(
    `${recovered} of ${PLACES * ENTRIES} batches recovered, ${untouched} of ${PLACES} files opened as they were`,
  );
  assert.ok(recovered > PLACES * ENTRIES * 0.8, `${recovered}`);
});

// A damaged file is recovered at start: killed at any moment of that, or out of room, nothing is lost but what the damage hit.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openQueueFile } from '../../../../src/pipeline/outbox/disk/recover.ts';
import { PAGE_BYTES } from '../../../../src/pipeline/outbox/disk/schema.ts';
import { disk } from './rig.ts';

const CHILD = fileURLToPath(new URL('../../../kit/killed-recovery.ts', import.meta.url));
const BATCHES = 24;

/** A queue file as it is closed, one page of the payloads damaged; copies of it in folders of their own. */
async function damaged(t: TestContext) {
  const rig = disk(t);
  const store = await rig.start();
  for (let n = 0; n < BATCHES; n++) await rig.put(store, String(n), ['a'], 5_000);
  await rig.stop(store);
  const bytes = readFileSync(rig.file);
  const leaves: number[] = [];
  // Few large rows in a leaf of a table: payloads.
  for (let at = PAGE_BYTES; at < bytes.length; at += PAGE_BYTES)
    if (bytes[at] === 13 && bytes.readUInt16BE(at + 3) === 3) leaves.push(at);
  bytes[leaves[3]! + 3] = 0xff;
  const copy = (name: string): string => {
    mkdirSync(join(rig.dir, name));
    const file = join(rig.dir, name, 'queue.db');
    writeFileSync(file, bytes);
    return file;
  };
  return { ...rig, bytes, copy };
}

function opened(file: string) {
  const { database, warnings, lost } = openQueueFile(file, 'normal', Date.now());
  const sound = database.entries().filter(({ payload }) => database.read(payload).body.length > 0).length;
  database.told();
  database.close();
  return { sound, lost: lost.length, warnings };
}

test('killed at any step of the recovery, the next start saves what one start would have saved, and tells the losses', async t => {
  const { copy, bytes } = await damaged(t);
  const { sound, lost } = opened(copy('whole'));
  assert.ok(sound >= BATCHES - 4 && lost > 0 && sound + lost === BATCHES, `${sound} saved, ${lost} lost`);
  const start = (file: string, step: number) =>
    spawnSync(process.execPath, [CHILD, file, String(step)], { encoding: 'utf8' });
  const steps = Number(start(copy('counted'), 0).stdout);
  t.diagnostic(`${steps} steps`);
  assert.ok(steps > BATCHES - 4);
  let told = 0;
  // The payloads are all the same; before and after them each step is another.
  for (let step = 1; step <= steps; step += step > 4 && step < steps - 12 ? 9 : 1) {
    const file = copy(`killed-${step}`);
    assert.equal(start(file, step).signal, 'SIGKILL');
    const again = opened(file);
    assert.equal(again.sound, sound, `step ${step}`);
    // The very last steps are after it was told.
    if (again.warnings.length > 0) assert.equal(again.lost, lost);
    else assert.ok(step > steps - 3, `step ${step} says nothing`);
    told++;
    const names = readdirSync(join(file, '..')).toSorted();
    assert.equal(names.length, 2, names.join(' '));
    assert.match(names[1]!, /^queue\.db\.damaged-[\dTZ-]+$/);
    // But for the header, which counts how often it was opened.
    const kept = readFileSync(join(file, '..', names[1]!)).subarray(2 * PAGE_BYTES);
    assert.ok(kept.equals(bytes.subarray(2 * PAGE_BYTES)), 'the damaged file is kept as it was');
  }
  t.diagnostic(`${told} kills`);
});

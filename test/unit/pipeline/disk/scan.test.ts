// One damaged page hides a whole table from SQLite, and its rows are in other pages: they are found all the same.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { checksum } from '../../../../src/pipeline/outbox/disk/database.ts';
import { type FoundPayload, Scan } from '../../../../src/pipeline/outbox/disk/scan.ts';
import { PAGE_BYTES } from '../../../../src/pipeline/outbox/disk/schema.ts';
import { disk } from './rig.ts';

const ENTRIES = 600;
const DELIVERED = 40;
const names = Array.from({ length: ENTRIES }, (_, n) => `profile-${n}`);

/** Tables of several pages; some entries were delivered, one is a dead letter, one was tried, one has pages of its own. */
async function filled(t: TestContext) {
  const rig = disk(t);
  const store = await rig.start();
  await Promise.all(names.map((name, n) => rig.put(store, name, ['a'], n === 100 ? 3 * PAGE_BYTES : 700)));
  for (let n = 0; n < DELIVERED; n++) store.settle('a', (await rig.take(store))!, { kind: 'done' });
  store.settle('a', (await rig.take(store))!, { kind: 'dead', reason: 'rejected', message: 'no such type' });
  store.settle('a', (await rig.take(store))!, { kind: 'later', dueMs: 1, firstTryMs: 42 });
  await rig.stop(store);
  const db = new DatabaseSync(rig.file);
  const roots = db.prepare('SELECT name, rootpage AS page FROM sqlite_schema').all() as {
    name: string;
    page: number;
  }[];
  db.close();
  return { ...rig, roots: new Map(roots.map(({ name, page }) => [name, page])) };
}

function overwrite(file: string, page: number): void {
  const bytes = readFileSync(file);
  bytes.fill(0xa5, (page - 1) * PAGE_BYTES, page * PAGE_BYTES);
  writeFileSync(file, bytes);
}

for (const [what, ...tables] of [
  ['of the payloads', 'payload'],
  ['of the entries', 'entry'],
  ['of both', 'payload', 'entry'],
  ['of the index of entries', 'entry_payload'],
  ['of recent batches', 'recent'],
  ['of the file, and its header', 'sqlite_schema'],
] as const)
  test(`the root page ${what} is overwritten: nothing that is owed is lost, and nothing that was delivered comes back`, async t => {
    const { start, stop, file, roots, said, lost, drain } = await filled(t);
    for (const table of tables) overwrite(file, table === 'sqlite_schema' ? 1 : roots.get(table)!);
    const store = await start();
    assert.match(said[0]!, /queue file was damaged/);
    const [tally] = await store.operations.tally();
    assert.deepEqual([tally!.pending.batches, tally!.dead[0]?.reason], [ENTRIES - DELIVERED - 1, 'rejected'], said[0]);
    const { entries } = await store.operations.entries({}, 0, 5);
    assert.ok(
      entries.some(({ attempts, state }) => attempts === 1 && state !== 'dead'),
      JSON.stringify(entries),
    );
    assert.deepEqual((await drain(store)).toSorted(), names.slice(DELIVERED + 1).toSorted());
    assert.deepEqual(lost, []);
    await stop(store);
  });

test('whatever the pages say, the scan ends and invents no payload', async t => {
  const { file } = await filled(t);
  const sound = readFileSync(file);
  let state = 7;
  const random = (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const all = new Scan(file);
  const ours = ({ meta, body }: FoundPayload) => `${meta} ${Buffer.from(body)}`;
  const stored = new Set(all.entries.map(({ payload }) => ours(all.payload(payload as number)!)));
  all.close();
  assert.equal(stored.size, ENTRIES - DELIVERED);
  for (let round = 0; round < 40; round++) {
    const bytes = Buffer.from(sound);
    // The heads of pages and rows decide what is read how.
    for (let page = 1; page < bytes.length / PAGE_BYTES; page++)
      for (let n = 0; n < 20; n++) bytes[page * PAGE_BYTES + random(n % 2 ? 60 : PAGE_BYTES)] = random(256);
    writeFileSync(file, bytes);
    const scan = new Scan(file);
    for (const { payload } of scan.entries) {
      const found = scan.payload(payload as number);
      if (found && checksum(found.meta, found.body) === found.crc) assert.ok(stored.has(ours(found)), ours(found));
    }
    scan.close();
  }
});

// A damaged file is recovered at start: killed at any moment of that, or out of room, nothing is lost but what the damage hit.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { QueueDatabase } from '../../../../src/pipeline/outbox/disk/database.ts';
import { openQueueFile } from '../../../../src/pipeline/outbox/disk/recover.ts';
import { PAGE_BYTES } from '../../../../src/pipeline/outbox/disk/schema.ts';
import type { Entry } from '../../../../src/pipeline/outbox/store.ts';
import { smallDisk, whyNoMounts } from '../../../faults/mounts.ts';
import { settled } from '../fixtures.ts';
import { disk, textOf } from './rig.ts';

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
  bytes.fill(0xff, leaves[3]!, leaves[3]! + PAGE_BYTES);
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

/** Breaks the chain of pages that holds the bytes of this batch: SQLite knows that it is damaged when it reads it. */
function hurt(file: string, number: number): void {
  const bytes = readFileSync(file);
  const text = `profile-${number};`.repeat(2);
  let at = PAGE_BYTES;
  while (bytes[at] === 13 || !bytes.subarray(at, at + 100).includes(text)) at += PAGE_BYTES;
  const handle = openSync(file, 'r+');
  writeSync(handle, Buffer.alloc(4, 0xff), 0, 4, at);
  closeSync(handle);
}

const LARGE = 200;

/** More than fits into memory, on a disk that has no room for it twice. */
async function crowded(t: TestContext) {
  const { path, resize } = smallDisk(t, 75);
  const rig = disk(t, undefined, undefined, undefined, path);
  const store = await rig.start();
  for (let n = 0; n < LARGE; n++) await rig.put(store, `profile-${n};`, ['a'], 200_000);
  await rig.stop(store);
  return { ...rig, resize };
}
const TOO_SMALL =
  /queue file is damaged \(.*which needs \d+ MiB, and \d+ MiB are free\. Nothing is lost so far: make room/s;
const mounts = { skip: whyNoMounts() ?? false };

test(
  'no room to recover at start: it says so and changes nothing; with room all but the damage is saved',
  mounts,
  async t => {
    const { start, file, dir, lost, resize, drain } = await crowded(t);
    hurt(file, 7);
    for (let n = 0; n < 2; n++) {
      await assert.rejects(start(), TOO_SMALL);
      assert.deepEqual(readdirSync(dir), ['queue.db']);
    }
    resize(150);
    const texts = await drain(await start());
    assert.equal(texts.length + lost.length, LARGE);
    assert.ok(lost.length > 0 && lost.length < 10, `${lost.length} lost`);
  },
);

test('the disk fills up while it is recovered: nothing is lost, the half of a file goes', mounts, async t => {
  const { file, dir, resize } = await crowded(t);
  hurt(file, 7);
  resize(150);
  const { prototype } = QueueDatabase;
  const { put } = prototype;
  let puts = 0;
  t.mock.method(prototype, 'put', function (this: QueueDatabase, ...args: Parameters<typeof put>) {
    // Another program fills it.
    if (++puts === LARGE / 2) resize(85);
    put.apply(this, args);
  });
  assert.throws(() => openQueueFile(file, 'normal', Date.now()), TOO_SMALL);
  t.mock.reset();
  assert.deepEqual(readdirSync(dir), ['queue.db']);
  resize(150);
  const { sound, lost } = opened(file);
  assert.deepEqual([sound, lost], [LARGE - 1, 1]);
});

test(
  'no room to recover while it runs: puts are refused, nothing counts as lost, and it goes on when there is room',
  mounts,
  async t => {
    const { start, stop, file, dir, lost, resize, take, put, health, clock, memory } = await crowded(t);
    const store = await start();
    hurt(file, 0);
    const first = take(store);
    const refused = await put(store, 'new');
    for (let n = 0; n < 20; n++) await clock.advance(500);
    assert.match((refused as Error).message, TOO_SMALL);
    assert.match(health.at(-1)!, TOO_SMALL);
    assert.deepEqual([lost, store.depth('a').batches, readdirSync(dir)], [[], LARGE, ['queue.db']]);
    resize(150);
    while (health.at(-1) !== undefined) await settled();
    let entry: Entry | undefined;
    void first.then(taken => {
      entry = taken;
    });
    while (!entry) await clock.advance(500);
    const texts = [textOf(entry)];
    store.settle('a', entry, { kind: 'done' });
    while (store.depth('a').batches > 0) {
      const next = (await take(store))!;
      texts.push(textOf(next));
      store.settle('a', next, { kind: 'done' });
    }
    assert.equal(texts.length + lost.length, LARGE);
    assert.ok(lost.length > 0 && lost.length < 10, `${lost.length} lost`);
    assert.deepEqual(await put(store, 'new'), { evicted: [] });
    await stop(store);
    assert.equal(memory.usage.heldBytes, 0);
  },
);

test('any bit of the header or of the head of a page flips: it starts, and what is not there is said', t => {
  const { dir } = disk(t);
  const file = join(dir, 'sound.db');
  const made = QueueDatabase.open(file, 'normal');
  const times = { items: 1, storedMs: 5, attempts: 0, firstTryMs: null, dueMs: 0 };
  for (let id = 1; id <= 20; id++) {
    const entry = { id: 100 + id, payload: id, queue: 'a', bytes: 1000, ...times };
    made.transaction(() => made.put(id, `b${id}`, '{}', Buffer.alloc(1000, id), [entry]));
  }
  made.close();
  const sound = readFileSync(file);
  const places = [18, 19, 47, 56].flatMap(at => Array.from({ length: 8 }, (_, bit) => ({ page: 0, at, bit })));
  // The leaf of the entries: its kind, how many there are, and where they begin.
  for (const at of [0, 3, 4, 9]) for (let bit = 0; bit < 8; bit += 2) places.push({ page: 3, at, bit });
  for (const { page, at, bit } of places) {
    const bytes = Buffer.from(sound);
    bytes[page * PAGE_BYTES + at]! ^= 1 << bit;
    const name = `${page}-${at}-${bit}`;
    mkdirSync(join(dir, name));
    writeFileSync(join(dir, name, 'queue.db'), bytes);
    const { database, warnings, lost } = openQueueFile(join(dir, name, 'queue.db'), 'normal', Date.now());
    const left = database.entries();
    database.close();
    if (page === 0) assert.equal(left.length, 20, name);
    if (left.length < 20) assert.match(warnings[0]!, /perhaps others|are lost/, name);
    assert.ok(
      lost.every(({ queue, items }) => queue === 'a' && items === 1),
      `${name}: nothing is counted that was none`,
    );
  }
});

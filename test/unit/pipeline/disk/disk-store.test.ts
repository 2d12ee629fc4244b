import assert from 'node:assert/strict';
import { copyFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { BatchId, type ProfileBatch } from '../../../../src/model/batch.ts';
import { decodeBatch } from '../../../../src/pipeline/outbox/disk/codec.ts';
import { QueueDatabase } from '../../../../src/pipeline/outbox/disk/database.ts';
import type { Entry, PutResult } from '../../../../src/pipeline/outbox/store.ts';
import { batchOf, disk, ROOMY, textOf } from './rig.ts';

const names = (count: number, from = 1) => Array.from({ length: count }, (_, n) => `profile-${n + from}`);

test('what was put is delivered in order, and what was delivered is gone after a restart', async t => {
  const { start, stop, put, drain, take, memory, file } = disk(t);
  const store = await start();
  for (const name of names(5)) assert.deepEqual(await put(store, name), { evicted: [] });
  const first = (await take(store))!;
  assert.equal(textOf(first), 'profile-1');
  store.settle('a', first, { kind: 'done' });
  await stop(store);
  assert.equal(memory.usage.heldBytes, 0);
  const again = await start();
  assert.equal(again.depth('a').batches, 4);
  assert.deepEqual(await drain(again), names(4, 2));
  await stop(again);
  assert.equal(memory.usage.heldBytes, 0);
  const db = new DatabaseSync(file);
  assert.deepEqual({ ...db.prepare('SELECT count(*) AS n FROM payload').get() }, { n: 0 });
  db.close();
});

test('a batch comes back with all that it carries', async t => {
  const { start, stop, memory, take } = disk(t);
  const store = await start();
  const slab = memory.lease(64)!;
  slab.bytes.fill(7);
  const [body, part] = [slab.bytes.subarray(0, 40), slab.bytes.subarray(40, 64)];
  const payload = { form: 'jfr', encoding: 'identity', bytes: body } as const;
  const batch: ProfileBatch = {
    signal: 'profiles',
    id: BatchId.of('f00d'),
    tenant: 'team-ü',
    dialect: 'otel',
    receivedMs: 123,
    sizeBytes: 64,
    profiles: [
      {
        attributes: new Map<string, never>([
          ['text', 'x' as never],
          ['big', (2n ** 63n - 1n) as never],
          ['list', [1, null, true, { $n: '5' }] as never],
          ['not', Number.NaN as never],
          ['zero', -0 as never],
        ]),
        payload,
        part: 0,
        origin: { door: 'ingest', query: 'name=x', contentType: 'a/b', parts: { labels: part }, sampleId: 's' },
      },
      { attributes: new Map(), payload, part: 1 },
    ],
  };
  await store.put([{ queue: 'a', batch, storedMs: 5 }]);
  memory.release(slab.bytes);
  await stop(store);
  const entry = (await take(await start()))!;
  const { id, ...rest } = entry.batch as ProfileBatch;
  const { id: _, ...sent } = batch;
  assert.deepEqual(rest, sent);
  assert.equal(id.hex, 'f00d');
  assert.equal(rest.profiles[0]!.payload, rest.profiles[1]!.payload, 'one payload, shared');
});

test('one payload serves several queues and goes with the last', async t => {
  const { start, stop, put, drain, file } = disk(t);
  const store = await start({ a: ROOMY, b: ROOMY });
  for (const name of names(3)) await put(store, name, ['a', 'b']);
  assert.deepEqual(await drain(store, 'a'), names(3));
  await stop(store);
  const look = QueueDatabase.open(file, 'normal');
  assert.deepEqual([look.entries().length, look.sizes().length], [3, 3]);
  look.close();
  const again = await start({ a: ROOMY, b: ROOMY });
  assert.deepEqual(await drain(again, 'a'), []);
  assert.deepEqual(await drain(again, 'b'), names(3));
});

test('retries keep their count and time over a restart', async t => {
  const { start, stop, put, take, clock } = disk(t);
  const store = await start();
  await put(store, 'x');
  store.settle('a', (await take(store))!, { kind: 'later', dueMs: clock.now() + 60_000, firstTryMs: 42 });
  assert.deepEqual(store.depth('a'), { batches: 1, bytes: 1000, inFlight: 0, oldestMs: clock.now() });
  await stop(store);
  const again = await start();
  const waiting = take(again);
  await clock.advance(59_000);
  assert.equal(again.depth('a').inFlight, 0);
  await clock.advance(2_000);
  const { attempts, firstTryMs } = (await waiting)!;
  assert.deepEqual([attempts, firstTryMs], [1, 42]);
});

test('when a part is owed, only that part is stored', async t => {
  const { start, stop, put, take } = disk(t);
  const store = await start();
  await put(store, 'x', ['a'], 3000);
  const entry = (await take(store))!;
  const batch = entry.batch as ProfileBatch;
  const { payload } = batch.profiles[0]!;
  const bytes = payload.bytes.subarray(0, 1000);
  const rest = { ...batch, sizeBytes: 1000, profiles: [{ ...batch.profiles[0]!, payload: { ...payload, bytes } }] };
  store.settle('a', entry, { kind: 'later', dueMs: 0, firstTryMs: 1, rest });
  assert.deepEqual([store.depth('a').batches, store.depth('a').bytes], [1, 1000]);
  await stop(store);
  const again = (await take(await start()))!;
  assert.deepEqual([textOf(again), again.batch.sizeBytes, again.attempts], ['x', 1000, 1]);
});

test('dead letters stay in the file with their reason and are not delivered again', async t => {
  const { start, stop, put, take, file } = disk(t);
  const store = await start({ a: ROOMY, b: ROOMY });
  await put(store, 'x', ['a', 'b']);
  store.settle('a', (await take(store))!, { kind: 'dead', reason: 'rejected', message: 'store answered 422' });
  store.settle('b', (await take(store, 'b'))!, { kind: 'done' });
  await stop(store);
  const look = QueueDatabase.open(file, 'normal');
  const [letter] = look.deadLetters();
  assert.deepEqual(
    [letter!.queue, letter!.reason, letter!.message, letter!.attempts, letter!.items],
    ['a', 'rejected', 'store answered 422', 1, 1],
  );
  assert.equal(look.read(letter!.payload).body.length, 1000);
  assert.equal(look.pruneDead(letter!.deadMs!, 999), 1, 'too many bytes');
  assert.deepEqual(look.sizes(), []);
  look.close();
  assert.equal((await start()).depth('a').batches, 0);
});

test('a store that refuses everything leaves no more dead letters than are kept, at any time', async t => {
  const { start, put, take } = disk(t, 1 << 28, undefined, 16_000);
  const store = await start();
  const kept: number[] = [];
  for (const name of names(60)) {
    await put(store, name);
    store.settle('a', (await take(store))!, { kind: 'dead', reason: 'rejected', message: 'no' });
    const [{ dead } = { dead: [] }] = await store.operations.tally();
    kept.push(dead[0]?.batches ?? 0);
  }
  assert.ok(Math.max(...kept) <= 18, `${kept}`);
  const [newest] = (await store.operations.entries({ state: 'dead' }, 0, 100)).entries.slice(-1);
  assert.equal(newest!.profiles[0]!.labels.service_name, 'profile-60');
});

test('a batch that never got into a queue is buried: a dead letter at once, whatever its queue had lately', async t => {
  const { start, stop, put, take, memory, clock, file, dir, drain } = disk(t);
  const store = await start();
  await put(store, 'x');
  const slab = memory.lease(1000)!;
  const bytes = slab.bytes.subarray(0, 1000).fill('x');
  assert.equal(await store.bury('a', batchOf(bytes, 'x'), 'stage_failed', 'stage labels/1 threw'), true);
  assert.equal(await store.bury('nobody', batchOf(bytes, 'x'), 'stage_failed', 'stage labels/1 threw'), true);
  // Durable when it answers: a copy of file and log is what a killed process leaves.
  for (const suffix of ['', '-wal']) copyFileSync(`${file}${suffix}`, join(dir, `copy.db${suffix}`));
  memory.release(slab.bytes);
  const copy = QueueDatabase.open(join(dir, 'copy.db'), 'normal');
  const letters = copy.deadLetters();
  assert.deepEqual(
    letters.map(({ queue, reason, message, deadMs, attempts, items, bytes: size }) => ({
      ...{ queue, reason, message, deadMs, attempts, items, size },
    })),
    ['a', 'nobody'].map(queue => ({
      ...{ queue, reason: 'stage_failed', message: 'stage labels/1 threw', deadMs: clock.now() },
      ...{ attempts: 0, items: 1, size: 1000 },
    })),
  );
  assert.equal(
    textOf({
      batch: decodeBatch('', copy.read(letters[1]!.payload).meta, copy.read(letters[1]!.payload).body),
    } as Entry),
    'x',
  );
  copy.close();
  assert.deepEqual(await drain(store), ['x'], 'only what was put is delivered');
  assert.deepEqual(await put(store, 'y'), { evicted: [] });
  store.settle('a', (await take(store))!, { kind: 'done' });
  await stop(store);
  assert.equal(memory.usage.heldBytes, 0);
  assert.equal((await start()).depth('a').batches, 0);
});

test('burying in a file that takes no writes is said', async t => {
  const { start, stop, memory } = disk(t);
  const store = await start();
  await stop(store);
  const slab = memory.lease(10)!;
  await assert.rejects(store.bury('a', batchOf(slab.bytes.subarray(0, 10), 'x'), 'stage_failed', 'm'), /queue file/);
  memory.release(slab.bytes);
  assert.equal(memory.usage.heldBytes, 0);
});

test('a batch that its queue took lately is not taken again; one that never was, is', async t => {
  const { start, stop, put, drain, clock, file } = disk(t);
  const store = await start({ a: ROOMY, b: ROOMY });
  await put(store, 'x');
  assert.deepEqual(await put(store, 'x', ['a', 'b']), { evicted: [], repeated: ['a'] });
  assert.deepEqual(await Promise.all([put(store, 'y'), put(store, 'y')]), [
    { evicted: [] },
    { evicted: [], repeated: ['a'] },
  ]);
  assert.deepEqual([await drain(store), await drain(store, 'b')], [['x', 'y'], ['x']]);
  assert.deepEqual(await put(store, 'x'), { evicted: [], repeated: ['a'] }, 'also when it was delivered meanwhile');
  await clock.advance(11 * 60_000);
  assert.deepEqual(await put(store, 'x'), { evicted: [] });
  assert.deepEqual(await drain(store), ['x']);
  await stop(store);
  const again = await start();
  assert.deepEqual(await put(again, 'x'), { evicted: [], repeated: ['a'] }, 'and after a restart');
  await clock.advance(9 * 60_000);
  assert.deepEqual(await put(again, 'z'), { evicted: [] });
  await stop(again);
  await clock.advance(2 * 60_000);
  const later = await start();
  assert.deepEqual(await put(later, 'x'), { evicted: [] }, 'until ten minutes are over');
  await stop(later);
  const look = QueueDatabase.open(file, 'normal');
  assert.deepEqual(
    [...look.recent()].map(({ keys }) => keys.length),
    [11, 11],
    'what is older is not kept',
  );
  look.close();
});

test('what fails again with each try of its sender is buried once, also after a restart; another one is', async t => {
  const { start, stop, put, drain, clock } = disk(t);
  const store = await start();
  const bury = (of: typeof store, text: string, queue = 'stage:x', bytes = Buffer.alloc(100, text)) =>
    of.bury(queue, batchOf(bytes, text), 'stage_failed', 'threw');
  const dead = async (of: typeof store) =>
    (await of.operations.tally()).map(({ queue, dead: [one] }) => `${queue} ${one?.batches ?? 0}`);
  assert.deepEqual(await Promise.all([bury(store, 'p1'), bury(store, 'p1')]), [true, true]);
  await bury(store, 'p1');
  assert.deepEqual(await dead(store), ['a 0', 'stage:x 1']);
  await bury(store, 'p1', 'stage:y');
  await bury(store, 'p2');
  assert.deepEqual(await put(store, 'p1', ['a'], 100), { evicted: [] }, 'what failed elsewhere may be delivered here');
  await stop(store);
  const again = await start();
  await bury(again, 'p1');
  assert.deepEqual(await dead(again), ['a 0', 'stage:x 2', 'stage:y 1']);
  await clock.advance(16 * 60_000);
  await bury(again, 'p1');
  assert.deepEqual(await dead(again), ['a 0', 'stage:x 3', 'stage:y 1']);
  assert.deepEqual(await drain(again), ['p1']);
});

test('profiles of one batch that fail with one description are buried each', async t => {
  const { start } = disk(t);
  const store = await start();
  for (const fill of [1, 2, 1]) {
    const batch = { ...batchOf(Buffer.alloc(100, fill), 'x'), id: BatchId.of('0a'.repeat(20)) };
    await store.bury('stage:x', batch, 'stage_failed', 'threw');
  }
  assert.equal((await store.operations.tally())[1]!.dead[0]!.batches, 2);
});

test('one request that two pipelines send to an exporter as two batches is not taken for repeated', async t => {
  const { start, memory, clock, take } = disk(t);
  const store = await start();
  const slab = memory.lease(1000)!;
  const batch = batchOf(slab.bytes.subarray(0, 1000).fill('x'), 'x');
  const tagged: ProfileBatch = {
    ...batch,
    profiles: batch.profiles.map(profile => ({
      ...profile,
      attributes: new Map([...profile.attributes, ['tag', 'b']]),
    })),
  };
  const put = (one: ProfileBatch) => store.put([{ queue: 'a', batch: one, storedMs: clock.now() }]);
  assert.deepEqual([await put(batch), await put(tagged)], [{ evicted: [] }, { evicted: [] }]);
  const later = { receivedMs: 99 };
  const again = [await put({ ...batch, ...later }), await put({ ...tagged, ...later })];
  assert.deepEqual(again, [
    { evicted: [], repeated: ['a'] },
    { evicted: [], repeated: ['a'] },
  ]);
  memory.release(slab.bytes);
  for (const tag of [undefined, 'b']) {
    const entry = (await take(store))!;
    assert.equal((entry.batch as ProfileBatch).profiles[0]!.attributes.get('tag'), tag);
    store.settle('a', entry, { kind: 'done' });
  }
});

test('a full queue drops its oldest, or refuses, as told; the file agrees', async t => {
  const { start, stop, put, drain } = disk(t);
  const small = { capacity: 3000, sizer: 'bytes', onFull: 'drop_oldest' } as const;
  const strict = { ...small, onFull: 'refuse' } as const;
  const store = await start({ a: small, b: strict });
  for (const name of names(3)) await put(store, name, ['a', 'b']);
  assert.equal(((await put(store, 'profile-4', ['a', 'b'])) as Error).message, 'the queue of b is full');
  const { evicted } = (await put(store, 'profile-4')) as PutResult;
  assert.deepEqual(
    evicted.map(({ items }) => items),
    [1],
  );
  await stop(store);
  const again = await start({ a: small, b: strict });
  assert.deepEqual([await drain(again), await drain(again, 'b')], [names(3, 2), names(3)]);
});

test('what does not fit into memory is read back; without memory it waits', async t => {
  const MIB = 1 << 20;
  const { start, put, take, drain, memory, clock } = disk(t, 50 * MIB);
  const store = await start();
  for (const name of names(60)) await put(store, name, ['a'], MIB);
  assert.ok(memory.usage.heldBytes < 45 * MIB, `${memory.usage.heldBytes}`);
  for (const name of names(50)) {
    const entry = (await take(store))!;
    assert.equal(textOf(entry), name);
    store.settle('a', entry, { kind: 'done' });
  }
  const hog: Buffer[] = [];
  for (let slab = memory.lease(MIB); slab; slab = memory.lease(MIB)) hog.push(slab.bytes);
  let taken: string | undefined;
  const taking = take(store).then(entry => {
    taken = textOf(entry!);
    store.settle('a', entry!, { kind: 'done' });
  });
  await clock.advance(5000);
  assert.equal(taken, undefined);
  for (const bytes of hog) memory.release(bytes);
  await clock.advance(5000);
  await taking;
  assert.deepEqual([taken, ...(await drain(store))].toSorted(), names(10, 51));
});

test('queues that nobody opens keep what they hold', async t => {
  const { start, stop, put, drain } = disk(t);
  const store = await start({ old: ROOMY });
  await put(store, 'x', ['old']);
  store.close('old');
  assert.deepEqual([...store.unopened], [['old', 1]]);
  await stop(store);
  const again = await start({ other: ROOMY });
  assert.deepEqual([...again.unopened], [['old', 1]]);
  again.open('old', ROOMY);
  assert.deepEqual([await drain(again, 'old'), again.unopened.size], [['x'], 0]);
});

test('a second process, a newer file and a foreign file are refused with a sentence', async t => {
  const { start, stop, file } = disk(t);
  const store = await start();
  await assert.rejects(start(), /queue\.db is in use by another process/);
  await stop(store);
  const db = new DatabaseSync(file);
  db.exec('PRAGMA user_version = 99; UPDATE info SET value = 99');
  db.close();
  await assert.rejects(start(), /newer flamegate \(schema 99/);
  const other = new DatabaseSync(file);
  other.exec('DROP TABLE info; PRAGMA user_version = 0; PRAGMA application_id = 5');
  other.close();
  await assert.rejects(start(), /database of another program/);
});

test('a damaged payload is lost alone, and counted', async t => {
  const { start, stop, put, drain, file, lost } = disk(t);
  const store = await start();
  for (const name of names(5)) await put(store, name);
  await stop(store);
  const db = new DatabaseSync(file);
  db.exec("UPDATE payload SET body = zeroblob(1000) WHERE meta LIKE '%profile-3%'");
  db.close();
  assert.deepEqual(await drain(await start()), ['profile-1', 'profile-2', 'profile-4', 'profile-5'].slice(0, 4));
  assert.deepEqual(lost, ['a:1']);
});

test('an entry whose bytes are not in the file is lost, counted, and said once', async t => {
  const { start, stop, put, drain, file, lost } = disk(t);
  const store = await start();
  for (const name of names(3)) await put(store, name);
  await stop(store);
  const db = new DatabaseSync(file);
  db.exec('UPDATE entry SET payload = 999 WHERE id = (SELECT max(id) FROM entry)');
  db.close();
  const again = await start();
  assert.deepEqual(await drain(again), names(2));
  await stop(again);
  await start();
  assert.deepEqual(lost, ['a:1']);
});

test('a time that lies too far ahead, set by a wrong clock or by damage, is not waited for', async t => {
  const { start, stop, put, take, file, clock } = disk(t);
  const store = await start();
  await put(store, 'x');
  await stop(store);
  const db = new DatabaseSync(file);
  db.exec('UPDATE entry SET due_ms = due_ms + 1000000000000000');
  db.close();
  const taking = take(await start());
  await clock.advance(3_600_000);
  assert.equal(textOf((await taking)!), 'x');
});

test('a file that is no database any more is set aside, and the gateway goes on', async t => {
  const { start, stop, put, drain, file, dir, said } = disk(t);
  const store = await start();
  await put(store, 'x');
  await stop(store);
  writeFileSync(file, 'this was a queue');
  const again = await start();
  assert.match(said[0]!, /set aside as .*queue\.db\.damaged-/);
  assert.ok(readdirSync(dir).some(name => name.includes('damaged')));
  await put(again, 'y');
  assert.deepEqual(await drain(again), ['y']);
});

test('killed at any commit, the file has everything that was acknowledged', async t => {
  const { start, stop, put, drain, file, dir } = disk(t);
  const store = await start();
  const copies: { acknowledged: number; dir: string }[] = [];
  for (const [n, name] of names(20).entries()) {
    await put(store, name);
    // A copy of file and log is what a killed process leaves.
    if (n % 5 === 4) {
      for (const suffix of ['', '-wal']) copyFileSync(`${file}${suffix}`, join(dir, `copy-${n}.db${suffix}`));
      copies.push({ acknowledged: n + 1, dir: join(dir, `copy-${n}.db`) });
    }
  }
  await stop(store);
  for (const copy of copies) {
    const look = QueueDatabase.open(copy.dir, 'normal');
    assert.equal(look.entries().length, copy.acknowledged);
    for (const { payload } of look.entries()) look.read(payload);
    look.close();
  }
  assert.deepEqual(await drain(await start()), names(20));
});

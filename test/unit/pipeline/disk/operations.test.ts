// The same questions to a store that runs and to the file that it left: the answers agree.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { QueueDatabase } from '../../../../src/pipeline/outbox/disk/database.ts';
import type { DiskStore } from '../../../../src/pipeline/outbox/disk/disk-store.ts';
import type { Page, QueueOperations, QueueTally, Selection } from '../../../../src/pipeline/outbox/operations.ts';
import { StoppedOperations } from '../../../../src/queue/stopped.ts';
import { batchOf, disk, ROOMY } from './rig.ts';

const STAGE = 'stage:profiles/a/frames';
type Rig = ReturnType<typeof disk>;

/** Two dead letters of `a`, one of `old`, that nobody reads; p4 waits for `a` and `b`, p5 for `b`. */
async function filled(rig: Rig, stage?: string): Promise<DiskStore> {
  const store = await rig.start({ a: ROOMY, b: ROOMY, old: ROOMY });
  for (const name of ['p1', 'p2']) {
    await rig.put(store, name, ['a']);
    store.settle('a', (await rig.take(store))!, {
      kind: 'dead',
      reason: 'rejected',
      message: `store answered 422 ${name}`,
    });
  }
  await rig.put(store, 'p3', ['old']);
  store.settle('old', (await rig.take(store, 'old'))!, { kind: 'dead', reason: 'max_age', message: 'too old' });
  store.close('old');
  await rig.clock.advance(60_000);
  await rig.put(store, 'p4', ['a', 'b']);
  await rig.put(store, 'p5', ['b'], 2000);
  if (stage !== undefined) await store.bury(stage, batchOf(Buffer.alloc(100, 'p6'), 'p6'), 'stage_failed', 'threw');
  return store;
}

/** What both kinds of access must do; the store is given while it runs. */
function both(
  name: string,
  body: (rig: Rig, queues: QueueOperations, store: DiskStore | undefined) => Promise<void>,
  stage?: string,
) {
  test(`${name}: running`, async t => {
    const rig = disk(t);
    const store = await filled(rig, stage);
    await body(rig, store.operations, store);
  });
  test(`${name}: stopped`, async t => {
    const rig = disk(t);
    await rig.stop(await filled(rig, stage));
    const queues = stopped(t, rig);
    await body(rig, queues, undefined);
  });
}

function stopped(t: TestContext, { file }: Rig): StoppedOperations {
  const settings = { file, sync: 'normal', deadLetters: { maxAgeMs: 1e12, maxBytes: 1e12 } } as const;
  const readers = new Map([
    ['a', ROOMY],
    ['b', ROOMY],
  ]);
  const database = QueueDatabase.open(file, 'normal');
  const queues = new StoppedOperations(database, { settings, readers });
  t.after(() => database.isOpen && queues.close());
  return queues;
}

async function all<P extends Page>(step: (after: number) => Promise<P>): Promise<P[]> {
  const got: P[] = [];
  for (let after: number | undefined = 0; after !== undefined; after = got.at(-1)!.next) got.push(await step(after));
  return got;
}
const total = <P extends Page>(got: P[], key: keyof P) => got.reduce((sum, page) => sum + Number(page[key]), 0);
const numbers = (tallies: readonly QueueTally[]) =>
  tallies.map(({ queue, read, pending, dead }) => [
    ...[queue, read, pending.batches, pending.bytes],
    dead.map(({ reason, batches }) => `${reason} ${batches}`).join(),
  ]);
const namesIn = async (queues: QueueOperations, selection: Selection) =>
  (await queues.entries(selection, 0, 100)).entries.map(({ profiles }) => profiles[0]!.labels.service_name);

both('ls counts by queue and reason and tells which queues are read', async (_rig, queues) => {
  assert.deepEqual(numbers(await queues.tally()), [
    ['a', true, 1, 1000, 'rejected 2'],
    ['b', true, 2, 3000, ''],
    ['old', false, 0, 0, 'max_age 1'],
  ]);
});

both('peek shows what an entry is and carries, page by page', async (rig, queues) => {
  const [first] = (await queues.entries({ queue: 'a', state: 'dead' }, 0, 1)).entries;
  const { id: _id, batch, ...rest } = first!;
  assert.match(batch, /^[0-9a-f]{40}$/);
  assert.deepEqual(rest, {
    ...{ queue: 'a', state: 'dead', bytes: 1000, attempts: 1, reason: 'rejected', message: 'store answered 422 p1' },
    ...{ storedMs: rig.clock.now() - 60_000, deadMs: rig.clock.now() - 60_000, receivedMs: 17 },
    ...{ signal: 'profiles', tenant: 'team', dialect: 'pyroscope' },
    profiles: [
      {
        ...{ labels: { service_name: 'p1' }, form: 'pprof', encoding: 'gzip', part: 0, at: 0, bytes: 1000 },
        origin: { door: 'ingest', query: 'name=p1' },
      },
    ],
  });
  const one = await all(after => queues.entries({}, after, 1));
  assert.deepEqual(
    one.flatMap(({ entries }) => entries.map(({ queue, profiles }) => `${queue} ${profiles[0]!.labels.service_name}`)),
    ['a p1', 'a p2', 'old p3', 'a p4', 'b p4', 'b p5'],
  );
  assert.deepEqual(await namesIn(queues, { state: 'pending', queue: 'b' }), ['p4', 'p5']);
  assert.deepEqual(await namesIn(queues, { sinceMs: rig.clock.now() - 1 }), ['p4', 'p4', 'p5']);
  assert.deepEqual(await namesIn(queues, { untilMs: rig.clock.now() }), ['p1', 'p2', 'p3']);
  const bytes = (await queues.payload(first!.id))!;
  assert.ok(Buffer.alloc(1000, 'p1').equals(bytes));
  assert.equal(await queues.payload(4711), undefined);
});

both(
  'replay queues dead letters for another exporter, once, and takes them from where they were',
  async (rig, queues, store) => {
    const page = await queues.replay({ state: 'dead' }, 'b', false, 0);
    assert.deepEqual(page, {
      replayed: 3,
      items: 3,
      already: 0,
      missing: 0,
      unstaged: 0,
      full: false,
      next: undefined,
    });
    assert.deepEqual(numbers(await queues.tally()), [
      ['a', true, 1, 1000, ''],
      ['b', true, 5, 6000, ''],
    ]);
    if (!store) (queues as StoppedOperations).close();
    const running = store ?? (await rig.start({ a: ROOMY, b: ROOMY }));
    // In the ten minutes in which the same batch is not taken again from a sender.
    assert.deepEqual((await rig.drain(running, 'b')).toSorted(), ['p1', 'p2', 'p3', 'p4', 'p5']);
    assert.deepEqual(await rig.drain(running, 'a'), ['p4']);
  },
);

both(
  'replay can keep the dead letters, send them to their own store, and leaves what waits anyway',
  async (_rig, queues) => {
    const kept = await queues.replay({ state: 'dead', queue: 'a' }, 'a', true, 0);
    assert.deepEqual([kept.replayed, kept.already], [2, 0]);
    const again = await queues.replay({ state: 'dead', queue: 'a' }, 'a', false, 0);
    assert.deepEqual([again.replayed, again.already], [0, 2]);
    // A time range takes what waits for others too, and leaves it there.
    const range = await queues.replay({ queue: 'b' }, 'a', false, 0);
    assert.deepEqual([range.replayed, range.already], [1, 1]);
    assert.deepEqual(numbers(await queues.tally()).slice(0, 2), [
      ['a', true, 4, 5000, ''],
      ['b', true, 2, 3000, ''],
    ]);
  },
);

both(
  'what failed in a stage is replayed only when its queue is named',
  async (_rig, queues) => {
    const page = await queues.replay({ state: 'dead' }, 'b', false, 0);
    assert.deepEqual([page.replayed, page.unstaged], [3, 1]);
    const ranged = await queues.replay({ sinceMs: 0 }, 'b', false, 0);
    assert.equal(ranged.unstaged, 1);
    const named = await queues.replay({ queue: STAGE, state: 'dead' }, 'b', false, 0);
    assert.deepEqual([named.replayed, named.unstaged], [1, 0]);
  },
  STAGE,
);

both('replay to a queue that nobody reads is refused with a sentence', async (_rig, queues) => {
  await assert.rejects(
    queues.replay({ state: 'dead' }, 'old', false, 0),
    /no .*exporter reads a queue `old` in .*queue\.db/,
  );
});

both('purge deletes dead letters, or everything', async (_rig, queues) => {
  const some = await all(after => queues.purge({ state: 'dead', queue: 'a' }, after));
  assert.deepEqual([total(some, 'purged'), total(some, 'bytes')], [2, 2000]);
  assert.deepEqual(
    numbers(await queues.tally()).map(([, , , , dead]) => dead),
    ['', '', 'max_age 1'],
  );
  const rest = await all(after => queues.purge({}, after));
  assert.deepEqual([total(rest, 'purged'), total(rest, 'bytes')], [4, 5000]);
  assert.deepEqual(
    (await queues.tally()).map(({ pending, dead }) => [pending.batches, dead]),
    [
      [0, []],
      [0, []],
    ],
  );
  assert.deepEqual(await all(after => queues.verify(after)), [
    { entries: 0, payloads: 0, bytes: 0, damaged: [], next: undefined },
  ]);
});

both('verify reads every payload once', async (_rig, queues) => {
  assert.deepEqual(await queues.verify(0), { entries: 6, payloads: 5, bytes: 6000, damaged: [], next: undefined });
});

test('verify names what is damaged: a payload, what describes it, and what is gone', async t => {
  const rig = disk(t);
  await rig.stop(await filled(rig));
  const { DatabaseSync } = await import('node:sqlite');
  const db = new DatabaseSync(rig.file);
  db.exec(`UPDATE payload SET body = zeroblob(1000) WHERE meta LIKE '%p1%'; UPDATE payload SET crc = crc + 1 WHERE meta LIKE '%p2%';
    DELETE FROM payload WHERE meta LIKE '%p4%'`);
  db.close();
  const queues = stopped(t, rig);
  const { damaged, entries } = await queues.verify(0);
  assert.equal(entries, 6);
  assert.deepEqual(
    damaged.map(({ queue, message }) => `${queue} ${message.replace(/\d+/, 'N')}`),
    [
      'a payload N is damaged: wrong checksum',
      'a payload N is damaged: wrong checksum',
      'a payload N is not in the file',
      'b payload N is not in the file',
    ],
  );
  await assert.rejects(queues.payload(damaged[0]!.id), { code: 'damaged' });
  const [, , gone] = (await queues.entries({ queue: 'a' }, 0, 10)).entries;
  assert.deepEqual([gone!.problem, gone!.profiles], ['its payload is not in the file', []]);
  assert.equal((await queues.replay({ queue: 'b' }, 'a', false, 0)).missing, 1);
});

test('what is being delivered is marked, and not purged', async t => {
  const rig = disk(t);
  const store = await filled(rig);
  const entry = (await rig.take(store))!;
  const states = async () => (await store.operations.entries({ queue: 'a' }, 0, 10)).entries.map(({ state }) => state);
  assert.deepEqual(await states(), ['dead', 'dead', 'delivering']);
  const purged = await all(after => store.operations.purge({}, after));
  assert.deepEqual([total(purged, 'purged'), purged.at(-1)!.left], [5, 1]);
  assert.deepEqual(await states(), ['delivering']);
  assert.deepEqual(rig.lost, ['b:1 purged', 'b:1 purged'], 'what was acknowledged is counted');
  store.settle('a', entry, { kind: 'back' });
  assert.deepEqual(await rig.drain(store), ['p4']);
  await rig.stop(store);
  assert.equal(rig.memory.usage.heldBytes, 0);
});

test('purge also takes what waits for a later try, from the middle of a queue and from queues that nobody reads', async t => {
  const rig = disk(t);
  const store = await rig.start({ a: ROOMY, old: ROOMY });
  for (const name of ['p1', 'p2', 'p3', 'p4']) {
    await rig.put(store, name, ['a', 'old']);
    await rig.clock.advance(1000);
  }
  store.close('old');
  store.settle('a', (await rig.take(store))!, { kind: 'later', dueMs: rig.clock.now() + 5000, firstTryMs: 1 });
  const nowMs = rig.clock.now();
  const page = await store.operations.purge(
    { queue: 'a', state: 'pending', sinceMs: nowMs - 3000, untilMs: nowMs - 1000 },
    0,
  );
  assert.equal(page.purged, 2);
  assert.deepEqual(await namesIn(store.operations, { queue: 'a' }), ['p1', 'p4']);
  assert.equal((await all(after => store.operations.purge({ queue: 'old' }, after)))[0]!.purged, 4);
  assert.equal(store.unopened.size, 0);
  await store.operations.purge({ queue: 'a', untilMs: nowMs - 3000 }, 0);
  assert.deepEqual(await rig.drain(store), ['p4']);
});

test('replay fills a queue up to its limit and says that there is more', async t => {
  const rig = disk(t);
  const store = await filled(rig);
  store.open('b', { ...ROOMY, capacity: 5000 });
  assert.deepEqual(await store.operations.replay({ state: 'dead' }, 'b', false, 0), {
    ...{ replayed: 2, items: 2, already: 0, missing: 0, unstaged: 0, full: true, next: undefined },
  });
  assert.equal(store.depth('b').bytes, 5000);
  store.open('b', { capacity: 4, sizer: 'requests', onFull: 'refuse' });
  assert.equal((await store.operations.replay({ state: 'dead' }, 'b', false, 0)).full, true);
  assert.deepEqual((await rig.drain(store, 'b')).length, 4);
  assert.equal((await store.operations.replay({ state: 'dead' }, 'b', false, 0)).full, false);
  assert.deepEqual(await rig.drain(store, 'b'), ['p3']);
  await rig.stop(store);
  assert.equal(rig.memory.usage.heldBytes, 0);
});

test('thousands of entries are answered in pages; what comes in meanwhile is taken at once', async t => {
  const rig = disk(t);
  const store = await rig.start({ a: ROOMY, b: ROOMY });
  const names = Array.from({ length: 1200 }, (_, n) => `p${n}`);
  await Promise.all(names.map(name => rig.put(store, name, ['a'], 100)));
  for (let n = 0; n < names.length; n++)
    store.settle('a', (await rig.take(store))!, { kind: 'dead', reason: 'rejected', message: 'no' });
  const replaying = all(after => store.operations.replay({ state: 'dead' }, 'b', false, after));
  assert.deepEqual(await rig.put(store, 'now', ['b'], 100), { evicted: [] });
  const replayed = await replaying;
  assert.deepEqual([total(replayed, 'replayed'), replayed.length], [1200, 3]);
  const [last] = (await all(after => store.operations.entries({ queue: 'b' }, after, 1000))).slice(-1);
  assert.ok(last!.entries.length > 0);
  const purged = await all(after => store.operations.purge({ state: 'pending', queue: 'b' }, after));
  assert.equal(total(purged, 'purged'), 1201);
  assert.equal(store.depth('b').batches, 0);
});

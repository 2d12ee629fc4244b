// Full queues: what was acknowledged goes only for what is stored in its place, and only from queues that may drop.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fanout } from '../../../../src/pipeline/fanout.ts';
import { MemoryStore } from '../../../../src/pipeline/outbox/memory-store.ts';
import type { AnyBatch, Evicted, PutResult, QueueLimits, Store } from '../../../../src/pipeline/outbox/store.ts';
import { batchOf, disk, faulty, ROOMY, textOf } from './rig.ts';

const names = (count: number, from = 0) => Array.from({ length: count }, (_, n) => `profile-${n + from}`);
const FULL: QueueLimits = { capacity: 10_000, sizer: 'bytes', onFull: 'drop_oldest' };
const STRICT: QueueLimits = { ...FULL, onFull: 'refuse' };
const reader = { down: false, gaveWay() {}, lost() {} };

for (const kind of ['ENOSPC', 'EIO'])
  test(`${kind} under puts to a full queue: nothing goes, in order, also when it is opened again`, async t => {
    const { start, stop, put, drain, fail, heal, lost } = faulty(t);
    const store = await start({ a: FULL, b: ROOMY });
    for (const name of names(10)) await put(store, name, ['a', 'b']);
    fail(kind);
    // Those of the first group choose before the fault is known, the last one afterwards.
    const refused = await Promise.all(names(4, 20).map(name => put(store, name, ['a', 'b'], 3000)));
    refused.push(await put(store, 'late', ['a'], 10_000));
    for (const error of refused) assert.match((error as Error).message, /cannot be written/);
    assert.deepEqual([store.depth('a').batches, store.depth('a').bytes], [10, 10_000]);
    await heal();
    const { evicted } = (await put(store, 'profile-10')) as PutResult;
    assert.equal(evicted.length, 1);
    await stop(store);
    const again = await start({ a: FULL, b: ROOMY });
    assert.deepEqual([await drain(again), await drain(again, 'b')], [names(10, 1), names(10)]);
    assert.deepEqual(lost, []);
  });

test('concurrent puts to a full queue drop one each, the oldest', async t => {
  const { start, stop, put, drain } = disk(t);
  const store = await start({ a: FULL });
  for (const name of names(10)) await put(store, name);
  const results = await Promise.all(names(7, 10).map(name => put(store, name)));
  assert.deepEqual(
    results.map(result => (result as PutResult).evicted.length),
    [1, 1, 1, 1, 1, 1, 1],
  );
  assert.equal(store.depth('a').bytes, 10_000);
  await stop(store);
  assert.deepEqual(await drain(await start({ a: FULL })), names(10, 7));
});

test('a repeat drops nothing, alone and among others', async t => {
  const { start, stop, put, drain } = disk(t);
  const store = await start({ a: FULL });
  for (const name of names(10)) await put(store, name);
  const repeat = { evicted: [], repeated: ['a'] };
  assert.deepEqual(await put(store, 'profile-9'), repeat);
  const [first, fresh, second] = await Promise.all(
    ['profile-0', 'profile-10', 'profile-5'].map(one => put(store, one)),
  );
  assert.deepEqual([first, second], [repeat, repeat]);
  assert.equal((fresh as PutResult).evicted.length, 1);
  assert.equal(store.depth('a').batches, 10);
  // The repeat chose the oldest, the new one the next.
  const left = [...names(1), ...names(9, 2)];
  await stop(store);
  assert.deepEqual(await drain(await start({ a: FULL })), left);
});

test('what is in flight stays: a batch that does not fit beside it goes, and nothing for it', async t => {
  const { start, put, take } = disk(t);
  const store = await start({ a: FULL });
  await put(store, 'large', ['a'], 9000);
  await take(store);
  await put(store, 'small');
  const { evicted } = (await put(store, 'other', ['a'], 2000)) as PutResult;
  assert.equal(evicted.length, 1);
  assert.equal(store.depth('a').batches, 2);
  assert.equal(textOf((await take(store))!), 'small');
});

test('the queue is given other limits, or closed and opened, while room is made in it', async t => {
  const { start, put, drain } = disk(t);
  const store = await start({ a: FULL });
  for (const name of names(10)) await put(store, name);
  let putting = put(store, 'profile-10');
  store.open('a', { ...FULL, capacity: 10, sizer: 'requests' });
  await putting;
  putting = put(store, 'profile-11');
  store.close('a');
  store.open('a', { ...FULL, capacity: 10, sizer: 'requests' });
  await putting;
  putting = put(store, 'profile-12');
  store.close('a');
  await putting;
  store.open('a', { ...FULL, capacity: 10, sizer: 'requests' });
  assert.equal(((await put(store, 'profile-13')) as PutResult).evicted.length, 1);
  assert.deepEqual(await drain(store), names(10, 4));
  for (const name of names(10, 20)) assert.deepEqual(await put(store, name), { evicted: [] });
});

/** The end of a pipeline with one queue in each store. */
function fanout(stores: Record<string, Store>) {
  const evicted: Evicted[] = [];
  const branches = Object.entries(stores).map(([id, store]) => ({
    id,
    node: {},
    outbox: {
      ...{ id, queued: true, store, repeated() {} },
      row: (batch: AnyBatch) => ({ queue: id, batch, storedMs: 1 }),
      evicted: (one: Evicted) => evicted.push(one),
    },
  }));
  const fan = new Fanout(branches as never);
  const send = (text: string) => fan.consume(batchOf(Buffer.alloc(1000, text), text), new AbortController().signal);
  return { send, evicted };
}

test('two files in one pipeline, thirty senders at once: who does not fit into both is refused and is in neither', async t => {
  const [one, two] = [disk(t), disk(t)];
  const a = await one.start({ a: ROOMY });
  const b = await two.start({ b: STRICT });
  const { send, evicted } = fanout({ a, b });
  const results = await Promise.all(names(30).map(send));
  assert.equal(results.filter(({ kind }) => kind === 'accepted').length, 10);
  const refused = results.find(({ kind }) => kind === 'refused');
  assert.deepEqual(refused, { kind: 'refused', reason: 'the queue of b is full', retryAfterMs: 5000 });
  assert.deepEqual([a.depth('a').batches, b.depth('b').batches, evicted.length], [10, 10, 0]);
  assert.deepEqual([await one.drain(a), await two.drain(b, 'b')], [names(10), names(10)]);
});

test('memory and a file: neither takes more than it promised', async t => {
  const rig = disk(t);
  const a = await rig.start({ a: ROOMY });
  const b = new MemoryStore({ memory: rig.memory, clock: rig.clock });
  b.open('b', { capacity: 5, sizer: 'requests', onFull: 'refuse' }, reader);
  const { send } = fanout({ a, b });
  const results = await Promise.all(names(30).map(send));
  assert.equal(results.filter(({ kind }) => kind === 'accepted').length, 5);
  assert.deepEqual([a.depth('a').batches, b.depth('b').batches], [5, 5]);
});

test('a file that cannot be written gives back what others promised, and what had to make room for it', async t => {
  const [one, two] = [disk(t), faulty(t)];
  const b = await two.start({ b: STRICT });
  const a = await one.start({ a: FULL });
  for (const name of names(10)) await one.put(a, name);
  const { send, evicted } = fanout({ b, a });
  two.fail('EIO');
  const results = await Promise.all(names(5, 10).map(send));
  for (const { kind } of results) assert.equal(kind, 'refused');
  assert.deepEqual([a.depth('a').batches, b.depth('b').batches, evicted.length], [10, 0, 0]);
  await two.heal();
  for (const name of names(10, 10)) assert.equal((await send(name)).kind, 'accepted');
  assert.equal(evicted.length, 10);
  assert.deepEqual(await one.drain(a), names(10, 10));
});

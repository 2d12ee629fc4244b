// Queues in memory: what they hold is what they count, and who gives way when there is no more.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BatchId, type ProfileBatch } from '../../../src/model/batch.ts';
import { MemoryStore } from '../../../src/pipeline/outbox/memory-store.ts';
import { SlabPool } from '../../../src/workers/slabs.ts';
import { batchOf, FakeClock, settled } from './fixtures.ts';
import { planOf, signal, world } from './world.ts';

const MIB = 1024 * 1024;
const DOWN = { kind: 'retryable', error: new Error('down') } as const;
const reader = { down: false, gaveWay: () => {}, lost: () => {} };
const bytes = { sizer: 'bytes', onFull: 'drop_oldest' } as const;

function rig() {
  const memory = new SlabPool({ budgetBytes: 64 * MIB, poison: true });
  const store = new MemoryStore({ memory, clock: new FakeClock() });
  /** As `net` brings it: somewhere in a slab, which goes back once the batch is stored. */
  const put = async (
    queues: readonly string[],
    text: string,
    slabBytes: number,
    made = (batch: ProfileBatch) => batch,
  ) => {
    const slab = memory.lease(slabBytes)!;
    slab.bytes.write(text, 7);
    const body = slab.bytes.subarray(7, 7 + text.length);
    const id = new BatchId(() => ['x', body]);
    const batch = made({ ...batchOf(body), id });
    await store.put(queues.map(queue => ({ queue, batch, storedMs: 0 })));
    memory.release(slab.bytes);
    return batch;
  };
  return { memory, store, put };
}

test('a small body in a large slab is copied once for all queues, with its id', async () => {
  const { memory, store, put } = rig();
  for (const queue of ['a', 'b']) store.open(queue, { ...bytes, capacity: MIB }, reader);
  const hex = new BatchId(() => ['x', Buffer.from('p'.repeat(1800))]).hex;
  await put(['a', 'b'], 'p'.repeat(1800), 64 * 1024);
  assert.equal(memory.usage.heldBytes, 2048 + 2048, 'a slab that fits, and the heap');
  assert.equal(store.depth('a').bytes, 2048 + 2048);
  const [one, other] = [await store.take('a', signal()), await store.take('b', signal())];
  const batch = one!.batch as ProfileBatch;
  assert.equal(Buffer.from(batch.profiles[0]!.payload.bytes).toString(), 'p'.repeat(1800));
  assert.equal(other!.batch, batch);
  assert.equal(batch.id.hex, hex);
  store.settle('a', one!, { kind: 'done' });
  assert.equal(memory.usage.heldBytes, 4096);
  store.settle('b', other!, { kind: 'done' });
  assert.equal(memory.usage.heldBytes, 0);
});

test('a body that fills its slab stays where it is', async () => {
  const { store, put } = rig();
  store.open('a', { ...bytes, capacity: MIB }, reader);
  const batch = await put(['a'], 'p'.repeat(2000), 2007);
  const taken = (await store.take('a', signal()))!.batch as ProfileBatch;
  assert.equal(taken.profiles[0]!.payload, batch.profiles[0]!.payload);
});

test('profiles and parts that share slabs keep what they share', async () => {
  const { memory, store, put } = rig();
  store.open('a', { ...bytes, capacity: MIB }, reader);
  const other = memory.lease(32 * 1024)!;
  other.bytes.write('labels');
  await put(['a'], 'p'.repeat(100), 64 * 1024, batch => {
    const [profile] = batch.profiles as [ProfileBatch['profiles'][number]];
    const parts = { labels: other.bytes.subarray(0, 6) };
    return { ...batch, profiles: [profile, { ...profile, part: 1 }, { ...profile, origin: { door: 'x', parts } }] };
  });
  memory.release(other.bytes);
  const [first, second, third] = ((await store.take('a', signal()))!.batch as ProfileBatch).profiles;
  assert.equal(first!.payload, second!.payload);
  assert.equal(Buffer.from(third!.payload.bytes).toString(), 'p'.repeat(100));
  assert.equal(Buffer.from(third!.origin!.parts!.labels!).toString(), 'labels');
  assert.equal(memory.usage.heldBytes, 256 + 1024 + 3 * 1024, 'one slab for all');
});

test('a full queue holds no more memory than its size says, however small its batches are', async () => {
  for (const [size, slab] of [
    [1, 1],
    [1800, 65_536],
    [1800, 1807],
    [20_000, 65_536],
  ] as const) {
    const { memory, store, put } = rig();
    store.open('a', { ...bytes, capacity: MIB }, reader);
    for (let n = 0; n < 1000; n++) await put(['a'], 'p'.repeat(size), slab);
    const { bytes: held, batches } = store.depth('a');
    assert.ok(held > 0.9 * MIB && held <= MIB, `${size}: ${held}`);
    assert.equal(memory.usage.heldBytes, held);
    assert.ok(batches * size > held / (size < 100 ? 2400 : 3), `${size}: ${batches}`);
    store.close('a');
    assert.deepEqual([memory.usage.heldBytes, store.depth('a').batches], [0, 0]);
  }
});

test('a batch as large as its queue has room in it', async () => {
  const { store, put } = rig();
  store.open('a', { ...bytes, capacity: 2000 }, reader);
  await put(['a'], 'p'.repeat(2000), 2007);
  assert.equal(store.depth('a').batches, 1);
});

/** A sender that sends until it was refused, or a thousand times. */
async function thousand(push: (batch: ProfileBatch) => Promise<{ kind: string }>): Promise<number> {
  for (let n = 0; n < 1000; n++) {
    const { kind } = await push(batchOf(Buffer.alloc(1800, n), `s${n}`));
    if (kind !== 'accepted') return n;
    await settled();
  }
  return 1000;
}
const services = (batches: readonly ProfileBatch[] | undefined) =>
  batches?.map(({ profiles }) => profiles[0]!.attributes.get('service_name')) ?? [];
const all = Array.from({ length: 1000 }, (_, n) => `s${n}`);

test('memory that a dead store holds goes to the healthy one, the oldest batches first, counted', async () => {
  const { service, factories, push, got, answers, drops, memory, clock } = world({}, MIB);
  answers.set('out/dead', DOWN);
  const parts = { rx: {}, 'out/ok': {}, 'out/dead': {} };
  await service.start(planOf(factories, parts, [{ receivers: ['rx'], exporters: ['out/ok', 'out/dead'] }]));
  assert.equal(await thousand(push.get('rx')!), 1000, 'nobody is refused');
  assert.deepEqual(services(got.get('out/ok')), all);
  const gone = drops.get('out/dead memory')!;
  assert.ok(gone > 700 && gone < 800, `${gone} of 1000 gave way`);
  assert.ok(memory.usage.heldBytes > 0.9 * MIB);
  answers.delete('out/dead');
  await clock.advance(120_000);
  const kept = services(got.get('out/dead'));
  assert.equal(kept.length + gone, 1000);
  // What was being tried when the memory ran out was not idle.
  assert.deepEqual(kept.toSorted().slice(-200), all.slice(gone).toSorted().slice(-200));
  assert.deepEqual([...drops], [['out/dead memory', gone]]);
  assert.equal(memory.usage.heldBytes, 0);
  await service.stop(signal());
});

test('a queue that refuses gives nothing up: its senders are told to wait', async () => {
  const { service, factories, push, answers, drops } = world({}, MIB);
  answers.set('out', DOWN);
  const outbox = { sending_queue: { on_full: 'refuse' } };
  await service.start(planOf(factories, { rx: {}, out: { outbox } }, [{ receivers: ['rx'], exporters: ['out'] }]));
  const taken = await thousand(push.get('rx')!);
  assert.ok(taken > 200 && taken < 300, `${taken}`);
  assert.deepEqual([...drops], []);
  answers.delete('out');
  await service.stop(signal());
});

test('a store that answers, however slowly, gives nothing up either', async () => {
  const { service, factories, push, answers, drops } = world({}, MIB);
  answers.set('out', 'hangs');
  const outbox = { timeout: '10m' };
  await service.start(planOf(factories, { rx: {}, out: { outbox } }, [{ receivers: ['rx'], exporters: ['out'] }]));
  assert.ok((await thousand(push.get('rx')!)) < 300);
  assert.deepEqual([...drops], []);
  await service.stop(AbortSignal.abort());
});

test('a queue that refuses promises no more than it has, and what is given back is free again', async () => {
  const { store } = rig();
  store.open('a', { ...bytes, onFull: 'refuse', capacity: 10_000 }, reader);
  const row = () => [{ queue: 'a', batch: batchOf(Buffer.alloc(2500)), storedMs: 0 }];
  const promised = [store.reserve(row()), store.reserve(row())].map(
    one => (typeof one === 'string' ? undefined : one)!,
  );
  assert.equal(store.reserve(row()), 'the queue of a is full');
  promised[0]!.giveBack();
  const third = store.reserve(row());
  assert.ok(typeof third !== 'string');
  await Promise.all([promised[1]!.put(), third.put()]);
  promised[1]!.giveBack();
  assert.equal(store.reserve(row()), 'the queue of a is full');
  assert.equal(store.depth('a').batches, 2);
});

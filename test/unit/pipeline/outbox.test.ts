import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fields, type Result } from '../../../src/api/index.ts';
import type { ProfileBatch } from '../../../src/model/batch.ts';
import { MemoryStore } from '../../../src/pipeline/outbox/memory-store.ts';
import { Outbox } from '../../../src/pipeline/outbox/outbox.ts';
import { retryDelayMs } from '../../../src/pipeline/outbox/retry.ts';
import { SlabPool } from '../../../src/workers/slabs.ts';
import { batchOf, FakeClock, settled, silent } from './fixtures.ts';

type Answer = Result<ProfileBatch>;
const DOWN: Answer = { kind: 'retryable', error: new Error('store is down') };

function rig(
  config: object,
  answer: (batch: ProfileBatch, nth: number, abort: AbortSignal) => Answer | Promise<Answer>,
) {
  const clock = new FakeClock();
  const memory = new SlabPool({ budgetBytes: 1 << 30, poison: true });
  const store = new MemoryStore({ memory, clock });
  const sent: { service: string; atMs: number }[] = [];
  const drops: string[] = [];
  const health: string[] = [];
  let nth = 0;
  const outbox = new Outbox({
    id: 'pyroscope/a',
    config: fields.outbox.parse(config),
    store,
    clock,
    log: silent,
    dropped: (items, reason) => drops.push(`${reason}:${items}`),
    report: one => health.push(one),
    random: () => 0.5,
    sender: {
      async send(batch: ProfileBatch, abort: AbortSignal) {
        sent.push({ service: String(batch.profiles[0]?.attributes.get('service_name')), atMs: clock.now() });
        return answer(batch, nth++, abort);
      },
    } as never,
  });
  /** What a receiver does: lease, put, let go. */
  const put = async (service: string, size = 5000) => {
    const slab = memory.lease(size)!;
    const batch = batchOf(slab.bytes.subarray(0, size), service);
    const row = outbox.row(batch)!;
    const room = store.reserve([row]);
    if (typeof room !== 'string') for (const evicted of (await room.put()).evicted) outbox.evicted(evicted);
    memory.release(slab.bytes);
    await settled();
    return typeof room === 'string' ? room : undefined;
  };
  return { clock, memory, store, outbox, sent, drops, health, put, services: () => sent.map(one => one.service) };
}

const never = AbortSignal.abort.bind(AbortSignal);
const soon = () => new AbortController().signal;

test('what is queued is sent once and its memory goes back', async () => {
  const { outbox, put, services, memory } = rig({}, () => ({ kind: 'accepted' }));
  await outbox.start();
  for (const service of ['a', 'b', 'c']) await put(service);
  assert.deepEqual(services(), ['a', 'b', 'c']);
  assert.equal(memory.usage.heldBytes, 0);
  await outbox.stop(soon());
});

test('a failed batch is tried again after growing delays, and only then counted as delivered', async () => {
  const { outbox, put, clock, sent, memory } = rig({}, (_batch, nth) => (nth < 2 ? DOWN : { kind: 'accepted' }));
  await outbox.start();
  await put('a');
  assert.equal(outbox.depth.batches, 1);
  await clock.advance(60_000);
  const start = sent[0]!.atMs;
  assert.deepEqual(
    sent.map(one => one.atMs - start),
    [0, 5_000, 12_500],
  );
  assert.equal(outbox.depth.batches, 0);
  assert.equal(memory.usage.heldBytes, 0);
  await outbox.stop(soon());
});

test('Retry-After of the store is the least delay', async () => {
  const { outbox, put, clock, sent } = rig({}, (_batch, nth) =>
    nth === 0 ? ({ ...DOWN, retryAfterMs: 20_000 } as Answer) : { kind: 'accepted' },
  );
  await outbox.start();
  await put('a');
  await clock.advance(60_000);
  assert.equal(sent[1]!.atMs - sent[0]!.atMs, 20_000);
  await outbox.stop(soon());
});

test('a store that asks for years, or for ever, is asked again within the hour and not at once', async () => {
  for (const retryAfterMs of [99_999_999_000, Number.POSITIVE_INFINITY]) {
    const { outbox, put, clock, sent } = rig({}, () => ({ ...DOWN, retryAfterMs }) as Answer);
    await outbox.start();
    for (const service of ['a', 'b', 'c', 'd']) await put(service);
    await clock.advance(3_599_000);
    assert.equal(sent.length, 3, 'down after three');
    assert.ok(outbox.paused!.untilMs - clock.now() <= 1_000);
    await clock.advance(2_000);
    assert.equal(sent.length, 4, 'one probe');
    await outbox.stop(never());
  }
});

test('delays that grow for ever stay numbers', () => {
  const retry = fields.outbox.parse({ retry_on_failure: { multiplier: 10 } }).retry_on_failure;
  assert.equal(
    retryDelayMs(retry, 1e6, undefined, () => 0.5),
    30_000,
  );
  assert.equal(
    retryDelayMs({ ...retry, initial_interval: 0 }, 1e6, undefined, () => 0.5),
    0,
  );
});

test('a sender that waits for the store hears a delay that it can keep', async () => {
  const { outbox } = rig({ sending_queue: { enabled: false } }, () => ({ ...DOWN, retryAfterMs: 1e15 }) as Answer);
  const answer = await outbox.deliver(batchOf(Buffer.from('x')), soon());
  assert.equal('retryAfterMs' in answer && answer.retryAfterMs, 3_600_000);
});

test('only what is still owed is sent again', async () => {
  const { outbox, put, clock, memory } = rig({}, (batch, nth) =>
    nth === 0
      ? ({ ...DOWN, rest: { ...batch, profiles: batch.profiles.slice(1), sizeBytes: 0 } } as Answer)
      : { kind: 'accepted' },
  );
  await outbox.start();
  await put('a');
  assert.ok(outbox.depth.bytes < 5000, 'the delivered part counts no more');
  assert.equal(memory.usage.heldBytes, outbox.depth.bytes, 'and is let go');
  await clock.advance(10_000);
  assert.equal(outbox.depth.batches, 0);
  await outbox.stop(soon());
});

test('a dead store is probed by one request at a time, however long the queue', async () => {
  let up = false;
  const { outbox, put, clock, sent, health } = rig({}, () => (up ? { kind: 'accepted' } : DOWN));
  await outbox.start();
  for (let n = 0; n < 200; n++) await put(`s${n}`);
  const early = sent.length;
  assert.ok(early <= 10, `${early} requests before the store counted as down`);
  assert.equal(health.at(-1), 'degraded');
  await clock.advance(120_000);
  assert.ok(sent.length - early < 30, `${sent.length - early} probes in two minutes`);
  up = true;
  await clock.advance(120_000);
  assert.equal(outbox.depth.batches, 0);
  assert.equal(health.at(-1), 'ok');
  assert.equal(new Set(sent.map(one => one.service)).size, 200);
  await outbox.stop(soon());
});

test('some failures among good answers do not stop the others', async () => {
  const { outbox, put, services, clock } = rig({}, batch =>
    batch.profiles[0]!.attributes.get('service_name') === 'poison' ? DOWN : { kind: 'accepted' },
  );
  await outbox.start();
  await put('poison');
  for (let n = 0; n < 20; n++) await put(`s${n}`);
  assert.equal(services().filter(service => service !== 'poison').length, 20);
  await clock.advance(1);
  assert.equal(outbox.depth.batches, 1);
  await outbox.stop(soon());
});

test('a permanent answer and spent retries are counted drops', async () => {
  const permanent = rig({}, () => ({ kind: 'permanent', error: new Error('400'), fault: 'sender' }));
  await permanent.outbox.start();
  await permanent.put('a');
  assert.deepEqual(permanent.drops, ['rejected:1']);
  const spent = rig({ retry_on_failure: { max_elapsed_time: '30s' } }, () => DOWN);
  await spent.outbox.start();
  await spent.put('a');
  await spent.clock.advance(60_000);
  assert.deepEqual(spent.drops, ['retries_exhausted:1']);
  const once = rig({ retry_on_failure: { enabled: false } }, () => DOWN);
  await once.outbox.start();
  await once.put('a');
  assert.deepEqual(once.drops, ['retries_exhausted:1']);
  for (const { outbox } of [permanent, spent, once]) await outbox.stop(soon());
});

test('a full queue drops its oldest batch, or refuses, as told', async () => {
  const stuck = () => new Promise<Answer>(() => {});
  // Each takes a slab of 6 KiB and 2 KiB of heap.
  const config = { sending_queue: { queue_size: 4 * 8 * 1024, num_consumers: 1 } };
  const drop = rig(config, stuck);
  await drop.outbox.start();
  for (const service of ['in flight', 'oldest', 'b', 'c', 'd']) assert.equal(await drop.put(service), undefined);
  assert.deepEqual(drop.drops, ['queue_full:1']);
  assert.equal(drop.outbox.depth.batches, 4);
  const refuse = rig({ sending_queue: { ...config.sending_queue, on_full: 'refuse' } }, stuck);
  await refuse.outbox.start();
  for (let n = 0; n < 4; n++) assert.equal(await refuse.put('x'), undefined);
  assert.equal(await refuse.put('y'), 'the queue of pyroscope/a is full');
  assert.deepEqual(refuse.drops, []);
  for (const { outbox } of [drop, refuse]) await outbox.stop(never());
});

test('a batch that waited longer than max_age is dropped instead of sent', async () => {
  const { outbox, put, clock, drops, sent } = rig(
    { sending_queue: { max_age: '1m' } },
    () => ({ ...DOWN, retryAfterMs: 90_000 }) as Answer,
  );
  await outbox.start();
  await put('a');
  await clock.advance(100_000);
  assert.deepEqual([drops, sent.length], [['max_age:1'], 1]);
  await outbox.stop(soon());
});

test('a store that does not answer within the timeout counts as retryable', async () => {
  const { outbox, put, clock, health } = rig(
    { timeout: '5ms' },
    (_batch, _nth, abort) =>
      new Promise(resolve =>
        abort.addEventListener('abort', () => resolve({ kind: 'retryable', error: new Error('aborted') })),
      ),
  );
  await outbox.start();
  const late = put('a').then(() => once(() => outbox.depth.inFlight === 0));
  await late;
  await clock.advance(0);
  assert.equal(outbox.depth.batches, 1);
  assert.deepEqual(health, []);
  await outbox.stop(soon());
});

test('a drain sends what waits for a retry at once, and leaves the rest when the store stays down', async () => {
  let up = false;
  const recovers = rig({}, () => (up ? { kind: 'accepted' } : DOWN));
  await recovers.outbox.start();
  for (let n = 0; n < 20; n++) await recovers.put(`s${n}`);
  up = true;
  await recovers.outbox.stop(soon());
  assert.equal(recovers.outbox.depth.batches, 0);
  const dead = rig({}, () => DOWN);
  await dead.outbox.start();
  for (let n = 0; n < 20; n++) await dead.put(`s${n}`);
  await dead.outbox.stop(soon());
  assert.equal(dead.outbox.depth.batches, 20);
});

test('a drain deadline ends requests in flight and keeps their batches', async () => {
  const { outbox, put } = rig(
    {},
    (_batch, _nth, abort) =>
      new Promise(resolve =>
        abort.addEventListener('abort', () => resolve({ kind: 'retryable', error: new Error('aborted') })),
      ),
  );
  await outbox.start();
  await put('a');
  const deadline = new AbortController();
  const stopped = outbox.stop(deadline.signal);
  deadline.abort();
  await stopped;
  assert.deepEqual([outbox.depth.batches, outbox.depth.inFlight], [1, 0]);
});

test('an exporter that throws costs its batch and nothing else', async () => {
  const { outbox, put, drops, services } = rig({}, (_batch, nth) => {
    if (nth === 0) throw new TypeError('bug');
    return { kind: 'accepted' };
  });
  await outbox.start();
  await put('a');
  await put('b');
  assert.deepEqual([drops, services()], [['rejected:1'], ['a', 'b']]);
  await outbox.stop(soon());
});

test('without a queue the caller hears the answer of the store', async () => {
  const answers: Answer[] = [
    { kind: 'accepted' },
    DOWN,
    { kind: 'permanent', error: new Error('400'), fault: 'sender' },
  ];
  for (const answer of answers) {
    const { outbox } = rig({ sending_queue: { enabled: false } }, () => answer);
    assert.equal((await outbox.deliver(batchOf(Buffer.from('x')), soon())).kind, answer.kind);
  }
});

test('the next outbox of the same id finds the queue of the one that handed over', async () => {
  const first = rig({}, () => DOWN);
  await first.outbox.start();
  for (const service of ['a', 'b']) await first.put(service);
  await first.outbox.handOver(soon());
  assert.equal(first.outbox.depth.inFlight, 0);
  const sent: string[] = [];
  const second = new Outbox({
    id: 'pyroscope/a',
    config: fields.outbox.parse({}),
    store: first.store,
    clock: first.clock,
    log: silent,
    dropped: () => assert.fail('nothing is dropped'),
    report: () => {},
    sender: {
      async send(batch: ProfileBatch) {
        sent.push(String(batch.profiles[0]!.attributes.get('service_name')));
        return { kind: 'accepted' };
      },
    } as never,
  });
  await second.start();
  await first.clock.advance(60_000);
  assert.deepEqual(sent.sort(), ['a', 'b']);
  await second.stop(soon());
});

async function once(condition: () => boolean): Promise<void> {
  while (!condition()) await settled();
}

test('memory has no place for a batch that never got into a queue', async () => {
  const { store, memory } = rig({}, () => ({ kind: 'accepted' }));
  assert.equal(await store.bury(), false);
  assert.equal(memory.usage.heldBytes, 0);
});

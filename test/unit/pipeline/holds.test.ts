// A processor that answers late has a queue in front of it: no sender waits for it, and nothing that it holds is lost.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Consumer, fields, type ProfileBatch, processor, type Result } from '../../../src/api/index.ts';
import { Outbox } from '../../../src/pipeline/outbox/outbox.ts';
import type { Store } from '../../../src/pipeline/outbox/store.ts';
import { disk, ROOMY } from './disk/rig.ts';
import { batchOf, type FakeClock, settled, silent } from './fixtures.ts';
import { base, planOf, signal, world } from './world.ts';

const DOWN: Result<ProfileBatch> = { kind: 'retryable', error: new Error('down') };
/** No time limit: what holds answers when it likes. The config room sees to it. */
const patient = (queue: object = {}) => ({ outbox: { timeout: '0', sending_queue: queue } });
const direct = { outbox: { sending_queue: { enabled: false } } };

/** Holds batches until it is told to let go, and on stop. With `merges`, all of them are one batch then. */
class Holder {
  readonly held: { batch: ProfileBatch; answer: (result: Result) => void }[] = [];
  stopped = false;
  late = 0;
  readonly #next: Consumer<'profiles'>;
  readonly #merges: boolean;

  constructor(next: Consumer<'profiles'>, merges = false) {
    this.#next = next;
    this.#merges = merges;
  }
  consume(batch: ProfileBatch): Promise<Result> {
    if (this.stopped) this.late++;
    return new Promise(answer => this.held.push({ batch, answer }));
  }
  async letGo(): Promise<void> {
    const held = this.held.splice(0);
    if (this.#merges && held.length > 0) {
      const profiles = held.flatMap(({ batch }) => batch.profiles);
      const result = await this.#next.consume({ ...held[0]!.batch, profiles }, signal());
      for (const { answer } of held) answer(result);
    } else await Promise.all(held.map(async ({ batch, answer }) => answer(await this.#next.consume(batch, signal()))));
  }
  async stop(): Promise<void> {
    this.stopped = true;
    await this.letGo();
  }
}

function rig() {
  const made = world();
  /** In the order in which they were made. */
  const holders: Holder[] = [];
  const hold = processor<{ merges?: boolean }, 'profiles', 'profiles'>({
    ...base,
    type: 'hold',
    holds: true,
    accepts: ['profiles'],
    emits: ['profiles'],
    create: ({ merges }, _host, next) => {
      const holder = new Holder(next, merges);
      holders.push(holder);
      return holder;
    },
  });
  const factories = { ...made.factories, hold };
  const send = async (from: number, to = from) => {
    for (let n = from; n <= to; n++) {
      const result = await made.push.get('rx')!(batchOf(Buffer.from(`profile ${n}`), `s${n}`));
      assert.equal(result.kind, 'accepted');
    }
    await settled();
  };
  /** Numbers of what arrived. */
  const got = (id = 'out') =>
    (made.got.get(id) ?? [])
      .flatMap(({ profiles }) =>
        profiles.map(({ attributes }) => Number(String(attributes.get('service_name')).slice(1))),
      )
      .sort((a, b) => a - b);
  const plan = (parts: Record<string, object>, processors = ['hold']) =>
    planOf(factories, { rx: {}, out: {}, ...parts }, [{ receivers: ['rx'], processors, exporters: ['out'] }]);
  const queue = () => made.service.status().components.find(({ id }) => id === 'hold')!.queue!;
  return { ...made, holders, plan, send, got, queue, factories };
}
const upTo = (last: number) => Array.from({ length: last }, (_, n) => n + 1);

test('the queue answers the sender at once, however many batches are held', async () => {
  const { service, plan, send, got, queue, holders, memory } = rig();
  await service.start(plan({ hold: patient({ num_consumers: 2 }) }));
  await send(1, 50);
  const [holder] = holders as [Holder];
  assert.deepEqual([holder.held.length, got(), queue().inFlight], [50, [], 50]);
  assert.ok(memory.usage.heldBytes > 0);
  await holder.letGo();
  await settled();
  assert.deepEqual([got(), queue().batches, memory.usage.heldBytes], [upTo(50), 0, 0]);
  await service.stop(signal());
});

test('on stop it lets go of everything, also of what waited for another try, and is given nothing afterwards', async () => {
  const { service, plan, send, got, answers, holders, memory, drops } = rig();
  await service.start(plan({ hold: patient(), out: direct }));
  answers.set('out', DOWN);
  await send(1, 5);
  await holders[0]!.letGo();
  await settled();
  answers.delete('out');
  await send(6, 20);
  assert.equal(holders[0]!.held.length, 15);
  await service.stop(signal());
  assert.deepEqual([got(), holders[0]!.late, memory.usage.heldBytes, [...drops]], [upTo(20), 0, 0, []]);
});

test('one that holds may be followed by another', async () => {
  const { service, plan, send, got, holders, drops } = rig();
  const parts = { hold: patient(), tag: { value: 't' }, 'hold/2': patient() };
  await service.start(plan(parts, ['hold', 'tag', 'hold/2']));
  await send(1, 20);
  await service.stop(signal());
  assert.deepEqual([got(), holders.map(({ late }) => late), [...drops]], [upTo(20), [0, 0], []]);
});

test('a connector may hold, and what is below it may too', async () => {
  const { service, factories, send, got, drops } = rig();
  const parts = { rx: {}, out: {}, 'hold/c': patient(), 'hold/p': patient() };
  await service.start(
    planOf(factories, parts, [
      { receivers: ['hold/c'], processors: ['hold/p'], exporters: ['out'] },
      { receivers: ['rx'], exporters: ['hold/c'] },
    ]),
  );
  await send(1, 20);
  await service.stop(signal());
  assert.deepEqual([got(), [...drops]], [upTo(20), []]);
});

test('a reload that replaces it loses nothing: what it holds goes on, what waits is for the next one', async () => {
  const { service, plan, send, got, answers, holders, drops, clock } = rig();
  await service.start(plan({ hold: patient(), out: direct }));
  answers.set('out', DOWN);
  await send(1, 5);
  await holders[0]!.letGo();
  await settled();
  answers.delete('out');
  await send(6, 10);
  assert.ok((await service.reload(plan({ hold: { ...patient(), changed: 1 }, out: direct }))).ok);
  assert.deepEqual([got(), holders[0]!.late], [upTo(10).slice(5), 0]);
  await send(11, 12);
  await clock.advance(60_000);
  assert.equal(holders[1]!.held.length, 7);
  await holders[1]!.letGo();
  assert.deepEqual(got(), upTo(12));
  await service.stop(signal());
  assert.deepEqual([...drops], []);
});

test('a reload that removes it lets everything go', async () => {
  const { service, plan, send, got, drops } = rig();
  await service.start(plan({ hold: patient() }));
  await send(1, 10);
  assert.ok((await service.reload(plan({}, []))).ok);
  await send(11);
  assert.deepEqual([got(), [...drops]], [upTo(11), []]);
  await service.stop(signal());
});

test('what is behind it refuses: all of it is tried again later, not one batch at a time', async () => {
  const { service, plan, send, got, answers, holders, clock, queue } = rig();
  await service.start(plan({ hold: { ...patient(), merges: true }, out: direct }));
  answers.set('out', DOWN);
  await send(1, 20);
  // One try that fails is a failure of twenty batches.
  await holders[0]!.letGo();
  await settled();
  assert.deepEqual([got(), queue().batches, holders[0]!.held.length], [[], 20, 0]);
  assert.equal(service.status().components.find(({ id }) => id === 'hold')!.health, 'degraded');
  await send(21);
  assert.equal(holders[0]!.held.length, 1, 'the next ones are not kept back');
  await clock.advance(10_000);
  assert.equal(holders[0]!.held.length, 21);
  answers.delete('out');
  await holders[0]!.letGo();
  await settled();
  assert.deepEqual([got(), queue().batches], [upTo(21), 0]);
  assert.equal(service.status().components.find(({ id }) => id === 'hold')!.health, 'ok');
  await service.stop(signal());
});

test('what is rejected behind it is a counted drop, and what fails at shutdown is named', async () => {
  const { service, plan, send, answers, holders, drops } = rig();
  await service.start(plan({ hold: patient(), out: direct }));
  answers.set('out', { kind: 'permanent', error: new Error('400'), fault: 'sender' });
  await send(1, 3);
  await holders[0]!.letGo();
  await settled();
  assert.deepEqual([...drops], [['hold rejected', 3]]);
  answers.set('out', DOWN);
  await send(4, 5);
  await service.stop(signal());
  assert.deepEqual(
    [...drops],
    [
      ['hold rejected', 3],
      ['hold shutdown', 2],
    ],
  );
});

test('one that ignores its stop is left at the deadline', async () => {
  const { service, plan, send, holders, drops } = rig();
  await service.start(plan({ hold: patient() }));
  await send(1, 3);
  holders[0]!.letGo = async () => {};
  const deadline = new AbortController();
  const stopped = service.stop(deadline.signal);
  await settled();
  deadline.abort();
  await stopped;
  assert.deepEqual([...drops], [['hold shutdown', 3]]);
});

/** An outbox in front of something that holds, on a queue file. */
function onDisk(store: Store, clock: FakeClock, answer: () => Result = () => ({ kind: 'accepted' })) {
  const got: string[] = [];
  const drops: string[] = [];
  const holder = new Holder({
    async consume(batch) {
      const result = answer();
      if (result.kind === 'accepted') got.push(String(batch.profiles[0]!.attributes.get('service_name')));
      return result;
    },
  });
  const outbox = new Outbox({
    id: 'a',
    config: fields.outbox.parse({ timeout: '0' }),
    store,
    clock,
    log: silent,
    dropped: (items, reason) => drops.push(`${reason}:${items}`),
    report: () => {},
    holding: true,
    sender: { send: (batch: ProfileBatch) => holder.consume(batch) } as never,
  });
  const holds = async (count: number) => {
    while (holder.held.length < count) await settled();
  };
  return { outbox, holder, got, drops, holds };
}

test('on disk, what was held when the process died is held again by the next one', async t => {
  const { start, stop, put, clock } = disk(t);
  const first = await start({ a: ROOMY });
  const died = onDisk(first, clock);
  await died.outbox.start();
  for (const text of ['one', 'two', 'three']) await put(first, text);
  await died.holds(3);
  // It settled one of them, and never the others.
  died.holder.held[1]!.answer({ kind: 'accepted' });
  await settled();
  await stop(first);
  const second = await start({ a: ROOMY });
  const next = onDisk(second, clock);
  await next.outbox.start();
  await next.holds(2);
  await next.holder.letGo();
  assert.deepEqual(next.got.toSorted(), ['one', 'three']);
  await next.outbox.handOutAll(signal());
  await next.outbox.stop(signal());
  assert.equal(second.depth('a').batches, 0);
});

test('on disk, everything is handed out before it is told to stop, and what is rejected is a dead letter', async t => {
  const { start, stop, put, clock } = disk(t);
  const first = await start({ a: ROOMY });
  for (const text of ['one', 'two', 'three']) await put(first, text);
  await stop(first);
  const store = await start({ a: ROOMY });
  const at = onDisk(store, clock, () => ({ kind: 'permanent', error: new Error('never'), fault: 'gateway' }));
  await at.outbox.start();
  // They are read from the file first; the drain waits for that.
  await at.outbox.handOutAll(signal());
  assert.equal(at.holder.held.length, 3);
  const stopped = at.outbox.stop(signal());
  await at.holder.stop();
  await stopped;
  assert.deepEqual([at.drops, at.holder.late], [['rejected:1', 'rejected:1', 'rejected:1'], 0]);
  const { dead } = (await store.operations.tally())[0]!;
  assert.deepEqual(
    dead.map(({ reason, batches }) => [reason, batches]),
    [['rejected', 3]],
  );
});

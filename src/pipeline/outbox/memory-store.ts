import type { Clock } from '../../api/index.ts';
import { bytesOf } from '../../model/batch.ts';
import type { Memory } from '../../model/memory.ts';
import {
  type AnyBatch,
  type Depth,
  type Entry,
  type Outcome,
  type QueueLimits,
  type Row,
  type Store,
  sizeIn,
} from './store.ts';

interface Held extends Entry {
  batch: AnyBatch;
  attempts: number;
  firstTryMs: number | undefined;
  dueMs: number;
}

class Queue {
  limits: QueueLimits;
  used = 0;
  bytes = 0;
  /** Due entries, oldest first, from `head` on; the front is cut off now and then instead of shifting each time. */
  ready: Held[] = [];
  head = 0;
  /** Entries that wait for their time, soonest first. Short: what failed lately. */
  waiting: Held[] = [];
  readonly taken = new Set<Held>();
  readonly takers: ((entry: Held | undefined) => void)[] = [];
  alarm: AbortController | undefined;
  constructor(limits: QueueLimits) {
    this.limits = limits;
  }
}

/** How many delivered entries may stay in front of `ready` before the array is cut: amortises the copy. */
const CUT_AFTER = 1024;

/** Queues in this process's memory. Batches keep their slabs retained from `put` to `settle`. */
export class MemoryStore implements Store {
  readonly #queues = new Map<string, Queue>();
  readonly #memory: Memory;
  readonly #clock: Clock;
  #key = 0;

  constructor(of: { memory: Memory; clock: Clock }) {
    this.#memory = of.memory;
    this.#clock = of.clock;
  }

  open(name: string, limits: QueueLimits): void {
    const queue = this.#queues.get(name);
    if (queue) {
      queue.limits = limits;
      queue.used = 0;
      for (const entry of entriesOf(queue)) queue.used += sizeIn(limits, entry.batch);
    } else this.#queues.set(name, new Queue(limits));
  }

  full(rows: readonly Row[]): string | undefined {
    for (const row of rows) {
      const { limits, used } = this.#queue(row.queue);
      if (limits.onFull === 'refuse' && used + sizeIn(limits, row.batch) > limits.capacity) return row.queue;
    }
    return undefined;
  }

  async put(rows: readonly Row[]): Promise<readonly Row[]> {
    let evicted: Row[] | undefined;
    for (const row of rows) {
      const queue = this.#queue(row.queue);
      const size = sizeIn(queue.limits, row.batch);
      while (queue.used + size > queue.limits.capacity) {
        const oldest = this.#oldestIdle(queue);
        if (!oldest) break;
        this.#remove(queue, oldest);
        evicted ??= [];
        evicted.push({ queue: row.queue, batch: oldest.batch, storedMs: oldest.storedMs });
      }
      if (queue.used + size > queue.limits.capacity) {
        // Everything that is left is in flight: the new batch itself is what goes.
        evicted ??= [];
        evicted.push(row);
        continue;
      }
      const held: Held = {
        key: ++this.#key,
        batch: row.batch,
        storedMs: row.storedMs,
        attempts: 0,
        firstTryMs: undefined,
        dueMs: 0,
      };
      this.#retain(held.batch);
      queue.used += size;
      queue.bytes += row.batch.sizeBytes;
      this.#offer(queue, held);
    }
    return evicted ?? [];
  }

  take(name: string, abort: AbortSignal): Promise<Entry | undefined> {
    const queue = this.#queue(name);
    if (abort.aborted) return Promise.resolve(undefined);
    const next = queue.ready[queue.head];
    if (next) {
      queue.head++;
      if (queue.head > CUT_AFTER) {
        queue.ready = queue.ready.slice(queue.head);
        queue.head = 0;
      }
      queue.taken.add(next);
      return Promise.resolve(next);
    }
    return new Promise(resolve => {
      const taker = (entry: Held | undefined) => {
        abort.removeEventListener('abort', stop);
        resolve(entry);
      };
      const stop = () => {
        const at = queue.takers.indexOf(taker);
        if (at >= 0) queue.takers.splice(at, 1);
        resolve(undefined);
      };
      abort.addEventListener('abort', stop, { once: true });
      queue.takers.push(taker);
    });
  }

  settle(name: string, entry: Entry, outcome: Outcome): void {
    const queue = this.#queues.get(name);
    const held = entry as Held;
    // A queue that was discarded meanwhile has released everything already.
    if (!queue?.taken.delete(held)) return;
    switch (outcome.kind) {
      case 'done':
        this.#forget(queue, held);
        return;
      case 'later':
        held.attempts++;
        held.firstTryMs = outcome.firstTryMs;
        held.dueMs = outcome.dueMs;
        if (outcome.rest) this.#shrink(queue, held, outcome.rest);
        this.#postpone(queue, held);
        return;
      case 'back':
        this.#offerFirst(queue, held);
        return;
      default:
        outcome satisfies never;
    }
  }

  expedite(name: string): void {
    const queue = this.#queue(name);
    const waiting = queue.waiting.splice(0);
    for (const held of waiting) this.#offer(queue, held);
  }

  depth(name: string): Depth {
    const queue = this.#queues.get(name);
    if (!queue) return { batches: 0, bytes: 0, inFlight: 0, oldestMs: undefined };
    let oldestMs = queue.ready[queue.head]?.storedMs;
    for (const { storedMs } of queue.waiting) if (oldestMs === undefined || storedMs < oldestMs) oldestMs = storedMs;
    for (const { storedMs } of queue.taken) if (oldestMs === undefined || storedMs < oldestMs) oldestMs = storedMs;
    const batches = queue.ready.length - queue.head + queue.waiting.length + queue.taken.size;
    return { batches, bytes: queue.bytes, inFlight: queue.taken.size, oldestMs };
  }

  discard(name: string): void {
    const queue = this.#queues.get(name);
    if (!queue) return;
    this.#queues.delete(name);
    queue.alarm?.abort();
    for (const held of entriesOf(queue)) this.#release(held.batch);
    for (const taker of queue.takers.splice(0)) taker(undefined);
    queue.taken.clear();
  }

  #queue(name: string): Queue {
    const queue = this.#queues.get(name);
    if (!queue) throw new Error(`queue ${name} is not open`);
    return queue;
  }

  #offer(queue: Queue, held: Held): void {
    const taker = queue.takers.shift();
    if (!taker) {
      queue.ready.push(held);
      return;
    }
    queue.taken.add(held);
    taker(held);
  }

  #offerFirst(queue: Queue, held: Held): void {
    if (queue.takers.length > 0) this.#offer(queue, held);
    else if (queue.head > 0) queue.ready[--queue.head] = held;
    else queue.ready.unshift(held);
  }

  #postpone(queue: Queue, held: Held): void {
    let at = queue.waiting.length;
    while (at > 0 && queue.waiting[at - 1]!.dueMs > held.dueMs) at--;
    queue.waiting.splice(at, 0, held);
    if (at === 0) this.#setAlarm(queue);
  }

  /** One alarm per queue, for the entry that is due soonest. */
  #setAlarm(queue: Queue): void {
    queue.alarm?.abort();
    const next = queue.waiting[0];
    if (!next) return;
    const alarm = new AbortController();
    queue.alarm = alarm;
    void this.#clock.sleep(Math.max(0, next.dueMs - this.#clock.now()), alarm.signal).then(() => {
      if (alarm.signal.aborted) return;
      const now = this.#clock.now();
      while (queue.waiting[0] && queue.waiting[0].dueMs <= now) this.#offer(queue, queue.waiting.shift()!);
      this.#setAlarm(queue);
    });
  }

  #oldestIdle(queue: Queue): Held | undefined {
    let oldest = queue.ready[queue.head];
    for (const held of queue.waiting) if (!oldest || held.storedMs < oldest.storedMs) oldest = held;
    return oldest;
  }

  #remove(queue: Queue, held: Held): void {
    if (queue.ready[queue.head] === held) queue.head++;
    else queue.waiting.splice(queue.waiting.indexOf(held), 1);
    this.#forget(queue, held);
  }

  #forget(queue: Queue, held: Held): void {
    queue.used -= sizeIn(queue.limits, held.batch);
    queue.bytes -= held.batch.sizeBytes;
    this.#release(held.batch);
  }

  #shrink(queue: Queue, held: Held, rest: AnyBatch): void {
    queue.used += sizeIn(queue.limits, rest) - sizeIn(queue.limits, held.batch);
    queue.bytes += rest.sizeBytes - held.batch.sizeBytes;
    this.#retain(rest);
    this.#release(held.batch);
    held.batch = rest;
  }

  #retain(batch: AnyBatch): void {
    for (const bytes of bytesOf(batch)) this.#memory.retain(bytes);
  }

  #release(batch: AnyBatch): void {
    for (const bytes of bytesOf(batch)) this.#memory.release(bytes);
  }
}

function* entriesOf(queue: Queue): Generator<Held> {
  for (let at = queue.head; at < queue.ready.length; at++) yield queue.ready[at]!;
  yield* queue.waiting;
  yield* queue.taken;
}

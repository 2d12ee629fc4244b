import type { Clock } from '../../api/index.ts';
import { bytesOf, itemsOf } from '../../model/batch.ts';
import type { Memory } from '../../model/memory.ts';
import { Schedule, type Scheduled } from './schedule.ts';
import {
  type AnyBatch,
  type Depth,
  type Entry,
  type Evicted,
  type Outcome,
  type PutResult,
  type QueueLimits,
  type Reader,
  type Row,
  type Store,
  sizeIn,
} from './store.ts';

interface Held extends Entry, Scheduled {
  batch: AnyBatch;
  attempts: number;
  firstTryMs: number | undefined;
}

interface Queue {
  readonly schedule: Schedule<Held>;
  reader: Reader;
}

/** Queues in this process's memory. Batches keep their slabs retained from `put` to `settle`. */
export class MemoryStore implements Store {
  readonly durable = false;
  readonly #queues = new Map<string, Queue>();
  readonly #memory: Memory;
  readonly #clock: Clock;
  #key = 0;

  constructor(of: { memory: Memory; clock: Clock }) {
    this.#memory = of.memory;
    this.#clock = of.clock;
  }

  open(name: string, limits: QueueLimits, reader: Reader): void {
    const queue = this.#queues.get(name);
    if (!queue) {
      this.#queues.set(name, { schedule: new Schedule(limits, this.#clock), reader });
      return;
    }
    queue.schedule.relimit(limits, ({ batch }) => sizeIn(limits, batch.sizeBytes));
    queue.reader = reader;
  }

  full(rows: readonly Row[]): string | undefined {
    for (const { queue: name, batch } of rows) {
      const queue = this.#queue(name);
      if (queue.limits.onFull === 'refuse' && !queue.fits(sizeIn(queue.limits, batch.sizeBytes))) return name;
    }
    return undefined;
  }

  async put(rows: readonly Row[]): Promise<PutResult> {
    const evicted: Evicted[] = [];
    for (const { queue: name, batch, storedMs } of rows) {
      const queue = this.#queue(name);
      const size = sizeIn(queue.limits, batch.sizeBytes);
      while (!queue.fits(size)) {
        const oldest = queue.oldestIdle;
        if (!oldest) break;
        queue.pull(oldest);
        this.#forget(queue, oldest);
        evicted.push({ queue: name, items: itemsOf(oldest.batch), storedMs: oldest.storedMs });
      }
      if (!queue.fits(size)) {
        // Everything that is left is in flight: the new batch itself is what goes.
        evicted.push({ queue: name, items: itemsOf(batch), storedMs });
        continue;
      }
      const { sizeBytes: bytes } = batch;
      const held = { key: ++this.#key, batch, size, bytes, storedMs, attempts: 0, firstTryMs: undefined, dueMs: 0 };
      this.#retain(batch);
      queue.reserve(held);
      queue.add(held);
    }
    return { evicted };
  }

  take(name: string, abort: AbortSignal): Promise<Entry | undefined> {
    return this.#queue(name).take(abort);
  }

  settle(name: string, entry: Entry, outcome: Outcome): void {
    const queue = this.#queues.get(name)?.schedule;
    const held = entry as Held;
    // A queue that was discarded meanwhile has released everything already.
    if (!queue?.untake(held)) return;
    switch (outcome.kind) {
      case 'done':
      // There is no place for dead letters in memory.
      case 'dead':
        this.#forget(queue, held);
        return;
      case 'later':
        held.attempts++;
        held.firstTryMs = outcome.firstTryMs;
        held.dueMs = outcome.dueMs;
        if (outcome.rest) this.#shrink(queue, held, outcome.rest);
        queue.add(held);
        return;
      case 'back':
        queue.putBack(held);
        return;
      default:
        outcome satisfies never;
    }
  }

  /** There is no place for dead letters in memory. */
  async bury(): Promise<boolean> {
    return false;
  }

  expedite(name: string): void {
    this.#queue(name).expedite();
  }

  depth(name: string): Depth {
    return this.#queues.get(name)?.schedule.depth ?? { batches: 0, bytes: 0, inFlight: 0, oldestMs: undefined };
  }

  /** Memory keeps nothing for later. */
  close(name: string): void {
    const queue = this.#queues.get(name);
    if (!queue) return;
    this.#queues.delete(name);
    const { schedule, reader } = queue;
    const { batches, bytes } = schedule.depth;
    let items = 0;
    for (const { batch } of schedule.entries()) {
      items += itemsOf(batch);
      this.#release(batch);
    }
    schedule.close();
    if (batches > 0) reader.lost({ batches, items, bytes });
  }

  #queue(name: string): Schedule<Held> {
    const queue = this.#queues.get(name);
    if (!queue) throw new Error(`queue ${name} is not open`);
    return queue.schedule;
  }

  #forget(queue: Schedule<Held>, held: Held): void {
    queue.forget(held);
    this.#release(held.batch);
  }

  #shrink(queue: Schedule<Held>, held: Held, rest: AnyBatch): void {
    queue.resize(held, sizeIn(queue.limits, rest.sizeBytes), rest.sizeBytes);
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

import type { Clock } from '../../api/index.ts';
import type { BatchId } from '../../model/batch.ts';
import { itemsOf } from '../../model/batch.ts';
import type { Memory } from '../../model/memory.ts';
import { fitted, footprintOf, letGo } from './footprint.ts';
import { type Envelope, envelopeOf, Repeats } from './repeats.ts';
import { Schedule, type Scheduled } from './schedule.ts';
import {
  type AnyBatch,
  type Depth,
  type Entry,
  type Evicted,
  fullQueue,
  type Outcome,
  type PutResult,
  type QueueLimits,
  type Reader,
  type Reservation,
  type Row,
  type Store,
  sizeIn,
} from './store.ts';

interface Held extends Entry, Scheduled {
  stored: Stored;
  batch: AnyBatch;
  attempts: number;
  firstTryMs: number | undefined;
}

/** A batch, once however many queues it is in. */
interface Stored {
  readonly batch: AnyBatch;
  /** Memory that it takes, as `footprintOf` measures it. */
  readonly bytes: number;
  /** Entries that have it, and whoever is storing it. */
  users: number;
}

interface Queue {
  readonly schedule: Schedule<Held>;
  reader: Reader;
}

/**
 * Queues in this process's memory. Batches keep their slabs retained from `put` to `settle`; what counts for a queue is the memory that
 * its batches take, not their payloads alone, so that a full queue holds what its size says.
 */
export class MemoryStore implements Store {
  readonly durable = false;
  readonly #queues = new Map<string, Queue>();
  readonly #memory: Memory;
  readonly #clock: Clock;
  /** Who took a batch, as long as somebody knows its id: the answer of the other branches is still to come. */
  readonly #took = new WeakMap<BatchId, { readonly queue: string; readonly batch: Envelope }[]>();
  readonly #repeats = new Repeats();
  #key = 0;

  constructor(of: { memory: Memory; clock: Clock }) {
    this.#memory = of.memory;
    this.#clock = of.clock;
    of.memory.onShortage(bytes => this.#makeWay(bytes));
  }

  open(name: string, limits: QueueLimits, reader: Reader): void {
    const queue = this.#queues.get(name);
    if (!queue) {
      this.#queues.set(name, { schedule: new Schedule(limits, this.#clock), reader });
      return;
    }
    queue.schedule.relimit(limits, ({ bytes }) => sizeOf(limits, bytes));
    queue.reader = reader;
  }

  reserve(rows: readonly Row[]): Reservation | string {
    const promised: { queue: Schedule<Held>; room: Held }[] = [];
    const giveBack = () => {
      for (const { queue, room } of promised.splice(0)) queue.forget(room);
    };
    for (const { queue: name, batch } of rows) {
      const queue = this.#queue(name);
      // A queue that drops makes its room when it puts, which cannot fail.
      if (queue.limits.onFull !== 'refuse') continue;
      const bytes = footprintOf(batch, this.#memory);
      const size = sizeOf(queue.limits, bytes);
      if (!queue.fits(size)) {
        giveBack();
        return fullQueue(name);
      }
      const room = { size, bytes, storedMs: 0, dueMs: 0 } as Held;
      queue.promise(room);
      promised.push({ queue, room });
    }
    const put = async () => {
      giveBack();
      return this.#put(rows);
    };
    return { put, giveBack };
  }

  async put(rows: readonly Row[]): Promise<PutResult> {
    const room = this.reserve(rows);
    if (typeof room === 'string') throw new Error(room);
    return room.put();
  }

  #put(rows: readonly Row[]): PutResult {
    const evicted: Evicted[] = [];
    const repeated: string[] = [];
    const nowMs = this.#clock.now();
    let stored: Stored | undefined;
    let from: AnyBatch | undefined;
    for (const { queue: name, batch, storedMs } of rows) {
      if (this.#repeats.has(name, batch, nowMs)) {
        repeated.push(name);
        continue;
      }
      // The rows of one `put` share their batch, nearly always.
      if (!stored || from !== batch) {
        if (stored) this.#let(stored);
        stored = this.#store(batch);
        from = batch;
      }
      const queue = this.#queue(name);
      const { bytes } = stored;
      const size = sizeOf(queue.limits, bytes);
      if (queue.limits.onFull === 'drop_oldest') this.#makeRoom(name, queue, size, evicted);
      if (queue.limits.onFull === 'drop_oldest' && !queue.fits(size)) {
        // Everything that is left is in flight: the new batch itself is what goes.
        evicted.push({ queue: name, items: itemsOf(batch), storedMs });
        continue;
      }
      stored.users++;
      const times = { storedMs, attempts: 0, firstTryMs: undefined, dueMs: 0 };
      const held: Held = { key: ++this.#key, stored, batch: stored.batch, size, bytes, ...times };
      queue.reserve(held);
      queue.add(held);
      this.#note(name, batch);
    }
    if (stored) this.#let(stored);
    return { evicted, ...(repeated.length > 0 && { repeated }) };
  }

  remember({ id }: AnyBatch): void {
    const nowMs = this.#clock.now();
    for (const { queue, batch } of this.#took.get(id) ?? []) this.#repeats.add(queue, id.hex, batch, nowMs);
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
    for (const { stored } of schedule.entries()) {
      items += itemsOf(stored.batch);
      this.#let(stored);
    }
    schedule.close();
    if (batches > 0) reader.lost({ batches, items, bytes });
  }

  #note(queue: string, batch: AnyBatch): void {
    const took = this.#took.get(batch.id);
    const one = { queue, batch: envelopeOf(batch) };
    if (took) took.push(one);
    else this.#took.set(batch.id, [one]);
  }

  #queue(name: string): Schedule<Held> {
    const queue = this.#queues.get(name);
    if (!queue) throw new Error(`queue ${name} is not open`);
    return queue.schedule;
  }

  #makeRoom(name: string, queue: Schedule<Held>, size: number, evicted: Evicted[]): void {
    while (!queue.fits(size)) {
      const oldest = queue.oldestIdle;
      if (!oldest) return;
      queue.pull(oldest);
      evicted.push({ queue: name, items: itemsOf(oldest.batch), storedMs: oldest.storedMs });
      this.#forget(queue, oldest);
    }
  }

  /**
   * Memory is short: the oldest batches go that wait for stores that are down, whichever of them they wait for. A queue that
   * refuses when it is full is left alone, its senders can wait.
   */
  #makeWay(bytes: number): void {
    const before = this.#memory.usage.heldBytes;
    const down = [...this.#queues].filter(
      ([, { schedule, reader }]) => schedule.limits.onFull === 'drop_oldest' && reader.down,
    );
    while (before - this.#memory.usage.heldBytes < bytes) {
      let first: { name: string; queue: Queue; oldest: Held } | undefined;
      for (const [name, queue] of down) {
        const oldest = queue.schedule.oldestIdle;
        if (oldest && (!first || oldest.storedMs < first.oldest.storedMs)) first = { name, queue, oldest };
      }
      if (!first) return;
      const { name, queue, oldest } = first;
      queue.schedule.pull(oldest);
      this.#forget(queue.schedule, oldest);
      queue.reader.gaveWay({ queue: name, items: itemsOf(oldest.batch), storedMs: oldest.storedMs });
    }
  }

  #forget(queue: Schedule<Held>, held: Held): void {
    queue.forget(held);
    this.#let(held.stored);
  }

  #shrink(queue: Schedule<Held>, held: Held, rest: AnyBatch): void {
    const whole = held.stored;
    held.stored = this.#store(rest);
    held.batch = held.stored.batch;
    queue.resize(held, sizeOf(queue.limits, held.stored.bytes), held.stored.bytes);
    this.#let(whole);
  }

  /** Somebody has it from here on: the caller. */
  #store(batch: AnyBatch): Stored {
    const bytes = footprintOf(batch, this.#memory);
    return { batch: fitted(batch, this.#memory), bytes, users: 1 };
  }

  /** One user less. */
  #let(stored: Stored): void {
    if (--stored.users === 0) letGo(stored.batch, this.#memory);
  }
}

/** What a batch counts in a queue. One that is as large as its whole queue may be in it, alone. */
function sizeOf(limits: QueueLimits, bytes: number): number {
  return sizeIn(limits, Math.min(bytes, limits.capacity));
}

import type { Batches, Signal } from '../../model/batch.ts';

export type AnyBatch = Batches[Signal];

/** What a queue may hold. */
export interface QueueLimits {
  /** In units of `sizer`. */
  readonly capacity: number;
  readonly sizer: 'bytes' | 'requests';
  readonly onFull: 'drop_oldest' | 'refuse';
}

/** One batch on its way into one queue. */
export interface Row {
  readonly queue: string;
  readonly batch: AnyBatch;
  readonly storedMs: number;
}

/** A stored batch that somebody has taken; nobody else gets it until it is settled. */
export interface Entry {
  readonly key: number;
  readonly batch: AnyBatch;
  readonly storedMs: number;
  /** Tries so far. */
  readonly attempts: number;
  /** When the first try began, unix ms; what max_elapsed_time counts from. */
  readonly firstTryMs: number | undefined;
}

export type Outcome =
  /** Delivered or dropped: forget it. */
  | { readonly kind: 'done' }
  /** Not before `dueMs` again; `rest` when only part of the batch is still owed. */
  | { readonly kind: 'later'; readonly dueMs: number; readonly firstTryMs: number; readonly rest?: AnyBatch }
  /** The try was called off: as it was. */
  | { readonly kind: 'back' };

export interface Depth {
  readonly batches: number;
  readonly bytes: number;
  /** Of these, taken and not settled. */
  readonly inFlight: number;
  readonly oldestMs: number | undefined;
}

/**
 * Where queued batches are until they are delivered. One store serves many queues, so that one `put` for all exporters of a
 * pipeline is all or none. Kept in memory here; a disk implements the same. A queue outlives the outbox that reads it: after a
 * reload the next outbox of the same id opens it and finds everything.
 */
export interface Store {
  /** Makes the queue, or gives an existing one new limits. */
  open(queue: string, limits: QueueLimits): void;
  /** The first queue that must refuse its row, or undefined when `put` would take them all. */
  full(rows: readonly Row[]): string | undefined;
  /** Takes all rows, durable when it resolves; answers with the batches that had to make room. Call only when nothing is `full`. */
  put(rows: readonly Row[]): Promise<readonly Row[]>;
  /** The next due entry; waits for one, and resolves undefined when `abort` fires. */
  take(queue: string, abort: AbortSignal): Promise<Entry | undefined>;
  settle(queue: string, entry: Entry, outcome: Outcome): void;
  /** Makes everything that waits for a later time due now. */
  expedite(queue: string): void;
  depth(queue: string): Depth;
  /** Forgets a queue and all that it holds. */
  discard(queue: string): void;
}

/** What a batch counts in its queue; never 0, so that an endless number of empty batches cannot pile up. */
export function sizeIn(limits: QueueLimits, batch: AnyBatch): number {
  return limits.sizer === 'bytes' ? Math.max(1, batch.sizeBytes) : 1;
}

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

/** Why a batch will never be delivered. `stage_failed`: it never got as far as a queue. */
export type DeadReason = 'max_age' | 'retries_exhausted' | 'rejected' | 'stage_failed';

export type Outcome =
  /** Delivered: forget it. */
  | { readonly kind: 'done' }
  /** Not before `dueMs` again; `rest` when only part of the batch is still owed. */
  | { readonly kind: 'later'; readonly dueMs: number; readonly firstTryMs: number; readonly rest?: AnyBatch }
  /** The try was called off: as it was. */
  | { readonly kind: 'back' }
  /** Given up: a durable store keeps it as a dead letter. `rest` is what of it was not delivered, all when absent. */
  | { readonly kind: 'dead'; readonly reason: DeadReason; readonly message: string; readonly rest?: AnyBatch };

/** A batch that had to make room for another. */
export interface Evicted {
  readonly queue: string;
  readonly items: number;
  readonly storedMs: number;
}
export interface PutResult {
  readonly evicted: readonly Evicted[];
  /** Queues that had this batch already, lately, and did not take it again. */
  readonly repeated?: readonly string[];
}

/** Room for rows that nobody else can take until it is used or given back. */
export interface Reservation {
  /**
   * Takes all rows or none, durable when it resolves. What has to go to make room goes with it, and stays when it fails. Call it once.
   * @throws Error with a sentence when the store cannot write; nothing was taken or dropped then
   */
  put(): Promise<PutResult>;
  /** Has no effect once it was put. */
  giveBack(): void;
}

export interface Depth {
  readonly batches: number;
  readonly bytes: number;
  /** Of these, taken and not settled. */
  readonly inFlight: number;
  readonly oldestMs: number | undefined;
}

/** What went out of a queue without being delivered. */
export interface Lost {
  readonly batches: number;
  readonly items: number;
  readonly bytes: number;
}

/** Who reads a queue, as far as the store must know. */
export interface Reader {
  /** Whether what it delivers to takes nothing now: where memory is short, its queue gives way before senders are refused. */
  readonly down: boolean;
  /** Told of a batch that had to go because memory was short. */
  gaveWay(one: Evicted): void;
  /** Told of what did not outlive the queue. */
  lost(what: Lost): void;
}

/**
 * Where queued batches are until they are delivered. One store serves many queues, so that one `put` for all exporters of a
 * pipeline is all or none. A queue outlives the outbox that reads it: after a reload the next outbox of the same id opens it and
 * finds everything.
 */
export interface Store {
  /** Whether what it took survives the process. */
  readonly durable: boolean;
  /** Makes the queue, or gives an existing one new limits and another reader. */
  open(queue: string, limits: QueueLimits, reader: Reader): void;
  /** Room for all rows, or a sentence that says why there is none; then nothing is kept. The rows have one batch. */
  reserve(rows: readonly Row[]): Reservation | string;
  /** Both at once. @throws Error with a sentence when there is no room, or as `Reservation.put` */
  put(rows: readonly Row[]): Promise<PutResult>;
  /**
   * The sender of this batch will try again although it was put here: another branch did not take it. The queues that have it do not take
   * it a second time. Call it while the bytes are held. A durable store remembers every batch and has no need of it.
   */
  remember?(batch: AnyBatch): void;
  /** The next due entry; waits for one, and resolves undefined when `abort` fires. */
  take(queue: string, abort: AbortSignal): Promise<Entry | undefined>;
  settle(queue: string, entry: Entry, outcome: Outcome): void;
  /**
   * Keeps a batch that failed before it got into a queue as a dead letter of that queue, which need not be open. Resolves true once
   * that is as durable as `put`, also when it is there already since the sender tried again; false where there is no place for dead letters. The bytes may go when it has answered.
   * @throws Error with a sentence when the store cannot write
   */
  bury(queue: string, batch: AnyBatch, reason: DeadReason, message: string): Promise<boolean>;
  /** Makes everything that waits for a later time due now. */
  expedite(queue: string): void;
  depth(queue: string): Depth;
  /** Nobody reads this queue any longer. A durable store keeps what is in it; any other tells the reader what is lost. */
  close(queue: string): void;
}

export function fullQueue(queue: string): string {
  return `the queue of ${queue} is full`;
}

/** What a batch counts in its queue; never 0, so that an endless number of empty batches cannot pile up. */
export function sizeIn(limits: QueueLimits, sizeBytes: number): number {
  return limits.sizer === 'bytes' ? Math.max(1, sizeBytes) : 1;
}

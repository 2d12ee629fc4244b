import type { Clock, Component, Logger, OutboxConfig, Result, Sender } from '../../api/index.ts';
import { itemsOf, type ProfileBatch, sizeOfProfiles } from '../../model/batch.ts';
import type { Converter, Failed } from './convert.ts';
import { deliverNow } from './direct.ts';
import { Gate } from './gate.ts';
import { HandOut } from './hand-out.ts';
import { retryDelayMs } from './retry.ts';
import { sendConverted, sendOnce, type Tried } from './send.ts';
import type {
  AnyBatch,
  DeadReason,
  Depth,
  Entry,
  Evicted,
  Lost,
  Outcome,
  QueueLimits,
  Reader,
  Row,
  Store,
} from './store.ts';

/** Time for requests in flight to end once they were aborted. */
const CUT_GRACE_MS = 500;

/** Why a queue is given up: its component is not in the configuration any more, or the process ends. */
export type Leaving = 'removed' | 'shutdown';
export type DropReason = 'queue_full' | 'memory' | 'repeated' | 'conversion_failed' | Leaving | DeadReason;

export interface OutboxParts {
  readonly id: string;
  readonly sender: Sender<never>;
  readonly config: OutboxConfig;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  /** Counts what goes no further after it was acknowledged. */
  readonly dropped: (items: number, reason: DropReason | (string & {})) => void;
  readonly report: (health: 'ok' | 'degraded', why?: Error) => void;
  /**
   * The sender answers when it lets go of a batch: it is given everything there is, not `num_consumers` at a time, and also while what
   * is behind it is down, since it may need many to let go of one.
   */
  readonly holding?: boolean;
  /** Absent where the sender takes every form as it came. */
  readonly converter?: Converter;
  readonly random?: () => number;
}

/** Delivery for one exporter: queue → gate → timeout → send → retry. It owns everything that happens after the acknowledgement. */
export class Outbox implements Component, Reader {
  readonly id: string;
  readonly #of: OutboxParts;
  readonly #limits: QueueLimits;
  readonly #gate: Gate;
  readonly #random: () => number;
  /** Fires when no further entry may be taken. */
  readonly #closing = new AbortController();
  /** Fires when nobody may wait for a store any longer. */
  readonly #hurry = new AbortController();
  /** Fires when requests in flight must end. */
  readonly #cut = new AbortController();
  readonly #loops: Promise<void>[] = [];
  /** To a sender that holds. */
  readonly #handOut: HandOut | undefined;
  #draining = false;
  #stopped = false;
  #drainFailures = 0;
  #leaving: Leaving = 'shutdown';

  constructor(parts: OutboxParts) {
    this.#of = parts;
    this.id = parts.id;
    this.#gate = new Gate(parts.clock);
    this.#random = parts.random ?? Math.random;
    const { queue_size, sizer, on_full } = parts.config.sending_queue;
    this.#limits = { capacity: queue_size, sizer, onFull: on_full };
    if (parts.holding)
      this.#handOut = new HandOut({
        next: () => this.#next(),
        attempt: entry => this.#attempt(entry),
        batches: () => this.depth.batches,
      });
  }

  /** Without a queue the caller waits for the store's answer (`deliver`). */
  get queued(): boolean {
    return this.#of.config.sending_queue.enabled;
  }
  get store(): Store {
    return this.#of.store;
  }
  get capacity(): QueueLimits {
    return this.#limits;
  }
  get depth(): Depth {
    return this.#of.store.depth(this.id);
  }
  get paused(): { untilMs: number; error: string } | undefined {
    return this.#gate.closed;
  }

  get down(): boolean {
    return this.#gate.closed !== undefined;
  }

  async start(): Promise<void> {
    if (!this.queued) return;
    this.claim();
    if (this.#handOut) this.#loops.push(this.#handOut.run());
    else for (let n = 0; n < this.#of.config.sending_queue.num_consumers; n++) this.#loops.push(this.#consume());
  }

  /** Makes the queue this one's: its limits rule, and it hears what becomes of it. */
  claim(): void {
    if (this.queued) this.#of.store.open(this.id, this.#limits, this);
  }

  /** The row to store, or undefined when the batch can never fit. */
  row(batch: AnyBatch): Row | undefined {
    const { capacity, sizer } = this.#limits;
    if (sizer === 'bytes' && batch.sizeBytes > capacity) {
      this.#of.log.error('batch dropped, it is larger than the queue', {
        sizeBytes: batch.sizeBytes,
        queueBytes: capacity,
      });
      return undefined;
    }
    return { queue: this.id, batch, storedMs: this.#of.clock.now() };
  }

  /** Counts what `put` evicted from this queue. */
  evicted({ items, storedMs }: Evicted): void {
    this.#of.dropped(items, 'queue_full');
    this.#of.log.error('queue full, oldest batch dropped', { ageMs: this.#of.clock.now() - storedMs });
  }

  gaveWay({ items, storedMs }: Evicted): void {
    this.#of.dropped(items, 'memory');
    this.#of.log.error('memory is short and the store is down, oldest batch dropped', {
      ageMs: this.#of.clock.now() - storedMs,
    });
  }

  /** Counts a batch that this queue had taken lately: its sender tried again. */
  repeated(items: number): void {
    this.#of.dropped(items, 'repeated');
    this.#of.log.info('batch was queued already, not taken again', { items });
  }

  /** One batch without a queue; answers with what the store said. */
  deliver(batch: AnyBatch, abort: AbortSignal): Promise<Result> {
    const { config, clock } = this.#of;
    const send = async (owed: AnyBatch) => (await this.#send(owed, abort)).result;
    const ended = () => this.#closing.signal.aborted;
    return deliverNow(batch, { retry: config.retry_on_failure, clock, random: this.#random, send, ended, abort });
  }

  /**
   * Drains: everything that is queued gets one more try, without waits; when the store does not answer or the deadline fires,
   * the rest is left to `close`.
   */
  async stop(deadline: AbortSignal): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#beginDrain();
    if (this.#loops.length === 0) return;
    const cut = () => {
      this.#closing.abort();
      this.#cut.abort();
    };
    if (deadline.aborted) cut();
    else deadline.addEventListener('abort', cut, { once: true });
    // A sender that holds was handed everything before, and is stopping: it takes nothing more.
    if (this.#handOut || this.depth.batches === 0) this.#closing.abort();
    await this.#ended();
    deadline.removeEventListener('abort', cut);
  }

  /** Before a sender that holds is told to stop: it gets all that is queued, once more, and lets go of it when it is told. */
  async handOutAll(deadline: AbortSignal): Promise<void> {
    if (!this.#handOut || this.#loops.length === 0) return;
    this.#beginDrain();
    await this.#handOut.everything(AbortSignal.any([deadline, this.#closing.signal]));
  }

  #beginDrain(): void {
    if (this.#draining) return;
    this.#draining = true;
    this.#hurry.abort();
    if (!this.queued) this.#closing.abort();
    else if (this.#loops.length > 0) this.#of.store.expedite(this.id);
  }

  /** Gives the queue up. What is left in it stays in a durable store; otherwise it is lost, counted and named in the log. */
  close(why: Leaving): void {
    if (!this.queued) return;
    const { store, log } = this.#of;
    const { batches, bytes } = this.depth;
    this.#leaving = why;
    store.close(this.id);
    if (batches > 0 && store.durable) log.warn('left in the queue, the file keeps it', { why, batches, bytes });
  }

  lost({ batches, items, bytes }: Lost): void {
    const why = this.#leaving;
    this.#of.dropped(items, why);
    if (why === 'shutdown') this.#of.log.error('left in the queue at shutdown', { batches, items, bytes });
    else this.#of.log.error('dropped with the queue of a component that was removed', { batches, items, bytes });
  }

  /** Stops reading so that the next outbox of this id can have the queue; requests in flight end by themselves or at the deadline. */
  async handOver(deadline: AbortSignal): Promise<void> {
    this.#draining = true;
    this.#closing.abort();
    this.#hurry.abort();
    const cut = () => this.#cut.abort();
    if (deadline.aborted) cut();
    else deadline.addEventListener('abort', cut, { once: true });
    await this.#ended();
    deadline.removeEventListener('abort', cut);
  }

  /** Resolves when no request is in flight; soon after the cut even if an exporter ignores its abort signal. */
  async #ended(): Promise<void> {
    const deaf = Promise.withResolvers<'deaf'>();
    let timer: NodeJS.Timeout | undefined;
    const cut = () => {
      timer = setTimeout(deaf.resolve, CUT_GRACE_MS, 'deaf');
    };
    if (this.#cut.signal.aborted) cut();
    else this.#cut.signal.addEventListener('abort', cut, { once: true });
    if ((await Promise.race([Promise.all(this.#loops), deaf.promise])) === 'deaf')
      this.#of.log.error('exporter ignores its abort signal, leaving without it', { inFlight: this.depth.inFlight });
    clearTimeout(timer);
    this.#cut.signal.removeEventListener('abort', cut);
  }

  async #consume(): Promise<void> {
    while (await this.#consumeOne());
  }

  /** A call of its own: a loop that waits for the next entry would keep the last one's payload from the garbage collector. */
  async #consumeOne(): Promise<boolean> {
    const entry = await this.#next();
    if (entry) await this.#attempt(entry);
    return entry !== undefined;
  }

  /** The next entry that may be tried; undefined when no further one may be taken. */
  async #next(): Promise<Entry | undefined> {
    const closing = this.#closing.signal;
    for (;;) {
      // The gate before the queue: what waits for a store that is down stays in the queue, where it can make room.
      const free = this.#draining || this.#handOut !== undefined;
      if (!free) await this.#gate.open(this.#hurry.signal);
      const entry = await this.#of.store.take(this.id, closing);
      if (!entry) return undefined;
      if (!closing.aborted && (free || this.#draining || this.#gate.admit())) return entry;
      this.#of.store.settle(this.id, entry, { kind: 'back' });
      if (closing.aborted) return undefined;
    }
  }

  async #attempt(entry: Entry): Promise<Outcome['kind']> {
    const outcome = await this.#try(entry);
    this.#of.store.settle(this.id, entry, outcome);
    if (this.#draining && this.depth.batches - this.depth.inFlight === 0) this.#closing.abort();
    return outcome.kind;
  }

  async #try(entry: Entry): Promise<Outcome> {
    const { config, clock, log, dropped } = this.#of;
    const items = itemsOf(entry.batch);
    const startedMs = clock.now();
    const maxAgeMs = config.sending_queue.max_age;
    if (maxAgeMs !== undefined && startedMs - entry.storedMs > maxAgeMs) {
      dropped(items, 'max_age');
      log.warn('batch dropped, it waited too long', { ageMs: startedMs - entry.storedMs });
      this.#gate.undecided();
      return { kind: 'dead', reason: 'max_age', message: `waited longer than ${maxAgeMs} ms` };
    }
    const { result, asked, failed } = await this.#send(entry.batch, this.#cut.signal);
    if (failed?.length && entry.batch.signal === 'profiles') await this.#bury(entry.batch, failed);
    if (result.kind === 'accepted') {
      if (asked) this.#recovered();
      else this.#gate.undecided();
      // Nobody else hears of what the other side left out: the sender was answered long ago.
      for (const drop of result.drops ?? []) dropped(drop.items, drop.reason);
      return { kind: 'done' };
    }
    if (result.kind === 'permanent') {
      // Where the store answered it is up, and these bytes will not change.
      if (asked) this.#recovered();
      else this.#gate.undecided();
      dropped(items, asked ? 'rejected' : 'conversion_failed');
      const phrase = asked ? 'batch rejected by the store' : 'batch cannot be converted';
      log.error(phrase, { error: result.error, fault: result.fault, items });
      return { kind: 'dead', reason: 'rejected', message: result.error.message };
    }
    if (this.#cut.signal.aborted) {
      this.#gate.undecided();
      return { kind: 'back' };
    }
    const error = result.kind === 'refused' ? new Error(result.reason) : result.error;
    const retry = config.retry_on_failure;
    const firstTryMs = entry.firstTryMs ?? startedMs;
    const delayMs = retryDelayMs(retry, entry.attempts, result.retryAfterMs, this.#random);
    if (asked) this.#gate.failed(error, retryDelayMs(retry, this.#gate.level, result.retryAfterMs, this.#random));
    else this.#gate.undecided();
    if (asked && this.#gate.closed) this.#of.report('degraded', error);
    const dueMs = clock.now() + delayMs;
    const exhausted = !retry.enabled || (retry.max_elapsed_time > 0 && dueMs - firstTryMs > retry.max_elapsed_time);
    if (exhausted) {
      const owed = result.kind === 'retryable' && result.rest ? itemsOf(result.rest) : items;
      dropped(owed, 'retries_exhausted');
      log.error('batch dropped, retries are exhausted', { error, attempts: entry.attempts + 1 });
      const rest = result.kind === 'retryable' ? result.rest : undefined;
      return { kind: 'dead', reason: 'retries_exhausted', message: error.message, ...(rest && { rest }) };
    }
    log.warn('export retrying', { error, attempt: entry.attempts + 1, delayMs: Math.round(delayMs) });
    this.#giveUpDrain();
    return {
      kind: 'later',
      dueMs,
      firstTryMs,
      ...(result.kind === 'retryable' && result.rest && { rest: result.rest }),
    };
  }

  /** Profiles that are given up while others of their batch go on: dead letters, where there is a place for them. */
  async #bury(batch: ProfileBatch, failed: readonly Failed[]): Promise<void> {
    const profiles = failed.map(({ profile }) => profile);
    const alone = { ...batch, profiles, sizeBytes: sizeOfProfiles(profiles) };
    try {
      await this.#of.store.bury(this.id, alone, 'rejected', `cannot be converted: ${failed[0]!.message}`);
    } catch (error) {
      this.#of.log.error('dead letter cannot be kept', { error: error as Error, items: failed.length });
    }
  }

  #recovered(): void {
    if (this.#gate.closed) this.#of.log.info('store answers again');
    this.#gate.succeeded();
    this.#of.report('ok');
    this.#drainFailures = 0;
  }

  /** A drain ends when the store failed as often in a row as it was asked at a time: it is down, waiting would only delay the exit. */
  #giveUpDrain(): void {
    if (!this.#draining) return;
    const atATime = Math.min(this.#of.config.sending_queue.num_consumers, this.depth.batches);
    if (++this.#drainFailures >= atATime) this.#closing.abort();
  }

  async #send(batch: AnyBatch, abort: AbortSignal): Promise<Tried> {
    const { sender, config, log, converter } = this.#of;
    const send = (ready: AnyBatch) => sendOnce(sender, ready, { timeoutMs: config.timeout, abort, log });
    if (converter && batch.signal === 'profiles') return sendConverted(converter, batch, send, abort);
    return { result: await send(batch), asked: true };
  }
}

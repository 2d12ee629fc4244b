import { counters, type Instrument, type Logger, type Meter, type Result } from '../api/index.ts';
import { itemsOf, type Signal } from '../model/batch.ts';
import type { Node } from './link.ts';
import type { AnyBatch } from './outbox/store.ts';

export type Outcome = Result['kind'];
export type Counts = Record<Outcome | 'dropped', number>;

/** Seconds; from a pass through the envelope to a slow store. */
const DURATION_BUCKETS = [0.0001, 0.001, 0.01, 0.1, 1, 10];
const OUTCOMES: readonly Outcome[] = ['accepted', 'refused', 'retryable', 'permanent'];

/** What a batch counts as, in names of metrics and in words. */
const ITEMS: Record<Signal, readonly [name: string, bytes: string, word: string]> = {
  profiles: ['flamegate_profiles_total', 'flamegate_profile_bytes_total', 'Profiles'],
  traces: ['flamegate_trace_requests_total', 'flamegate_trace_bytes_total', 'Requests of traces'],
  metrics: ['flamegate_metric_points_total', 'flamegate_metric_bytes_total', 'Metric points'],
};

function givenTo(meter: Meter, signal: Signal): { items: Instrument; bytes: Instrument } {
  const [items, bytes, word] = ITEMS[signal];
  return {
    items: meter.counter(items, { help: `${word} that a component was given, by outcome.`, labels: ['outcome'] }),
    bytes: meter.counter(bytes, { help: 'Payload bytes that a component was given, as received.' }),
  };
}

/** What one component did, for metrics and the status API. */
export class Observer {
  readonly counts: Counts = { accepted: 0, refused: 0, retryable: 0, permanent: 0, dropped: 0 };
  lastError: { atMs: number; message: string } | undefined;
  readonly drops = new Map<string, number>();
  readonly #given: Partial<Record<Signal, { items: Instrument; bytes: Instrument }>> = {};
  readonly #meter: Meter;
  readonly #seconds: Instrument;
  readonly #dropped: Instrument;
  readonly #bugs: Instrument;
  readonly #log: Logger;
  readonly #labels: Record<Outcome, { outcome: string }>;

  constructor(meter: Meter, log: Logger) {
    this.#log = log;
    this.#labels = Object.fromEntries(OUTCOMES.map(outcome => [outcome, { outcome }])) as Record<
      Outcome,
      { outcome: string }
    >;
    this.#meter = meter;
    this.#seconds = meter.histogram('flamegate_consume_seconds', {
      help: 'Time until a component answered for a batch.',
      buckets: DURATION_BUCKETS,
    });
    this.#dropped = counters.dropped(meter);
    this.#bugs = meter.counter('flamegate_internal_errors_total', { help: 'Exceptions on the data path: bugs.' });
  }

  drop(items: number, reason: string): void {
    this.counts.dropped += items;
    this.drops.set(reason, (this.drops.get(reason) ?? 0) + items);
    this.#dropped.record(items, { reason });
  }

  settle(batch: AnyBatch, result: Result<AnyBatch>, startedMs: number): void {
    const items = itemsOf(batch);
    this.counts[result.kind] += items;
    this.#given[batch.signal] ??= givenTo(this.#meter, batch.signal);
    const { items: count, bytes } = this.#given[batch.signal]!;
    count.record(items, this.#labels[result.kind]);
    bytes.record(batch.sizeBytes);
    this.#seconds.record((performance.now() - startedMs) / 1000);
    if (result.kind === 'accepted') return;
    this.lastError = { atMs: Date.now(), message: result.kind === 'refused' ? result.reason : result.error.message };
  }

  /** Turns an exception on the data path into an answer, so that a bug costs one batch and not the process. */
  bug(thrown: unknown): Result {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    this.#bugs.record(1);
    this.#log.error('component threw on the data path, this is a bug', { error, stack: true });
    return { kind: 'permanent', error: new Error('internal error', { cause: error }), fault: 'gateway' };
  }
}

/** A node with an observer around it: counts, durations, and the one place where exceptions of a component end. */
export class Observed implements Node {
  readonly #inner: Node;
  readonly #observer: Observer;

  constructor(inner: Node, observer: Observer) {
    this.#inner = inner;
    this.#observer = observer;
  }

  async consume(batch: AnyBatch, abort: AbortSignal): Promise<Result> {
    const startedMs = performance.now();
    let result: Result;
    try {
      result = await this.#inner.consume(batch as never, abort);
    } catch (thrown) {
      result = this.#observer.bug(thrown);
    }
    this.#observer.settle(batch, result, startedMs);
    return result;
  }
}

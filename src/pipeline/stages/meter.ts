import { counters, type Instrument, type Meter } from '../../api/index.ts';

/** Seconds; from one label on a small profile to a large one rewritten. */
const BUCKETS = [0.0001, 0.0005, 0.002, 0.01, 0.05, 0.2, 1, 5];

export type StageCount = 'kept' | 'edited' | 'dropped' | 'undecodable' | 'failed';

/** What a stage did, as metrics. Tasks, wait and bytes are of the crossing that it shares with its neighbours. */
export class StageMeter {
  readonly #profiles: Instrument;
  readonly #tasks: Instrument;
  readonly #wait: Instrument;
  readonly #run: Instrument;
  readonly #bytes: Instrument;
  readonly #restarts: Instrument;
  readonly #losses: Instrument;

  constructor(meter: Meter) {
    this.#profiles = meter.counter('flamegate_stage_profiles_total', {
      help: 'Profiles that a stage was given, by what became of them.',
      labels: ['outcome'],
    });
    this.#tasks = meter.counter('flamegate_stage_tasks_total', { help: 'Crossings to a worker thread.' });
    this.#wait = meter.histogram('flamegate_stage_wait_seconds', {
      help: 'Time that a task waited for a thread.',
      buckets: BUCKETS,
    });
    this.#run = meter.histogram('flamegate_stage_run_seconds', {
      help: 'Time in the stage, per task, without decoding and encoding.',
      buckets: BUCKETS,
    });
    this.#bytes = meter.counter('flamegate_stage_bytes_total', {
      help: 'Payload bytes, as received, given to a stage.',
    });
    this.#restarts = meter.counter('flamegate_stage_restarts_total', {
      help: 'Worker threads that ended while the stage ran.',
    });
    this.#losses = counters.losses(meter);
  }

  task(waitMs: number, runMs: number): void {
    this.#tasks.record(1);
    this.#wait.record(waitMs / 1000);
    this.#run.record(runMs / 1000);
  }
  bytes(count: number): void {
    this.#bytes.record(count);
  }
  /** What profiles lost that stages edited; told by the first of them. */
  lost(reason: string, items: number): void {
    this.#losses.record(items, { reason });
  }
  restart(): void {
    this.#restarts.record(1);
  }
  profile(outcome: StageCount): void {
    this.#profiles.record(1, { outcome });
  }
}

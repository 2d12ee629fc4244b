import { hostname } from 'node:os';
import {
  BatchId,
  type Component,
  type Consumer,
  counters,
  type Host,
  type Instrument,
  type Profile,
} from '../../api/index.ts';
import { gzip } from '../../wire/gzip.ts';
import type { Config } from './config.ts';
import { encodeCpu, encodeHeap } from './encode.ts';
import { V8Profilers } from './profiler.ts';

const US_PER_MS = 1000;
const NS_PER_MS = 1_000_000;

/** Profiles this process and sends what it finds down its own pipelines, one batch per interval; none without samples. */
export class SelfReceiver implements Component {
  readonly #config: Config;
  readonly #host: Host;
  readonly #next: Consumer<'profiles'>;
  readonly #dropped: Instrument;
  #stopping: AbortController | undefined;
  /** Ends a wait for the pipeline's answer; fires at the deadline of `stop`. */
  #giveUp = new AbortController();
  #loop: Promise<void> | undefined;

  constructor(config: Config, host: Host, next: Consumer<'profiles'>) {
    this.#config = config;
    this.#host = host;
    this.#next = next;
    this.#dropped = counters.dropped(host.metrics);
  }

  async start(): Promise<void> {
    const { cpu, heap, sampling_interval } = this.#config;
    const profilers = new V8Profilers();
    await profilers.start(cpu, heap, Math.round(sampling_interval * US_PER_MS));
    this.#giveUp = new AbortController();
    this.#stopping = new AbortController();
    this.#loop = this.#run(profilers, this.#stopping.signal);
  }

  async stop(deadline: AbortSignal): Promise<void> {
    this.#stopping?.abort();
    const giveUp = this.#giveUp;
    const late = () => giveUp.abort();
    if (deadline.aborted) late();
    deadline.addEventListener('abort', late, { once: true });
    await this.#loop;
    deadline.removeEventListener('abort', late);
    this.#loop = undefined;
  }

  async #run(profilers: V8Profilers, stopping: AbortSignal): Promise<void> {
    try {
      while (!stopping.aborted) {
        await this.#host.clock.sleep(this.#config.interval, stopping);
        // What was sampled up to the stop goes out too.
        await this.#emit(profilers);
      }
    } catch (thrown) {
      this.#host.log.error('self profiling ended', { error: thrown as Error });
      this.#host.report('degraded', thrown as Error);
    } finally {
      profilers.stop();
    }
  }

  async #emit(profilers: V8Profilers): Promise<void> {
    const { cpu, heap, sampling_interval } = this.#config;
    const nowMs = this.#host.clock.now();
    const encoded: [string, Uint8Array | undefined][] = [];
    if (cpu)
      encoded.push(['process_cpu', encodeCpu(await profilers.cpu(), nowMs, Math.round(sampling_interval * NS_PER_MS))]);
    if (heap) encoded.push(['memory', encodeHeap(await profilers.heap(), nowMs)]);
    const profiles: Profile[] = [];
    for (const [name, raw] of encoded) {
      if (!raw) continue;
      const attributes = new Map([
        ['service_name', this.#config.service_name],
        ['__name__', name],
        ['hostname', hostname()],
      ]);
      profiles.push({
        attributes,
        part: 0,
        payload: { form: 'pprof', encoding: 'gzip', bytes: await gzip(raw) },
        origin: { door: 'self' },
      });
    }
    if (profiles.length === 0) return;
    const sizeBytes = profiles.reduce((sum, { payload }) => sum + payload.bytes.length, 0);
    const id = new BatchId(() => profiles.map(({ payload }) => payload.bytes));
    const result = await this.#next.consume(
      { signal: 'profiles', id, tenant: '', dialect: 'pyroscope', receivedMs: nowMs, sizeBytes, profiles },
      this.#giveUp.signal,
    );
    if (result.kind === 'accepted') return;
    // Nobody waits for an answer here, and the next interval brings a fresh one.
    this.#dropped.record(profiles.length, { reason: 'not_accepted' });
    const error = result.kind === 'refused' ? new Error(result.reason) : result.error;
    this.#host.log.warn('own profile was not accepted', { outcome: result.kind, error });
  }
}

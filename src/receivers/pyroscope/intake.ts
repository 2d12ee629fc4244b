import {
  BatchId,
  type Consumer,
  counters,
  type Form,
  type Host,
  type Instrument,
  type Origin,
  type Payload,
  type Profile,
  type ReadOptions,
  type Request,
  type Result,
} from '../../api/index.ts';
import { payloadOf } from '../../wire/convert/examine.ts';
import { receiveProfile } from '../../wire/convert/receive.ts';
import type { InflateBudget } from '../../wire/pprof/receive.ts';
import type { Config } from './config.ts';

/** What both doors share: the limits, the tenant, the way into the pipeline, and the counters. */
export class Intake {
  readonly config: Config;
  readonly read: ReadOptions;
  readonly #host: Host;
  readonly #next: Consumer<'profiles'>;
  readonly #rejected: Instrument;
  readonly #dropped: Instrument;

  constructor(config: Config, host: Host, next: Consumer<'profiles'>) {
    this.config = config;
    this.read = { maxBytes: config.max_body_size, maxInflatedBytes: config.max_inflated_size };
    this.#host = host;
    this.#next = next;
    this.#rejected = counters.rejected(host.metrics);
    this.#dropped = counters.dropped(host.metrics);
  }

  /** A profile of the request. @param budget what all its profiles may inflate to, when there are several @throws DecodeError */
  pprof(bytes: Uint8Array, budget: number | InflateBudget = this.read.maxInflatedBytes): Promise<Payload> {
    return receiveProfile(bytes, this.config.validate, budget, this.#host.examine);
  }

  /** The body of /ingest in one of the other forms. @throws DecodeError */
  async other(form: Form, bytes: Uint8Array, origin: Origin): Promise<Payload> {
    const payload = payloadOf(form, bytes);
    if (this.config.validate === 'header') return payload;
    const { summary } = await this.#host.examine(payload, this.read.maxInflatedBytes, origin);
    return { ...payload, summaries: [summary] };
  }

  /** Whether there is anything in it to forward; an empty profile is taken, counted, and goes no further. */
  worthwhile({ payload }: Profile): boolean {
    if (payload.summaries?.[0]?.samples !== 0) return true;
    this.#dropped.record(1, { reason: 'empty_profile' });
    return false;
  }

  /** Hands the profiles of one request to the pipeline. `identity` is what a second try of the same request has in common. */
  consume(request: Request, tenant: string, identity: string, profiles: readonly Profile[]): Promise<Result> {
    let sizeBytes = 0;
    for (const { payload, origin } of profiles) {
      sizeBytes += payload.bytes.length;
      for (const bytes of Object.values(origin?.parts ?? {})) sizeBytes += bytes.length;
    }
    const id = new BatchId(() => [
      tenant,
      identity,
      ...profiles.flatMap(({ payload, origin }) => [payload.bytes, ...Object.entries(origin?.parts ?? {}).flat()]),
    ]);
    return this.#next.consume(
      { signal: 'profiles', id, tenant, dialect: 'pyroscope', receivedMs: this.#host.clock.now(), sizeBytes, profiles },
      request.abort,
    );
  }

  reject(protocol: 'ingest' | 'push', reason: string, message: string): void {
    this.#rejected.record(1, { protocol, reason });
    this.#host.log.debug('request rejected', { protocol, reason, message });
  }
}

/** `Retry-After` in whole seconds. */
export function retryAfter(ms: number | undefined): Record<string, string> {
  return ms === undefined ? {} : { 'retry-after': String(Math.max(1, Math.ceil(ms / 1000))) };
}

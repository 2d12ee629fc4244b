import {
  BatchId,
  type BodyProblem,
  type Consumer,
  counters,
  type Drop,
  type Host,
  type Instrument,
  type OtlpReceived,
  type OtlpSignal,
  type Payload,
  type Profile,
  type ReadOptions,
  type Request,
  type Response,
  type Result,
} from '../../api/index.ts';
import { DecodeError } from '../../wire/decode-error.ts';
import { skeletonFor } from '../../wire/otlp/skeleton.ts';
import { tenantOf } from '../../wire/pyroscope/tenant.ts';
import { type FailureKind, failure, success, wireOf } from './answer.ts';
import type { Config } from './config.ts';

/** Reasons that are not a bad request. A body that came too slowly may come faster the next time. */
const KINDS: Record<string, FailureKind> = {
  body_too_large: 'too_large',
  decompressed_too_large: 'too_large',
  too_large: 'too_large',
  unsupported_encoding: 'unsupported_encoding',
  body_timeout: 'deadline_exceeded',
  body_aborted: 'deadline_exceeded',
  memory_limit: 'full',
};
/** How long a sender should wait that nobody told: without a delay gRPC's RESOURCE_EXHAUSTED is final, ms. */
const RETRY_AFTER_MS = 1000;

interface Taken {
  readonly payload: Payload;
  readonly losses: NonNullable<OtlpReceived['losses']>;
  /** Profiles or spans in it. */
  readonly items: number | undefined;
}

/** The way of a request into the pipelines, the same for gRPC and HTTP and for every signal. */
export class Intake {
  readonly #protocol: string;
  readonly #config: Config;
  readonly #read: ReadOptions;
  readonly #host: Host;
  readonly #next: Consumer<'profiles' | 'traces'>;
  readonly #rejected: Instrument;
  readonly #dropped: Instrument;
  readonly #losses: Instrument;

  constructor(protocol: string, config: Config, limitBytes: number, host: Host, next: Consumer<'profiles' | 'traces'>) {
    this.#protocol = protocol;
    this.#config = config;
    this.#read = { maxBytes: limitBytes, maxInflatedBytes: limitBytes };
    this.#host = host;
    this.#next = next;
    this.#rejected = counters.rejected(host.metrics);
    this.#dropped = counters.dropped(host.metrics);
    this.#losses = counters.losses(host.metrics);
  }

  async take(request: Request, signal: OtlpSignal): Promise<Response> {
    const wire = wireOf(request);
    if (wire === undefined) {
      const message = 'content-type must be application/x-protobuf or application/json';
      this.#reject('unsupported_content_type', message);
      return { status: 415, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: `${message}\n` };
    }
    if (!this.#host.wanted(signal))
      return this.#failed(request, 'unimplemented', 'no_pipeline', `no ${signal} pipeline names this receiver`);
    try {
      const tenant = tenantOf(request.headers['x-scope-orgid']);
      const taken = await this.#payload(request, signal, wire);
      if (!('payload' in taken)) return this.#refused(request, taken);
      const result = await this.#consume(request, signal, tenant, taken);
      if (result === undefined) return success(request, signal, undefined);
      // A sender that is told to come again brings the same losses again.
      if (result.kind === 'accepted')
        for (const { reason, items } of taken.losses) this.#losses.record(items, { reason });
      return this.#answer(request, signal, taken, result);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      return this.#refused(request, error);
    }
  }

  async #payload(request: Request, signal: OtlpSignal, wire: 'protobuf' | 'json'): Promise<Taken | BodyProblem> {
    const body = await request.read(this.#read);
    if (body.kind === 'problem') return body;
    const plain = await body.decoded();
    if (plain.kind === 'problem') return plain;
    const { wire_version, validate } = this.#config;
    const asked = { signal, wire, version: wire_version, validate };
    const { rewritten, summaries, references, items, losses } = await this.#host.otlp(plain.bytes, asked);
    const inside = rewritten ? plain.rewritten(rewritten) : plain;
    if (inside.kind === 'problem') return inside;
    const payload = {
      form: 'otlp',
      encoding: 'identity',
      bytes: inside.bytes,
      ...(summaries && { summaries }),
      ...(references === false && { references }),
    } as const;
    return { payload, items, losses: losses ?? [] };
  }

  /** Undefined where there is nothing to forward. */
  async #consume(
    request: Request,
    signal: OtlpSignal,
    tenant: string,
    { payload }: Taken,
  ): Promise<Result | undefined> {
    const { bytes } = payload;
    const head = {
      id: new BatchId(() => [tenant, signal, bytes]),
      tenant,
      dialect: 'otel' as const,
      receivedMs: this.#host.clock.now(),
      sizeBytes: bytes.length,
    };
    if (bytes.length === 0) return undefined;
    if (signal === 'traces') return this.#next.consume({ ...head, signal, payload }, request.abort);
    const profiles = this.#profiles(payload);
    return profiles.length === 0 ? undefined : this.#next.consume({ ...head, signal, profiles }, request.abort);
  }

  #profiles(payload: Payload): Profile[] {
    const profiles: Profile[] = [];
    for (const [part, { attributes }] of skeletonFor(payload).parts.entries()) {
      // A resource without a profile is taken, counted, and goes no further; one without samples may hold an original payload.
      if (payload.summaries?.[part]?.types.length === 0) this.#dropped.record(1, { reason: 'empty_profile' });
      else profiles.push({ attributes, payload, part, origin: { door: 'otlp' } });
    }
    return profiles;
  }

  #answer(request: Request, signal: OtlpSignal, { items }: Taken, result: Result): Response {
    switch (result.kind) {
      case 'accepted':
        return success(request, signal, result.drops && partialOf(signal, result.drops, items));
      case 'refused':
        return failure(request, 'full', result.reason, result.retryAfterMs ?? RETRY_AFTER_MS);
      case 'retryable':
        return failure(request, 'unavailable', result.error.message, result.retryAfterMs);
      case 'permanent': {
        const kind = result.fault === 'sender' ? 'invalid_argument' : 'internal';
        return failure(request, kind, result.error.message);
      }
    }
  }

  #refused(request: Request, problem: DecodeError | BodyProblem): Response {
    const kind = KINDS[problem.reason] ?? 'invalid_argument';
    const delay = kind === 'full' ? (problem.retryAfterMs ?? RETRY_AFTER_MS) : problem.retryAfterMs;
    return this.#failed(request, kind, problem.reason, problem.message, delay);
  }

  #failed(request: Request, kind: FailureKind, reason: string, message: string, delayMs?: number): Response {
    this.#reject(reason, message);
    return failure(request, kind, message, delayMs);
  }

  #reject(reason: string, message: string): void {
    this.#rejected.record(1, { protocol: this.#protocol, reason });
    this.#host.log.debug('request rejected', { protocol: this.#protocol, reason, message });
  }
}

/** What was dropped, as OTLP counts: a request of traces is dropped whole, a resource of profiles counts as one profile at least. */
function partialOf(signal: OtlpSignal, drops: readonly Drop[], items: number | undefined) {
  let rejected = 0;
  const reasons = new Set<string>();
  for (const drop of drops) {
    rejected += drop.items;
    reasons.add(drop.message === undefined ? drop.reason : `${drop.reason}: ${drop.message}`);
  }
  if (rejected === 0) return undefined;
  return {
    rejected: BigInt(signal === 'traces' ? (items ?? rejected) : rejected),
    message: [...reasons].join('; '),
  };
}

// What the exporters of OTLP have in common whatever they send over: batches as requests, and answers as results.
import {
  counters,
  type Drop,
  type Encoding,
  type Host,
  type Instrument,
  type ProfileBatch,
  type Result,
  type TraceBatch,
} from '../api/index.ts';
import { sizeOfProfiles } from '../model/batch.ts';
import { DecodeError } from '../wire/decode-error.ts';
import { byRequest, type Layout, outgoing } from '../wire/otlp/outgoing.ts';
import type { OtlpSignal, PartialSuccess } from '../wire/otlp/response.ts';

/** Longest request before compression, bytes: what OTLP recommends that no client exceeds and no server refuses below. */
const MAX_REQUEST_BYTES = 64 * 1024 * 1024;
/** How long an exporter whose access is refused waits between tries, ms: an operator must act, the data is good. */
const ACCESS_RETRY_MS = 60_000;
/** How much of a store's text goes into ours, characters. */
const MAX_TEXT = 200;

export interface OtlpRequest {
  readonly signal: OtlpSignal;
  readonly tenant: string;
  /** One message, still to be compressed unless `encoding` says that it is. */
  readonly chunks: readonly Uint8Array[];
  readonly encoding: Encoding;
}

/** What a store's answer means. `access`: an operator must act, on its side or ours; the data is good. */
export type OtlpOutcome =
  | { readonly kind: 'accepted'; readonly partial?: PartialSuccess | undefined }
  | { readonly kind: 'retryable' | 'access'; readonly error: Error; readonly retryAfterMs?: number | undefined }
  | { readonly kind: 'permanent'; readonly error: Error; readonly fault: 'sender' | 'gateway' };

type Batch = ProfileBatch | TraceBatch;
/** One request of a batch; its items are profiles, or the whole of a trace request. */
interface Piece {
  readonly items: number;
  request(): Omit<OtlpRequest, 'tenant'>;
  /** The profiles that it takes. */
  readonly profiles: ProfileBatch['profiles'];
}
type Failed = Extract<OtlpOutcome, { kind: 'permanent' }>;

export class OtlpDelivery {
  readonly #host: Host;
  readonly #layout: Layout;
  readonly #call: (request: OtlpRequest, abort: AbortSignal) => Promise<OtlpOutcome>;
  readonly #dropped: Instrument;
  #degraded = false;

  /** @param call one try; the chunks are not touched any more once it has answered; may throw DecodeError */
  constructor(host: Host, layout: Layout, call: (request: OtlpRequest, abort: AbortSignal) => Promise<OtlpOutcome>) {
    this.#host = host;
    this.#layout = layout;
    this.#call = call;
    this.#dropped = counters.dropped(host.metrics);
  }

  /** Sends the requests of a batch one after the other. Once the store fails, the rest waits with the one that failed. */
  async send<B extends Batch>(batch: B, abort: AbortSignal): Promise<Result<B>> {
    const pieces = piecesOf(batch, this.#layout);
    const failed: { piece: Piece; why: Failed }[] = [];
    const drops: Drop[] = [];
    for (const [at, piece] of pieces.entries()) {
      const outcome = await this.#sendOne(piece, batch, abort);
      if (outcome.kind === 'accepted') drops.push(...this.#partial(piece, batch, outcome.partial));
      else if (outcome.kind === 'permanent') failed.push({ piece, why: outcome });
      else {
        // A retryable answer has no place for drops: they are counted and said here.
        for (const { piece: lost, why } of failed) {
          this.#dropped.record(lost.items, { reason: 'rejected' });
          this.#host.log.error('request rejected by the store', { error: why.error, items: lost.items });
        }
        for (const { items, reason } of drops) this.#dropped.record(items, { reason });
        // It goes last then, lest it alone keep the others back.
        return { ...retry(outcome), ...rest(batch, [...pieces.slice(at + 1), piece], pieces.length) };
      }
    }
    const [first] = failed;
    if (first && failed.length === pieces.length) return first.why;
    for (const { piece, why } of failed)
      drops.push({ items: piece.items, reason: 'rejected', message: why.error.message });
    return drops.length > 0 ? { kind: 'accepted', drops } : { kind: 'accepted' };
  }

  async #sendOne(piece: Piece, { tenant }: Batch, abort: AbortSignal): Promise<OtlpOutcome> {
    let outcome: OtlpOutcome;
    try {
      outcome = await this.#call({ ...piece.request(), tenant }, abort);
    } catch (error) {
      if (error instanceof DecodeError) return { kind: 'permanent', error, fault: 'sender' };
      if (error instanceof Unsendable) return { kind: 'permanent', error, fault: 'gateway' };
      throw error;
    }
    if (outcome.kind === 'access') {
      this.#degraded = true;
      this.#host.report('degraded', outcome.error);
    } else if (outcome.kind === 'accepted' && this.#degraded) {
      this.#degraded = false;
      this.#host.report('ok');
    }
    return outcome;
  }

  /**
   * A partial success is an answer, not a failure: never sent again. Stores count Profile messages or spans where we count
   * resources or requests, so that no more is dropped than there is; the log has the store's figure.
   */
  #partial(piece: Piece, { signal }: Batch, partial: PartialSuccess | undefined): Drop[] {
    if (!partial) return [];
    const { rejected } = partial;
    const message = excerpt(partial.message);
    const phrase = rejected > 0n ? 'store took a part only' : 'store warns';
    this.#host.log.warn(phrase, { signal, rejected: String(rejected), message });
    if (rejected === 0n) return [];
    const items = Number(rejected < BigInt(piece.items) ? rejected : BigInt(piece.items));
    return [{ items, reason: 'rejected', message: `the store rejected ${rejected}: ${message}` }];
  }
}

function retry({ error, kind, retryAfterMs }: Extract<OtlpOutcome, { kind: 'retryable' | 'access' }>) {
  const delay = retryAfterMs ?? (kind === 'access' ? ACCESS_RETRY_MS : undefined);
  return { kind: 'retryable' as const, error, ...(delay !== undefined && { retryAfterMs: delay }) };
}

/** What is still owed of a batch of several requests. */
function rest<B extends Batch>(batch: B, owed: readonly Piece[], of: number): { rest?: B } {
  if (batch.signal === 'traces' || of === 1) return {};
  const profiles = owed.flatMap(piece => piece.profiles);
  return { rest: { ...batch, profiles, sizeBytes: sizeOfProfiles(profiles) } };
}

/** Something that the pipeline should not have asked for. */
class Unsendable extends Error {}

function piecesOf(batch: Batch, layout: Layout): Piece[] {
  if (batch.signal === 'traces') {
    const { form, encoding, bytes } = batch.payload;
    const request = () => {
      if (form !== 'otlp') throw new Unsendable(`traces in the form ${form} cannot be sent as OTLP`);
      return { signal: 'traces' as const, chunks: [bytes], encoding };
    };
    return [{ items: 1, profiles: [], request }];
  }
  return byRequest(batch.profiles).map(profiles => ({
    items: profiles.length,
    profiles,
    request: () => {
      const { form, encoding } = profiles[0]!.payload;
      if (form !== 'otlp' || encoding !== 'identity')
        throw new Unsendable(
          `a profile in the form ${form} (${encoding}) reached an exporter of OTLP: it should have been converted before`,
        );
      const chunks = outgoing(profiles, batch.dialect, layout);
      let sizeBytes = 0;
      for (const chunk of chunks) sizeBytes += chunk.length;
      if (sizeBytes > MAX_REQUEST_BYTES)
        throw new Unsendable(
          `a request of ${sizeBytes} bytes is longer than the ${MAX_REQUEST_BYTES} that OTLP allows`,
        );
      return { signal: 'profiles' as const, chunks, encoding };
    },
  }));
}

/** The beginning of a foreign text, on one line. */
export function excerpt(text: string): string {
  return text
    .slice(0, MAX_TEXT * 4)
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim()
    .slice(0, MAX_TEXT)
    .toWellFormed();
}

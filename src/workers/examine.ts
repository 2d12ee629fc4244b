// Looking at whole profiles: small ones here, since handing them over would cost more, the others on a thread.
import type { Profile } from '../model/batch.ts';
import type { Memory } from '../model/memory.ts';
import type { OtlpAsked, OtlpReceived } from '../model/otlp.ts';
import type { Origin, Payload } from '../model/payload.ts';
import type { Examined, Summary } from '../model/summary.ts';
import { examineProfile } from '../wire/convert/examine.ts';
import type { About } from '../wire/convert/read.ts';
import { DecodeError } from '../wire/decode-error.ts';
import { inflatedSize, isGzip, MAX_INFLATED_BYTES } from '../wire/gzip.ts';
import { receiveOtlp } from '../wire/otlp/receive.ts';
import type { Pool } from './pool.ts';
import type { TaskInput, TaskOutput } from './tasks.ts';

/** Bytes, as received, up to which a pprof or OTLP is looked at on the main thread: about 0.7 ms, of which handing over would save most. */
const INLINE_BYTES = 32 * 1024;
/** The same for forms that must be decoded to be checked, of bytes that no compression makes more of: a tree in 1 KB of gzip may take 250 ms. */
const INLINE_DECODED_BYTES = 4 * 1024;
/** What decoding takes beside the text, as a multiple of it. */
const DECODED_GROWTH = 4;
/** The least that is reserved for an inflated profile, bytes. */
const LEAST_ROOM_BYTES = 64 * 1024;
/** What reading JSON takes beside the text, as a multiple of it: objects, then protobuf. */
const JSON_GROWTH = 4;
/** How long a sender should wait when all threads are busy, ms. */
const RETRY_AFTER_MS = 1000;

type Encoded = Pick<Payload, 'form' | 'encoding' | 'bytes'>;

export class Examiner {
  readonly #pool: Pool;
  readonly #memory: Memory;
  /** By payload: several exporters of a pipeline ask for the same one. */
  readonly #summaries = new WeakMap<Payload, Promise<Summary | undefined>>();
  readonly #ofParts = new WeakMap<Payload, Promise<readonly Summary[] | undefined>>();

  constructor(pool: Pool, memory: Memory) {
    this.#pool = pool;
    this.#memory = memory;
  }

  /**
   * Checks a profile that is not acknowledged yet.
   * @throws DecodeError what is wrong with it, or memory_limit where there is no room now
   */
  examine(payload: Encoded, maxBytes: number, origin?: Origin): Promise<Examined> {
    return this.#look(payload, maxBytes, { origin }, false);
  }

  /** What an acknowledged profile says, of several in one payload all together; undefined for bytes that do not parse. Never refused. */
  summary({ payload, part, origin }: Pick<Profile, 'payload' | 'part' | 'origin'>): Promise<Summary | undefined> {
    if (payload.summaries) return Promise.resolve(payload.summaries[part]);
    if (payload.form === 'otlp') return this.#summariesOf(payload).then(all => all?.[part]);
    let summary = this.#summaries.get(payload);
    if (!summary) {
      summary = this.#summarize(payload, origin);
      this.#summaries.set(payload, summary);
    }
    return summary;
  }

  /**
   * Makes of an OTLP request what travels inside.
   * @throws DecodeError as `receiveOtlp`, or memory_limit where there is no room now
   */
  async otlp(bytes: Uint8Array, asked: OtlpAsked): Promise<OtlpReceived> {
    if (bytes.length <= INLINE_BYTES) return receiveOtlp(bytes, asked);
    const room = asked.wire === 'json' ? bytes.length * JSON_GROWTH : bytes.length;
    return await this.#onThread('otlp', { bytes, asked }, room, false);
  }

  async #summarize(payload: Payload, origin: Origin | undefined): Promise<Summary | undefined> {
    try {
      return (await this.#look(payload, MAX_INFLATED_BYTES, { origin }, true)).summary;
    } catch (error) {
      if (error instanceof DecodeError) return undefined;
      throw error;
    }
  }

  #summariesOf(payload: Payload): Promise<readonly Summary[] | undefined> {
    let summaries = this.#ofParts.get(payload);
    if (!summaries) {
      const asked = { signal: 'profiles', wire: 'protobuf', version: '1.10', validate: 'full' } as const;
      const { bytes } = payload;
      const received: Promise<OtlpReceived> =
        bytes.length <= INLINE_BYTES
          ? Promise.resolve().then(() => receiveOtlp(bytes, asked))
          : this.#onThread('otlp', { bytes, asked }, bytes.length, true);
      summaries = received.then(
        ({ summaries }) => summaries,
        error => {
          if (error instanceof DecodeError) return undefined;
          throw error;
        },
      );
      this.#ofParts.set(payload, summaries);
    }
    return summaries;
  }

  #look(payload: Encoded, maxBytes: number, about: About, must: boolean): Promise<Examined> {
    const { form, encoding, bytes } = payload;
    const isScanned = form === 'pprof';
    const parts = isScanned ? [] : Object.values(about.origin?.parts ?? {});
    const isPlain = encoding === 'identity' && parts.length === 0;
    if (isScanned ? bytes.length <= INLINE_BYTES : isPlain && bytes.length <= INLINE_DECODED_BYTES)
      return examineProfile(payload, maxBytes, about, { room: this.#memory, must });
    // Counted as what it says it is. Who lies takes more, but no more at a time than there are threads.
    const inflated = Math.min(maxBytes, Math.max(LEAST_ROOM_BYTES, inflatedSize(bytes, encoding)));
    let room = isScanned ? inflated : inflated * DECODED_GROWTH;
    for (const part of parts) room += Math.min(maxBytes, inflatedSize(part, isGzip(part) ? 'gzip' : 'identity'));
    return this.#onThread('examine', { form, encoding, bytes, maxBytes, about }, room, must);
  }

  async #onThread<K extends 'examine' | 'otlp'>(
    task: K,
    input: TaskInput<K>,
    room: number,
    must: boolean,
  ): Promise<Extract<TaskOutput<K>, { kind: 'sound' }>> {
    const leave = await this.#memory.reserve(room, must);
    const busy = () =>
      new DecodeError('memory_limit', 'the gateway has as much to do as it may, try again later', RETRY_AFTER_MS);
    if (!leave) throw busy();
    try {
      const outcome = await this.#pool.run(task, input, { bytes: input.bytes.length, first: must });
      if (outcome.kind === 'full' || outcome.kind === 'gone') throw busy();
      if (outcome.kind === 'failed') {
        // What an exception of our own says is for our log, where it is already.
        const why = outcome.reason === 'bug' ? 'a fault of the gateway' : outcome.message;
        throw new DecodeError('unreadable', `looking at the profile ended without a result: ${why}`);
      }
      const { value } = outcome;
      if (value.kind === 'sound') return value as Extract<TaskOutput<K>, { kind: 'sound' }>;
      throw new DecodeError(value.reason, value.message);
    } finally {
      leave();
    }
  }
}

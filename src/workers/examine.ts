// Looking at whole profiles: small ones here, since handing them over would cost more, the others on a thread.
import type { Memory } from '../model/memory.ts';
import type { Payload } from '../model/payload.ts';
import type { Examined, Summary } from '../model/summary.ts';
import { DecodeError } from '../wire/decode-error.ts';
import { inflatedSize, MAX_INFLATED_BYTES } from '../wire/gzip.ts';
import { examinePprof } from '../wire/pprof/payload.ts';
import type { Pool } from './pool.ts';

/** Bytes, as received, up to which a profile is looked at on the main thread: about 0.7 ms, of which handing over would save most. */
const INLINE_BYTES = 32 * 1024;
/** The least that is reserved for an inflated profile, bytes. */
const LEAST_ROOM_BYTES = 64 * 1024;
/** How long a sender should wait when all threads are busy, ms. */
const RETRY_AFTER_MS = 1000;

type Encoded = Pick<Payload, 'encoding' | 'bytes'>;

export class Examiner {
  readonly #pool: Pool;
  readonly #memory: Memory;
  /** By payload: several exporters of a pipeline ask for the same one. */
  readonly #summaries = new WeakMap<Payload, Promise<Summary | undefined>>();

  constructor(pool: Pool, memory: Memory) {
    this.#pool = pool;
    this.#memory = memory;
  }

  /**
   * Checks a profile that is not acknowledged yet.
   * @throws DecodeError what is wrong with it, or memory_limit where there is no room now
   */
  examine(payload: Encoded, maxBytes: number): Promise<Examined> {
    if (payload.bytes.length <= INLINE_BYTES) return examinePprof(payload, maxBytes, { room: this.#memory });
    return this.#onThread(payload, maxBytes, false);
  }

  /** What an acknowledged profile says; undefined for a form that has no decoder and for bytes that do not parse. Never refused. */
  summary(payload: Payload): Promise<Summary | undefined> {
    if (payload.summary || payload.form !== 'pprof') return Promise.resolve(payload.summary);
    let summary = this.#summaries.get(payload);
    if (!summary) {
      summary = this.#summarize(payload);
      this.#summaries.set(payload, summary);
    }
    return summary;
  }

  async #summarize(payload: Payload): Promise<Summary | undefined> {
    const inline = payload.bytes.length <= INLINE_BYTES;
    try {
      const examined = inline
        ? await examinePprof(payload, MAX_INFLATED_BYTES, { room: this.#memory, must: true })
        : await this.#onThread(payload, MAX_INFLATED_BYTES, true);
      return examined.summary;
    } catch (error) {
      if (error instanceof DecodeError) return undefined;
      throw error;
    }
  }

  async #onThread({ encoding, bytes }: Encoded, maxBytes: number, must: boolean): Promise<Examined> {
    // Counted as what it says it is. Who lies takes more, but no more at a time than there are threads.
    const room = Math.min(maxBytes, Math.max(LEAST_ROOM_BYTES, inflatedSize(bytes, encoding)));
    const leave = await this.#memory.reserve(room, must);
    const busy = () =>
      new DecodeError('memory_limit', 'the gateway has as much to do as it may, try again later', RETRY_AFTER_MS);
    if (!leave) throw busy();
    try {
      const outcome = await this.#pool.run(
        'examine',
        { encoding, bytes, maxBytes },
        { bytes: bytes.length, first: must },
      );
      if (outcome.kind === 'full' || outcome.kind === 'gone') throw busy();
      if (outcome.kind === 'failed')
        throw new DecodeError('unreadable', `looking at the profile ended without a result: ${outcome.message}`);
      const { value } = outcome;
      if (value.kind === 'sound') return value;
      throw new DecodeError(value.reason, value.message);
    } finally {
      leave();
    }
  }
}

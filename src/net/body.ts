import type { Body, BodyProblem, ReadOptions } from '../api/index.ts';
import type { Memory, Slab } from '../model/memory.ts';
import type { Encoding } from '../model/payload.ts';
import { DecodeError } from '../wire/decode-error.ts';
import { inflate } from '../wire/inflate.ts';
import type { RequestHead } from './http1/head.ts';

/** First slab for a body of unknown length, bytes; most profiles fit. */
const CHUNKED_START_BYTES = 64 * 1024;
/** How long a refused sender should wait when there is no memory, ms: about the time in which queues move on. */
const MEMORY_RETRY_AFTER_MS = 1000;
/** What is read and thrown away of a body that was refused, bytes, so that the sender hears the answer instead of a reset. */
export const MAX_DISCARD_BYTES = 64 * 1024 * 1024;

/** What must come within the port's stall time, bytes: whoever sends one at a time would hold connection and slab for ever. */
const PROGRESS_BYTES = 16 * 1024;

const ENCODINGS: Record<string, Encoding> = { identity: 'identity', gzip: 'gzip', 'x-gzip': 'gzip', zstd: 'zstd' };

const problem = (reason: BodyProblem['reason'], message: string): BodyProblem => ({ kind: 'problem', reason, message });
const tooLarge = (maxBytes: number) => problem('body_too_large', `the body is longer than ${maxBytes} bytes`);
const noMemory: BodyProblem = {
  ...problem('memory_limit', 'the gateway holds as much as it may, try again later'),
  retryAfterMs: MEMORY_RETRY_AFTER_MS,
};

/** Who asks for a body's bytes and hears that nobody wants the rest. */
export interface BodySource {
  /** Bytes are wanted from now on; they may come before this returns. */
  flow(): void;
  /** More was thrown away than an answer is worth. */
  giveUp(): void;
}

/** Reads one request's body into slabs, and lets go of all of them at the end. The connection pushes bytes while they are `wanted`. */
export class BodyReader {
  readonly #head: Pick<RequestHead, 'headers' | 'length'>;
  readonly #memory: Memory;
  readonly #source: BodySource;
  readonly #slabs: Slab[] = [];
  #slab: Slab | undefined;
  #used = 0;
  #maxBytes = 0;
  #settle: ((outcome: BodyProblem | undefined) => void) | undefined;
  #outcome: BodyProblem | undefined;
  #ended = false;
  #discarding = false;
  /** Bytes thrown away after a refusal. */
  #discarded = 0;
  /** Bytes since `progressMs`. */
  #fresh = 0;
  /** When it last moved on by some way, by `performance.now()`; the server's sweep looks at it. */
  progressMs = performance.now();

  constructor(head: Pick<RequestHead, 'headers' | 'length'>, memory: Memory, source: BodySource) {
    this.#head = head;
    this.#memory = memory;
    this.#source = source;
  }

  /** Whether somebody waits for bytes of this body. */
  get reading(): boolean {
    return this.#settle !== undefined;
  }

  /** Whether bytes have somewhere to go. */
  get wanted(): boolean {
    return this.#settle !== undefined || this.#discarding;
  }

  async read(options: ReadOptions): Promise<Body | BodyProblem> {
    const { headers, length } = this.#head;
    const name = headers['content-encoding']?.toLowerCase() || 'identity';
    const encoding = ENCODINGS[name];
    if (!encoding)
      return problem('unsupported_encoding', `content-encoding must be one of: ${Object.keys(ENCODINGS).join(', ')}`);
    if (length !== undefined && length > options.maxBytes) return tooLarge(options.maxBytes);
    this.#slab = this.#lease(length ?? CHUNKED_START_BYTES);
    if (!this.#slab) return noMemory;
    this.#maxBytes = options.maxBytes;
    if (!this.#ended) {
      const settled = Promise.withResolvers<void>();
      this.#settle = outcome => {
        this.#outcome = outcome;
        settled.resolve();
      };
      this.#progressed();
      this.#source.flow();
      if (this.reading) await settled.promise;
    }
    return this.#outcome ?? this.#body(this.#slab.bytes.subarray(0, this.#used), encoding, options);
  }

  /** The next bytes, which are copied. */
  take(bytes: Buffer, from: number, to: number): void {
    const count = to - from;
    this.#fresh += count;
    if (this.#fresh >= PROGRESS_BYTES) this.#progressed();
    if (!this.#settle) {
      this.#discarded += count;
      if (this.#discarded > MAX_DISCARD_BYTES) this.#source.giveUp();
      return;
    }
    const needed = this.#used + count;
    if (needed > this.#maxBytes) this.#stop(tooLarge(this.#maxBytes));
    else if (!this.#grow(needed)) this.#stop(noMemory);
    else {
      bytes.copy(this.#slab!.bytes, this.#used, from, to);
      this.#used = needed;
    }
  }

  /** The body is complete. */
  end(): void {
    this.#ended = true;
    this.#finish(undefined);
  }

  /** Nothing more will come. */
  close(): void {
    this.#finish(problem('body_aborted', 'the body ended before its length'));
  }

  /** The answer is out: what is left of the body is thrown away, up to a bound, so that the sender reads it. */
  discard(): void {
    this.#discarding = true;
    this.#progressed();
    this.#source.flow();
  }

  /** Called by the server's sweep when nothing came for too long. */
  stalled(): void {
    this.#stop(problem('body_timeout', 'the body did not arrive in time'));
  }

  /** Gives every slab back; from here on nothing of this body may be read. */
  release(): void {
    for (const { bytes } of this.#slabs.splice(0)) this.#memory.release(bytes);
    this.#slab = undefined;
  }

  #progressed(): void {
    this.progressMs = performance.now();
    this.#fresh = 0;
  }

  #lease(size: number): Slab | undefined {
    const slab = this.#memory.lease(size);
    if (slab) this.#slabs.push(slab);
    return slab;
  }

  #body(bytes: Buffer, encoding: Encoding, options: ReadOptions): Body {
    const body: Body = {
      kind: 'body',
      bytes,
      encoding,
      decoded: async () => (encoding === 'identity' ? body : this.#inflate(bytes, encoding, options)),
    };
    return body;
  }

  async #inflate(bytes: Buffer, encoding: Encoding, options: ReadOptions): Promise<Body | BodyProblem> {
    try {
      return await inflate({ encoding, bytes }, options.maxInflatedBytes, { room: this.#memory }, plain => {
        const slab = this.#lease(plain.length);
        if (!slab) return noMemory;
        slab.bytes.set(plain);
        return this.#body(slab.bytes.subarray(0, plain.length), 'identity', options);
      });
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      const { reason, message, retryAfterMs } = error;
      return {
        ...problem(reason as BodyProblem['reason'], message),
        ...(retryAfterMs !== undefined && { retryAfterMs }),
      };
    }
  }

  /** Whether there is room for this many bytes; a body of unknown length moves into a larger slab. */
  #grow(needed: number): boolean {
    const slab = this.#slab!;
    if (needed <= slab.bytes.length) return true;
    const larger = this.#lease(Math.min(this.#maxBytes, Math.max(needed, slab.bytes.length * 2)));
    if (!larger) return false;
    slab.bytes.copy(larger.bytes, 0, 0, this.#used);
    this.#slabs.splice(this.#slabs.indexOf(slab), 1);
    this.#memory.release(slab.bytes);
    this.#slab = larger;
    return true;
  }

  #stop(outcome: BodyProblem): void {
    this.#discarding = true;
    this.#finish(outcome);
  }

  #finish(outcome: BodyProblem | undefined): void {
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.(outcome);
  }
}

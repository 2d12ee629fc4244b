import type { Body, BodyProblem, ReadOptions } from '../api/index.ts';
import type { Slab } from '../model/memory.ts';
import type { Encoding } from '../model/payload.ts';
import { DecodeError } from '../wire/decode-error.ts';
import { inflate } from '../wire/inflate.ts';
import type { Arriving } from './arriving.ts';
import type { RequestHead } from './http1/head.ts';

/** First slab of a body that has not come whole, bytes. */
const FIRST_BYTES = 4096;
/**
 * How much more than what has come is leased for what is announced: who announces much and sends little holds little. Whole bodies are
 * leased at their size; of those that come in pieces a third is copied, all moves together.
 */
const TRUST = 4;
/** Least rate of a body, bytes per second on average, once it took this long, ms. The slowest lines there are bring ten times that. */
const LEAST_RATE = 1024;
const RATE_GRACE_MS = 10_000;
/** Longest time for a body, ms: 16 MiB in five minutes are 55 KB/s. */
const MAX_BODY_MS = 300_000;
const NO_BYTES = Buffer.alloc(0);
/** How long a refused sender should wait when there is no memory, ms: about the time in which queues move on. */
const MEMORY_RETRY_AFTER_MS = 1000;
/** What is read and thrown away of a body that was refused, bytes, so that the sender hears the answer instead of a reset. */
export const MAX_DISCARD_BYTES = 64 * 1024 * 1024;

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
  readonly #arriving: Arriving;
  readonly #source: BodySource;
  readonly #slabs: Slab[] = [];
  #slab: Slab | undefined;
  /** Whether the slab counts as one of a body that is still arriving. */
  #partial = false;
  #used = 0;
  #maxBytes = 0;
  #settle: ((outcome: BodyProblem | undefined) => void) | undefined;
  #outcome: BodyProblem | undefined;
  #ended = false;
  #discarding = false;
  /** Bytes thrown away after a refusal. */
  #discarded = 0;
  /** When the last byte came, by `performance.now()`; the server's sweep looks at it. */
  progressMs = performance.now();
  /** How long its bytes have been waited for, ms, as the sweeps count it: a process that stood still does not blame the sender. */
  #waitedMs = 0;

  constructor(head: Pick<RequestHead, 'headers' | 'length'>, arriving: Arriving, source: BodySource) {
    this.#head = head;
    this.#arriving = arriving;
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
      return this.#unread(
        problem('unsupported_encoding', `content-encoding must be one of: ${Object.keys(ENCODINGS).join(', ')}`),
      );
    if (length !== undefined && length > options.maxBytes) return this.#unread(tooLarge(options.maxBytes));
    // Whether there is room now is asked as bytes come: queues that give way for it should not do so for a promise.
    if ((length ?? FIRST_BYTES) > this.#arriving.memory.usage.budgetBytes) return this.#unread(noMemory);
    this.#maxBytes = options.maxBytes;
    if (!this.#ended) {
      const settled = Promise.withResolvers<void>();
      this.#settle = outcome => {
        this.#outcome = outcome;
        settled.resolve();
      };
      this.progressMs = performance.now();
      this.#source.flow();
      if (this.reading) await settled.promise;
    }
    return this.#outcome ?? this.#body(this.#slab?.bytes.subarray(0, this.#used) ?? NO_BYTES, encoding, options);
  }

  /** What comes until the answer is out is thrown away too: keeping it would cost most when there is least memory. */
  #unread(why: BodyProblem): BodyProblem {
    this.#discarding = true;
    return why;
  }

  /** The next bytes, which are copied. */
  take(bytes: Buffer, from: number, to: number): void {
    this.progressMs = performance.now();
    const count = to - from;
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
    this.#source.flow();
  }

  /** Called by the server's sweep: whether the sender is to be given up, since it sends nothing, or too slowly. */
  overdue(nowMs: number, sinceMs: number, stallMs: number): boolean {
    this.#waitedMs += sinceMs;
    const tooSlow =
      this.#waitedMs > RATE_GRACE_MS && (this.#used + this.#discarded) * 1000 < LEAST_RATE * this.#waitedMs;
    return tooSlow || this.#waitedMs > MAX_BODY_MS || nowMs - this.progressMs > stallMs;
  }

  /** The sender is given up. */
  late(): void {
    this.#stop(problem('body_timeout', 'the body did not arrive in time'));
  }

  /** Gives every slab back; from here on nothing of this body may be read. */
  release(): void {
    this.#settled();
    for (const { bytes } of this.#slabs.splice(0)) this.#arriving.memory.release(bytes);
    this.#slab = undefined;
  }

  #body(bytes: Buffer, encoding: Encoding, options: ReadOptions): Body {
    const body: Body = {
      kind: 'body',
      bytes,
      encoding,
      decoded: async () => (encoding === 'identity' ? body : this.#inflate(bytes, encoding, options)),
      rewritten: other => this.#leased(other, options),
    };
    return body;
  }

  #leased(plain: Uint8Array, options: ReadOptions): Body | BodyProblem {
    const slab = this.#arriving.memory.lease(plain.length);
    if (!slab) return noMemory;
    this.#slabs.push(slab);
    slab.bytes.set(plain);
    return this.#body(slab.bytes.subarray(0, plain.length), 'identity', options);
  }

  async #inflate(bytes: Buffer, encoding: Encoding, options: ReadOptions): Promise<Body | BodyProblem> {
    try {
      return await inflate({ encoding, bytes }, options.maxInflatedBytes, { room: this.#arriving.memory }, plain =>
        this.#leased(plain, options),
      );
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      const { reason, message, retryAfterMs } = error;
      return {
        ...problem(reason as BodyProblem['reason'], message),
        ...(retryAfterMs !== undefined && { retryAfterMs }),
      };
    }
  }

  /** Whether there is room for this many bytes; what has come moves into a larger slab when it must. */
  #grow(needed: number): boolean {
    const slab = this.#slab;
    if (slab && needed <= slab.bytes.length) return true;
    const { length = this.#maxBytes } = this.#head;
    const whole = needed === this.#head.length;
    const larger = whole
      ? this.#arriving.memory.lease(needed)
      : this.#arriving.lease(Math.min(length, Math.max(FIRST_BYTES, needed * TRUST)));
    if (!larger) return false;
    this.#settled();
    if (slab) {
      slab.bytes.copy(larger.bytes, 0, 0, this.#used);
      this.#slabs.splice(this.#slabs.indexOf(slab), 1);
      this.#arriving.memory.release(slab.bytes);
    }
    this.#slabs.push(larger);
    this.#slab = larger;
    this.#partial = !whole;
    return true;
  }

  /** From here on the slab is one like any other. */
  #settled(): void {
    if (this.#partial) this.#arriving.settle(this.#slab!);
    this.#partial = false;
  }

  #stop(outcome: BodyProblem): void {
    this.#discarding = true;
    this.#finish(outcome);
  }

  #finish(outcome: BodyProblem | undefined): void {
    this.#settled();
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.(outcome);
  }
}

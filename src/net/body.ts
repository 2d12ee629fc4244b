import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { zstdDecompress } from 'node:zlib';
import type { Body, BodyProblem, ReadOptions } from '../api/index.ts';
import type { Memory, Slab } from '../model/memory.ts';
import type { Encoding } from '../model/payload.ts';
import { DecodeError } from '../wire/decode-error.ts';
import { gunzip, inflatedLimit } from '../wire/gzip.ts';

/** First slab for a body of unknown length, bytes; most profiles fit. */
const CHUNKED_START_BYTES = 64 * 1024;
/** How long a refused sender should wait when there is no memory, ms: about the time in which queues move on. */
const MEMORY_RETRY_AFTER_MS = 1000;
/** What is read and thrown away of a body that was refused, bytes, so that the sender hears the answer instead of a reset. */
export const MAX_DISCARD_BYTES = 64 * 1024 * 1024;

const unzstd = promisify(zstdDecompress);
const ENCODINGS: Record<string, Encoding> = { identity: 'identity', gzip: 'gzip', 'x-gzip': 'gzip', zstd: 'zstd' };

const problem = (reason: BodyProblem['reason'], message: string): BodyProblem => ({ kind: 'problem', reason, message });
const tooLarge = (maxBytes: number) => problem('body_too_large', `the body is longer than ${maxBytes} bytes`);
const noMemory: BodyProblem = {
  ...problem('memory_limit', 'the gateway holds as much as it may, try again later'),
  retryAfterMs: MEMORY_RETRY_AFTER_MS,
};

/** Reads one request's body into slabs, and lets go of all of them at the end. */
export class BodyReader {
  readonly #incoming: IncomingMessage;
  readonly #memory: Memory;
  readonly #slabs: Slab[] = [];
  #slab: Slab | undefined;
  #used = 0;
  #maxBytes = 0;
  #settle: ((outcome: BodyProblem | undefined) => void) | undefined;
  /** Bytes thrown away after a refusal. */
  #discarded = 0;
  /** When the last byte came, by `performance.now()`; the server's sweep looks at it. */
  progressMs = performance.now();

  constructor(incoming: IncomingMessage, memory: Memory) {
    this.#incoming = incoming;
    this.#memory = memory;
  }

  /** Whether somebody waits for bytes of this body. */
  get reading(): boolean {
    return this.#settle !== undefined;
  }

  async read(options: ReadOptions): Promise<Body | BodyProblem> {
    const { headers } = this.#incoming;
    const name = headers['content-encoding']?.trim().toLowerCase() || 'identity';
    const encoding = ENCODINGS[name];
    if (!encoding)
      return this.#refuse(
        problem('unsupported_encoding', `content-encoding must be one of: ${Object.keys(ENCODINGS).join(', ')}`),
      );
    const declared = headers['content-length'];
    const length = declared === undefined ? CHUNKED_START_BYTES : Number(declared);
    if (declared !== undefined && length > options.maxBytes) return this.#refuse(tooLarge(options.maxBytes));
    this.#slab = this.#lease(length);
    if (!this.#slab) return this.#refuse(noMemory);
    this.#maxBytes = options.maxBytes;
    const outcome = await new Promise<BodyProblem | undefined>(resolve => {
      this.#settle = resolve;
      this.progressMs = performance.now();
      this.#incoming
        .on('data', this.#onData)
        .on('end', this.#onEnd)
        .on('close', this.#onClose)
        .on('error', this.#onClose);
    });
    if (outcome) return outcome;
    return this.#body(this.#slab.bytes.subarray(0, this.#used), encoding, options);
  }

  /** Called by the server's sweep when nothing came for too long. */
  stalled(): void {
    this.#finish(problem('body_timeout', 'the body did not arrive in time'));
  }

  /** Gives every slab back; from here on nothing of this body may be read. */
  release(): void {
    for (const { bytes } of this.#slabs.splice(0)) this.#memory.release(bytes);
    this.#slab = undefined;
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
    let plain: Buffer;
    try {
      if (encoding === 'gzip') plain = await gunzip(bytes, options.maxInflatedBytes);
      else plain = await unzstd(bytes, { maxOutputLength: inflatedLimit(bytes.length, options.maxInflatedBytes) });
    } catch (error) {
      if (error instanceof DecodeError) return problem(error.reason as BodyProblem['reason'], error.message);
      if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
        return problem('decompressed_too_large', 'the body inflates to more than is allowed');
      return problem('bad_compression', `the ${encoding} stream is damaged`);
    }
    const slab = this.#lease(plain.length);
    if (!slab) return noMemory;
    plain.copy(slab.bytes);
    return this.#body(slab.bytes.subarray(0, plain.length), 'identity', options);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.progressMs = performance.now();
    if (!this.#settle) {
      this.#discard(chunk.length);
      return;
    }
    const needed = this.#used + chunk.length;
    if (needed > this.#slab!.bytes.length || needed > this.#maxBytes) {
      if (needed > this.#maxBytes) {
        this.#finish(tooLarge(this.#maxBytes));
        return;
      }
      const larger = this.#lease(Math.min(this.#maxBytes, Math.max(needed, this.#slab!.bytes.length * 2)));
      if (!larger) {
        this.#finish(noMemory);
        return;
      }
      this.#slab!.bytes.copy(larger.bytes, 0, 0, this.#used);
      this.#slabs.splice(this.#slabs.indexOf(this.#slab!), 1);
      this.#memory.release(this.#slab!.bytes);
      this.#slab = larger;
    }
    chunk.copy(this.#slab!.bytes, this.#used);
    this.#used = needed;
  };

  readonly #onEnd = (): void => this.#finish(undefined);

  readonly #onClose = (): void => this.#finish(problem('body_aborted', 'the body ended before its length'));

  #finish(outcome: BodyProblem | undefined): void {
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.(outcome);
  }

  #refuse(outcome: BodyProblem): BodyProblem {
    this.#incoming.on('data', this.#onData).on('error', () => {});
    return outcome;
  }

  #discard(count: number): void {
    this.#discarded += count;
    if (this.#discarded > MAX_DISCARD_BYTES) this.#incoming.destroy();
  }
}

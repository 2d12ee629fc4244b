import type { BodyProblem } from '../../api/index.ts';
import type { Content, Framing } from '../body.ts';

/** Flags and length, bytes. */
export const PREFIX_BYTES = 5;
const COMPRESSED = 1;
const TRAILERS = 0x80;
/** Longest trailer of a gRPC-Web request, bytes. Nobody reads it. */
const MAX_TRAILER_BYTES = 8 * 1024;

const malformed = (message: string): BodyProblem => ({ kind: 'problem', reason: 'malformed_message', message });

/** Finds the one message of a unary call, in bytes that come in pieces cut anywhere. */
export class MessageFraming implements Framing {
  readonly #encoding: string;
  readonly #text: Base64Pieces | undefined;
  readonly #prefix = Buffer.alloc(PREFIX_BYTES);
  #prefixed = 0;
  /** Bytes still to come of what the last prefix announced. */
  #left = 0;
  #state: 'prefix' | 'message' | 'behind' | 'trailers' | 'failed' = 'prefix';
  readonly #web: boolean;

  /** @param encoding of a compressed message, as the head says */
  constructor(encoding: string | undefined, { web, text }: { web: boolean; text: boolean }) {
    this.#encoding = encoding?.trim().toLowerCase() || 'identity';
    this.#web = web;
    this.#text = text ? new Base64Pieces() : undefined;
  }

  take(bytes: Buffer, from: number, to: number, content: Content): void {
    if (!this.#text) {
      this.#unframe(bytes, from, to, content);
      return;
    }
    const plain = this.#text.take(bytes.toString('latin1', from, to));
    if (plain) this.#unframe(plain, 0, plain.length, content);
    else this.#fail(content, 'the body is not base64');
  }

  end(): BodyProblem | undefined {
    if (this.#text?.open) return malformed('the body ends within a group of base64');
    if (this.#state === 'prefix' && this.#prefixed === 0) return malformed('a unary call needs one message');
    if (this.#prefixed > 0 || this.#left > 0)
      return malformed('the body ended before its message, or within what follows');
    return undefined;
  }

  #unframe(bytes: Buffer, from: number, to: number, content: Content): void {
    let at = from;
    while (at < to && this.#state !== 'failed') {
      const count = this.#left > 0 ? Math.min(this.#left, to - at) : 0;
      if (count > 0) {
        if (this.#state === 'message') content.data(bytes, at, at + count);
        this.#left -= count;
        at += count;
        if (this.#left === 0 && this.#state === 'message') this.#state = 'behind';
      } else if (this.#state === 'trailers') this.#fail(content, 'bytes follow the trailers');
      else {
        const taken = Math.min(PREFIX_BYTES - this.#prefixed, to - at);
        bytes.copy(this.#prefix, this.#prefixed, at, at + taken);
        this.#prefixed += taken;
        at += taken;
        if (this.#prefixed === PREFIX_BYTES) this.#begin(content);
      }
    }
  }

  #begin(content: Content): void {
    const flags = this.#prefix[0]!;
    const length = this.#prefix.readUInt32BE(1);
    this.#prefixed = 0;
    this.#left = length;
    if (this.#web && flags === TRAILERS && this.#state === 'behind') {
      if (length > MAX_TRAILER_BYTES) this.#fail(content, 'the trailers are too long');
      this.#state = 'trailers';
    } else if (this.#state === 'behind') this.#fail(content, 'a second message follows; the call is unary');
    else if (flags > COMPRESSED) this.#fail(content, 'the flags of the message are unknown');
    // https://github.com/grpc/grpc/blob/master/doc/compression.md: INTERNAL, not UNIMPLEMENTED as for one that is not known.
    else if (flags === COMPRESSED && this.#encoding === 'identity')
      this.#fail(content, 'the message is compressed, but grpc-encoding names no compression');
    else {
      content.begin(length, flags === COMPRESSED ? this.#encoding : 'identity');
      this.#state = length === 0 ? 'behind' : 'message';
    }
  }

  #fail(content: Content, message: string): void {
    this.#state = 'failed';
    this.#left = 0;
    content.fail(malformed(message));
  }
}

/** Undoes base64 in pieces cut anywhere. What was padded may go on (PROTOCOL-WEB.md): each chunk is encoded for itself. */
class Base64Pieces {
  #carry = '';

  /** Whether a group of four is not whole. */
  get open(): boolean {
    return this.#carry !== '';
  }

  /** Undefined when it is no base64. */
  take(piece: string): Buffer | undefined {
    const text = this.#carry + piece;
    const whole = text.length - (text.length % 4);
    this.#carry = text.slice(whole);
    const groups = text.slice(0, whole);
    if (!/^[A-Za-z0-9+/=]*$/.test(groups)) return undefined;
    const runs = groups.match(/[^=]+={0,2}/g) ?? [];
    if (runs.some(run => run.length % 4 !== 0)) return undefined;
    return runs.length === 1
      ? Buffer.from(runs[0]!, 'base64')
      : Buffer.concat(runs.map(run => Buffer.from(run, 'base64')));
  }
}

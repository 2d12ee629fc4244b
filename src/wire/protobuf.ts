import { DecodeError } from './decode-error.ts';

export const VARINT = 0;
export const FIXED64 = 1;
export const BYTES = 2;
export const FIXED32 = 5;
const MAX_VARINT_BYTES = 10;
const UTF8 = new TextDecoder('utf-8', { fatal: true });

function bad(message: string): DecodeError {
  return new DecodeError('bad_protobuf', message);
}

/** A number that the end of its message cuts off. */
export const numberCut = () => bad('a message ends inside a number');
/** A length that reaches beyond the message which holds the field. */
export const fieldTooLong = () => bad('a field is longer than what holds it');

/**
 * A cursor over protobuf wire format (https://protobuf.dev/programming-guides/encoding/). Every read is checked against `end`.
 * Varints come as two 32-bit halves in `lo` and `hi`: exact for 64 bits, and no BigInt on the hot path.
 */
export class Reader {
  readonly bytes: Uint8Array;
  at: number;
  end: number;
  /** Halves of the last varint, unsigned. */
  lo = 0;
  hi = 0;
  /** Field number and wire type of the last tag. */
  field = 0;
  type = 0;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  varint(): void {
    const { bytes, end } = this;
    let at = this.at;
    let lo = 0;
    let hi = 0;
    for (let n = 0; n < MAX_VARINT_BYTES; n++) {
      if (at >= end) throw numberCut();
      const byte = bytes[at++]!;
      const seven = byte & 0x7f;
      if (n < 4) lo |= seven << (7 * n);
      else if (n === 4) {
        lo |= seven << 28;
        hi = seven >>> 4;
      } else hi |= seven << (7 * n - 32);
      if (byte < 0x80) {
        if (n === MAX_VARINT_BYTES - 1 && byte > 1) throw bad('a number has more than 64 bits');
        this.at = at;
        this.lo = lo >>> 0;
        this.hi = hi >>> 0;
        return;
      }
    }
    throw bad('a number is longer than 10 bytes');
  }

  /** The next tag into `field` and `type`; false at the end. */
  next(): boolean {
    if (this.at >= this.end) return false;
    const byte = this.bytes[this.at]!;
    if (byte < 0x80) {
      this.at++;
      this.field = byte >>> 3;
      this.type = byte & 7;
    } else {
      this.varint();
      this.setTag(this.hi * 4294967296 + this.lo);
    }
    if (this.field === 0) throw bad('field number 0');
    return true;
  }

  /** Takes a tag that was read elsewhere; the cursor stands behind it. */
  setTag(tag: number): void {
    if (tag > 0xffffffff) throw bad('a field number is too large');
    this.field = tag >>> 3;
    this.type = tag & 7;
    if (this.field === 0) throw bad('field number 0');
  }

  /** Narrows the reader to the message at the cursor; returns the outer end, for `leave`. */
  enter(): number {
    this.expect(BYTES);
    const length = this.length();
    const outer = this.end;
    this.end = this.at + length;
    return outer;
  }

  /** Back to the message around, once the inner one is read to its end. */
  leave(outer: number): void {
    this.end = outer;
  }

  /** Runs `read` inside each field of this number of the message that the reader is in; passes over all others. */
  each(field: number, read: () => void): void {
    while (this.next()) {
      if (this.field !== field) {
        this.skip();
        continue;
      }
      const outer = this.enter();
      read();
      this.leave(outer);
    }
  }

  /** Length of a length-delimited field, checked: the field ends at `at` + length. */
  length(): number {
    this.varint();
    if (this.hi !== 0 || this.lo > this.end - this.at) throw fieldTooLong();
    return this.lo;
  }

  /** A view on a bytes field. */
  view(): Uint8Array {
    const length = this.length();
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  string(): string {
    const view = this.view();
    try {
      // TextDecoder refuses shared memory.
      return UTF8.decode(view.buffer instanceof SharedArrayBuffer ? view.slice() : view);
    } catch {
      throw new DecodeError('bad_string', 'a string is not valid UTF-8');
    }
  }

  skip(): void {
    switch (this.type) {
      case VARINT:
        this.varint();
        return;
      case FIXED64:
        this.#advance(8);
        return;
      case BYTES:
        this.#advance(this.length());
        return;
      case FIXED32:
        this.#advance(4);
        return;
      default:
        throw bad(`wire type ${this.type} does not exist`);
    }
  }

  expect(type: number): void {
    if (this.type !== type) throw bad(`field ${this.field} has wire type ${this.type}, not ${type}`);
  }

  #advance(count: number): void {
    if (count > this.end - this.at) throw fieldTooLong();
    this.at += count;
  }
}

/** Two halves as a signed 64-bit integer. */
export function int64(lo: number, hi: number): bigint {
  return BigInt.asIntN(64, (BigInt(hi) << 32n) | BigInt(lo));
}

/** Bytes of a varint below 2^53. */
export function varintBytes(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    out.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  out.push(rest);
  return out;
}

/** Head of a length-delimited field: tag and length. */
export function fieldHead(field: number, length: number): Uint8Array {
  return Uint8Array.from([...varintBytes(field * 8 + BYTES), ...varintBytes(length)]);
}

import { DecodeError } from '../decode-error.ts';

export function bad(message: string): DecodeError {
  return new DecodeError('bad_jfr', message);
}
const cut = () => bad('something ends inside a number');
const tooLong = () => bad('something is longer than what holds it');

const NULL = 0;
const EMPTY = 1;
const POOL = 2;
const UTF8 = 3;
const CHARS = 4;
const LATIN1 = 5;
/** Shift of the ninth and last byte of a number: all its bits count. */
const LAST_SHIFT = 56;
const CHAR_BYTES = 2;
const COUNT_BYTES = 4;
const KEY_BYTES = 8;
const MAX_COUNT = 0x7fffffff;

/**
 * Numbers and strings of JFR (JDK: jdk.jfr.internal.consumer.RecordingInput). Numbers are LEB128 of at most 9 bytes, or big-endian where
 * the chunk says that it is not compressed; they come as two 32-bit halves. Every read is checked against an end.
 */
export class Input {
  readonly bytes: Uint8Array;
  readonly #buffer: Buffer;
  /** Set for each chunk. */
  compressed = true;
  /** Halves of the last number, unsigned. */
  lo = 0;
  hi = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** Reads a number. @param width what it takes uncompressed, bytes. @returns where it ends */
  number(start: number, end: number, width: number): number {
    return this.compressed ? this.varint(start, end) : this.fixed(start, end, width);
  }

  varint(start: number, end: number): number {
    const { bytes } = this;
    let at = start;
    if (at >= end) throw cut();
    let byte = bytes[at++]!;
    let lo = byte;
    let hi = 0;
    if (byte > 0x7f) {
      lo &= 0x7f;
      for (let shift = 7; ; shift += 7) {
        if (at >= end) throw cut();
        byte = bytes[at++]!;
        if (shift === LAST_SHIFT) {
          hi |= byte << (shift - 32);
          break;
        }
        const seven = byte & 0x7f;
        if (shift < 28) lo |= seven << shift;
        else if (shift === 28) {
          lo |= seven << 28;
          hi = seven >>> 4;
        } else hi |= seven << (shift - 32);
        if (byte < 0x80) break;
      }
    }
    this.lo = lo >>> 0;
    this.hi = hi >>> 0;
    return at;
  }

  /** Reads a number of this many bytes, big-endian. @returns where it ends */
  fixed(start: number, end: number, width: number): number {
    const { bytes } = this;
    if (width > end - start) throw cut();
    let lo = 0;
    let hi = 0;
    for (let at = start; at < start + width; at++) {
      hi = (hi << 8) | (lo >>> 24);
      lo = (lo << 8) | bytes[at]!;
    }
    this.lo = lo >>> 0;
    this.hi = hi >>> 0;
    return start + width;
  }

  /** Reads how many there are into `lo`. @returns where the number ends */
  count(start: number, end: number): number {
    const at = this.number(start, end, COUNT_BYTES);
    if (this.hi !== 0 || this.lo > MAX_COUNT) throw bad('a count is negative or too large');
    return at;
  }

  /** The last number where it may be a position or an id: exact up to 2^53, and above it larger than any of ours. */
  get unsigned(): number {
    return this.hi * 4294967296 + this.lo;
  }

  /** Passes over this many numbers. @returns where they end */
  skipNumbers(start: number, end: number, count: number, width: number): number {
    if (!this.compressed) {
      if (count * width > end - start) throw tooLong();
      return start + count * width;
    }
    const { bytes } = this;
    let at = start;
    for (let left = count; left > 0; left--) {
      const last = Math.min(at + LAST_SHIFT / 7, end);
      while (at < last && bytes[at]! > 0x7f) at++;
      if (at >= end) throw cut();
      at++;
    }
    return at;
  }

  /** @returns where this many bytes end */
  skipBytes(start: number, end: number, count: number): number {
    if (count > end - start) throw tooLong();
    return start + count;
  }

  /** Passes over a string. @returns where it ends */
  skipString(start: number, end: number): number {
    if (start >= end) throw cut();
    const at = start + 1;
    switch (this.bytes[start]) {
      case NULL:
      case EMPTY:
        return at;
      case POOL:
        return this.skipNumbers(at, end, 1, KEY_BYTES);
      case UTF8:
      case LATIN1: {
        const from = this.count(at, end);
        return this.skipBytes(from, end, this.lo);
      }
      case CHARS: {
        const from = this.count(at, end);
        return this.skipNumbers(from, end, this.lo, CHAR_BYTES);
      }
      default:
        throw bad('a string has an unknown encoding');
    }
  }

  /**
   * A string that was passed over before; what is not UTF-8 in it becomes U+FFFD, as native symbols may have any bytes.
   * @returns undefined where it is a key of the pool of strings, which then is the last number
   */
  text(start: number, end: number): string | undefined {
    const encoding = this.bytes[start];
    if (encoding === NULL || encoding === EMPTY) return '';
    if (encoding === POOL) {
      this.number(start + 1, end, KEY_BYTES);
      return undefined;
    }
    const from = this.count(start + 1, end);
    const length = this.lo;
    if (encoding === CHARS) return this.#chars(from, end, length);
    return this.#buffer.toString(encoding === LATIN1 ? 'latin1' : 'utf8', from, from + length);
  }

  #chars(start: number, end: number, length: number): string {
    const units = Buffer.allocUnsafe(length * 2);
    let at = start;
    for (let unit = 0; unit < length; unit++) {
      at = this.number(at, end, CHAR_BYTES);
      units.writeUInt16LE(this.lo & 0xffff, unit * 2);
    }
    return units.toString('utf16le');
  }
}

import { BYTES, fieldTooLong, Reader, VARINT } from '../protobuf.ts';

/** What `small` says of a number that is not: above every length and every row. */
export const HUGE = 0x7fffffff;

/**
 * The varint at `at` where it is written as short as possible in at most 3 bytes, else -1. Three bytes can be read there. For fields
 * in the order that producers write: no state, so it is 3 times as fast as a Cursor.
 */
export function short(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  if (first < 0x80) return first;
  const second = bytes[at + 1]!;
  if (second < 0x80) return second === 0 ? -1 : (first & 0x7f) | (second << 7);
  const third = bytes[at + 2]!;
  return third === 0 || third > 0x7f ? -1 : (first & 0x7f) | ((second & 0x7f) << 7) | (third << 14);
}

/** The number of the field at `at` where it has this tag of one byte and `short` can read it, else -1. */
export function shortField(bytes: Uint8Array, at: number, end: number, tag: number): number {
  return at < end && bytes[at] === tag ? short(bytes, at + 1) : -1;
}

/** How many bytes a varint takes that `short` has read. */
export function shortBytes(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : 3;
}

/**
 * Reads numbers in place, without an object: the halves come in fields, as signed 32-bit integers, and the new position is what a
 * call returns. (A field that holds a larger integer even once becomes a double for good, and one
 * that has no initial number can be anything: either halves the speed of everything.)
 * Unknown fields and numbers of more than 4 bytes at the end of a message go through a Reader. Every read is checked against the
 * end of its message; no message reaches beyond the one that holds it.
 */
export class Cursor {
  readonly bytes: Uint8Array;
  /** A message that ends up to here may be read with `short`: at most 4 bytes of it lie behind its end. */
  readonly roomyEnd: number = 0;
  /** Halves of the last number. */
  lo = 0;
  hi = 0;
  readonly #reader: Reader;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.roomyEnd = bytes.length - 4;
    this.#reader = new Reader(bytes);
  }

  /** The last number where it is below 2^31, else HUGE. */
  get small(): number {
    return this.hi === 0 && this.lo >= 0 ? this.lo : HUGE;
  }

  /** Reads a varint and returns where it ends. */
  readNumber(at: number, end: number): number {
    if (at < end) {
      const first = this.bytes[at]!;
      if (first < 0x80) {
        this.lo = first;
        this.hi = 0;
        return at + 1;
      }
    }
    return this.#readLonger(at, end);
  }

  #readLonger(at: number, end: number): number {
    if (at + 10 > end) return this.#readSlowly(at, end);
    const bytes = this.bytes;
    let byte = bytes[at + 1]!;
    let lo = (bytes[at]! & 0x7f) | ((byte & 0x7f) << 7);
    let size = 2;
    if (byte > 0x7f) {
      byte = bytes[at + 2]!;
      lo |= (byte & 0x7f) << 14;
      size = 3;
      if (byte > 0x7f) {
        byte = bytes[at + 3]!;
        lo |= (byte & 0x7f) << 21;
        if (byte > 0x7f) return this.#readLong(lo, at, end);
        size = 4;
      }
    }
    this.lo = lo;
    this.hi = 0;
    return at + size;
  }

  /** Goes on behind four bytes of a number, with six more to read. */
  #readLong(low: number, at: number, end: number): number {
    const bytes = this.bytes;
    let byte = bytes[at + 4]!;
    let hi = (byte & 0x7f) >>> 4;
    this.lo = low | (byte << 28);
    let size = 5;
    for (let shift = 3; byte > 0x7f; shift += 7) {
      byte = bytes[at + size]!;
      if (size++ === 9 && byte > 1) return this.#readSlowly(at, end);
      hi |= (byte & 0x7f) << shift;
    }
    this.hi = hi;
    return at + size;
  }

  /** Throws where the number is cut off or too long. */
  #readSlowly(at: number, end: number): number {
    const reader = this.#reader;
    reader.at = at;
    reader.end = end;
    reader.varint();
    this.lo = reader.lo | 0;
    this.hi = reader.hi | 0;
    return reader.at;
  }

  /** Reads a length into `lo` and returns the end of what it spans. */
  readLength(at: number, end: number): number {
    const next = this.readNumber(at, end);
    const { lo } = this;
    if (this.hi !== 0 || lo < 0 || lo > end - next) throw fieldTooLong();
    return next + lo;
  }

  /** Passes over the field at `at` that nobody asked for; known ones up to `lastKnown` only come here with the wrong wire type. */
  skip(at: number, end: number, lastKnown: number): number {
    const reader = this.#reader;
    reader.at = at;
    reader.end = end;
    reader.next();
    if (reader.field <= lastKnown) reader.expect(reader.type === BYTES ? VARINT : BYTES);
    reader.skip();
    return reader.at;
  }
}

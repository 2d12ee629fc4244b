import { BYTES, fieldTooLong, Reader, VARINT } from '../protobuf.ts';

/**
 * Reads numbers in place, without an object: they come in fields, and the new position is what a call returns. What is rare
 * (numbers of more than 4 bytes at the end of a message, unknown fields, long tags) goes through a Reader. Every read is checked
 * against the end of its message; no message reaches beyond the one that holds it.
 */
export class Cursor {
  readonly bytes: Uint8Array;
  /** The last number: as a double, rounded above 2^53, and its halves, unsigned. */
  number = 0;
  lo = 0;
  hi = 0;
  readonly #reader: Reader;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#reader = new Reader(bytes);
  }

  /** Reads a varint into the last number and returns where it ends. */
  readNumber(at: number, end: number): number {
    if (at < end) {
      const bytes = this.bytes;
      const first = bytes[at]!;
      if (first < 0x80) {
        this.number = this.lo = first;
        this.hi = 0;
        return at + 1;
      }
      if (at + 4 <= end) {
        const second = bytes[at + 1]!;
        let value = (first & 0x7f) | ((second & 0x7f) << 7);
        let size = 2;
        if (second > 0x7f) {
          const third = bytes[at + 2]!;
          value |= (third & 0x7f) << 14;
          size = 3;
          if (third > 0x7f) {
            const fourth = bytes[at + 3]!;
            value |= (fourth & 0x7f) << 21;
            if (fourth > 0x7f) return this.#readLong(value, at, end);
            size = 4;
          }
        }
        this.number = this.lo = value;
        this.hi = 0;
        return at + size;
      }
    }
    return this.#readSlowly(at, end);
  }

  /** Goes on behind four bytes of a number. */
  #readLong(low: number, at: number, end: number): number {
    if (at + 10 > end) return this.#readSlowly(at, end);
    const bytes = this.bytes;
    let byte = bytes[at + 4]!;
    const lo = (low | (byte << 28)) >>> 0;
    let hi = (byte & 0x7f) >>> 4;
    let size = 5;
    for (let shift = 3; byte > 0x7f; shift += 7) {
      byte = bytes[at + size]!;
      if (size++ === 9 && byte > 1) return this.#readSlowly(at, end);
      hi |= (byte & 0x7f) << shift;
    }
    hi >>>= 0;
    this.lo = lo;
    this.hi = hi;
    this.number = hi * 4294967296 + lo;
    return at + size;
  }

  #readSlowly(at: number, end: number): number {
    const reader = this.#reader;
    reader.at = at;
    reader.end = end;
    reader.varint();
    this.lo = reader.lo;
    this.hi = reader.hi;
    this.number = reader.hi * 4294967296 + reader.lo;
    return reader.at;
  }

  /** Reads a length into the last number and returns the end of what it spans. */
  readLength(at: number, end: number): number {
    const next = this.readNumber(at, end);
    if (this.number > end - next) throw fieldTooLong();
    return next + this.number;
  }

  /** Passes over a field that nobody asked for; known fields up to `lastKnown` only come here with the wrong wire type. */
  skip(tag: number, at: number, end: number, lastKnown: number): number {
    const reader = this.#reader;
    reader.at = at;
    reader.end = end;
    reader.setTag(tag);
    if (reader.field <= lastKnown) reader.expect(reader.type === BYTES ? VARINT : BYTES);
    reader.skip();
    return reader.at;
  }
}

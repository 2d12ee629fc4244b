/** Longest output buffer that is kept for the next profile, bytes. */
const KEPT_BYTES = 8 * 1024 * 1024;

/**
 * Writes protobuf from the end to the beginning: the content of a message stands when its length is due, so nothing is measured
 * first and nothing moved after. All fields must have numbers up to 15. `room` is asked once per message, and the writes
 * behind it trust it.
 */
export class BackWriter {
  bytes: Uint8Array = new Uint8Array(0);
  /** Where what was written begins. */
  at = 0;

  /** Starts over; what was written before is gone. */
  clear(expectedBytes: number): void {
    if (this.bytes.length < expectedBytes || this.bytes.length > KEPT_BYTES) this.bytes = new Uint8Array(expectedBytes);
    this.at = this.bytes.length;
  }

  /** Bytes written. Positions move when the buffer grows; this does not. */
  get written(): number {
    return this.bytes.length - this.at;
  }

  /** Makes sure that `count` bytes can be written. */
  room(count: number): void {
    if (this.at >= count) return;
    const { written } = this;
    const longer = new Uint8Array(Math.max(this.bytes.length * 2, written + count));
    longer.set(this.bytes.subarray(this.at), longer.length - written);
    this.at = longer.length - written;
    this.bytes = longer;
  }

  /** A varint below 2^32: at most 5 bytes. */
  number(value: number): void {
    const { bytes } = this;
    if (value < 0x80) bytes[--this.at] = value;
    else if (value < 0x4000) {
      bytes[--this.at] = value >>> 7;
      bytes[--this.at] = value | 0x80;
    } else if (value < 0x200000) {
      bytes[--this.at] = value >>> 14;
      bytes[--this.at] = (value >>> 7) | 0x80;
      bytes[--this.at] = value | 0x80;
    } else {
      let at = this.at - (value < 0x10000000 ? 4 : 5);
      this.at = at;
      let rest = value;
      for (; rest >= 0x80; rest >>>= 7) bytes[at++] = rest | 0x80;
      bytes[at] = rest;
    }
  }

  /** A varint of 64 bits, given as halves: at most 10 bytes. */
  halves(lo: number, hi: number): void {
    if (hi === 0) {
      this.number(lo);
      return;
    }
    // 35 to 64 bits: nine groups of 7 at most, and the last bit.
    const size = hi < 8 ? 5 : hi < 0x400 ? 6 : hi < 0x20000 ? 7 : hi < 0x1000000 ? 8 : hi < 0x80000000 ? 9 : 10;
    const { bytes } = this;
    let at = this.at - size;
    this.at = at;
    let low = lo;
    let high = hi;
    for (let left = size; left > 1; left--) {
      bytes[at++] = low | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    bytes[at] = low;
  }

  /** A number field, left out when it is 0: at most 6 bytes. */
  field(tag: number, value: number): void {
    if (value === 0) return;
    this.number(value);
    this.bytes[--this.at] = tag;
  }

  /** As `field`, with 64 bits: at most 11 bytes. */
  field64(tag: number, lo: number, hi: number): void {
    if (lo === 0 && hi === 0) return;
    this.halves(lo, hi);
    this.bytes[--this.at] = tag;
  }

  /** As `field64`, for the rare ones. */
  fieldBig(tag: number, value: bigint): void {
    this.field64(tag, Number(value & 0xffffffffn), Number((value >> 32n) & 0xffffffffn));
  }

  /** Length and tag of what was written since `written` was this: at most 6 bytes. */
  head(tag: number, before: number): void {
    this.number(this.written - before);
    this.bytes[--this.at] = tag;
  }

  /** Bytes as they are. Makes room itself. */
  copy(source: Uint8Array, from: number, to: number): void {
    const size = to - from;
    this.room(size);
    const { bytes } = this;
    const at = this.at - size;
    this.at = at;
    // Setting up a native copy costs as much as some 50 bytes.
    if (size > 64) bytes.set(source.subarray(from, to), at);
    else for (let n = 0; n < size; n++) bytes[at + n] = source[from + n]!;
  }
}

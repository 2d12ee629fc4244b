/** Longest output buffer that is kept for the next profile, bytes. */
const KEPT_BYTES = 8 * 1024 * 1024;

/**
 * An output that is written from the end to the beginning: the content of a message stands when its length is due, so nothing is
 * measured first and nothing moved after. Whoever writes asks for `room` once per message, and then uses the functions below on
 * `bytes` and a position of its own: they take the position behind and return the one in front.
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

  /** Lets a large buffer go; what was written may be gone. */
  release(): void {
    if (this.bytes.length > KEPT_BYTES) this.clear(0);
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

  /** Bytes as they are. Makes room itself. */
  copy(source: Uint8Array, from: number, to: number): void {
    this.room(to - from);
    this.at = putBytes(this.bytes, this.at, source, from, to);
  }

  /** Length and tag of what was written since `written` was this. Makes room itself. */
  head(tag: number, before: number): void {
    this.room(6);
    this.at = putNumber(this.bytes, this.at, this.written - before);
    this.bytes[--this.at] = tag;
  }
}

/** A varint below 2^32: at most 5 bytes. */
export function putNumber(bytes: Uint8Array, end: number, value: number): number {
  let at = end;
  if (value >= 0x80) {
    if (value < 0x4000) bytes[--at] = value >>> 7;
    else at = putUpper(bytes, at, value);
    bytes[--at] = value | 0x80;
  } else bytes[--at] = value;
  return at;
}

/** All but the first byte of a varint of 3 to 5 bytes. */
function putUpper(bytes: Uint8Array, end: number, value: number): number {
  let at = end;
  if (value >= 0x10000000) bytes[--at] = value >>> 28;
  if (value >= 0x200000) bytes[--at] = value >= 0x10000000 ? (value >>> 21) | 0x80 : value >>> 21;
  bytes[--at] = value >= 0x200000 ? (value >>> 14) | 0x80 : value >>> 14;
  bytes[--at] = (value >>> 7) | 0x80;
  return at;
}

/** A varint of 64 bits, given as halves: at most 10 bytes. */
export function putHalves(bytes: Uint8Array, end: number, lo: number, hi: number): number {
  if (hi === 0) return putNumber(bytes, end, lo);
  // 33 to 64 bits: groups of 7, the last one first.
  const size = hi < 8 ? 5 : hi < 0x400 ? 6 : hi < 0x20000 ? 7 : hi < 0x1000000 ? 8 : hi < 0x80000000 ? 9 : 10;
  const start = end - size;
  let at = start;
  let low = lo;
  let high = hi;
  for (let left = size; left > 1; left--) {
    bytes[at++] = low | 0x80;
    low = (low >>> 7) | (high << 25);
    high >>>= 7;
  }
  bytes[at] = low;
  return start;
}

/** A number field, left out when it is 0; the tag has one byte: at most 6 bytes. */
export function putField(bytes: Uint8Array, end: number, tag: number, value: number): number {
  if (value === 0) return end;
  const at = putNumber(bytes, end, value) - 1;
  bytes[at] = tag;
  return at;
}

/** As `putField`, with 64 bits: at most 11 bytes. */
export function putField64(bytes: Uint8Array, end: number, tag: number, lo: number, hi: number): number {
  if (lo === 0 && hi === 0) return end;
  const at = putHalves(bytes, end, lo, hi) - 1;
  bytes[at] = tag;
  return at;
}

/** Length and tag of a message whose content was put from `at` to `end`: at most 6 bytes. */
export function putHead(bytes: Uint8Array, at: number, tag: number, end: number): number {
  const front = putNumber(bytes, at, end - at) - 1;
  bytes[front] = tag;
  return front;
}

/** Bytes as they are. */
export function putBytes(bytes: Uint8Array, end: number, source: Uint8Array, from: number, to: number): number {
  const size = to - from;
  const at = end - size;
  // Setting up a native copy costs as much as some 50 bytes.
  if (size > 64) bytes.set(source.subarray(from, to), at);
  else for (let n = 0; n < size; n++) bytes[at + n] = source[from + n]!;
  return at;
}

const FIRST_BYTES = 4096;
const FIRST_HOLES = 256;
/** Bytes of the longest varint, and of a fixed64 with its tag. */
const ROOM = 12;

/**
 * Writes protobuf forward although a message has its length in front: the lengths are left out at first, noted beside, and put in at
 * the end. 8 bytes for each message, no object, and each byte is copied once however deep it lies.
 */
export class MessageWriter {
  #bytes = Buffer.allocUnsafe(FIRST_BYTES);
  #at = 0;
  /** Per message in the order of their beginnings: where its length belongs in `#bytes`, and the length. */
  #places = new Uint32Array(FIRST_HOLES);
  #lengths = new Uint32Array(FIRST_HOLES);
  #messages = 0;
  /** Bytes that all lengths known so far will take. */
  #lengthBytes = 0;

  tag(field: number, wire: number): void {
    this.number(field * 8 + wire);
  }

  /** A varint below 2^32. */
  number(value: number): void {
    this.#reserve(ROOM);
    let rest = value;
    while (rest > 0x7f) {
      this.#bytes[this.#at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#bytes[this.#at++] = rest;
  }

  /** A varint of 64 bits; a negative number takes 10 bytes. */
  long(value: bigint): void {
    this.#reserve(ROOM);
    let rest = BigInt.asUintN(64, value);
    for (; rest > 0x7fn; rest >>= 7n) this.#bytes[this.#at++] = Number(rest & 0x7fn) | 0x80;
    this.#bytes[this.#at++] = Number(rest);
  }

  fixed64(value: bigint): void {
    this.#reserve(ROOM);
    this.#at = this.#bytes.writeBigUInt64LE(value, this.#at);
  }

  fixed32(value: number): void {
    this.#reserve(ROOM);
    this.#at = this.#bytes.writeUInt32LE(value, this.#at);
  }

  double(value: number): void {
    this.#reserve(ROOM);
    this.#at = this.#bytes.writeDoubleLE(value, this.#at);
  }

  /** A string with its length in front. */
  text(value: string): void {
    const length = Buffer.byteLength(value);
    this.number(length);
    this.#reserve(length);
    this.#at += this.#bytes.write(value, this.#at);
  }

  /** Bytes with their length in front. */
  view(value: Uint8Array): void {
    this.number(value.length);
    this.#reserve(value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
  }

  /** The content that `write` writes, with its length in front. */
  message(write: () => void): void {
    const message = this.#messages++;
    if (message === this.#places.length) {
      this.#places = longer(this.#places);
      this.#lengths = longer(this.#lengths);
    }
    const start = this.#at;
    const before = this.#lengthBytes;
    this.#places[message] = start;
    write();
    const length = this.#at - start + this.#lengthBytes - before;
    this.#lengths[message] = length;
    this.#lengthBytes += varintLength(length);
  }

  /** What was written, in memory of its own. */
  finish(): Uint8Array {
    const result = Buffer.allocUnsafe(this.#at + this.#lengthBytes);
    let from = 0;
    let to = 0;
    for (let message = 0; message < this.#messages; message++) {
      const place = this.#places[message]!;
      to += this.#bytes.copy(result, to, from, place);
      from = place;
      let rest = this.#lengths[message]!;
      for (; rest > 0x7f; rest >>>= 7) result[to++] = (rest & 0x7f) | 0x80;
      result[to++] = rest;
    }
    this.#bytes.copy(result, to, from, this.#at);
    return result;
  }

  #reserve(count: number): void {
    if (this.#at + count <= this.#bytes.length) return;
    const bytes = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#at + count));
    this.#bytes.copy(bytes, 0, 0, this.#at);
    this.#bytes = bytes;
  }
}

function longer(numbers: Uint32Array): Uint32Array<ArrayBuffer> {
  const result = new Uint32Array(numbers.length * 2);
  result.set(numbers);
  return result;
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest > 0x7f; rest >>>= 7) length++;
  return length;
}

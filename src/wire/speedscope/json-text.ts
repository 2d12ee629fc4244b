import { DecodeError } from '../decode-error.ts';

const FIRST_BYTES = 4096;
const ZERO = 0x30;
/** What a file may take: a profile with hundreds of sample types would say its stacks as often. */
export const MAX_FILE_BYTES = 256 * 1024 * 1024;

/** A growing JSON text. */
export class JsonText {
  #bytes: Buffer = Buffer.allocUnsafe(FIRST_BYTES);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** A view. */
  written(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  byte(byte: number): void {
    this.#room(1);
    this.#bytes[this.#length++] = byte;
  }

  text(text: string): void {
    const length = Buffer.byteLength(text);
    this.#room(length);
    this.#bytes.write(text, this.#length);
    this.#length += length;
  }

  /** A whole number from 0 to 2^32 - 1. */
  number(number: number): void {
    let digits = 1;
    for (let limit = 10; limit <= number; limit *= 10) digits++;
    this.#room(digits);
    let rest = number;
    for (let at = this.#length + digits - 1; at >= this.#length; at--) {
      const less = Math.floor(rest / 10);
      this.#bytes[at] = ZERO + rest - less * 10;
      rest = less;
    }
    this.#length += digits;
  }

  /** What was written from `from` to `to`, once more. */
  again(from: number, to: number): void {
    this.#room(to - from);
    this.#bytes.copyWithin(this.#length, from, to);
    this.#length += to - from;
  }

  /** @throws DecodeError too_large */
  #room(more: number): void {
    const length = this.#length + more;
    if (length <= this.#bytes.length) return;
    if (length > MAX_FILE_BYTES) throw new DecodeError('too_large', `the file takes more than ${MAX_FILE_BYTES} bytes`);
    const longer = Buffer.allocUnsafe(Math.min(MAX_FILE_BYTES, Math.max(length, 2 * this.#bytes.length)));
    longer.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = longer;
  }
}

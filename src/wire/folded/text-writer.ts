import { DecodeError } from '../decode-error.ts';
import { ZERO } from './ascii.ts';
import { MAX_TEXT_BYTES } from './limits.ts';

const FIRST_BYTES = 4096;
/** Above this a copy by the engine is worth a view. */
const COPIED_BYTES = 64;
const HEX = Buffer.from('0123456789abcdef');
/** Halves of numbers up to here make a double exactly. */
const EXACT_HI = 2 ** 21;

/** A growing text. */
export class TextWriter {
  bytes: Buffer = Buffer.allocUnsafe(FIRST_BYTES);
  length = 0;

  /** What was written; a view. */
  written(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  byte(byte: number): void {
    this.#room(1);
    this.bytes[this.length++] = byte;
  }

  /** A range of other memory. */
  range(memory: Uint8Array, from: number, length: number): void {
    this.#room(length);
    const { bytes } = this;
    const to = this.length;
    if (length > COPIED_BYTES) bytes.set(memory.subarray(from, from + length), to);
    else for (let at = 0; at < length; at++) bytes[to + at] = memory[from + at]!;
    this.length = to + length;
  }

  text(text: string): void {
    const bytes = Buffer.from(text);
    this.range(bytes, 0, bytes.length);
  }

  /** Puts a byte in front of what begins at `at`. */
  insert(at: number, byte: number): void {
    this.#room(1);
    this.bytes.copyWithin(at + 1, at, this.length++);
    this.bytes[at] = byte;
  }

  /** Repeats what begins at `from`, so that it stands there so often. */
  repeat(from: number, times: number): void {
    const once = this.length - from;
    const end = from + once * times;
    this.#room(end - this.length);
    for (let at = this.length; at < end; at += at - from)
      this.bytes.copyWithin(at, from, Math.min(at, from + end - at));
    this.length = end;
  }

  /** Two halves of a number that is not negative, in decimal. */
  number(lo: number, hi: number): void {
    if (hi === 0 && lo < 10) this.byte(ZERO + lo);
    else this.text(hi < EXACT_HI ? String(hi * 2 ** 32 + lo) : ((BigInt(hi) << 32n) | BigInt(lo)).toString());
  }

  /** `0x` and the two halves of an address in hex, without leading zeros. */
  address(lo: number, hi: number): void {
    this.#room(18);
    const { bytes } = this;
    bytes[this.length++] = ZERO;
    bytes[this.length++] = 0x78;
    const digits = hi === 0 ? hexDigits(lo) : 8 + hexDigits(hi);
    for (let digit = digits - 1; digit >= 0; digit--)
      bytes[this.length++] = HEX[((digit < 8 ? lo : hi) >>> (4 * (digit & 7))) & 15]!;
  }

  #room(more: number): void {
    const length = this.length + more;
    if (length <= this.bytes.length) return;
    if (length > MAX_TEXT_BYTES) throw new DecodeError('too_large', `the text takes more than ${MAX_TEXT_BYTES} bytes`);
    const longer = Buffer.allocUnsafe(Math.min(MAX_TEXT_BYTES, Math.max(length, 2 * this.bytes.length)));
    longer.set(this.bytes.subarray(0, this.length));
    this.bytes = longer;
  }
}

/** At least one. */
const hexDigits = (half: number) => Math.max(1, Math.ceil((32 - Math.clz32(half)) / 4));

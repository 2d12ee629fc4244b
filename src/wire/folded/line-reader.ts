import { DecodeError } from '../decode-error.ts';
import { HASH, isBlank, isDigit, MINUS, NEWLINE, RETURN, SLASH, ZERO } from './ascii.ts';

/** Digits that a double holds exactly, whatever they are. */
const EXACT_DIGITS = 15;
const MAX_DIGITS = 19;
const MAX_VALUE = 2n ** 63n - 1n;

/** A cursor over the lines that say something: neither blank nor a comment. They may be of any length. */
export class LineReader {
  /** Number of the line, from 1 on. */
  number = 0;
  /** The line without its end, LF or CR LF. */
  from = 0;
  to = 0;
  /** Behind the last line, whether there was anything but blanks. */
  saidSomething = false;
  /** Of the line whose value was read: where the stack ends, and the value. */
  stackTo = 0;
  value = 0n;
  readonly #bytes: Buffer;
  #next = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Goes to the next line; false at the end. */
  next(): boolean {
    const bytes = this.#bytes;
    while (this.#next < bytes.length) {
      const from = this.#next;
      const found = bytes.indexOf(NEWLINE, from);
      let to = found < 0 ? bytes.length : found;
      this.#next = to + 1;
      this.number++;
      if (to > from && bytes[to - 1] === RETURN) to--;
      let at = from;
      while (at < to && isBlank(bytes[at]!)) at++;
      if (at === to) continue;
      this.saidSomething = true;
      if (bytes[from] === HASH || (bytes[from] === SLASH && bytes[from + 1] === SLASH)) continue;
      this.from = from;
      this.to = to;
      return true;
    }
    return false;
  }

  /**
   * Reads the digits at the end, behind one white space, into `value`. What lies before that, other white space included, is the stack.
   * False where there are no such digits.
   * @throws DecodeError bad_value where they are no count: negative, or beyond 64 bits
   */
  readValue(): boolean {
    const bytes = this.#bytes;
    const { from } = this;
    let end = this.to;
    while (end > from && isBlank(bytes[end - 1]!)) end--;
    let at = end;
    while (at > from && isDigit(bytes[at - 1]!)) at--;
    if (at === end || at === from) return false;
    const negative = bytes[at - 1] === MINUS;
    const blank = negative ? at - 2 : at - 1;
    if (blank < from || !isBlank(bytes[blank]!)) return false;
    if (negative) throw this.#badValue('negative');
    this.stackTo = blank;
    if (end - at <= EXACT_DIGITS) {
      let value = 0;
      for (; at < end; at++) value = value * 10 + bytes[at]! - ZERO;
      this.value = BigInt(value);
      return true;
    }
    while (at < end && bytes[at] === ZERO) at++;
    const value = end - at > MAX_DIGITS ? MAX_VALUE + 1n : BigInt(bytes.toString('latin1', at, end));
    if (value > MAX_VALUE) throw this.#badValue('beyond 64 bits');
    this.value = value;
    return true;
  }

  #badValue(what: string): DecodeError {
    return new DecodeError('bad_value', `a value is ${what}, at line ${this.number}`);
  }
}

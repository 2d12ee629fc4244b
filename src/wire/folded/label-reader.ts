import { BACKSLASH, BRACE, CLOSING_BRACE, COMMA, DOT, EQUALS, isControl, isDigit, QUOTE, SPACE } from './ascii.ts';

/**
 * Labels behind a stack, in the text syntax of Prometheus: ` {name="value",other="value"}`, with the escapes \\ \" \n. Nothing else is
 * taken for labels, so that the braces of Rust and JavaScript stay in their frames.
 *
 * At most one beginning fits an end: what begins inside a value counts quotes the other way round, and so never ends behind one.
 */
export class LabelReader {
  readonly #bytes: Uint8Array;
  #at = 0;
  #to = 0;
  nameFrom = 0;
  nameTo = 0;
  valueFrom = 0;
  valueTo = 0;
  /** Whether the value has escapes. */
  escaped = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Where the labels begin that end at `to`, with their blank; `to` where there are none. Linear: a false beginning ends early. */
  begin(from: number, to: number): number {
    const bytes = this.#bytes;
    if (to - from < 7 || bytes[to - 1] !== CLOSING_BRACE || bytes[to - 2] !== QUOTE) return to;
    for (let at = from; at < to - 6; at++)
      if (bytes[at] === SPACE && bytes[at + 1] === BRACE && this.#fits(at, to)) return at;
    return to;
  }

  /** Goes in front of the first label of those that `begin` found. */
  rewind(at: number, to: number): void {
    this.#at = at + 2;
    this.#to = to;
  }

  /** Reads a label; false at the end, or where there is none. */
  next(): boolean {
    const bytes = this.#bytes;
    const to = this.#to;
    let at = this.#at;
    this.nameFrom = at;
    if (at >= to || !isNameStart(bytes[at]!)) return false;
    while (at < to && isNamePart(bytes[at]!)) at++;
    this.nameTo = at;
    if (to - at < 4 || bytes[at] !== EQUALS || bytes[at + 1] !== QUOTE) return false;
    at += 2;
    this.valueFrom = at;
    this.escaped = false;
    for (; ; at++) {
      if (at >= to) return false;
      const byte = bytes[at]!;
      if (byte === QUOTE) break;
      if (isControl(byte)) return false;
      if (byte !== BACKSLASH) continue;
      this.escaped = true;
      at++;
      if (at >= to || !isEscape(bytes[at]!)) return false;
    }
    this.valueTo = at;
    this.#at = at + 2;
    return at + 1 < to && (bytes[at + 1] === COMMA || (bytes[at + 1] === CLOSING_BRACE && at + 2 === to));
  }

  #fits(at: number, to: number): boolean {
    this.rewind(at, to);
    while (this.next()) if (this.#at === to) return true;
    return false;
  }
}

const LETTER_N = 0x6e;
const isEscape = (byte: number) => byte === BACKSLASH || byte === QUOTE || byte === LETTER_N;
const isNameStart = (byte: number) => (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x41 && byte <= 0x5a) || byte === 0x5f;
const isNamePart = (byte: number) => isNameStart(byte) || isDigit(byte) || byte === DOT;

/** The text of a value with escapes. */
export const unescaped = (value: string): string => value.replace(/\\(.)/g, (_all, one) => (one === 'n' ? '\n' : one));
/** What a label may be called. */
export const LABEL_NAME = /^[A-Za-z_][A-Za-z0-9_.]*$/;

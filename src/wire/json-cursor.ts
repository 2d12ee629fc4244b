import { isUtf8 } from 'node:buffer';
import { DecodeError } from './decode-error.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN = { object: 0x7b, list: 0x5b } as const;
const CLOSE = { object: 0x7d, list: 0x5d } as const;
const SPACE = 0x20;
/** Objects and arrays inside each other. The attribute values of OTLP, which may lie 64 deep, take four each. */
const MAX_JSON_DEPTH = 512;
/** More digits than any number in a request needs; a longer one would cost time to convert. */
const MAX_NUMBER_LENGTH = 400;
/** What may follow a backslash; the four digits behind `u` are asked for by whoever reads the string. */
const ESCAPES = new Set(Buffer.from('"\\/bfnrtu'));
const NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;

/** A sentence of what is wrong and where. */
export const badJson = (message: string, at: number) => new DecodeError('bad_json', `${message}, at byte ${at}`);

/**
 * A cursor over JSON text (RFC 8259) in UTF-8. Builds no tree: whoever asks says what comes next. The text of a number is
 * kept, so that 64-bit numbers stay exact.
 */
export class JsonCursor {
  readonly #bytes: Buffer;
  readonly #maxDepth: number;
  #at = 0;
  #depth = 0;

  /**
   * @param maxDepth objects and arrays inside each other; each takes some frames of the reader's own stack
   * @throws DecodeError bad_json where it begins with a byte order mark or is empty, bad_string where it is not UTF-8
   */
  constructor(text: Uint8Array, maxDepth = MAX_JSON_DEPTH) {
    this.#maxDepth = maxDepth;
    this.#bytes = Buffer.from(text.buffer, text.byteOffset, text.length);
    if (text.length === 0) throw new DecodeError('bad_json', 'the body is empty');
    if (text[0] === 0xef && text[1] === 0xbb && text[2] === 0xbf)
      throw new DecodeError('bad_json', 'the text begins with a byte order mark');
    if (!isUtf8(text)) throw new DecodeError('bad_string', 'the text is not valid UTF-8');
  }

  get at(): number {
    return this.#at;
  }

  /** Runs `read` at the value of each member of an object. @throws DecodeError bad_json, too_deep */
  object(read: (name: string) => void): void {
    this.#enclosed('object', () => {
      const name = this.string();
      this.#take(COLON, 'a colon');
      read(name);
    });
  }

  /** Runs `read` at each element of an array. */
  list(read: () => void): void {
    this.#enclosed('list', read);
  }

  /** Passes over `null` where one stands here. */
  takeNull(): boolean {
    if (this.#peek() !== 0x6e) return false;
    this.#word('null');
    return true;
  }

  boolean(): boolean {
    const isTrue = this.#peek() === 0x74;
    this.#word(isTrue ? 'true' : 'false');
    return isTrue;
  }

  /** Whether a string stands here. */
  isString(): boolean {
    return this.#peek() === QUOTE;
  }

  /** @throws DecodeError bad_json; bad_string for half a surrogate pair */
  string(): string {
    const from = this.#at;
    const { start, end, escaped } = this.#stringSpan();
    const text = this.#bytes.toString('utf8', start, end);
    if (!escaped) return text;
    let parsed: string;
    try {
      parsed = JSON.parse(`"${text}"`);
    } catch {
      throw badJson('an escape that does not exist', from);
    }
    if (!parsed.isWellFormed()) throw new DecodeError('bad_string', `half a surrogate pair, at byte ${from}`);
    return parsed;
  }

  /** A whole number from 0 to 2^31 as producers write them, or -1 where something else stands here; it stays then. */
  smallNumber(): number {
    this.#peek();
    const bytes = this.#bytes;
    let value = 0;
    let at = this.#at;
    for (const last = at + 9; at < last; at++) {
      const digit = bytes[at]! - 0x30;
      if (!(digit >= 0 && digit <= 9)) break;
      value = value * 10 + digit;
    }
    const next = bytes[at];
    const isWhole = at > this.#at && (next === COMMA || next === CLOSE.list || next === CLOSE.object);
    if (!isWhole || (bytes[this.#at] === 0x30 && at > this.#at + 1)) return -1;
    this.#at = at;
    return value;
  }

  /** The text of a number, or that in a string. */
  numberText(): string {
    if (this.isString()) return this.string();
    const from = this.#at;
    const bytes = this.#bytes;
    let at = from;
    // Digits, sign, point and exponent; whether they make a number is asked below.
    for (; at < bytes.length; at++) {
      const byte = bytes[at]!;
      const isPart = (byte >= 0x30 && byte <= 0x39) || byte === 0x2b || byte === 0x2d || byte === 0x2e;
      if (!isPart && byte !== 0x45 && byte !== 0x65) break;
    }
    if (at === from) throw this.#unexpected('a number');
    if (at - from > MAX_NUMBER_LENGTH) throw badJson('a number has too many digits', from);
    const text = bytes.toString('latin1', from, at);
    if (!NUMBER.test(text)) throw badJson('this is no number', from);
    this.#at = at;
    return text;
  }

  /** Passes over a value that nobody asked for. */
  skip(): void {
    switch (this.#peek()) {
      case OPEN.object:
        this.object(() => this.skip());
        return;
      case OPEN.list:
        this.list(() => this.skip());
        return;
      case QUOTE:
        this.#stringSpan();
        return;
      case 0x6e:
        this.#word('null');
        return;
      case 0x74:
      case 0x66:
        this.boolean();
        return;
      default:
        this.numberText();
    }
  }

  /** @throws DecodeError bad_json where text follows the value that was read */
  finish(): void {
    if (this.#peek() !== -1) throw badJson('text behind the end of the value', this.#at);
  }

  #enclosed(kind: keyof typeof OPEN, read: () => void): void {
    this.#take(OPEN[kind], kind === 'object' ? 'an object' : 'an array');
    if (++this.#depth > this.#maxDepth)
      throw new DecodeError('too_deep', `JSON lies more than ${this.#maxDepth} deep inside itself`);
    if (this.#peek() === CLOSE[kind]) this.#at++;
    else
      for (;;) {
        read();
        const byte = this.#peek();
        if (byte !== COMMA && byte !== CLOSE[kind]) throw this.#unexpected('a comma or the end of what holds it');
        this.#at++;
        if (byte !== COMMA) break;
      }
    this.#depth--;
  }

  /** The next byte that is no white space, -1 at the end. */
  #peek(): number {
    const bytes = this.#bytes;
    let byte = bytes[this.#at];
    while (byte === SPACE || byte === 0x0a || byte === 0x0d || byte === 0x09) byte = bytes[++this.#at];
    return byte ?? -1;
  }

  #take(byte: number, what: string): void {
    if (this.#peek() !== byte) throw this.#unexpected(what);
    this.#at++;
  }

  #word(word: string): void {
    this.#peek();
    if (this.#bytes.toString('latin1', this.#at, this.#at + word.length) !== word) throw this.#unexpected('a value');
    this.#at += word.length;
  }

  #stringSpan(): { start: number; end: number; escaped: boolean } {
    this.#take(QUOTE, 'a string');
    const bytes = this.#bytes;
    const start = this.#at;
    let escaped = false;
    for (let at = start; at < bytes.length; at++) {
      const byte = bytes[at]!;
      if (byte === QUOTE) {
        this.#at = at + 1;
        return { start, end: at, escaped };
      }
      if (byte < SPACE) throw badJson('a control character in a string', at);
      if (byte === BACKSLASH) {
        escaped = true;
        if (!ESCAPES.has(bytes[++at]!)) throw badJson('an escape that does not exist', at);
      }
    }
    throw badJson('the text ends inside a string', bytes.length);
  }

  #unexpected(wanted: string): DecodeError {
    const isEnd = this.#peek() === -1;
    return badJson(isEnd ? `the text ends where ${wanted} should be` : `${wanted} should be here`, this.#at);
  }
}

const NEWLINE = 0x0a;
const RETURN = 0x0d;

/**
 * A cursor over the lines of a text, which end in LF or CR LF. A line is a string of one character per byte (`latin1`), which is cheap to
 * make and to look up and says nothing of characters yet: what of it is a name goes through `utf8`. So blanks are [ \t] in patterns, never \s.
 */
export class TextLines {
  /** The line, without its end; '' before the first and behind the last. */
  text = '';
  /** Its number, from 1 on. */
  number = 0;
  readonly #bytes: Buffer;
  #next: number;

  /** @param at where the first line begins @param number how many lines lie before it */
  constructor(bytes: Uint8Array, at = 0, number = 0) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#next = at;
    this.number = number;
  }

  /** Goes to the next line; false at the end. */
  next(): boolean {
    const bytes = this.#bytes;
    const from = this.#next;
    if (from >= bytes.length) {
      this.text = '';
      return false;
    }
    const found = bytes.indexOf(NEWLINE, from);
    let end = found < 0 ? bytes.length : found;
    this.#next = end + 1;
    if (end > from && bytes[end - 1] === RETURN) end--;
    this.text = bytes.toString('latin1', from, end);
    this.number++;
    return true;
  }
}

/** The text of what `TextLines` gave; bytes that are not UTF-8 in it become U+FFFD. */
export const utf8 = (latin1: string): string => Buffer.from(latin1, 'latin1').toString();

const isBlank = (code: number) => code === 0x20 || code === 0x09;

/** Without blanks at both ends. Linear, unlike a pattern that ends in `[ \t]+$`. */
export function trimBlanks(text: string): string {
  let from = 0;
  let to = text.length;
  while (from < to && isBlank(text.charCodeAt(from))) from++;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
}

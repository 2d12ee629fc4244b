import { DecodeError } from '../decode-error.ts';

/** Limits of Pyroscope's validation, bytes. */
const MAX_NAME_BYTES = 1024;
const MAX_VALUE_BYTES = 2048;

/**
 * The rules that a store has for series labels: how many, how long, no name twice, none empty.
 * @throws DecodeError bad_label; the message names the rule, and the label by position
 */
export function checkLabels(labels: Iterable<readonly [string, string]>, maxNames: number): void {
  const seen = new Set<string>();
  let position = 0;
  for (const [name, value] of labels) {
    position++;
    if (name === '') throw bad(`label ${position} has no name`);
    if (seen.has(name)) throw bad(`label ${position} repeats a name`);
    seen.add(name);
    if (tooLong(name, MAX_NAME_BYTES))
      throw bad(`the name of label ${position} is longer than ${MAX_NAME_BYTES} bytes`);
    if (tooLong(value, MAX_VALUE_BYTES))
      throw bad(`the value of label ${position} is longer than ${MAX_VALUE_BYTES} bytes`);
    if (!name.isWellFormed() || !value.isWellFormed()) throw bad(`label ${position} is not valid Unicode`);
  }
  if (position > maxNames) throw bad(`${position} labels, at most ${maxNames} are allowed`);
}

function tooLong(text: string, maxBytes: number): boolean {
  // A UTF-16 unit is at most 3 bytes: most texts need no count.
  return text.length * 3 > maxBytes && Buffer.byteLength(text) > maxBytes;
}

function bad(message: string): DecodeError {
  return new DecodeError('bad_label', message);
}

/** The beginning of a text, of at most so many bytes in UTF-8, that ends with a whole character. */
export function wellFormedPrefix(text: string, maxBytes: number): string {
  let cut = text.slice(0, maxBytes);
  while (Buffer.byteLength(cut) > maxBytes) cut = cut.slice(0, -1);
  return cut.isWellFormed() ? cut : cut.slice(0, -1);
}

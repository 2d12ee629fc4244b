import { DecodeError } from '../../wire/decode-error.ts';

/** Documents in a file at most: each is a payload of its own. */
const MAX_DOCUMENTS = 10_000;
const NEWLINE = 0x0a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const isSpace = (byte: number | undefined): boolean =>
  byte === 0x20 || byte === 0x09 || byte === NEWLINE || byte === 0x0d;

/**
 * The JSON objects of a text that has them on lines of their own, or the one that it is. Where a line ends between `}` and `{` a document
 * ends: within one a comma would stand there, and a string holds no newline. Nothing is read beyond that; views, no copies.
 * @throws DecodeError too_large
 */
export function documentsIn(text: Buffer): Buffer[] {
  const documents: Buffer[] = [];
  let from = 0;
  for (let line = text.indexOf(NEWLINE); line >= 0; line = text.indexOf(NEWLINE, line + 1)) {
    let before = line - 1;
    while (before >= from && isSpace(text[before])) before--;
    let after = line + 1;
    while (isSpace(text[after])) after++;
    const isBorder = before >= from && text[before] === CLOSE_BRACE && text[after] === OPEN_BRACE;
    if (isBorder) {
      if (documents.length === MAX_DOCUMENTS - 1)
        throw new DecodeError('too_large', `more than ${MAX_DOCUMENTS} documents in one file`);
      documents.push(text.subarray(from, before + 1));
      from = after;
    }
    // Blank lines are gone over once.
    line = after - 1;
  }
  documents.push(text.subarray(from));
  return documents;
}

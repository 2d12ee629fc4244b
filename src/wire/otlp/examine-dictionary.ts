import { DecodeError } from '../decode-error.ts';
import { Cursor } from '../pprof/cursor.ts';
import { BYTES, Reader } from '../protobuf.ts';
import { type Checker, TABLE_COUNT, TABLES } from './checker.ts';
import { DICTIONARY, REQUEST } from './fields.ts';
import { MAX_ROWS } from './limits.ts';
import { messageOf } from './schema.ts';
import { type Span, spanOf } from './skeleton.ts';

const MESSAGE = messageOf('ProfilesDictionary');

/** The dictionary of a request, which may stand before or behind what refers to it. @throws DecodeError duplicate_field, bad_protobuf */
export function dictionaryIn(bytes: Uint8Array): Span | undefined {
  let dictionary: Span | undefined;
  const reader = new Reader(bytes);
  for (let from = 0; reader.next(); from = reader.at) {
    if (reader.field !== REQUEST.dictionary) {
      reader.skip();
      continue;
    }
    if (dictionary) throw new DecodeError('duplicate_field', 'the request has more than one dictionary');
    dictionary = spanOf(reader, from);
  }
  return dictionary;
}

/** How many rows each table has, by its number. @throws DecodeError bad_protobuf, too_many_elements */
export function countRows(bytes: Uint8Array, { start, end }: Span): Int32Array {
  const cursor = new Cursor(bytes);
  const rows = new Int32Array(TABLE_COUNT);
  for (let at = start; at < end; ) {
    const from = at;
    at = cursor.readNumber(from, end);
    const number = cursor.small >>> 3;
    const table = TABLES[number];
    // A table with another wire type is refused when its row is checked.
    if (!table || (cursor.small & 7) !== BYTES) {
      at = cursor.skip(from, end, 0);
      continue;
    }
    if (++rows[number]! > MAX_ROWS)
      throw new DecodeError('too_many_elements', `the ${table.name} has more than ${MAX_ROWS} rows`);
    at = cursor.readLength(at, end);
  }
  return rows;
}

/** Bytes of each string, by row. @param count how many there are @throws DecodeError bad_protobuf */
export function stringLengths(bytes: Uint8Array, { start, end }: Span, count: number): Int32Array {
  const lengths = new Int32Array(count);
  const reader = new Reader(bytes, start, end);
  for (let row = 0; reader.next(); ) {
    if (reader.field !== DICTIONARY.stringTable) {
      reader.skip();
      continue;
    }
    const string = spanOf(reader, reader.at);
    lengths[row++] = string.end - string.start;
  }
  return lengths;
}

/**
 * Checks every row of every table. Row 0 of the string table has to be empty, since that is how "no string" is told; a row 0 of
 * another table that is not the zero value is left to its reader.
 * @param checker knows the number of rows
 * @throws DecodeError with the table and the row in its sentence
 */
export function checkDictionary(checker: Checker, { start, end }: Span): void {
  const { cursor } = checker;
  const seen = new Int32Array(TABLE_COUNT);
  let number = 0;
  try {
    for (let at = start; at < end; ) {
      const from = at;
      cursor.readNumber(from, end);
      number = cursor.small >>> 3;
      at = checker.field(MESSAGE, from, end);
      // An empty string is its tag and its length, 0.
      if (number === DICTIONARY.stringTable && seen[number] === 0 && !isEmpty(cursor, from, end))
        throw new DecodeError('string_table', 'the first string is not empty');
      if (number < TABLE_COUNT) seen[number]!++;
    }
  } catch (error) {
    const table = TABLES[number];
    if (!(error instanceof DecodeError) || !table) throw error;
    throw new DecodeError(error.reason, `${error.message}; ${table.name} row ${seen[number]}`);
  }
}

/** Whether the field at `from`, which is checked, has the length 0. */
function isEmpty(cursor: Cursor, from: number, end: number): boolean {
  cursor.readLength(cursor.readNumber(from, end), end);
  return cursor.lo === 0;
}

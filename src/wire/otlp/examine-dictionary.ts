import { DecodeError } from '../decode-error.ts';
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
  const rows = new Int32Array(TABLE_COUNT);
  const reader = new Reader(bytes, start, end);
  while (reader.next()) {
    const { field } = reader;
    const table = TABLES[field];
    if (table) {
      reader.expect(BYTES);
      if (++rows[field]! > MAX_ROWS)
        throw new DecodeError('too_many_elements', `the ${table.name} has more than ${MAX_ROWS} rows`);
    }
    reader.skip();
  }
  return rows;
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
  for (let at = start; at < end; ) {
    const from = at;
    cursor.readNumber(from, end);
    const number = cursor.small >>> 3;
    try {
      at = checker.field(MESSAGE, from, end);
      // The last number read is the length of the string.
      if (number === DICTIONARY.stringTable && seen[number] === 0 && cursor.lo !== 0)
        throw new DecodeError('string_table', 'the first string is not empty');
    } catch (error) {
      const table = TABLES[number];
      if (!(error instanceof DecodeError) || !table) throw error;
      throw new DecodeError(error.reason, `${error.message}; ${table.name} row ${seen[number]}`);
    }
    if (number < TABLE_COUNT) seen[number]!++;
  }
}

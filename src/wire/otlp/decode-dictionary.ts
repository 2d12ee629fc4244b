import { growingWithin, OutOfRoom, Rows, takeRoom } from '../../model/columns/growth.ts';
import { DecodeError } from '../decode-error.ts';
import { Cursor } from '../pprof/cursor.ts';
import { MAX_DECODED_BYTES, MAX_ELEMENTS } from '../pprof/limits.ts';
import { DICTIONARY, REQUEST } from './fields.ts';

/** A table of the dictionary: where its messages lie, and which row of what is filled at the moment each of them became. */
export class SourceTable {
  readonly starts = new Rows();
  readonly ends = new Rows();
  #rows: Uint32Array | undefined;
  #rounds: Uint32Array | undefined;
  #round = 0;

  get count(): number {
    return this.starts.length;
  }

  /** Forgets what rows became. Costs nothing, so that the parts of a request need not look at the whole dictionary. */
  forget(): void {
    this.#round++;
  }

  /** What a row became, or 0. Row 0, which stands for none, is there even where the table is empty. */
  known(row: number): number {
    return this.#rounds && this.#rounds[row] === this.#round ? this.#rows![row]! : 0;
  }

  set(row: number, became: number): void {
    if (!this.#rounds) {
      const length = Math.max(1, this.count);
      takeRoom(8 * length);
      this.#rows = new Uint32Array(length);
      this.#rounds = new Uint32Array(length);
      this.#round ||= 1;
    }
    this.#rows![row] = became;
    this.#rounds[row] = this.#round;
  }
}

/** The dictionary of a request: where its rows lie. Found once for all parts. */
export class SourceDictionary {
  readonly bytes: Uint8Array;
  readonly cursor: Cursor;
  readonly mappings = new SourceTable();
  readonly locations = new SourceTable();
  readonly functions = new SourceTable();
  readonly links = new SourceTable();
  readonly strings = new SourceTable();
  readonly attributes = new SourceTable();
  readonly stacks = new SourceTable();
  /** Where the ResourceProfiles lie. */
  readonly parts = new SourceTable();
  /** Fields of the request that the schema does not have, tags included. */
  readonly others: { readonly start: number; readonly end: number }[] = [];

  /** @throws DecodeError bad_protobuf, too_many_elements, duplicate_field, string_table */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.cursor = new Cursor(bytes);
    const { cursor } = this;
    let dictionary = -1;
    for (let at = 0; at < bytes.length; ) {
      const from = at;
      at = cursor.readNumber(at, bytes.length);
      const tag = cursor.small;
      if (tag !== REQUEST.resourceProfiles * 8 + 2 && tag !== REQUEST.dictionary * 8 + 2) {
        at = cursor.skip(from, bytes.length, 2);
        this.others.push({ start: from, end: at });
        continue;
      }
      at = cursor.readLength(at, bytes.length);
      if (tag === REQUEST.resourceProfiles * 8 + 2) add(this.parts, at - cursor.lo, at);
      else {
        if (dictionary >= 0) throw new DecodeError('duplicate_field', 'the request has more than one dictionary');
        dictionary = at;
        this.#find(at - cursor.lo, at);
      }
    }
    if (this.strings.count > 0 && this.strings.starts.items[0] !== this.strings.ends.items[0])
      throw new DecodeError('string_table', 'the first string is not empty');
  }

  #find(start: number, end: number): void {
    const { cursor } = this;
    const tables: (SourceTable | undefined)[] = [];
    tables[DICTIONARY.mappingTable] = this.mappings;
    tables[DICTIONARY.locationTable] = this.locations;
    tables[DICTIONARY.functionTable] = this.functions;
    tables[DICTIONARY.linkTable] = this.links;
    tables[DICTIONARY.stringTable] = this.strings;
    tables[DICTIONARY.attributeTable] = this.attributes;
    tables[DICTIONARY.stackTable] = this.stacks;
    for (let at = start; at < end; ) {
      const from = at;
      at = cursor.readNumber(at, end);
      const tag = cursor.small;
      const table = (tag & 7) === 2 ? tables[tag >>> 3] : undefined;
      if (!table) at = cursor.skip(from, end, 7);
      else {
        at = cursor.readLength(at, end);
        add(table, at - cursor.lo, at);
      }
    }
  }

  /** For the next part: nothing of what rows became holds. */
  forget(): void {
    for (const table of [this.mappings, this.locations, this.functions, this.links, this.strings]) table.forget();
    this.attributes.forget();
    this.stacks.forget();
  }

  /** The text of a string row. @throws DecodeError bad_reference, bad_string */
  readonly stringAt = (row: number): string => {
    if (row === 0) return '';
    checkRow(row, this.strings, 'a string');
    return this.text(this.strings.starts.items[row]!, this.strings.ends.items[row]!);
  };

  /** @throws DecodeError bad_string */
  text(start: number, end: number): string {
    const text = Buffer.from(this.bytes.buffer, this.bytes.byteOffset + start, end - start);
    const string = text.toString();
    if (string.includes('\ufffd') && Buffer.compare(Buffer.from(string), text) !== 0)
      throw new DecodeError('bad_string', 'a string is not valid UTF-8');
    return string;
  }
}

/** @throws DecodeError bad_reference; row 0 is there always */
export function checkRow(row: number, table: SourceTable, what: string): void {
  if (row !== 0 && row >= table.count)
    throw new DecodeError('bad_reference', `${what} is named that is not in the dictionary`);
}

function add(table: SourceTable, start: number, end: number): void {
  if (table.count === MAX_ELEMENTS)
    throw new DecodeError('too_many_elements', `more than ${MAX_ELEMENTS} rows in a table`);
  table.starts.push(start);
  table.ends.push(end);
}

const memo = new WeakMap<Uint8Array, SourceDictionary>();

/** The dictionary of these bytes, found once. @throws DecodeError as `SourceDictionary` */
export function sourceDictionary(request: Uint8Array): SourceDictionary {
  let dictionary = memo.get(request);
  if (!dictionary) {
    try {
      dictionary = growingWithin(MAX_DECODED_BYTES, () => new SourceDictionary(request));
    } catch (error) {
      if (!(error instanceof OutOfRoom)) throw error;
      throw new DecodeError('too_many_elements', 'the tables of the dictionary are too long');
    }
    memo.set(request, dictionary);
  }
  return dictionary;
}

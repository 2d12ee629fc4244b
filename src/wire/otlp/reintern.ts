import { grownBytes } from '../../model/columns/growth.ts';
import { DecodeError } from '../decode-error.ts';
import { MAX_DEPTH } from './any-value.ts';
import { checkRow, type SourceDictionary, type SourceTable } from './decode-dictionary.ts';
import type { Dictionary } from './encode-dictionary.ts';
import type { Table } from './encode-table.ts';
import {
  ANY_VALUE,
  KEY_VALUE,
  LIST,
  PROFILE,
  RESOURCE,
  RESOURCE_PROFILES,
  SAMPLE,
  SCOPE,
  SCOPE_PROFILES,
} from './fields.ts';

// What lies in each message of OTLP profiles 1.10, as far as it leads to the dictionary. Every other field is copied as it came.

type TableName = 'mappings' | 'locations' | 'functions' | 'links' | 'strings' | 'attributes' | 'stacks';
/** A field that names a row, one that lists rows, or one that is a message. */
type Action =
  | { readonly row: TableName; readonly isPresent?: true }
  | { readonly rows: TableName }
  | { readonly message: Kind };
type Kind = readonly (Action | undefined)[];

const row = (table: TableName): Action => ({ row: table });
const rows = (table: TableName): Action => ({ rows: table });
const message = (kind: Kind): Action => ({ message: kind });
/** By field number. */
const kind = (fields: Readonly<Record<number, Action>>): Kind => Object.assign([], fields);

// AnyValue and KeyValue lie in each other.
const ANY_VALUE_FIELDS: (Action | undefined)[] = [];
const KEY_VALUE_FIELDS = kind({
  [KEY_VALUE.value]: message(ANY_VALUE_FIELDS),
  [KEY_VALUE.keyStrindex]: row('strings'),
});
ANY_VALUE_FIELDS[ANY_VALUE.array] = message(kind({ [LIST.values]: message(ANY_VALUE_FIELDS) }));
ANY_VALUE_FIELDS[ANY_VALUE.kvlist] = message(kind({ [LIST.values]: message(KEY_VALUE_FIELDS) }));
// Of a oneof, so that row 0 is a value too.
ANY_VALUE_FIELDS[ANY_VALUE.stringStrindex] = { row: 'strings', isPresent: true };

const VALUE_TYPE = kind({ 1: row('strings'), 2: row('strings') });
const PROFILE_FIELDS = kind({
  [PROFILE.sampleType]: message(VALUE_TYPE),
  [PROFILE.samples]: message(
    kind({
      [SAMPLE.stackIndex]: row('stacks'),
      [SAMPLE.attributeIndices]: rows('attributes'),
      [SAMPLE.linkIndex]: row('links'),
    }),
  ),
  [PROFILE.periodType]: message(VALUE_TYPE),
  [PROFILE.attributeIndices]: rows('attributes'),
});
const PART_FIELDS = kind({
  [RESOURCE_PROFILES.resource]: message(kind({ [RESOURCE.attributes]: message(KEY_VALUE_FIELDS) })),
  [RESOURCE_PROFILES.scopeProfiles]: message(
    kind({
      [SCOPE_PROFILES.scope]: message(kind({ [SCOPE.attributes]: message(KEY_VALUE_FIELDS) })),
      [SCOPE_PROFILES.profiles]: message(PROFILE_FIELDS),
    }),
  ),
});
const TABLES: Record<TableName, Kind> = {
  mappings: kind({ 4: row('strings'), 5: rows('attributes') }),
  locations: kind({ 1: row('mappings'), 3: message(kind({ 1: row('functions') })), 4: rows('attributes') }),
  functions: kind({ 1: row('strings'), 2: row('strings'), 3: row('strings') }),
  links: [],
  strings: [],
  attributes: kind({ 1: row('strings'), 2: message(ANY_VALUE_FIELDS), 3: row('strings') }),
  stacks: kind({ 1: rows('locations') }),
};

/** Bytes that are written from the beginning to the end; what is behind a mark can be taken back. */
export class Output {
  bytes = new Uint8Array(4096) as Uint8Array;
  length = 0;

  copy(source: Uint8Array, from: number, to: number): void {
    const size = to - from;
    this.bytes = grownBytes(this.bytes, this.length + size);
    const { bytes, length } = this;
    if (size > 64) bytes.set(source.subarray(from, to), length);
    else for (let at = 0; at < size; at++) bytes[length + at] = source[from + at]!;
    this.length = length + size;
  }

  /** A varint below 2^32. */
  number(value: number): void {
    this.bytes = grownBytes(this.bytes, this.length + 5);
    let rest = value;
    for (; rest >= 0x80; rest >>>= 7) this.bytes[this.length++] = rest | 0x80;
    this.bytes[this.length++] = rest;
  }

  /** Begins a message: one byte is kept for its length. */
  open(tag: number): number {
    this.number(tag);
    this.number(0);
    return this.length;
  }

  /** Ends the message that begins at `start`. */
  close(start: number): void {
    const size = this.length - start;
    if (size >= 0x80) {
      let more = 1;
      for (let rest = size >>> 14; rest > 0; rest >>>= 7) more++;
      this.bytes = grownBytes(this.bytes, this.length + more);
      this.bytes.copyWithin(start + more, start, this.length);
      this.length += more;
    }
    let at = start - 1;
    let rest = size;
    for (; rest >= 0x80; rest >>>= 7) this.bytes[at++] = rest | 0x80;
    this.bytes[at] = rest;
  }
}

/**
 * Writes messages of one request into another: rows that they name are taken into the other dictionary, each once, and named by their new
 * numbers; all other fields, unknown ones included, keep their bytes. References of attributes stay references.
 */
export class Reinterner {
  readonly #source: SourceDictionary;
  readonly #dictionary: Dictionary;
  readonly #output: Output;
  /** Row + 1 in the new dictionary, by row in the source. Made when first needed. */
  readonly #became: Partial<Record<TableName, Uint32Array>> = {};

  constructor(source: SourceDictionary, dictionary: Dictionary, output: Output) {
    this.#source = source;
    this.#dictionary = dictionary;
    this.#output = output;
  }

  /** A whole resource_profiles field. @throws DecodeError bad_protobuf, bad_reference, too_deep */
  part(index: number): void {
    const { starts, ends } = this.#source.parts;
    const start = this.#output.open(0x0a);
    this.#message(starts.items[index]!, ends.items[index]!, PART_FIELDS, 0);
    this.#output.close(start);
  }

  #message(start: number, end: number, fields: Kind, depth: number): void {
    if (depth > 2 * MAX_DEPTH + 8)
      throw new DecodeError('too_deep', `attribute values lie more than ${MAX_DEPTH} deep inside each other`);
    const { cursor, bytes } = this.#source;
    const output = this.#output;
    for (let at = start; at < end; ) {
      const from = at;
      at = cursor.readNumber(at, end);
      const tag = cursor.small;
      const action = fields[tag >>> 3];
      if (!action) {
        at = cursor.skip(from, end, 0);
        output.copy(bytes, from, at);
      } else if ('message' in action) {
        if ((tag & 7) !== 2) cursor.skip(from, end, tag >>> 3);
        at = cursor.readLength(at, end);
        const begin = output.open(tag);
        this.#message(at - cursor.lo, at, action.message, depth + 1);
        output.close(begin);
      } else if ((tag & 7) === 0) {
        at = cursor.readNumber(at, end);
        const isList = 'rows' in action;
        const became = this.#row(isList ? action.rows : action.row, cursor.small);
        if (became === 0 && !isList && !action.isPresent) continue;
        output.number(tag);
        output.number(became);
      } else {
        if ((tag & 7) !== 2 || !('rows' in action)) cursor.skip(from, end, tag >>> 3);
        const stop = cursor.readLength(at, end);
        const begin = output.open(tag);
        for (at = stop - cursor.lo; at < stop; ) {
          at = cursor.readNumber(at, stop);
          output.number(this.#row((action as { rows: TableName }).rows, cursor.small));
        }
        output.close(begin);
      }
    }
  }

  #row(name: TableName, index: number): number {
    if (index === 0) return 0;
    const source: SourceTable = this.#source[name];
    let became = this.#became[name];
    if (!became) {
      became = new Uint32Array(Math.max(1, source.count));
      this.#became[name] = became;
    }
    const known = became[index];
    if (known) return known - 1;
    checkRow(index, source, 'a row');
    const table: Table = this.#dictionary[name];
    const start = source.starts.items[index]!;
    const end = source.ends.items[index]!;
    let interned: number;
    if (TABLES[name].length === 0) interned = table.intern(this.#source.bytes, start, end);
    else {
      // Behind what is being written, and taken back.
      const output = this.#output;
      const mark = output.length;
      this.#message(start, end, TABLES[name], 0);
      interned = table.intern(output.bytes, mark, output.length);
      output.length = mark;
    }
    became[index] = interned + 1;
    return interned;
  }
}

import { grownBytes } from '../../model/columns/growth.ts';
import { BYTES, VARINT } from '../protobuf.ts';
import { MAX_DEPTH, tooDeep } from './any-value.ts';
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

/** Messages inside each other: two for each attribute value, and what is around them. */
const MAX_MESSAGES = 2 * MAX_DEPTH + 8;

// What lies in each message of OTLP profiles 1.10, as far as it leads to the dictionary. Every other field is copied as it came.

const NAMES = ['mappings', 'locations', 'functions', 'links', 'strings', 'attributes', 'stacks'] as const;
type TableName = (typeof NAMES)[number];

/** A field that is a message. */
const MESSAGE = 0;
/** A field that names a row; row 0 says nothing and is left out. */
const ROW = 1;
/** A field of a oneof that names a row: row 0 is a value too. */
const ONE_OF = 2;
/** A field that lists rows. */
const ROWS = 3;
interface Action {
  readonly kind: number;
  /** Index of the table that rows are of. */
  readonly table: number;
  readonly fields: Kind;
}
type Kind = readonly (Action | undefined)[];

const action = (kind: number, table: TableName): Action => ({ kind, table: NAMES.indexOf(table), fields: [] });
const row = (table: TableName): Action => action(ROW, table);
const rows = (table: TableName): Action => action(ROWS, table);
const message = (fields: Kind): Action => ({ kind: MESSAGE, table: -1, fields });
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
ANY_VALUE_FIELDS[ANY_VALUE.stringStrindex] = action(ONE_OF, 'strings');

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
/** What lies in the rows of each table, in the order of `NAMES`. */
const TABLES: readonly Kind[] = [
  kind({ 4: row('strings'), 5: rows('attributes') }),
  kind({ 1: row('mappings'), 3: message(kind({ 1: row('functions') })), 4: rows('attributes') }),
  kind({ 1: row('strings'), 2: row('strings'), 3: row('strings') }),
  [],
  [],
  kind({ 1: row('strings'), 2: message(ANY_VALUE_FIELDS), 3: row('strings') }),
  kind({ 1: rows('locations') }),
];

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
  readonly #output: Output;
  // By index of the table.
  readonly #from: readonly SourceTable[];
  readonly #to: readonly Table[];
  /** Row + 1 in the new dictionary, by row in the source. */
  readonly #became: readonly Uint32Array[];

  constructor(source: SourceDictionary, dictionary: Dictionary, output: Output) {
    this.#source = source;
    this.#output = output;
    this.#from = NAMES.map(name => source[name]);
    this.#to = NAMES.map(name => dictionary[name]);
    this.#became = this.#from.map(({ count }) => new Uint32Array(Math.max(1, count)));
  }

  /** A whole resource_profiles field. @throws DecodeError bad_protobuf, bad_reference, too_deep */
  part(index: number): void {
    const { starts, ends } = this.#source.parts;
    const start = this.#output.open(0x0a);
    this.#message(starts.items[index]!, ends.items[index]!, PART_FIELDS, 0);
    this.#output.close(start);
  }

  #message(start: number, end: number, fields: Kind, depth: number): void {
    if (depth > MAX_MESSAGES) throw tooDeep();
    const { cursor, bytes } = this.#source;
    const output = this.#output;
    /** What is not copied yet begins here: fields that stay go in one run. */
    let rest = start;
    for (let at = start; at < end; ) {
      const from = at;
      at = cursor.readNumber(at, end);
      const tag = cursor.small;
      const found = fields[tag >>> 3];
      if (!found) {
        at = cursor.skip(from, end, 0);
        continue;
      }
      if (rest < from) output.copy(bytes, rest, from);
      const { kind: how } = found;
      if ((tag & 7) === VARINT && how !== MESSAGE) {
        at = cursor.readNumber(at, end);
        const became = this.#row(found.table, cursor.small);
        if (became !== 0 || how !== ROW) {
          output.number(tag);
          output.number(became);
        }
      } else if ((tag & 7) === BYTES && (how === MESSAGE || how === ROWS)) {
        at = cursor.readLength(at, end);
        const begin = output.open(tag);
        if (how === MESSAGE) this.#message(at - cursor.lo, at, found.fields, depth + 1);
        else this.#rows(found.table, at - cursor.lo, at);
        output.close(begin);
      } else cursor.skip(from, end, tag >>> 3);
      rest = at;
    }
    if (rest < end) output.copy(bytes, rest, end);
  }

  #rows(table: number, start: number, end: number): void {
    const { cursor } = this.#source;
    const became = this.#became[table]!;
    for (let at = start; at < end; ) {
      at = cursor.readNumber(at, end);
      const index = cursor.small;
      const known = index < became.length ? became[index]! : 0;
      this.#output.number(known !== 0 ? known - 1 : this.#row(table, index));
    }
  }

  #row(table: number, index: number): number {
    if (index === 0) return 0;
    const source = this.#from[table]!;
    checkRow(index, source, 'a row');
    const became = this.#became[table]!;
    const known = became[index]!;
    if (known !== 0) return known - 1;
    const start = source.starts.items[index]!;
    const end = source.ends.items[index]!;
    const fields = TABLES[table]!;
    let interned: number;
    if (fields.length === 0) interned = this.#to[table]!.intern(this.#source.bytes, start, end);
    else {
      // Behind what is being written, and taken back.
      const output = this.#output;
      const mark = output.length;
      this.#message(start, end, fields, 0);
      interned = this.#to[table]!.intern(output.bytes, mark, output.length);
      output.length = mark;
    }
    became[index] = interned + 1;
    return interned;
  }
}

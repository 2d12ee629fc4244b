import { isUtf8 } from 'node:buffer';
import { DecodeError } from '../decode-error.ts';
import { AsciiCheck } from '../pprof/ascii.ts';
import { Cursor, short, shortBytes } from '../pprof/cursor.ts';
import { BYTES, FIXED32, FIXED64, fieldTooLong, VARINT } from '../protobuf.ts';
import { MAX_DEPTH, tooDeep } from './any-value.ts';
import { DICTIONARY } from './fields.ts';
import { ResolvedBytes } from './resolved-bytes.ts';
import { type Field, isReference, type Message, messageOf, TYPE } from './schema.ts';

const ANY_VALUE = messageOf('AnyValue');
/** Of the dictionary, by number. */
export const TABLES = messageOf('ProfilesDictionary').byNumber;

/** By type: the wire type of a field that is not packed. */
const WIRE_TYPES = new Uint8Array(12);
for (const type of [TYPE.string, TYPE.bytes, TYPE.id, TYPE.message]) WIRE_TYPES[type] = BYTES;
for (const type of [TYPE.bool, TYPE.int32, TYPE.uint32, TYPE.int64, TYPE.uint64]) WIRE_TYPES[type] = VARINT;
for (const type of [TYPE.fixed64, TYPE.double]) WIRE_TYPES[type] = FIXED64;
WIRE_TYPES[TYPE.fixed32] = FIXED32;

/**
 * Checks messages by their schema, down to the leaves: wire types, lengths, UTF-8, lengths of ids, rows that exist, and how deep
 * attribute values lie; adds up what references stand for. Makes no object, whatever comes, but one list of lengths. Positions are offsets into the request, and what a call returns is where
 * the thing that it checked ends.
 */
export class Checker {
  readonly cursor: Cursor;
  /** Rows of each table by its number in the dictionary. -1: any row will do. */
  readonly rows: Int32Array;
  /** Whether some attribute names a string of the dictionary instead of holding it. */
  references = false;
  readonly #ascii: AsciiCheck;
  readonly #resolved: ResolvedBytes;

  /** @param stringLengths bytes of each row of the string table; called when the first reference is met */
  constructor(bytes: Uint8Array, rows: Int32Array, stringLengths: () => Int32Array = () => new Int32Array(0)) {
    this.cursor = new Cursor(bytes);
    this.rows = rows;
    let lengths: Int32Array | undefined;
    this.#resolved = new ResolvedBytes(row => {
      lengths ??= stringLengths();
      return lengths[row] ?? 0;
    });
    this.#ascii = new AsciiCheck(bytes);
  }

  message(message: Message, start: number, end: number, depth = 0): void {
    for (let at = start; at < end; ) at = this.field(message, at, end, depth);
  }

  /**
   * The field whose tag stands at `from`. What producers write, a tag of one byte and a short number or length, is read in place.
   * @param depth how many attribute values lie around it
   */
  field(message: Message, from: number, end: number, depth = 0): number {
    const { cursor } = this;
    const { bytes } = cursor;
    const field = from < cursor.roomyEnd ? message.byTag[bytes[from]!] : undefined;
    if (field === undefined) return this.#slowField(message, from, end, depth);
    const value = short(bytes, from + 1);
    if (value < 0) return this.#slowField(message, from, end, depth);
    const next = from + 1 + shortBytes(value);
    if ((bytes[from]! & 7) === VARINT) {
      const isRow = field.table === 0 || value === 0 || value < this.rows[field.table]!;
      return isRow && next <= end ? next : this.#slowField(message, from, end, depth);
    }
    const stop = next + value;
    if (stop > end) throw fieldTooLong();
    if (field.table !== 0) this.rowList(field, next, stop);
    else this.#content(field, next, stop, depth);
    return stop;
  }

  #slowField(message: Message, from: number, end: number, depth: number): number {
    const { cursor } = this;
    const at = cursor.readNumber(from, end);
    const tag = cursor.small;
    const field = message.byNumber[tag >>> 3];
    if (!field) return cursor.skip(from, end, 0);
    const wanted = WIRE_TYPES[field.type]!;
    if ((tag & 7) === wanted) {
      const next = this.#value(field, at, end, depth);
      if (isReference(message.name, field)) {
        this.references = true;
        this.#resolved.add(cursor.small);
      }
      return next;
    }
    if ((tag & 7) !== BYTES || !field.repeated)
      throw new DecodeError('bad_protobuf', `${message.name}.${field.name} has wire type ${tag & 7}, not ${wanted}`);
    const stop = cursor.readLength(at, end);
    const start = stop - cursor.lo;
    if (field.table !== 0) this.rowList(field, start, stop);
    else for (let one = start; one < stop; ) one = this.#value(field, one, stop, depth);
    return stop;
  }

  #value(field: Field, at: number, end: number, depth: number): number {
    const { cursor } = this;
    const wire = WIRE_TYPES[field.type];
    if (wire === VARINT) {
      const next = cursor.readNumber(at, end);
      if (field.table !== 0) this.row(field, cursor.small);
      return next;
    }
    if (wire !== BYTES) {
      const next = at + (wire === FIXED64 ? 8 : 4);
      if (next > end) throw fieldTooLong();
      return next;
    }
    const stop = cursor.readLength(at, end);
    this.#content(field, stop - cursor.lo, stop, depth);
    return stop;
  }

  /** What has its length in front. */
  #content(field: Field, start: number, end: number, depth: number): void {
    if (field.type === TYPE.message) {
      if (field.message === ANY_VALUE && depth >= MAX_DEPTH) throw tooDeep();
      this.message(field.message!, start, end, depth + Number(field.message === ANY_VALUE));
    } else if (field.type === TYPE.string) {
      if (!this.#ascii.holds(start, end) && !isUtf8(this.cursor.bytes.subarray(start, end)))
        throw new DecodeError('bad_string', `${field.name} is not valid UTF-8`);
    } else if (field.type === TYPE.id && end !== start && end - start !== field.size)
      throw new DecodeError('id_length', `${field.name} has ${end - start} bytes, not ${field.size}`);
  }

  /** A packed list of rows: most of the bytes of a stack. */
  rowList(field: Field, start: number, end: number): void {
    const { cursor } = this;
    const { bytes } = cursor;
    const rows = this.rows[field.table]!;
    const roomy = Math.min(end, cursor.roomyEnd);
    let at = start;
    while (at < roomy) {
      const row = short(bytes, at);
      const next = at + shortBytes(row);
      if (row <= 0 || row >= rows || next > end) {
        at = cursor.readNumber(at, end);
        this.row(field, cursor.small);
      } else at = next;
    }
    while (at < end) {
      at = cursor.readNumber(at, end);
      this.row(field, cursor.small);
    }
  }

  /** Row 0 stands for nothing, and so is in every table, one without rows too. */
  row(field: Field, row: number): void {
    const rows = this.rows[field.table]!;
    if (row === 0 || row < rows || rows < 0) return;
    const { name } = TABLES[field.table]!;
    throw new DecodeError('bad_reference', `${field.name} names a row that is not in the ${name}, which has ${rows}`);
  }
}

/** As many entries as the dictionary has fields, from number 1. */
export const TABLE_COUNT = Math.max(...Object.values(DICTIONARY)) + 1;

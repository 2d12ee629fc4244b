import type { Plain } from '../../model/attributes.ts';
import { DecodeError } from '../decode-error.ts';
import { BYTES, FIXED64, fieldHead, int64, Reader, VARINT, varintBytes } from '../protobuf.ts';
import { ANY_VALUE, KEY_VALUE, LIST } from './fields.ts';

/** AnyValues inside each other. Real attributes have up to 3; without a bound a small body would exhaust the stack. */
export const MAX_DEPTH = 64;

/** The string in a row of the dictionary. @throws DecodeError bad_reference where there is no such row */
export type StringAt = (row: number) => string;
/** The row of a string in the dictionary; it is added where it is missing. */
export type RowOf = (text: string) => number;

export const tooDeep = () =>
  new DecodeError('too_deep', `attribute values lie more than ${MAX_DEPTH} deep inside each other`);

/** The row that a varint names: what is negative or above 2^31 is above every table. */
export function rowIn(reader: Reader): number {
  reader.expect(VARINT);
  reader.varint();
  return reader.hi === 0 ? reader.lo : Number.MAX_SAFE_INTEGER;
}

/**
 * Reads a KeyValue (common.proto), with references resolved by `stringAt`.
 * @param reader narrowed to the message; stands at its end afterwards
 * @throws DecodeError bad_protobuf, bad_string, bad_reference, too_deep
 */
export function readKeyValue(reader: Reader, stringAt: StringAt, depth = 0): [key: string, value: Plain] {
  let key = '';
  const values: Uint8Array[] = [];
  while (reader.next()) {
    if (reader.field === KEY_VALUE.key) {
      reader.expect(BYTES);
      key = reader.string();
    } else if (reader.field === KEY_VALUE.value) {
      reader.expect(BYTES);
      values.push(reader.view());
    } else if (reader.field === KEY_VALUE.keyStrindex) {
      const row = rowIn(reader);
      if (row !== 0) key = stringAt(row);
    } else reader.skip();
  }
  // A message field that comes twice is merged, which is what reading both one behind the other does.
  const value = values.length > 1 ? Buffer.concat(values) : values[0];
  return [key, value ? readAnyValue(new Reader(value), stringAt, depth) : null];
}

/** The key of a KeyValue alone, as `readKeyValue` has it. @throws DecodeError bad_protobuf, bad_string, bad_reference */
export function readKey(reader: Reader, stringAt: StringAt): string {
  let key = '';
  while (reader.next()) {
    if (reader.field === KEY_VALUE.key) {
      reader.expect(BYTES);
      key = reader.string();
    } else if (reader.field === KEY_VALUE.keyStrindex) {
      const row = rowIn(reader);
      if (row !== 0) key = stringAt(row);
    } else reader.skip();
  }
  return key;
}

/**
 * Reads an AnyValue: int64 as bigint, double as number, kvlist as object (of a repeated key the last counts), no value as null.
 * @param reader narrowed to the message
 * @throws DecodeError as `readKeyValue`
 */
export function readAnyValue(reader: Reader, stringAt: StringAt, depth = 0): Plain {
  if (depth >= MAX_DEPTH) throw tooDeep();
  let value: Plain = null;
  /** Elements of the list that was read last: one of the same kind right behind is merged. */
  let list: { field: number; items: Plain[]; pairs: [string, Plain][] } | undefined;
  while (reader.next()) {
    const { field } = reader;
    if (field === ANY_VALUE.array || field === ANY_VALUE.kvlist) {
      if (list?.field !== field) list = { field, items: [], pairs: [] };
      const outer = reader.enter();
      readList(reader, list, stringAt, depth + 1);
      reader.leave(outer);
      value = field === ANY_VALUE.array ? list.items : Object.fromEntries(list.pairs);
    } else if (field >= ANY_VALUE.string && field <= ANY_VALUE.stringStrindex) {
      list = undefined;
      value = readScalar(reader, stringAt);
    } else reader.skip();
  }
  return value;
}

function readList(
  reader: Reader,
  list: { field: number; items: Plain[]; pairs: [string, Plain][] },
  stringAt: StringAt,
  depth: number,
): void {
  while (reader.next()) {
    if (reader.field !== LIST.values) {
      reader.skip();
      continue;
    }
    const outer = reader.enter();
    if (list.field === ANY_VALUE.array) list.items.push(readAnyValue(reader, stringAt, depth));
    else list.pairs.push(readKeyValue(reader, stringAt, depth));
    reader.leave(outer);
  }
}

function readScalar(reader: Reader, stringAt: StringAt): Plain {
  switch (reader.field) {
    case ANY_VALUE.string:
      reader.expect(BYTES);
      return reader.string();
    case ANY_VALUE.bytes:
      reader.expect(BYTES);
      return new Uint8Array(reader.view());
    case ANY_VALUE.double: {
      reader.expect(FIXED64);
      const from = reader.at;
      reader.skip();
      return new DataView(reader.bytes.buffer, reader.bytes.byteOffset + from, 8).getFloat64(0, true);
    }
    case ANY_VALUE.stringStrindex:
      return stringAt(rowIn(reader));
    default: {
      const isBool = reader.field === ANY_VALUE.bool;
      reader.expect(VARINT);
      reader.varint();
      return isBool ? reader.lo !== 0 || reader.hi !== 0 : int64(reader.lo, reader.hi);
    }
  }
}

/**
 * A KeyValue message. Strings are written as they are, or as references where `rowOf` is given.
 * @throws DecodeError too_deep
 */
export function writeKeyValue(key: string, value: Plain, rowOf?: RowOf, depth = 0): Uint8Array {
  return Buffer.concat([
    rowOf && key !== '' ? numberField(KEY_VALUE.keyStrindex, rowOf(key)) : bytesField(KEY_VALUE.key, Buffer.from(key)),
    bytesField(KEY_VALUE.value, writeAnyValue(value, rowOf, depth)),
  ]);
}

/** An AnyValue message. A bigint is an int64, a number a double. @throws DecodeError too_deep */
export function writeAnyValue(value: Plain, rowOf?: RowOf, depth = 0): Uint8Array {
  if (depth >= MAX_DEPTH) throw tooDeep();
  if (value === null) return new Uint8Array(0);
  switch (typeof value) {
    case 'string':
      return rowOf
        ? numberField(ANY_VALUE.stringStrindex, rowOf(value))
        : bytesField(ANY_VALUE.string, Buffer.from(value));
    case 'boolean':
      return numberField(ANY_VALUE.bool, Number(value));
    case 'bigint':
      return longField(ANY_VALUE.int, value);
    case 'number': {
      const field = Buffer.alloc(9);
      field[0] = ANY_VALUE.double * 8 + FIXED64;
      field.writeDoubleLE(value, 1);
      return field;
    }
  }
  if (value instanceof Uint8Array) return bytesField(ANY_VALUE.bytes, value);
  const isArray = Array.isArray(value);
  const items = isArray
    ? (value as readonly Plain[]).map(one => writeAnyValue(one, rowOf, depth + 1))
    : Object.entries(value).map(([key, one]) => writeKeyValue(key, one, rowOf, depth + 1));
  const content = Buffer.concat(items.map(one => bytesField(LIST.values, one)));
  return bytesField(isArray ? ANY_VALUE.array : ANY_VALUE.kvlist, content);
}

/** A whole length-delimited field. */
export function bytesField(field: number, content: Uint8Array): Uint8Array {
  return Buffer.concat([fieldHead(field, content.length), content]);
}

/** A whole varint field of a number below 2^53. */
export function numberField(field: number, value: number): Uint8Array {
  return Uint8Array.from([...varintBytes(field * 8 + VARINT), ...varintBytes(value)]);
}

/** A whole varint field of a signed 64-bit number. */
export function longField(field: number, value: bigint): Uint8Array {
  return Uint8Array.from([...varintBytes(field * 8 + VARINT), ...longBytes(value)]);
}

function longBytes(value: bigint): number[] {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest >= 0x80n; rest >>= 7n) out.push(Number(rest & 0x7fn) | 0x80);
  out.push(Number(rest));
  return out;
}

import { BYTES, Reader } from '../protobuf.ts';
import { bytesField, MAX_DEPTH, rowIn, type StringAt, tooDeep } from './any-value.ts';
import { ANY_VALUE, KEY_VALUE, LIST } from './fields.ts';
import type { ResolvedBytes } from './resolved-bytes.ts';

/** The messages that an attribute is made of, by what lies inside each. */
type Kind = 'keyValue' | 'keyValueAndUnit' | 'anyValue' | 'array' | 'kvlist';

/**
 * A KeyValue with its references, at any depth, replaced by the strings they name. All other fields, unknown ones included, keep their
 * bytes and their place.
 * @returns undefined where it holds no reference
 * @throws DecodeError bad_protobuf, bad_reference, too_deep
 */
export function inlinedKeyValue(content: Uint8Array, stringAt: StringAt): Uint8Array | undefined {
  return inlined(content, 'keyValue', stringAt, 0);
}

/** The same for a row of the attribute table: its value; key and unit are rows in any case. */
export function inlinedKeyValueAndUnit(content: Uint8Array, stringAt: StringAt): Uint8Array | undefined {
  return inlined(content, 'keyValueAndUnit', stringAt, 0);
}

/** As `inlinedKeyValue`, of an AnyValue. */
export function inlinedAnyValue(content: Uint8Array, stringAt: StringAt): Uint8Array | undefined {
  return inlined(content, 'anyValue', stringAt, 1);
}

/**
 * Adds up what the references in a KeyValue stand for. Makes nothing.
 * @param reader narrowed to the message; stands at its end afterwards
 * @throws DecodeError bad_protobuf, too_deep, too_large
 */
export function countKeyValue(reader: Reader, resolved: ResolvedBytes): void {
  count(reader, 'keyValue', resolved, 0);
}

/** The same for a row of the attribute table. */
export function countKeyValueAndUnit(reader: Reader, resolved: ResolvedBytes): void {
  count(reader, 'keyValueAndUnit', resolved, 0);
}

function count(reader: Reader, kind: Kind, resolved: ResolvedBytes, depth: number): void {
  if (kind === 'anyValue' && depth > MAX_DEPTH) throw tooDeep();
  while (reader.next()) {
    const { field } = reader;
    if (isReference(kind, field)) {
      const row = rowIn(reader);
      // A key of row 0 is no reference.
      if (kind === 'anyValue' || row !== 0) resolved.add(row);
      continue;
    }
    const inner = kindOf(kind, field);
    if (!inner) {
      reader.skip();
      continue;
    }
    const outer = reader.enter();
    count(reader, inner, resolved, depth + Number(inner === 'anyValue'));
    reader.leave(outer);
  }
}

const isReference = (kind: Kind, field: number) =>
  (kind === 'keyValue' && field === KEY_VALUE.keyStrindex) ||
  (kind === 'anyValue' && field === ANY_VALUE.stringStrindex);

function inlined(content: Uint8Array, kind: Kind, stringAt: StringAt, depth: number): Uint8Array | undefined {
  if (kind === 'anyValue' && depth > MAX_DEPTH) throw tooDeep();
  const chunks: Uint8Array[] = [];
  /** Up to where `chunks` reach. */
  let done = 0;
  const reader = new Reader(content);
  for (let from = 0; reader.next(); from = reader.at) {
    const field = replaced(reader, kind, stringAt, depth);
    if (!field) continue;
    chunks.push(content.subarray(done, from), field);
    done = reader.at;
  }
  return done === 0 ? undefined : Buffer.concat([...chunks, content.subarray(done)]);
}

/** The field to write instead of the one whose tag was just read; undefined where it stays. Reads to its end. */
function replaced(reader: Reader, kind: Kind, stringAt: StringAt, depth: number): Uint8Array | undefined {
  const { field } = reader;
  if (kind === 'keyValue' && field === KEY_VALUE.keyStrindex) {
    const row = rowIn(reader);
    return row === 0 ? undefined : bytesField(KEY_VALUE.key, Buffer.from(stringAt(row)));
  }
  if (kind === 'anyValue' && field === ANY_VALUE.stringStrindex)
    return bytesField(ANY_VALUE.string, Buffer.from(stringAt(rowIn(reader))));
  const inner = kindOf(kind, field);
  if (!inner) {
    reader.skip();
    return undefined;
  }
  reader.expect(BYTES);
  const content = inlined(reader.view(), inner, stringAt, depth + Number(inner === 'anyValue'));
  return content && bytesField(field, content);
}

function kindOf(kind: Kind, field: number): Kind | undefined {
  // Both have their value in the same field.
  if (kind === 'keyValue' || kind === 'keyValueAndUnit') return field === KEY_VALUE.value ? 'anyValue' : undefined;
  if (kind === 'array') return field === LIST.values ? 'anyValue' : undefined;
  if (kind === 'kvlist') return field === LIST.values ? 'keyValue' : undefined;
  if (field === ANY_VALUE.array) return 'array';
  return field === ANY_VALUE.kvlist ? 'kvlist' : undefined;
}

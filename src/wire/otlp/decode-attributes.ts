import { isUtf8 } from 'node:buffer';
import type { Plain } from '../../model/attributes.ts';
import type { Columns } from '../../model/columns/columns.ts';
import { DecodeError } from '../decode-error.ts';
import { MAX_DETAILS } from '../pprof/limits.ts';
import { Reader } from '../protobuf.ts';
import { readAnyValue, rowIn } from './any-value.ts';
import { checkRow, type SourceDictionary } from './decode-dictionary.ts';
import { ANY_VALUE } from './fields.ts';
import { inlinedAnyValue } from './inline.ts';

const KEY_STRINDEX = 0x08;
const VALUE = 0x12;
const UNIT_STRINDEX = 0x18;

/** A row of the attribute table, as it lies in the source. */
export interface SourceAttribute {
  /** Rows of the string table. */
  readonly key: number;
  readonly unit: number;
  /** The AnyValue; empty where there is none. */
  readonly value: Uint8Array;
}

/** Reads KeyValueAndUnit. Scalars of one field are by far the most, so what is not one goes another way. @throws DecodeError */
export function sourceAttribute(source: SourceDictionary, row: number): SourceAttribute {
  checkRow(row, source.attributes, 'an attribute');
  const { cursor, bytes } = source;
  const end = source.attributes.ends.items[row]!;
  let key = 0;
  let unit = 0;
  let value = bytes.subarray(end, end);
  for (let at = source.attributes.starts.items[row]!; at < end; ) {
    const from = at;
    at = cursor.readNumber(at, end);
    const tag = cursor.small;
    if (tag === KEY_STRINDEX || tag === UNIT_STRINDEX) {
      at = cursor.readNumber(at, end);
      checkRow(cursor.small, source.strings, 'a string');
      if (tag === KEY_STRINDEX) key = cursor.small;
      else unit = cursor.small;
    } else if (tag === VALUE) {
      at = cursor.readLength(at, end);
      const content = bytes.subarray(at - cursor.lo, at);
      // A message field that comes twice is merged, which is what reading both one behind the other does.
      value = value.length === 0 ? content : Buffer.concat([value, content]);
    } else at = cursor.skip(from, end, 3);
  }
  return { key, unit, value };
}

/**
 * Attributes as labels. Lists of two or more strings and numbers are a label each; what is no string, number or such a list is a label
 * of its JSON text that keeps the value beside it.
 */
export class AttributeDecoder {
  readonly #columns: Columns;
  readonly #source: SourceDictionary;

  constructor(columns: Columns, source: SourceDictionary) {
    this.#columns = columns;
    this.#source = source;
  }

  /** The row of columns for a row of the string table. @throws DecodeError bad_reference, bad_string */
  string(row: number): number {
    if (row === 0) return 0;
    const { strings } = this.#source;
    const known = strings.known(row);
    if (known !== 0) return known;
    checkRow(row, strings, 'a string');
    const became = this.range(strings.starts.items[row]!, strings.ends.items[row]!);
    strings.set(row, became);
    return became;
  }

  /** A new row of strings for these bytes, even where they are none. @throws DecodeError bad_string */
  range(start: number, end: number): number {
    const { strings } = this.#columns;
    if (!isUtf8(this.#source.bytes.subarray(start, end)))
      throw new DecodeError('bad_string', 'a string is not valid UTF-8');
    strings.add(start, end);
    return strings.count - 1;
  }

  /** The chain of labels that an attribute is, for copying; 0 for row 0. @throws DecodeError */
  attribute(row: number): number {
    if (row === 0) return 0;
    const { attributes } = this.#source;
    const known = attributes.known(row);
    if (known !== 0) return known;
    const { key, unit, value } = sourceAttribute(this.#source, row);
    const first = this.value(this.string(key), this.string(unit), value);
    attributes.set(row, first);
    return first;
  }

  /** A new chain of labels for an AnyValue. @throws DecodeError */
  value(key: number, unit: number, value: Uint8Array): number {
    const source = this.#source;
    const reader = new Reader(value);
    if (reader.next()) {
      const { field } = reader;
      if (field === ANY_VALUE.string && reader.type === 2) {
        const text = reader.view();
        if (reader.at === value.length) {
          const start = text.byteOffset - source.bytes.byteOffset;
          // Small buffers share memory, so that the same memory is not yet the source.
          const inSource =
            text.buffer === source.bytes.buffer && start >= 0 && start + text.length <= source.bytes.length;
          const row = inSource ? this.range(start, start + text.length) : this.#appended(text);
          return this.#label(key, row, unit);
        }
      } else if (field === ANY_VALUE.int && reader.type === 0) {
        reader.varint();
        if (reader.at === value.length) return this.#number(key, reader.lo, reader.hi, unit);
      } else if (field === ANY_VALUE.stringStrindex && reader.type === 0) {
        const row = rowIn(reader);
        checkRow(row, source.strings, 'a string');
        if (reader.at === value.length) return this.#label(key, row === 0 ? this.range(0, 0) : this.string(row), unit);
      }
    }
    return this.#rare(key, unit, value);
  }

  /** A copy of a chain of labels at the end of another. @returns the last label */
  copy(chain: number, last: number, sample: number): number {
    const { labels, samples } = this.#columns;
    let end = last;
    for (let label = chain; label !== 0; label = labels.next[label]!) {
      this.#checkRoom();
      const row = labels.addCopy(label);
      if (end === 0) samples.firstLabel[sample] = row;
      else labels.next[end] = row;
      end = row;
    }
    return end;
  }

  #rare(key: number, unit: number, value: Uint8Array): number {
    const plain = readAnyValue(new Reader(value), this.#source.stringAt);
    if (Array.isArray(plain) && plain.length > 1) {
      const chain = this.#list(key, unit, plain);
      if (chain !== 0) return chain;
    }
    const one: Plain = Array.isArray(plain) && plain.length === 1 ? plain[0] : undefined;
    const text = typeof one === 'string' ? one : typeof one === 'bigint' ? String(one) : jsonText(plain);
    const { labels, strings } = this.#columns;
    const label = this.#label(key, strings.append(text), unit);
    labels.setRaw(label, inlinedAnyValue(value, this.#source.stringAt) ?? value);
    return label;
  }

  /** A label per element; 0 where an element is neither string nor number. */
  #list(key: number, unit: number, list: readonly Plain[]): number {
    const elements: { value: string | bigint; unit: string }[] = [];
    for (const one of list) {
      const element = elementOf(one);
      // The unit of a list belongs to its numbers: where there are strings or other units, it would not be found again.
      if (!element || (unit !== 0 && (typeof element.value === 'string' || element.unit !== ''))) return 0;
      elements.push(element);
    }
    const { labels, strings } = this.#columns;
    let first = 0;
    let last = 0;
    for (const { value, unit: own } of elements) {
      const unitRow = own === '' ? unit : strings.intern(own);
      const label =
        typeof value === 'string'
          ? this.#label(key, strings.append(value), unitRow)
          : this.#number(key, Number(value & 0xffffffffn), Number((value >> 32n) & 0xffffffffn), unitRow);
      if (first === 0) first = label;
      else labels.next[last] = label;
      last = label;
    }
    return first;
  }

  #label(key: number, text: number, unit: number): number {
    this.#checkRoom();
    const { labels } = this.#columns;
    const label = labels.add(key, text);
    labels.unit[label] = unit;
    return label;
  }

  #number(key: number, lo: number, hi: number, unit: number): number {
    const label = this.#label(key, 0, unit);
    const { halves } = this.#columns.labels.number;
    halves[2 * label] = lo;
    halves[2 * label + 1] = hi;
    return label;
  }

  #appended(text: Uint8Array): number {
    if (!isUtf8(text)) throw new DecodeError('bad_string', 'a string is not valid UTF-8');
    return this.#columns.strings.append(text);
  }

  #checkRoom(): void {
    if (this.#columns.labels.count > MAX_DETAILS)
      throw new DecodeError('too_many_elements', `more than ${MAX_DETAILS} labels`);
  }
}

/** A string, a number, or `{value, unit}` of one, which is how labels of one key with different units are written. */
function elementOf(one: Plain): { value: string | bigint; unit: string } | undefined {
  if (typeof one === 'string' || typeof one === 'bigint') return { value: one, unit: '' };
  if (typeof one !== 'object' || one === null || Array.isArray(one) || one instanceof Uint8Array) return undefined;
  const entries = Object.entries(one);
  if (entries.length !== 2 || entries[0]![0] !== 'value' || entries[1]![0] !== 'unit') return undefined;
  const [value, unit] = entries.map(([, inner]) => inner as Plain);
  if ((typeof value !== 'string' && typeof value !== 'bigint') || typeof unit !== 'string' || unit === '')
    return undefined;
  return { value, unit };
}

/** An attribute value as JSON: int64 as a number, bytes as base64. */
export function jsonText(value: Plain): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : JSON.stringify(String(value));
  if (value instanceof Uint8Array) return JSON.stringify(Buffer.from(value).toString('base64'));
  if (Array.isArray(value)) return `[${value.map(jsonText).join(',')}]`;
  return `{${Object.entries(value)
    .map(([key, inner]) => `${JSON.stringify(key)}:${jsonText(inner as Plain)}`)
    .join(',')}}`;
}

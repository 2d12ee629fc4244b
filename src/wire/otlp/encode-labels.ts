import type { Columns } from '../../model/columns/columns.ts';
import type { Rows } from '../../model/columns/growth.ts';
import type { Losses } from '../convert/losses.ts';
import { putBytes, putField, putHalves, putHead } from '../pprof/back-writer.ts';
import type { Dictionary } from './encode-dictionary.ts';
import { ANY_VALUE } from './fields.ts';
import { listOf } from './label-values.ts';

/** Labels as attributes. Those of one key are a list. */
export class LabelEncoder {
  readonly #columns: Columns;
  readonly #dictionary: Dictionary;
  readonly #losses: Losses | undefined;
  /** Row + 1 of strings in the dictionary, by row of columns. */
  readonly #strings: Uint32Array;

  constructor(columns: Columns, dictionary: Dictionary, losses: Losses | undefined) {
    this.#columns = columns;
    this.#dictionary = dictionary;
    this.#losses = losses;
    this.#strings = new Uint32Array(columns.strings.count);
  }

  string(row: number): number {
    const known = this.#strings[row]!;
    if (known !== 0) return known - 1;
    const { strings } = this.#columns;
    const from = strings.offset(row);
    const became = this.#dictionary.strings.intern(strings.memory(row), from, from + strings.byteLength(row));
    this.#strings[row] = became + 1;
    return became;
  }

  /** Appends the rows of the attributes that a chain of labels is. */
  chain(first: number, into: Rows): void {
    if (first === 0) return;
    const { labels } = this.#columns;
    const dictionary = this.#dictionary;
    dictionary.beginKeys();
    let twice = false;
    for (let label = first; label !== 0; label = labels.next[label]!)
      twice = dictionary.seenKey(this.string(labels.key[label]!)) || twice;
    if (twice) this.#grouped(first, into);
    else for (let label = first; label !== 0; label = labels.next[label]!) into.push(this.#single(label));
  }

  #single(label: number): number {
    const { labels, strings } = this.#columns;
    const raw = labels.raw?.[label] ?? 0;
    const key = this.string(labels.key[label]!);
    const unit = this.string(labels.unit[label]!);
    if (raw !== 0) return this.#dictionary.attribute(key, labels.encoded[raw - 1]!, unit);
    const { scratch, attributes } = this.#dictionary;
    const text = labels.text[label]!;
    const length = text === 0 ? 0 : strings.byteLength(text);
    scratch.clear(0);
    scratch.room(length + 48);
    const { bytes } = scratch;
    const { halves } = labels.number;
    let at = putField(bytes, bytes.length, 0x18, unit);
    const end = at;
    if (text === 0) {
      at = putHalves(bytes, at, halves[2 * label]!, halves[2 * label + 1]!);
      bytes[--at] = ANY_VALUE.int * 8;
    } else {
      const from = strings.offset(text);
      at = putBytes(bytes, at, strings.memory(text), from, from + length);
      at = putHead(bytes, at, ANY_VALUE.string * 8 + 2, end);
      if ((halves[2 * label]! | halves[2 * label + 1]!) !== 0) this.#losses?.add('pprof_label_number');
    }
    at = putHead(bytes, at, 0x12, end);
    at = putField(bytes, at, 0x08, key);
    return attributes.intern(bytes, at, bytes.length);
  }

  /** Some keys come more than once. Rare, so it may make objects. */
  #grouped(first: number, into: Rows): void {
    const { labels } = this.#columns;
    const byKey = new Map<number, number[]>();
    for (let label = first; label !== 0; label = labels.next[label]!) {
      const key = this.string(labels.key[label]!);
      const list = byKey.get(key);
      if (list) list.push(label);
      else byKey.set(key, [label]);
    }
    for (const [key, list] of byKey) into.push(list.length === 1 ? this.#single(list[0]!) : this.#list(key, list));
  }

  #list(key: number, list: readonly number[]): number {
    const columns = this.#columns;
    const { labels } = columns;
    for (const label of list)
      if (!labels.isNumber(label) && labels.number.at(label) !== 0n && (labels.raw?.[label] ?? 0) === 0)
        this.#losses?.add('pprof_label_number');
    const { value, unit } = listOf(columns, list);
    return this.#dictionary.attribute(key, value, this.string(unit));
  }
}

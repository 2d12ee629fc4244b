import type { Rows } from '../../model/columns/growth.ts';
import { sourceAttribute } from './decode-attributes.ts';
import type { SourceDictionary, SourceTable } from './decode-dictionary.ts';
import type { Dictionary } from './encode-dictionary.ts';
import { inlinedAnyValue } from './inline.ts';

/** Carries attributes from the dictionary of a source to one that is being written, references replaced by what they name. */
export class SourceAttributes {
  readonly source: SourceDictionary;
  readonly #dictionary: Dictionary;
  /** Row + 1 in the new dictionary, by row in the source. */
  readonly #carried = new Map<number, number>();

  constructor(source: SourceDictionary, dictionary: Dictionary) {
    this.source = source;
    this.#dictionary = dictionary;
  }

  /** The row in the new dictionary. @throws DecodeError */
  carry(row: number): number {
    let carried = this.#carried.get(row);
    if (carried === undefined) {
      const { key, unit, value } = sourceAttribute(this.source, row);
      const inlined = inlinedAnyValue(value, this.source.stringAt) ?? value;
      carried = this.#dictionary.attribute(this.#string(key), inlined, this.#string(unit));
      this.#carried.set(row, carried);
    }
    return carried;
  }

  #string(row: number): number {
    if (row === 0) return 0;
    const { bytes, strings } = this.source;
    return this.#dictionary.strings.intern(bytes, strings.starts.items[row]!, strings.ends.items[row]!);
  }

  /** Appends the attribute rows that a message of a table names in this field. */
  rowsOf(table: SourceTable, row: number, field: number, into: Rows): void {
    const { cursor } = this.source;
    const end = table.ends.items[row]!;
    for (let at = table.starts.items[row]!; at < end; ) {
      const from = at;
      at = cursor.readNumber(at, end);
      if (cursor.small === field * 8) {
        at = cursor.readNumber(at, end);
        if (cursor.small !== 0) into.push(cursor.small);
      } else if (cursor.small === field * 8 + 2) {
        const stop = cursor.readLength(at, end);
        for (at = stop - cursor.lo; at < stop; ) {
          at = cursor.readNumber(at, stop);
          if (cursor.small !== 0) into.push(cursor.small);
        }
      } else at = cursor.skip(from, end, 0);
    }
  }
}

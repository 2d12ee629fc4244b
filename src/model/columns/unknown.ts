import { Rows } from './growth.ts';

/** The message that an unknown field stands in. */
export type Holder =
  | 'profile'
  | 'sampleType'
  | 'periodType'
  | 'sample'
  | 'label'
  | 'mapping'
  | 'location'
  | 'line'
  | 'function';

/** Byte ranges of the source, tags included, in the order of the rows that they belong to. Several may belong to one row. */
export class Ranges {
  readonly rows = new Rows();
  readonly from = new Rows();
  readonly to = new Rows();

  get length(): number {
    return this.rows.length;
  }

  add(row: number, from: number, to: number): void {
    const last = this.length - 1;
    if (last >= 0 && this.rows.items[last] === row && this.to.items[last] === from) this.to.items[last] = to;
    else {
      this.rows.push(row);
      this.from.push(from);
      this.to.push(to);
    }
  }

  /** Index of the first range of a row that is not below `row`. */
  first(row: number): number {
    const rows = this.rows.items;
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (rows[middle]! < row) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Forgets those of a row: they stay, empty. False when it had none. */
  remove(row: number): boolean {
    let any = false;
    for (let at = this.first(row); at < this.length && this.rows.items[at] === row; at++) {
      any ||= this.to.items[at] !== this.from.items[at];
      this.to.items[at] = this.from.items[at]!;
    }
    return any;
  }

  /** Renumbers rows, and forgets those that become -1. The order of the rows must stay. */
  keep(renumber: (row: number) => number): void {
    let kept = 0;
    for (let at = 0; at < this.length; at++) {
      const row = renumber(this.rows.items[at]!);
      if (row < 0) continue;
      this.rows.items[kept] = row;
      this.from.items[kept] = this.from.items[at]!;
      this.to.items[kept++] = this.to.items[at]!;
    }
    this.rows.length = this.from.length = this.to.length = kept;
  }
}

/** Fields that the schema does not have, kept as they came. A profile without any has no such object. */
export class UnknownFields {
  readonly #kinds = new Map<Holder, Ranges>();

  add(holder: Holder, row: number, from: number, to: number): void {
    const ranges = this.#kinds.get(holder) ?? new Ranges();
    this.#kinds.set(holder, ranges);
    ranges.add(row, from, to);
  }

  of(holder: Holder): Ranges | undefined {
    return this.#kinds.get(holder);
  }

  /** Ranges of all holders: fields, those that touch as one. */
  get count(): number {
    let count = 0;
    for (const ranges of this.#kinds.values()) count += ranges.length;
    return count;
  }
}

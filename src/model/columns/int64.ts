import { grown } from './growth.ts';

/**
 * A column of 64-bit numbers, exact. `halves` holds low and high half of each, unsigned, for the hot paths, which make no BigInt;
 * `values` is the same memory as signed numbers (so the machine is little-endian, as all are that we run on).
 */
export class Int64s {
  halves: Uint32Array;
  #values: BigInt64Array | undefined;

  /** 8 numbers lie on the heap; a longer array costs an allocation outside it. The other columns of a table begin with 8 rows too. */
  constructor(capacity = 8) {
    this.halves = new Uint32Array(capacity * 2);
  }

  get values(): BigInt64Array {
    this.#values ??= new BigInt64Array(this.halves.buffer as ArrayBuffer);
    return this.#values;
  }

  /** Makes room for `count` numbers. */
  ensure(count: number): void {
    if (count * 2 <= this.halves.length) return;
    this.halves = grown(this.halves, count * 2);
    this.#values = undefined;
  }

  /** The signed number of a row. */
  at(row: number): bigint {
    return this.values[row]!;
  }

  set(row: number, value: bigint): void {
    this.values[row] = value;
  }

  copy(from: number, to: number): void {
    this.halves[2 * to] = this.halves[2 * from]!;
    this.halves[2 * to + 1] = this.halves[2 * from + 1]!;
  }
}

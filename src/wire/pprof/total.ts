import { int64 } from '../protobuf.ts';

/** Sums of this size are still exact in a double, and one more value below 2^52 keeps them so. */
const SAFE = 2 ** 52;

/** Columns to begin with: so many doubles lie on the heap, while a longer array costs an allocation outside it and its collection. */
const FIRST_COLUMNS = 8;

/** Exact sums of signed 64-bit values, one per column: doubles while everything is small, BigInt when not. */
export class Totals {
  #small = new Float64Array(FIRST_COLUMNS);
  #large: bigint[] | undefined;

  /** @param value an integer below 2^52, either sign */
  add(column: number, value: number): void {
    if (column >= this.#small.length) this.#grow(column);
    const sum = this.#small[column]! + value;
    if (sum > SAFE || sum < -SAFE) {
      this.#addLarge(column, BigInt(sum));
      this.#small[column] = 0;
    } else this.#small[column] = sum;
  }

  /** Any signed 64-bit value, as halves. */
  addHalves(column: number, lo: number, hi: number): void {
    // Below 2^52 in size: the high half has at most 20 significant bits.
    if (hi < 0x100000) this.add(column, hi * 4294967296 + lo);
    else if (hi >= 0xfff00000) this.add(column, (hi - 4294967296) * 4294967296 + lo);
    else this.#addLarge(column, int64(lo, hi));
  }

  value(column: number): bigint {
    return (this.#large?.[column] ?? 0n) + BigInt(this.#small[column] ?? 0);
  }

  #addLarge(column: number, value: bigint): void {
    this.#large ??= [];
    this.#large[column] = (this.#large[column] ?? 0n) + value;
  }

  #grow(column: number): void {
    const longer = new Float64Array(Math.max(column + 1, this.#small.length * 2));
    longer.set(this.#small);
    this.#small = longer;
  }
}

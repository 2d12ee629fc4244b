import { int64 } from '../protobuf.ts';

/** Sums of this size are still exact in a double, and one more value below 2^52 keeps them so. */
const SAFE = 2 ** 52;

/** Exact sums of signed 64-bit values, one per column: doubles while everything is small, BigInt when not. */
export class Totals {
  readonly #small: Float64Array;
  #large: bigint[] | undefined;

  constructor(columns: number) {
    this.#small = new Float64Array(columns);
  }

  /** @param value an integer below 2^52, either sign */
  add(column: number, value: number): void {
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
    return (this.#large?.[column] ?? 0n) + BigInt(this.#small[column]!);
  }

  #addLarge(column: number, value: bigint): void {
    this.#large ??= Array.from(this.#small, () => 0n);
    this.#large[column]! += value;
  }
}

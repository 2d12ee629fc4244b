import { int64 } from '../protobuf.ts';

/** Sums of this size are still exact in a double, and one more value below 2^52 keeps them so. */
const SAFE = 2 ** 52;

/** An exact sum of signed 64-bit values: a double while everything is small, BigInt when not. */
export class Total {
  #small = 0;
  #large = 0n;

  add(lo: number, hi: number): void {
    // Non-negative and below 2^52, or negative and above -2^52: the high half has at most 20 significant bits.
    if (hi < 0x100000) this.#small += hi * 4294967296 + lo;
    else if (hi >= 0xfff00000) this.#small += (hi - 4294967296) * 4294967296 + lo;
    else {
      this.#large += int64(lo, hi);
      return;
    }
    if (this.#small > SAFE || this.#small < -SAFE) {
      this.#large += BigInt(this.#small);
      this.#small = 0;
    }
  }

  get value(): bigint {
    return this.#large + BigInt(this.#small);
  }
}

/** Ids below this live in a bitmap of at most 512 KiB; producers number from 1, so nearly all do. */
const DENSE_IDS = 1 << 22;

/** A set of unsigned 64-bit ids given as halves. Dense small ones cost a bit, others a Map entry; all are exact. */
export class IdSet {
  #bits = new Uint32Array(64);
  readonly #sparse = new Map<number, Set<number>>();
  size = 0;

  /** False when the id was there already. */
  add(lo: number, hi: number): boolean {
    if (hi === 0 && lo < DENSE_IDS) {
      const word = lo >>> 5;
      if (word >= this.#bits.length) this.#grow(word);
      const bit = 1 << (lo & 31);
      if (this.#bits[word]! & bit) return false;
      this.#bits[word]! |= bit;
    } else {
      const low = this.#sparse.get(hi);
      if (low?.has(lo)) return false;
      if (low) low.add(lo);
      else this.#sparse.set(hi, new Set([lo]));
    }
    this.size++;
    return true;
  }

  has(lo: number, hi: number): boolean {
    if (hi === 0 && lo < DENSE_IDS) {
      const word = lo >>> 5;
      return word < this.#bits.length && (this.#bits[word]! & (1 << (lo & 31))) !== 0;
    }
    return this.#sparse.get(hi)?.has(lo) ?? false;
  }

  #grow(word: number): void {
    const bits = new Uint32Array(Math.max(word + 1, this.#bits.length * 2));
    bits.set(this.#bits);
    this.#bits = bits;
  }
}

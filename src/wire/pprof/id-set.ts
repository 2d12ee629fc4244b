/** Ids below this that come out of order live in a bitmap of at most 512 KiB; producers number from 1, so nearly all do. */
const DENSE_IDS = 1 << 22;
/** Slots of a new table, a power of two. */
const FIRST_SLOTS = 256;
/** Odd and drawn per process, so that nobody can prepare ids that all fall into one slot. */
const SEED = (Math.floor(Math.random() * 2 ** 32) | 1) >>> 0;

/**
 * A set of unsigned 64-bit ids given as halves, all exact. Ids 1, 2, 3, … in order cost nothing, other small ones a bit,
 * the rest 16 to 32 bytes.
 */
export class IdSet {
  size = 0;
  /** Highest id; rounded above 2^53. */
  max = 0;
  /** All of 1…#run were added in order. */
  #run = 0;
  #bits: Uint32Array | undefined;
  #sparse: SparseIds | undefined;

  /** False when the id was there already. */
  add(lo: number, hi: number): boolean {
    if (hi === 0 && lo === this.#run + 1 && !this.#inBits(lo)) this.#run = lo;
    else if (this.has(lo, hi)) return false;
    else if (hi === 0 && lo < DENSE_IDS) this.#setBit(lo);
    else {
      this.#sparse ??= new SparseIds();
      this.#sparse.add(lo, hi);
    }
    this.size++;
    this.max = Math.max(this.max, hi * 4294967296 + lo);
    return true;
  }

  has(lo: number, hi: number): boolean {
    if (hi === 0 && lo <= this.#run) return lo !== 0;
    if (hi === 0 && lo < DENSE_IDS) return this.#inBits(lo);
    return this.#sparse?.has(lo, hi) ?? false;
  }

  /** Whether the ids are exactly 1…size: then an id is in the set when it is not 0 and not above `max`. */
  get dense(): boolean {
    return this.max === this.size;
  }

  #inBits(lo: number): boolean {
    const bits = this.#bits;
    return bits !== undefined && lo >>> 5 < bits.length && (bits[lo >>> 5]! & (1 << (lo & 31))) !== 0;
  }

  #setBit(lo: number): void {
    const word = lo >>> 5;
    let bits = this.#bits;
    if (!bits || word >= bits.length) {
      const grown = new Uint32Array(Math.max(word + 1, 2 * (bits?.length ?? 32)));
      if (bits) grown.set(bits);
      this.#bits = bits = grown;
    }
    bits[word]! |= 1 << (lo & 31);
  }
}

/** Open addressing over two columns of halves; at most half full. 0 marks a free slot, and is not an id. */
class SparseIds {
  #los = new Uint32Array(FIRST_SLOTS);
  #his = new Uint32Array(FIRST_SLOTS);
  #size = 0;

  /** The id must not be there yet. */
  add(lo: number, hi: number): void {
    if (this.#size * 2 >= this.#los.length) this.#grow();
    const slot = this.#find(lo, hi);
    this.#los[slot] = lo;
    this.#his[slot] = hi;
    this.#size++;
  }

  has(lo: number, hi: number): boolean {
    const slot = this.#find(lo, hi);
    return this.#los[slot] !== 0 || this.#his[slot] !== 0;
  }

  /** The slot that holds the id, or the free one where it would go. */
  #find(lo: number, hi: number): number {
    const los = this.#los;
    const his = this.#his;
    const mask = los.length - 1;
    let hash = Math.imul(lo ^ Math.imul(hi ^ SEED, 0x9e3779b1), SEED);
    hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
    let slot = (hash ^ (hash >>> 13)) & mask;
    while ((los[slot] !== lo || his[slot] !== hi) && (los[slot] !== 0 || his[slot] !== 0)) slot = (slot + 1) & mask;
    return slot;
  }

  #grow(): void {
    const los = this.#los;
    const his = this.#his;
    this.#los = new Uint32Array(los.length * 2);
    this.#his = new Uint32Array(los.length * 2);
    this.#size = 0;
    for (let n = 0; n < los.length; n++) if (los[n] !== 0 || his[n] !== 0) this.add(los[n]!, his[n]!);
  }
}

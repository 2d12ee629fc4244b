import { takeRoom } from '../../model/columns/growth.ts';

const FIRST_SLOTS = 32;
/** What an empty table takes, bytes. */
const TABLE_BYTES = 600;
/** Low half, high half, value + 1. */
const STRIDE = 3;
const drawn = () => Math.floor(Math.random() * 2 ** 32) >>> 0;
/** Drawn per process, so that nobody can prepare keys that all fall into one slot. */
const SEED = drawn();
const FIRST = drawn() | 1;
const SECOND = drawn() | 1;

/**
 * Mixes two halves; results of equal ones are equal within a process. The first half is mixed with what nobody knows before the other comes
 * to it: else halves could be chosen that undo each other, whatever the seed.
 */
export function mixed(lo: number, hi: number): number {
  let hash = Math.imul(lo ^ SEED, FIRST);
  hash = Math.imul(hash ^ (hash >>> 15), SECOND);
  hash = Math.imul(hash ^ (hash >>> 13) ^ hi, 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 15), 0x27d4eb2f);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Unsigned 32-bit numbers by unsigned 64-bit keys given as halves, all exact. Open addressing, at most half full: 24 to 48 bytes a key. */
export class IdTable {
  size = 0;
  #slots = new Uint32Array(STRIDE * FIRST_SLOTS);
  #mask = FIRST_SLOTS - 1;

  constructor() {
    takeRoom(TABLE_BYTES);
  }

  /** -1 where the key is not known. */
  get(lo: number, hi: number): number {
    return this.#slots[this.#slot(lo, hi) + 2]! - 1;
  }

  /** @param value below 2^32 - 1 */
  set(lo: number, hi: number, value: number): void {
    let slot = this.#slot(lo, hi);
    if (this.#slots[slot + 2] === 0) {
      if (++this.size * 2 > this.#mask + 1) {
        this.#grow();
        slot = this.#slot(lo, hi);
      }
      this.#slots[slot] = lo;
      this.#slots[slot + 1] = hi;
    }
    this.#slots[slot + 2] = value + 1;
  }

  #slot(lo: number, hi: number): number {
    const slots = this.#slots;
    let slot = mixed(lo, hi) & this.#mask;
    while (slots[slot * STRIDE + 2] !== 0 && (slots[slot * STRIDE] !== lo || slots[slot * STRIDE + 1] !== hi))
      slot = (slot + 1) & this.#mask;
    return slot * STRIDE;
  }

  #grow(): void {
    const old = this.#slots;
    takeRoom(old.byteLength);
    this.#slots = new Uint32Array(old.length * 2);
    this.#mask = this.#mask * 2 + 1;
    for (let at = 0; at < old.length; at += STRIDE) {
      if (old[at + 2] === 0) continue;
      const slot = this.#slot(old[at]!, old[at + 1]!);
      this.#slots[slot] = old[at]!;
      this.#slots[slot + 1] = old[at + 1]!;
      this.#slots[slot + 2] = old[at + 2]!;
    }
  }
}

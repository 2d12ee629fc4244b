import { takeRoom } from './growth.ts';
import { Int64s } from './int64.ts';

/** Slots of a new table, a power of two. */
const FIRST_SLOTS = 256;
const NO_SLOTS: Uint32Array = new Uint32Array(0);
/** Odd and drawn per process, so that nobody can prepare ids that all fall into one slot. */
const SEED = (Math.floor(Math.random() * 2 ** 32) | 1) >>> 0;

/**
 * The unsigned 64-bit ids of a table's rows, all exact. Row 0 is no row and has id 0. While row n has id n, which is what producers
 * write, they cost nothing; otherwise 8 bytes, and 8 to 16 more to find a row by its id.
 */
export class Ids {
  /** Rows in use, row 0 included. */
  count = 1;
  /** Row n has id n, for all of them. */
  sequential = true;
  /** Ids by row; only when they are not sequential. */
  readonly wide = new Int64s();
  /** Open addressing: rows by id, 0 where free; at most half full. */
  #slots = NO_SLOTS;
  /** No id below this is free. */
  #fresh = 1;

  clear(): void {
    this.count = 1;
    this.sequential = true;
    this.#slots = NO_SLOTS;
    this.#fresh = 1;
  }

  /** What the arrays take, bytes. */
  get heldBytes(): number {
    return this.wide.halves.byteLength + this.#slots.byteLength;
  }

  /** Gives the next row this id, in halves of either sign; false when another row has it. */
  add(lo: number, hi: number): boolean {
    if (this.sequential) {
      if (lo === this.count && hi === 0) {
        this.count++;
        return true;
      }
      this.#spread();
    }
    return this.#addWide(lo >>> 0, hi >>> 0);
  }

  #addWide(lo: number, hi: number): boolean {
    const row = this.count;
    if (this.rowOf(lo, hi) !== 0) return false;
    this.wide.ensure(row + 1);
    this.wide.halves[2 * row] = lo;
    this.wide.halves[2 * row + 1] = hi;
    this.count++;
    if (this.count * 2 > this.#slots.length) this.#index(this.#slots.length * 2);
    else this.#slots[this.#slot(lo, hi)] = row;
    return true;
  }

  /** Gives the next row an id that no other has; returns the row. */
  addFresh(): number {
    const row = this.count;
    if (this.sequential) this.count++;
    else {
      // Some id up to the number of rows is free, since id 0 is not in use.
      while (this.rowOf(this.#fresh, 0) !== 0) this.#fresh++;
      this.add(this.#fresh, 0);
    }
    return row;
  }

  /** The row that has this id; 0 when none has. */
  rowOf(lo: number, hi: number): number {
    if (this.sequential) return hi === 0 && lo < this.count ? lo : 0;
    return this.#slots[this.#slot(lo, hi)]!;
  }

  lo(row: number): number {
    return this.sequential ? row : this.wide.halves[2 * row]!;
  }

  hi(row: number): number {
    return this.sequential ? 0 : this.wide.halves[2 * row + 1]!;
  }

  /** From here on ids stand in a column. */
  #spread(): void {
    this.wide.ensure(this.count);
    for (let row = 0; row < this.count; row++) {
      this.wide.halves[2 * row] = row;
      this.wide.halves[2 * row + 1] = 0;
    }
    this.sequential = false;
    let slots = FIRST_SLOTS;
    while (slots < this.count * 2) slots *= 2;
    this.#index(slots);
  }

  #index(slots: number): void {
    takeRoom(4 * (slots - this.#slots.length));
    this.#slots = new Uint32Array(slots);
    const { halves } = this.wide;
    for (let row = 1; row < this.count; row++) this.#slots[this.#slot(halves[2 * row]!, halves[2 * row + 1]!)] = row;
  }

  /** The slot that holds the id, or the free one where it would go. */
  #slot(lo: number, hi: number): number {
    const slots = this.#slots;
    const { halves } = this.wide;
    const mask = slots.length - 1;
    let hash = Math.imul(lo ^ Math.imul(hi ^ SEED, 0x9e3779b1), SEED);
    hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
    let slot = (hash ^ (hash >>> 13)) & mask;
    for (let row = slots[slot]!; row !== 0; row = slots[slot]!) {
      if (halves[2 * row] === lo && halves[2 * row + 1] === hi) break;
      slot = (slot + 1) & mask;
    }
    return slot;
  }
}

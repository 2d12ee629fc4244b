import { grownBytes, Rows } from '../../model/columns/growth.ts';

const FIRST_SLOTS = 64;
/** Drawn per process, so that nobody can prepare messages that all fall into one slot. */
const SEED = Math.floor(Math.random() * 2 ** 32) >>> 0;

/** A table of a dictionary that is being written: messages one behind the other, each once. Open addressing, at most half full. */
export class Table {
  bytes = new Uint8Array(256) as Uint8Array;
  /** Where each row ends in `bytes`. */
  readonly ends = new Rows();
  #slots = new Uint32Array(FIRST_SLOTS) as Uint32Array;

  /** @param first row 0 */
  constructor(first: Uint8Array) {
    this.intern(first, 0, first.length);
  }

  get count(): number {
    return this.ends.length;
  }

  start(row: number): number {
    return row === 0 ? 0 : this.ends.items[row - 1]!;
  }

  /** The row of these bytes; a new one where there is none. */
  intern(source: Uint8Array, from: number, to: number): number {
    let slot = this.#slot(source, from, to);
    const held = this.#slots[slot]!;
    if (held !== 0) return held - 1;
    const row = this.count;
    if ((row + 1) * 2 > this.#slots.length) {
      this.#grow();
      slot = this.#slot(source, from, to);
    }
    const begin = this.start(row);
    const end = begin + to - from;
    this.bytes = grownBytes(this.bytes, end);
    const { bytes } = this;
    for (let at = from; at < to; at++) bytes[begin + at - from] = source[at]!;
    this.ends.push(end);
    this.#slots[slot] = row + 1;
    return row;
  }

  /** The slot that holds the bytes, or the free one where they would go. */
  #slot(source: Uint8Array, from: number, to: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = hashOf(source, from, to) & mask;
    for (let held = slots[slot]!; held !== 0; held = slots[slot]!) {
      if (this.#holds(held - 1, source, from, to)) break;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #holds(row: number, source: Uint8Array, from: number, to: number): boolean {
    const begin = this.start(row);
    if (this.ends.items[row]! - begin !== to - from) return false;
    const { bytes } = this;
    for (let at = from; at < to; at++) if (bytes[begin + at - from] !== source[at]) return false;
    return true;
  }

  #grow(): void {
    const slots = new Uint32Array(this.#slots.length * 2);
    const mask = slots.length - 1;
    for (let row = 0; row < this.count; row++) {
      let slot = hashOf(this.bytes, this.start(row), this.ends.items[row]!) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = row + 1;
    }
    this.#slots = slots;
  }
}

function hashOf(bytes: Uint8Array, from: number, to: number): number {
  let hash = SEED;
  for (let at = from; at < to; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  return hash ^ (hash >>> 13);
}

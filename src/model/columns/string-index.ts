import type { Strings } from './strings.ts';

/** Drawn per process, so that nobody can prepare strings that all fall into one slot. */
const SEED = Math.floor(Math.random() * 2 ** 32) >>> 0;

/** Finds the row of a text by open addressing over hashes of bytes; at most half full. Of rows with the same text it knows the first. */
export class StringIndex {
  readonly #strings: Strings;
  /** Row + 1; 0 where free. */
  #slots: Uint32Array;
  #used = 0;

  constructor(strings: Strings) {
    this.#strings = strings;
    let slots = 64;
    while (slots < strings.count * 2) slots *= 2;
    this.#slots = new Uint32Array(slots);
    for (let row = 0; row < strings.count; row++) this.add(row);
  }

  add(row: number): void {
    if (this.#used * 2 >= this.#slots.length) this.#grow();
    const strings = this.#strings;
    const slot = this.#slot(strings.memory(row), strings.offset(row), strings.byteLength(row));
    if (this.#slots[slot] !== 0) return;
    this.#slots[slot] = row + 1;
    this.#used++;
  }

  /** -1 when no row holds these bytes. */
  find(bytes: Uint8Array): number {
    return this.findIn(bytes, 0, bytes.length);
  }

  /** The same for a range. */
  findIn(memory: Uint8Array, offset: number, length: number): number {
    return this.#slots[this.#slot(memory, offset, length)]! - 1;
  }

  #slot(memory: Uint8Array, offset: number, length: number): number {
    const mask = this.#slots.length - 1;
    let hash = SEED;
    for (let at = offset; at < offset + length; at++) hash = Math.imul(hash ^ memory[at]!, 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
    let slot = (hash ^ (hash >>> 13)) & mask;
    for (let held = this.#slots[slot]!; held !== 0; held = this.#slots[slot]!) {
      if (this.#strings.holds(held - 1, memory, offset, length)) break;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #grow(): void {
    const slots = this.#slots;
    this.#slots = new Uint32Array(slots.length * 2);
    this.#used = 0;
    for (const held of slots) if (held !== 0) this.add(held - 1);
  }
}

import { grown, Rows, takeRoom } from '../../model/columns/growth.ts';

const FIRST_SLOTS = 64;
/** Drawn per process, so that nobody can prepare samples that all fall into one slot. */
const SEED = Math.floor(Math.random() * 2 ** 32) >>> 0;

/** Numbers the identities of samples: stack, set of attributes and link, as rows. Open addressing, at most half full. */
export class Identities {
  /** Identities so far. */
  count = 0;
  readonly #stacks = new Rows();
  readonly #links = new Rows();
  /** Where the attributes of each end. */
  readonly #ends = new Rows();
  #attributes = new Uint32Array(16) as Uint32Array;
  #slots = new Uint32Array(FIRST_SLOTS) as Uint32Array;

  /** The number of an identity; a new one is the count from before. @param attributes ascending between `from` and `to` */
  numberOf(stack: number, link: number, attributes: Uint32Array, from: number, to: number): number {
    const mask = this.#slots.length - 1;
    let hash = mixed(mixed(SEED, stack), link);
    for (let at = from; at < to; at++) hash = mixed(hash, attributes[at]!);
    let slot = spread(hash) & mask;
    for (let held = this.#slots[slot]!; held !== 0; held = this.#slots[slot]!) {
      if (this.#is(held - 1, stack, link, attributes, from, to)) return held - 1;
      slot = (slot + 1) & mask;
    }
    const number = this.count++;
    this.#slots[slot] = number + 1;
    const begin = number === 0 ? 0 : this.#ends.items[number - 1]!;
    const end = begin + to - from;
    this.#attributes = grown(this.#attributes, end);
    for (let at = from; at < to; at++) this.#attributes[begin + at - from] = attributes[at]!;
    this.#stacks.push(stack);
    this.#links.push(link);
    this.#ends.push(end);
    if (this.count * 2 > this.#slots.length) this.#grow();
    return number;
  }

  #is(number: number, stack: number, link: number, attributes: Uint32Array, from: number, to: number): boolean {
    if (this.#stacks.items[number] !== stack || this.#links.items[number] !== link) return false;
    const begin = number === 0 ? 0 : this.#ends.items[number - 1]!;
    if (this.#ends.items[number]! - begin !== to - from) return false;
    for (let at = from; at < to; at++) if (this.#attributes[begin + at - from] !== attributes[at]) return false;
    return true;
  }

  #grow(): void {
    const slots = this.#slots.length * 2;
    takeRoom(2 * slots);
    this.#slots = new Uint32Array(slots);
    let begin = 0;
    for (let number = 0; number < this.count; number++) {
      let hash = mixed(mixed(SEED, this.#stacks.items[number]!), this.#links.items[number]!);
      const end = this.#ends.items[number]!;
      for (let at = begin; at < end; at++) hash = mixed(hash, this.#attributes[at]!);
      begin = end;
      let slot = spread(hash) & (slots - 1);
      while (this.#slots[slot] !== 0) slot = (slot + 1) & (slots - 1);
      this.#slots[slot] = number + 1;
    }
  }
}

/** Sorts a stretch of rows: nearly always a handful. */
export function ascending(rows: Uint32Array, from: number, to: number): void {
  if (to - from > 24) {
    rows.subarray(from, to).sort();
    return;
  }
  for (let at = from + 1; at < to; at++) {
    const row = rows[at]!;
    let place = at;
    for (; place > from && rows[place - 1]! > row; place--) rows[place] = rows[place - 1]!;
    rows[place] = row;
  }
}

function mixed(hash: number, row: number): number {
  const next = Math.imul(hash ^ row, 0x9e3779b1);
  return next ^ (next >>> 15);
}

function spread(hash: number): number {
  const next = Math.imul(hash, 0x85ebca6b);
  return next ^ (next >>> 13);
}

import { Rows, takeRoom } from '../../model/columns/growth.ts';
import { DecodeError } from '../decode-error.ts';
import { MAX_ELEMENTS, MAX_IDS } from '../pprof/limits.ts';
import { IdTable, mixed } from './id-table.ts';
import type { Texts } from './texts.ts';

const FIRST_SLOTS = 64;

/**
 * Places and stacks of a whole recording, each once: chunks number theirs anew, and stacks that differ in what columns do not hold
 * (interpreted or compiled, the byte code) are one. Profiles refer to them by row and take over those that they need.
 */
export class Stacks {
  readonly #texts: Texts;
  /** By rows of texts: class and method. */
  readonly #functions = new IdTable();
  readonly #names: string[] = [];
  readonly #places = new IdTable();
  readonly #placeFunction = new Rows();
  readonly #placeLine = new Rows();
  /** Where stacks begin in `items`; one more than there are. */
  readonly #starts = new Rows();
  readonly #items = new Rows();
  /** Row + 1 by hash of what is in a stack; at most half full. */
  #slots = new Uint32Array(FIRST_SLOTS);

  constructor(texts: Texts) {
    this.#texts = texts;
    this.#starts.push(0);
  }

  /** The row of `Class.method`. */
  function(className: number, method: number): number {
    let row = this.#functions.get(className, method);
    if (row < 0) {
      const name = `${this.#texts.className(className)}.${this.#texts.text(method)}`;
      takeRoom(2 * name.length);
      row = this.#names.push(name) - 1;
      this.#functions.set(className, method, row);
    }
    return row;
  }

  functionName(row: number): string {
    return this.#names[row]!;
  }

  get places(): number {
    return this.#placeFunction.length;
  }

  /** @throws DecodeError too_many_elements */
  place(fn: number, line: number): number {
    let row = this.#places.get(fn, line);
    if (row < 0) {
      row = this.#placeFunction.length;
      if (row === MAX_IDS) throw new DecodeError('too_many_elements', `more than ${MAX_IDS} places in code`);
      this.#placeFunction.push(fn);
      this.#placeLine.push(line);
      this.#places.set(fn, line, row);
    }
    return row;
  }

  placeFunction(row: number): number {
    return this.#placeFunction.items[row]!;
  }

  placeLine(row: number): number {
    return this.#placeLine.items[row]!;
  }

  /** Adds a place to the stack that is being read, leaf first. */
  push(place: number): void {
    this.#items.push(place);
  }

  /** The row of the stack that was read. @throws DecodeError too_many_elements */
  finish(): number {
    const from = this.#starts.items[this.#starts.length - 1]!;
    const slot = this.#slot(from, this.#items.length);
    const known = this.#slots[slot]! - 1;
    if (known >= 0) {
      this.#items.length = from;
      return known;
    }
    const row = this.count;
    if (row === MAX_ELEMENTS) throw new DecodeError('too_many_elements', `more than ${MAX_ELEMENTS} stacks`);
    this.#starts.push(this.#items.length);
    this.#slots[slot] = row + 1;
    if (2 * this.count >= this.#slots.length) this.#grow();
    return row;
  }

  get count(): number {
    return this.#starts.length - 1;
  }

  /** The places of a stack, leaf first: a view, valid until something is added. */
  stack(row: number): Uint32Array {
    return this.#items.items.subarray(this.#starts.items[row]!, this.#starts.items[row + 1]!);
  }

  #slot(from: number, to: number): number {
    const { items } = this.#items;
    const starts = this.#starts.items;
    const mask = this.#slots.length - 1;
    let hash = to - from;
    for (let at = from; at < to; at++) hash = mixed(items[at]!, hash);
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const row = this.#slots[slot]! - 1;
      if (row < 0) return slot;
      let at = starts[row]!;
      if (starts[row + 1]! - at !== to - from) continue;
      let other = from;
      while (other < to && items[at] === items[other]) {
        at++;
        other++;
      }
      if (other === to) return slot;
    }
  }

  #grow(): void {
    takeRoom(this.#slots.byteLength);
    this.#slots = new Uint32Array(this.#slots.length * 2);
    for (let row = 0; row < this.count; row++)
      this.#slots[this.#slot(this.#starts.items[row]!, this.#starts.items[row + 1]!)] = row + 1;
  }
}

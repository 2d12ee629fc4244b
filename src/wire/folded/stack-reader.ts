import type { ColumnsBuilder } from '../../model/columns/builder.ts';
import { grown } from '../../model/columns/growth.ts';
import { DecodeError } from '../decode-error.ts';
import { MAX_FRAMES } from '../pprof/limits.ts';
import { isControl, SEMICOLON } from './ascii.ts';
import { NamedPlaces } from './named-places.ts';

/**
 * Stacks as rows of locations. Every `;` parts two frames, so that a frame may be empty: nothing is left out, and what is written again is
 * what was read. A text without a byte is a stack without frames.
 *
 * Most writers sort their stacks, so that a line begins as the one before: its frames up to there are known, at the cost of comparing bytes,
 * and nothing is looked up for them.
 */
export class StackReader {
  readonly #builder: ColumnsBuilder;
  readonly #places: NamedPlaces;
  readonly #bytes: Uint8Array;
  /** Where frames end, from the begin of the stack on; root first, as `#rows` are. */
  #ends = new Uint32Array(64) as Uint32Array;
  #rows = new Uint32Array(64) as Uint32Array;
  #leafFirst = new Uint32Array(64) as Uint32Array;
  #depth = 0;
  /** Where the stack of before lies. */
  #from = 0;
  #to = 0;

  constructor(builder: ColumnsBuilder, bytes: Uint8Array) {
    this.#builder = builder;
    this.#bytes = bytes;
    this.#places = new NamedPlaces(builder.columns);
  }

  /** Reads a stack; false where it has control characters. @throws DecodeError too_deep, too_many_elements */
  read(from: number, to: number): boolean {
    const bytes = this.#bytes;
    const known = this.#known(from, to);
    let depth = known;
    let at = from + (known === 0 ? 0 : this.#ends[known - 1]! + 1);
    let start = at;
    let ends = this.#ends;
    // What of the stack of before is not overwritten is no longer one.
    this.#depth = 0;
    if (from !== to)
      for (; ; at++) {
        const byte = at === to ? SEMICOLON : bytes[at]!;
        if (byte === SEMICOLON) {
          if (depth === ends.length) ends = this.#grow(depth + 1);
          ends[depth++] = at - from;
          if (at === to) break;
        } else if (isControl(byte)) return false;
      }
    const rows = this.#rows;
    for (let frame = known; frame < depth; frame++) {
      const end = from + ends[frame]!;
      rows[frame] = this.#places.of(this.#builder.stringAt(start, end));
      start = end + 1;
    }
    this.#from = from;
    this.#to = to;
    this.#depth = depth;
    return true;
  }

  /** A sample with the stack that was read last. */
  sample(value: bigint): number {
    const depth = this.#depth;
    const rows = this.#rows;
    const leafFirst = this.#leafFirst;
    for (let at = 0; at < depth; at++) leafFirst[at] = rows[depth - 1 - at]!;
    return this.#builder.sample(leafFirst, depth, value);
  }

  /** How many frames the stack has in common with the one before, each with the `;` behind it. */
  #known(from: number, to: number): number {
    const bytes = this.#bytes;
    const shift = this.#from - from;
    const limit = from + Math.min(to - from, this.#to - this.#from);
    let at = from;
    while (at < limit && bytes[at] === bytes[at + shift]) at++;
    const ends = this.#ends;
    let frames = this.#depth;
    while (frames > 0 && ends[frames - 1]! >= at - from) frames--;
    return frames;
  }

  #grow(depth: number): Uint32Array {
    if (depth > MAX_FRAMES) throw new DecodeError('too_deep', `a stack has more than ${MAX_FRAMES} frames`);
    this.#ends = grown(this.#ends, depth);
    this.#rows = grown(this.#rows, depth);
    this.#leafFirst = grown(this.#leafFirst, depth);
    return this.#ends;
  }
}

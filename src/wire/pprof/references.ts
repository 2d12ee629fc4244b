import { Rows } from '../../model/columns/growth.ts';
import type { Ids } from '../../model/columns/ids.ts';
import { DecodeError } from '../decode-error.ts';

/**
 * References by id into a table that may come later. A column takes the low halves as they are read, and where ids turn out to be
 * 1…n in order, those are the rows; otherwise a second pass over the column looks each up.
 */
export class References {
  /** Highest of the ids below 2^31. */
  max = 0;
  /** Whether larger ones were named. */
  #large = false;
  /** Where the column has ids of more than 32 bits, and their high halves; in order. */
  #wide: { readonly places: Rows; readonly highs: Rows } | undefined;

  /** Notes the id that goes to a place of the column; 0 is none. */
  note(place: number, lo: number, hi: number): void {
    if (hi === 0 && lo >= 0) {
      if (lo > this.max) this.max = lo;
    } else this.#noteLarge(place, hi);
  }

  #noteLarge(place: number, hi: number): void {
    this.#large = true;
    if (hi === 0) return;
    this.#wide ??= { places: new Rows(), highs: new Rows() };
    this.#wide.places.push(place);
    this.#wide.highs.push(hi);
  }

  /**
   * Turns ids into rows; 0 stays 0.
   * @throws DecodeError bad_reference
   */
  resolve(column: Uint32Array, from: number, to: number, ids: Ids, who: string): void {
    const dangling = () => new DecodeError('bad_reference', `${who} that does not exist`);
    if (ids.sequential) {
      if (this.#large || this.max >= ids.count) throw dangling();
      return;
    }
    const wide = this.#wide;
    let nextWide = 0;
    for (let place = from; place < to; place++) {
      const lo = column[place]!;
      let hi = 0;
      if (wide && nextWide < wide.places.length && wide.places.items[nextWide] === place)
        hi = wide.highs.items[nextWide++]!;
      if (lo === 0 && hi === 0) continue;
      const row = ids.rowOf(lo, hi);
      if (row === 0) throw dangling();
      column[place] = row;
    }
  }
}

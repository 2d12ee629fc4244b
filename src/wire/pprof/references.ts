import { Rows } from '../../model/columns/growth.ts';
import type { Ids } from '../../model/columns/ids.ts';
import { DecodeError } from '../decode-error.ts';

/**
 * References by id into a table that may come later. A column takes the low halves as they are read, and where ids turn out to be
 * 1…n in order, those are the rows; otherwise a second pass over the column looks each up.
 */
export class References {
  /** Highest id named; rounded above 2^53. */
  max = 0;
  /** Where the column has ids of more than 32 bits, and their high halves; in order. */
  #wide: { readonly places: Rows; readonly highs: Rows } | undefined;

  note(place: number, id: number, hi: number): void {
    if (id > this.max) this.max = id;
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
    if (this.max > ids.max) throw new DecodeError('bad_reference', `${who} that does not exist`);
    if (ids.sequential) return;
    const wide = this.#wide;
    let nextWide = 0;
    for (let place = from; place < to; place++) {
      const lo = column[place]!;
      let hi = 0;
      if (wide && wide.places.items[nextWide] === place && nextWide < wide.places.length)
        hi = wide.highs.items[nextWide++]!;
      if (lo === 0 && hi === 0) continue;
      const row = ids.rowOf(lo, hi);
      if (row === 0) throw new DecodeError('bad_reference', `${who} that does not exist`);
      column[place] = row;
    }
  }
}

import type { Columns } from '../../model/columns/columns.ts';
import { grown } from '../../model/columns/growth.ts';
import { DecodeError } from '../decode-error.ts';
import { MAX_IDS } from '../pprof/limits.ts';

/** Locations that say a name and nothing else, one for each name. A look-up is one read of an array. */
export class NamedPlaces {
  readonly #columns: Columns;
  /** Rows of locations by rows of strings; 0 where there is none yet. */
  #places = new Uint32Array(256) as Uint32Array;

  constructor(columns: Columns) {
    this.#columns = columns;
  }

  /** @param name row of strings @throws DecodeError too_many_elements */
  of(name: number): number {
    const known = name < this.#places.length ? this.#places[name]! : 0;
    return known === 0 ? this.#add(name) : known;
  }

  #add(name: number): number {
    const { functions, locations } = this.#columns;
    if (locations.count > MAX_IDS) throw new DecodeError('too_many_elements', `more than ${MAX_IDS} names of frames`);
    const place = locations.add(0);
    locations.lines.add(functions.add(name));
    locations.lineEnd[place] = locations.lines.count;
    this.#places = grown(this.#places, name + 1);
    this.#places[name] = place;
    return place;
  }
}

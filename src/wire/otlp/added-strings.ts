import { bytesField, type RowOf } from './any-value.ts';
import { DICTIONARY } from './fields.ts';
import { type Skeleton, stringRows } from './skeleton.ts';

const FIRST_HASH = 0x811c9dc5;
const PRIME = 0x01000193;
/**
 * Rows with one hash that are looked at. Strings made to collide would cost each look-up the whole table; behind so many a string counts
 * as not there, and is then there twice, which readers can bear.
 */
const MAX_COLLISIONS = 64;

/** FNV-1a, folded: its lowest bits, which become the slot, know only the lowest bits of each byte. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = FIRST_HASH;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, PRIME);
  return hash ^ (hash >>> 15);
}

/** Finds the row of a string in a dictionary. Made from bytes, without decoding; 16 to 24 bytes per row beside the offsets. */
class StringIndex {
  readonly length: number;
  readonly #bytes: Uint8Array;
  /** Start and end of each string, in turns. */
  readonly #rows: readonly number[];
  /** The first row of each slot + 1, and for each row the next one of its slot + 1; 0 is none. */
  readonly #heads: Int32Array;
  readonly #next: Int32Array;

  constructor(bytes: Uint8Array, rows: readonly number[]) {
    this.#bytes = bytes;
    this.#rows = rows;
    this.length = rows.length / 2;
    this.#heads = new Int32Array(2 ** Math.ceil(Math.log2(this.length * 2 + 1)));
    this.#next = new Int32Array(this.length);
    // From the end, so that of equal strings the first is found.
    for (let row = this.length - 1; row >= 0; row--) {
      const slot = hashOf(bytes, rows[row * 2]!, rows[row * 2 + 1]!) & (this.#heads.length - 1);
      this.#next[row] = this.#heads[slot]!;
      this.#heads[slot] = row + 1;
    }
  }

  /** -1 where it is not there. */
  rowOf(text: Uint8Array): number {
    let row = this.#heads[hashOf(text, 0, text.length) & (this.#heads.length - 1)]! - 1;
    for (let looks = 0; row >= 0 && looks < MAX_COLLISIONS; looks++) {
      const start = this.#rows[row * 2]!;
      const end = this.#rows[row * 2 + 1]!;
      if (end - start === text.length && Buffer.compare(this.#bytes.subarray(start, end), text) === 0) return row;
      row = this.#next[row]! - 1;
    }
    return -1;
  }
}

const indexes = new WeakMap<Skeleton, StringIndex>();

/** The index of the dictionary's strings, made once per skeleton. @throws DecodeError bad_protobuf */
export function stringIndexOf(skeleton: Skeleton): StringIndex {
  let index = indexes.get(skeleton);
  if (!index) {
    const { bytes, dictionary } = skeleton;
    index = new StringIndex(bytes, dictionary ? stringRows(bytes, dictionary) : []);
    indexes.set(skeleton, index);
  }
  return index;
}

/** Strings that the dictionary lacks, for its end. */
export class AddedStrings {
  readonly #index: StringIndex;
  readonly #rows = new Map<string, number>();
  readonly #fields: Uint8Array[] = [];
  #next: number;

  constructor(index: StringIndex) {
    this.#index = index;
    this.#next = index.length;
    // Row 0 stands for no string; a dictionary without it gets it.
    if (index.length === 0) this.rowOf('');
  }

  readonly rowOf: RowOf = text => {
    const known = this.#rows.get(text);
    if (known !== undefined) return known;
    const bytes = Buffer.from(text);
    let row = this.#index.rowOf(bytes);
    if (row < 0) {
      row = this.#next++;
      this.#fields.push(bytesField(DICTIONARY.stringTable, bytes));
    }
    this.#rows.set(text, row);
    return row;
  };

  fields(): Uint8Array {
    return Buffer.concat(this.#fields);
  }
}

import { isUtf8 } from 'node:buffer';
import type { ColumnsBuilder } from '../../model/columns/builder.ts';
import { grown } from '../../model/columns/growth.ts';
import { StringIndex } from '../../model/columns/string-index.ts';
import { DecodeError } from '../decode-error.ts';
import { NamedPlaces } from '../folded/named-places.ts';
import { MAX_ELEMENTS, MAX_FRAMES } from '../pprof/limits.ts';
import { MAX_NAME_BYTES } from './limits.ts';

/** The path from the root to where a walk over nodes is, as rows of locations, and samples of it. */
export class FrameRows {
  readonly #builder: ColumnsBuilder;
  readonly #places: NamedPlaces;
  readonly #bytes: Uint8Array;
  readonly #index: StringIndex;
  readonly #reason: string;
  /** Root first. */
  #rows = new Uint32Array(64) as Uint32Array;
  #leafFirst = new Uint32Array(64) as Uint32Array;
  #depth = 0;

  /** @param reason of the error where a name is too long */
  constructor(builder: ColumnsBuilder, bytes: Uint8Array, reason: string) {
    this.#builder = builder;
    this.#places = new NamedPlaces(builder.columns);
    this.#bytes = bytes;
    this.#reason = reason;
    this.#index = new StringIndex(builder.columns.strings);
  }

  get depth(): number {
    return this.#depth;
  }

  /** Back to a frame nearer to the root. */
  cut(depth: number): void {
    this.#depth = depth;
  }

  /** A name that is a range of the source. @throws DecodeError bad_string, too_deep, too_many_elements, the reason */
  push(from: number, to: number): void {
    const { strings } = this.#builder.columns;
    let name = this.#find(this.#bytes, from, to);
    if (name < 0) {
      name = strings.count;
      strings.add(from, to);
      this.#index.add(name);
    }
    this.#add(name);
  }

  /** A name that was put together, in other memory. @throws DecodeError as `push` */
  pushCopy(memory: Uint8Array, from: number, to: number): void {
    let name = this.#find(memory, from, to);
    if (name < 0) {
      name = this.#builder.columns.strings.append(memory.subarray(from, to));
      this.#index.add(name);
    }
    this.#add(name);
  }

  /** @throws DecodeError too_many_elements */
  sample(value: bigint): void {
    const depth = this.#depth;
    if (this.#builder.columns.samples.count === MAX_ELEMENTS)
      throw new DecodeError('too_many_elements', `more than ${MAX_ELEMENTS} samples`);
    for (let at = 0; at < depth; at++) this.#leafFirst[at] = this.#rows[depth - 1 - at]!;
    this.#builder.sample(this.#leafFirst, depth, value);
  }

  #add(name: number): void {
    const at = this.#depth++;
    if (this.#depth > MAX_FRAMES) throw new DecodeError('too_deep', `a stack has more than ${MAX_FRAMES} frames`);
    this.#rows = grown(this.#rows, this.#depth);
    this.#leafFirst = grown(this.#leafFirst, this.#depth);
    this.#rows[at] = this.#places.of(name);
  }

  /** The row of a name; -1 where it is new, and may be one. */
  #find(memory: Uint8Array, from: number, to: number): number {
    if (from === to) return 0;
    if (to - from > MAX_NAME_BYTES) throw new DecodeError(this.#reason, `a name has more than ${MAX_NAME_BYTES} bytes`);
    const row = this.#index.findIn(memory, from, to - from);
    if (row < 0 && !isUtf8(memory.subarray(from, to))) throw new DecodeError('bad_string', 'a name is not valid UTF-8');
    return row;
  }
}

import { grown, grownBytes, takeRoom } from '../../model/columns/growth.ts';
import { SEMICOLON } from '../folded/ascii.ts';
import type { FrameRows } from './frame-rows.ts';

/** What is known of each node on the path: length of its key, frames in it that ended, and where the frame that has not ended begins. */
const MARKS = 3;
/** What a byte of a name that is looked up counts as, bytes: it is read twice, some 3 ns. */
const LOOK_UP_COST = 4;
/** Row 0 of no node: the key of the root's parent. */
const NOTHING: readonly number[] = [0, 0, 0];

/**
 * Keys of a trie, put together from the suffixes on the path. Frames that ended are looked up once for the node that ends them, not for each
 * key below. What a look-up of a frame across nodes reads counts as memory, since short nodes below a long name could have it read for ever.
 */
export class TrieKeys {
  readonly #bytes: Uint8Array;
  readonly #frames: FrameRows;
  #key = new Uint8Array(256) as Uint8Array;
  #length = 0;
  /** Where the frame that has not ended begins in the key. */
  #begin = 0;
  #marks = new Uint32Array(MARKS * 32) as Uint32Array;
  /** The source at `at - #shift` is the key at `at`, for what the last node added. */
  #shift = 0;
  #own = 0;

  constructor(bytes: Uint8Array, frames: FrameRows) {
    this.#bytes = bytes;
    this.#frames = frames;
  }

  /** Goes to a node. @param depth nodes above it, which are those on the path */
  enter(depth: number, from: number, to: number): void {
    this.#back(depth);
    const length = to - from;
    const own = this.#length;
    this.#own = own;
    this.#shift = own - from;
    this.#length += length;
    this.#key = grownBytes(this.#key, this.#length);
    this.#key.set(this.#bytes.subarray(from, to), own);
    for (let at = own; at < this.#length; at++) {
      if (this.#key[at] !== SEMICOLON) continue;
      this.#frame(at);
      this.#begin = at + 1;
    }
    this.#mark(depth);
  }

  /** A sample with the key of the node that was entered last; the empty one has no frames. Once for a node. */
  sample(value: bigint): void {
    if (this.#length > 0) this.#frame(this.#length);
    this.#frames.sample(value);
  }

  /** The frame that ends here. */
  #frame(end: number): void {
    const begin = this.#begin;
    if (begin >= this.#own) this.#frames.push(begin - this.#shift, end - this.#shift);
    else {
      takeRoom(LOOK_UP_COST * (end - begin));
      this.#frames.pushCopy(this.#key, begin, end);
    }
  }

  #back(depth: number): void {
    const at = MARKS * (depth - 1);
    const marks = depth === 0 ? NOTHING : this.#marks.subarray(at, at + MARKS);
    this.#length = marks[0]!;
    this.#frames.cut(marks[1]!);
    this.#begin = marks[2]!;
  }

  #mark(depth: number): void {
    const at = MARKS * depth;
    this.#marks = grown(this.#marks, at + MARKS);
    this.#marks[at] = this.#length;
    this.#marks[at + 1] = this.#frames.depth;
    this.#marks[at + 2] = this.#begin;
  }
}

import { Rows, takeRoom } from '../../model/columns/growth.ts';
import { Int64s } from '../../model/columns/int64.ts';
import type { Samples } from '../../model/columns/samples.ts';
import { bounded } from '../bounded.ts';
import { DecodeError } from '../decode-error.ts';
import { MAX_ELEMENTS } from '../pprof/limits.ts';

/** Above every frame number. */
const FRAMES = 2 ** 31;
/** What a map takes for an entry, about. */
const ENTRY_BYTES = 48;

const badEvents = (message: string) => new DecodeError('bad_events', message);

/**
 * What an evented profile opened and closed: the time between two events belongs to the stack that is open there. Equal stacks are
 * one sample, since a deep stack for every event would be far larger than the file; time with nothing open is nobody's.
 */
export class CallTree {
  /** Of each node; node 0 is the root, which has no frame. */
  readonly #parent = new Rows();
  readonly #frame = new Rows();
  readonly #depth = new Rows();
  readonly #self = new Int64s();
  /** Nodes that have time, in the order in which they got it. */
  readonly #timed = new Rows();
  readonly #children = new Map<number, number>();
  #open = 0;
  #last: bigint | undefined;

  constructor() {
    this.#add(0, 0, 0);
  }

  /** @throws DecodeError bad_events, value_overflow, too_many_elements */
  enter(frame: number, at: bigint): void {
    this.#pass(at);
    const key = this.#open * FRAMES + frame;
    let node = this.#children.get(key);
    if (node === undefined) {
      if (this.#parent.length === MAX_ELEMENTS)
        throw new DecodeError('too_many_elements', `more than ${MAX_ELEMENTS} different stacks`);
      takeRoom(ENTRY_BYTES);
      node = this.#add(this.#open, frame, this.#depth.items[this.#open]! + 1);
      this.#children.set(key, node);
    }
    this.#open = node;
  }

  /** @throws DecodeError bad_events, value_overflow */
  leave(frame: number, at: bigint): void {
    this.#pass(at);
    if (this.#open === 0) throw badEvents('a frame is closed where none is open');
    if (this.#frame.items[this.#open] !== frame)
      throw badEvents('a frame is closed that is not the innermost open one');
    this.#open = this.#parent.items[this.#open]!;
  }

  /** Fills empty samples of one value; stacks are frame numbers. @throws DecodeError bad_events where a frame is still open */
  fill(samples: Samples): void {
    if (this.#open !== 0) throw badEvents('the events end while a frame is open');
    for (let at = 0; at < this.#timed.length; at++) {
      let node = this.#timed.items[at]!;
      const from = samples.stackLength;
      const to = from + this.#depth.items[node]!;
      const row = samples.count++;
      samples.ensure(row + 1, to, row + 1);
      samples.values.set(row, this.#self.at(node));
      samples.stackStart[row] = from;
      samples.stackEnd[row] = samples.stackLength = to;
      samples.firstLabel[row] = 0;
      for (let place = from; place < to; place++) {
        samples.stack[place] = this.#frame.items[node]!;
        node = this.#parent.items[node]!;
      }
    }
  }

  #add(parent: number, frame: number, depth: number): number {
    const node = this.#parent.length;
    this.#parent.push(parent);
    this.#frame.push(frame);
    this.#depth.push(depth);
    this.#self.ensure(node + 1);
    this.#self.set(node, 0n);
    return node;
  }

  /** Gives the time since the last event to what was open. */
  #pass(at: bigint): void {
    const passed = at - (this.#last ?? at);
    this.#last = at;
    if (passed < 0n) throw badEvents('events are not in the order of their time');
    if (passed === 0n || this.#open === 0) return;
    const before = this.#self.at(this.#open);
    const sum = bounded(before + passed, 'the time of a stack');
    if (before === 0n) this.#timed.push(this.#open);
    this.#self.set(this.#open, sum);
  }
}

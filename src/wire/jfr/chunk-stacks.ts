import { IdTable } from './id-table.ts';
import { bad, type Input } from './input.ts';
import type { Layout } from './layout.ts';
import type { Pools } from './pools.ts';
import type { Stacks } from './stacks.ts';

const STACK_FIELDS = ['frames', 'truncated'];
const FRAMES = 0;
const TRUNCATED = 1;
const FRAME_FIELDS = ['method', 'lineNumber'];
const METHOD = 0;
const LINE = 1;
const METHOD_FIELDS = ['type', 'name'];
const CLASS = 0;
const NAME = 1;
/** For a method that has no name. */
const NONE = 0xfffffff0;

/** Stacks of one chunk by key, read when an event leads to them, and then once. */
export class ChunkStacks {
  /** Frames left out since their method is not described. */
  lostFrames = 0;
  readonly #input: Input;
  readonly #end: number;
  readonly #pools: Pools;
  readonly #stacks: Stacks;
  readonly #type: number;
  readonly #stackLayout: Layout;
  readonly #frameLayout: Layout | undefined;
  readonly #methodType: number;
  readonly #methodLayout: Layout | undefined;
  /** By key: row of the stack * 2, and 1 if it is cut. */
  readonly #known = new IdTable();
  /** By key of a method: row of the function. */
  readonly #functions = new IdTable();
  readonly #lo = new Uint32Array(2);
  readonly #hi = new Uint32Array(2);

  /** @param type of stack traces, as events name it. @throws DecodeError bad_jfr, too_many_elements */
  constructor(input: Input, end: number, pools: Pools, stacks: Stacks, type: number) {
    this.#input = input;
    this.#end = end;
    this.#pools = pools;
    this.#stacks = stacks;
    this.#type = type;
    const { layouts, types } = pools;
    const stack = types.get(type);
    if (!stack) throw bad('the type of stack traces is not described');
    this.#stackLayout = layouts.layout(stack, STACK_FIELDS);
    const frame = types.get(this.#stackLayout.types[FRAMES]!);
    const hasFrames = frame && this.#stackLayout.kind(FRAMES) === 'array';
    const layout = hasFrames && layouts.layout(frame, FRAME_FIELDS);
    // Frames that take no byte may be as many as a count can say.
    this.#frameLayout = layout && layout.code.length > 0 ? layout : undefined;
    this.#methodType = this.#frameLayout?.types[METHOD] ?? -1;
    const method = types.get(this.#methodType);
    this.#methodLayout = method && layouts.layout(method, METHOD_FIELDS);
  }

  /** Row of the stack with this key * 2, and 1 if it was cut as it was taken; -1 where there is no such stack. */
  find(lo: number, hi: number): number {
    let found = this.#known.get(lo, hi);
    if (found < 0) {
      const at = this.#pools.find(this.#type, lo, hi);
      if (at < 0) return -1;
      found = this.#read(at);
      this.#known.set(lo, hi, found);
    }
    return found;
  }

  #read(start: number): number {
    const { layouts } = this.#pools;
    const end = this.#end;
    const los = this.#lo;
    const his = this.#hi;
    los.fill(0);
    layouts.read(this.#stackLayout, start, end, los, his);
    const cut = los[TRUNCATED] === 0 ? 0 : 1;
    const layout = this.#frameLayout;
    if (layout) {
      let at = this.#input.count(los[FRAMES]!, end);
      for (let left = this.#input.lo; left > 0; left--) {
        los[LINE] = 0;
        at = layouts.read(layout, at, end, los, his);
        // Lines are signed, and native frames may have -1.
        const line = Math.max(0, los[LINE]! | 0);
        const fn = this.#function(los[METHOD]!, his[METHOD]!);
        if (fn === NONE) this.lostFrames++;
        else this.#stacks.push(this.#stacks.place(fn, line));
      }
    }
    return this.#stacks.finish() * 2 + cut;
  }

  #function(lo: number, hi: number): number {
    let fn = this.#functions.get(lo, hi);
    if (fn < 0) {
      fn = this.#named(lo, hi);
      this.#functions.set(lo, hi, fn);
    }
    return fn;
  }

  #named(lo: number, hi: number): number {
    const pools = this.#pools;
    const layout = this.#methodLayout;
    const at = layout ? pools.find(this.#methodType, lo, hi) : -1;
    if (!layout || at < 0) return NONE;
    const los = new Uint32Array(METHOD_FIELDS.length);
    const his = new Uint32Array(METHOD_FIELDS.length);
    pools.layouts.read(layout, at, this.#end, los, his);
    const text = (slot: number) => {
      const type = layout.types[slot]!;
      if (type < 0) return 0;
      return layout.kind(slot) === 'string' ? pools.string(los[slot]!) : pools.symbol(type, los[slot]!, his[slot]!);
    };
    const name = text(NAME);
    return name === 0 ? NONE : this.#stacks.function(text(CLASS), name);
  }
}

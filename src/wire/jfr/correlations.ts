import { takeRoom } from '../../model/columns/growth.ts';
import type { Losses } from '../convert/losses.ts';
import { DecodeError } from '../decode-error.ts';
import { MAX_ELEMENTS } from '../pprof/limits.ts';
import { int64 } from '../protobuf.ts';
import { mixed } from './id-table.ts';
import type { LabelsSnapshot } from './labels-snapshot.ts';

/** Halves of context, span, name of the span, and the trace's high and low part; then row + 1 of the labels. */
const STRIDE = 11;
const HALVES = STRIDE - 1;
const FIRST_SLOTS = 16;
/** What a set and a label of it take on the heap, bytes, roughly. */
const SET_BYTES = 200;
const PAIR_BYTES = 40;

export type Pair = readonly [key: string, text: string];

/** What events say they belong to, as labels: a set of labels once for all events that come to the same. Row 0 is no label at all. */
export class Correlations {
  readonly sets: (readonly Pair[])[] = [[]];
  readonly #snapshot: LabelsSnapshot | undefined;
  readonly #losses: Losses | undefined;
  readonly #bySets = new Map<string, number>([['', 0]]);
  #slots = new Uint32Array(STRIDE * FIRST_SLOTS);
  #used = 0;
  /** Contexts that the snapshot does not have. */
  readonly #lostContexts = new Set<bigint>();

  constructor(snapshot: LabelsSnapshot | undefined, losses: Losses | undefined) {
    this.#snapshot = snapshot;
    this.#losses = losses;
  }

  /**
   * The row of the set that stands for five ids, which lie in `lo` and `hi` from `from` on.
   * @throws DecodeError too_many_elements
   */
  row(lo: Uint32Array, hi: Uint32Array, from: number): number {
    let any = 0;
    for (let at = from; at < from + HALVES / 2; at++) any |= lo[at]! | hi[at]!;
    if (any === 0) return 0;
    let slot = this.#slot(lo, hi, from);
    if (this.#slots[slot + HALVES] === 0) {
      if (++this.#used * 2 * STRIDE > this.#slots.length) {
        this.#grow();
        slot = this.#slot(lo, hi, from);
      }
      for (let half = 0; half < HALVES; half++) this.#slots[slot + half] = this.#half(lo, hi, from, half);
      const id = (at: number) => int64(lo[from + at]!, hi[from + at]!);
      this.#slots[slot + HALVES] = this.#added(this.#pairs(id(0), id(1), id(2), id(3), id(4))) + 1;
    }
    return this.#slots[slot + HALVES]! - 1;
  }

  #half(lo: Uint32Array, hi: Uint32Array, from: number, half: number): number {
    const at = from + (half >>> 1);
    return half & 1 ? hi[at]! : lo[at]!;
  }

  #slot(lo: Uint32Array, hi: Uint32Array, from: number): number {
    const slots = this.#slots;
    const count = slots.length / STRIDE;
    let hash = 0;
    for (let at = from; at < from + HALVES / 2; at++) hash = mixed(lo[at]! ^ hash, hi[at]!);
    for (let slot = hash & (count - 1); ; slot = (slot + 1) & (count - 1)) {
      const at = slot * STRIDE;
      if (slots[at + HALVES] === 0) return at;
      let half = 0;
      while (half < HALVES && slots[at + half] === this.#half(lo, hi, from, half)) half++;
      if (half === HALVES) return at;
    }
  }

  #grow(): void {
    const old = this.#slots;
    takeRoom(old.byteLength);
    this.#slots = new Uint32Array(old.length * 2);
    const lo = new Uint32Array(HALVES / 2);
    const hi = new Uint32Array(HALVES / 2);
    for (let at = 0; at < old.length; at += STRIDE) {
      if (old[at + HALVES] === 0) continue;
      for (let id = 0; id < HALVES / 2; id++) {
        lo[id] = old[at + 2 * id]!;
        hi[id] = old[at + 2 * id + 1]!;
      }
      this.#slots.set(old.subarray(at, at + STRIDE), this.#slot(lo, hi, 0));
    }
  }

  #pairs(context: bigint, span: bigint, spanName: bigint, traceHigh: bigint, traceLow: bigint): Pair[] {
    const strings = this.#snapshot?.strings;
    const pairs: Pair[] = [];
    const add = (key: string | undefined, text: string | undefined) => {
      if (key && text) pairs.push([key, text]);
      else this.#losses?.add('jfr_label');
    };
    const labels = context === 0n ? undefined : this.#snapshot?.contexts.get(context);
    if (labels) for (const [key, value] of labels) add(strings?.get(key), strings?.get(value));
    else if (context !== 0n) this.#lostContext(context);
    if (span !== 0n) pairs.push(['span_id', hex(span)]);
    if (spanName !== 0n) add('span_name', strings?.get(spanName));
    if (traceHigh !== 0n || traceLow !== 0n) pairs.push(['trace_id', hex(traceHigh) + hex(traceLow)]);
    return pairs;
  }

  #lostContext(context: bigint): void {
    if (this.#lostContexts.has(context)) return;
    this.#lostContexts.add(context);
    this.#losses?.add('jfr_context');
  }

  /** What a set takes is counted even if it is there already, which bounds the time too: few bytes may name many labels. */
  #added(pairs: readonly Pair[]): number {
    let length = 0;
    for (const [key, text] of pairs) length += key.length + text.length + PAIR_BYTES;
    takeRoom(SET_BYTES + 2 * length);
    const identity = pairs.length === 0 ? '' : JSON.stringify(pairs);
    let row = this.#bySets.get(identity);
    if (row === undefined) {
      row = this.sets.length;
      if (row === MAX_ELEMENTS) throw new DecodeError('too_many_elements', `more than ${MAX_ELEMENTS} sets of labels`);
      this.sets.push(pairs);
      this.#bySets.set(identity, row);
    }
    return row;
  }
}

function hex(id: bigint): string {
  return BigInt.asUintN(64, id).toString(16).padStart(16, '0');
}

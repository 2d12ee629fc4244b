import { ColumnsBuilder } from '../../model/columns/builder.ts';
import type { Columns } from '../../model/columns/columns.ts';
import { grown, takeRoom } from '../../model/columns/growth.ts';
import { timesPeriod } from '../bounded.ts';
import { DecodeError } from '../decode-error.ts';
import { MAX_ELEMENTS } from '../pprof/limits.ts';
import type { Correlations } from './correlations.ts';
import type { Kind } from './kinds.ts';
import type { Stacks } from './stacks.ts';

/** Above every row of sets of labels, so that stack and set fit into one number. */
const SETS = 2 ** 24;
/** What an entry of a map takes, bytes, roughly. */
const ENTRY_BYTES = 50;
const SIGN = 0x80000000;

/** One profile in the making. Events of equal stack and labels are one sample; values are added as halves, exact. */
export class ProfileFiller {
  readonly kind: Kind;
  readonly #builder: ColumnsBuilder;
  readonly #stacks: Stacks;
  readonly #correlations: Correlations;
  /** By row of a stack: row + 1 of its sample without labels. */
  #plain = new Uint32Array(64) as Uint32Array;
  readonly #labelled = new Map<number, number>();
  /** By row of a place: row of the location. */
  #locations = new Uint32Array(64) as Uint32Array;
  /** By row of a function: row of it here. */
  #functions = new Uint32Array(64) as Uint32Array;
  /** By row of a set: rows of keys and texts in turns. */
  readonly #labels = new Map<number, Uint32Array>();
  #scratch = new Uint32Array(64) as Uint32Array;

  constructor(kind: Kind, stacks: Stacks, correlations: Correlations) {
    this.kind = kind;
    this.#stacks = stacks;
    this.#correlations = correlations;
    this.#builder = new ColumnsBuilder(kind.types.map(([type, unit]) => ({ type, unit })));
  }

  /**
   * Adds what an event says, to up to two types.
   * @param first of the first type
   * @param lo, hi halves of the second value
   * @throws DecodeError value_overflow, too_many_elements
   */
  add(stack: number, set: number, first: number, lo: number, hi: number): void {
    const sample = set === 0 ? this.#plainSample(stack) : this.#labelledSample(stack, set);
    const { width } = this.#builder.columns.samples;
    this.#addHalves(sample * width, first, first < 0 ? 0xffffffff : 0);
    if (width > 1) this.#addHalves(sample * width + 1, lo, hi);
  }

  /**
   * The finished profile.
   * @param period of a kind that is timed: each value is a count of samples that stand for so much
   * @throws DecodeError value_overflow
   */
  finish(timeNanos: bigint, durationNanos: bigint, period: bigint): Columns {
    const { columns } = this.#builder;
    const { periodType, isTimed } = this.kind;
    columns.timeNanos = timeNanos;
    columns.durationNanos = durationNanos;
    if (periodType) this.#builder.period(periodType[0], periodType[1], isTimed ? period : 0n);
    if (!isTimed) return columns;
    timesPeriod(columns.samples, period);
    return columns;
  }

  #addHalves(at: number, lo: number, hi: number): void {
    const { halves } = this.#builder.columns.samples.values;
    const low = halves[2 * at]! + (lo >>> 0);
    const before = halves[2 * at + 1]!;
    const high = (before + hi + (low > 0xffffffff ? 1 : 0)) >>> 0;
    // Two of one sign and a sum of the other.
    if ((~(before ^ hi) & (before ^ high) & SIGN) !== 0)
      throw new DecodeError('value_overflow', 'a value is beyond 64 bits');
    halves[2 * at] = low;
    halves[2 * at + 1] = high;
  }

  #plainSample(stack: number): number {
    if (stack >= this.#plain.length) this.#plain = grown(this.#plain, stack + 1);
    const known = this.#plain[stack]! - 1;
    if (known >= 0) return known;
    const sample = this.#sample(stack);
    this.#plain[stack] = sample + 1;
    return sample;
  }

  #labelledSample(stack: number, set: number): number {
    const key = stack * SETS + set;
    const known = this.#labelled.get(key);
    if (known !== undefined) return known;
    const sample = this.#sample(stack);
    const labels = this.#labelsOf(set);
    for (let at = 0; at < labels.length; at += 2) this.#builder.label(labels[at]!, labels[at + 1]!);
    takeRoom(ENTRY_BYTES);
    this.#labelled.set(key, sample);
    return sample;
  }

  #sample(stack: number): number {
    if (this.#builder.columns.samples.count === MAX_ELEMENTS)
      throw new DecodeError('too_many_elements', `more than ${MAX_ELEMENTS} samples`);
    const places = this.#stacks.stack(stack);
    if (places.length > this.#scratch.length) this.#scratch = grown(this.#scratch, places.length);
    if (this.#stacks.places > this.#locations.length) this.#locations = grown(this.#locations, this.#stacks.places);
    for (let at = 0; at < places.length; at++) {
      const place = places[at]!;
      let location = this.#locations[place]!;
      if (location === 0) {
        location = this.#location(place);
        this.#locations[place] = location;
      }
      this.#scratch[at] = location;
    }
    return this.#builder.sample(this.#scratch, places.length, 0n);
  }

  /** Functions and places are each once in the recording, so that nothing needs to be looked up in the tables. */
  #location(place: number): number {
    const { locations } = this.#builder.columns;
    const row = locations.add(0);
    const line = locations.lines.add(this.#function(this.#stacks.placeFunction(place)));
    locations.lines.line.halves[2 * line] = this.#stacks.placeLine(place);
    locations.lines.line.halves[2 * line + 1] = 0;
    locations.lines.column.halves.fill(0, 2 * line, 2 * line + 2);
    locations.lineStart[row] = line;
    locations.lineEnd[row] = line + 1;
    return row;
  }

  #function(fn: number): number {
    if (fn >= this.#functions.length) this.#functions = grown(this.#functions, fn + 1);
    let row = this.#functions[fn]!;
    if (row === 0) {
      const { functions, strings } = this.#builder.columns;
      row = functions.add(strings.append(this.#stacks.functionName(fn)));
      this.#functions[fn] = row;
    }
    return row;
  }

  #labelsOf(set: number): Uint32Array {
    let rows = this.#labels.get(set);
    if (!rows) {
      const pairs = this.#correlations.sets[set]!;
      rows = Uint32Array.from(pairs.flatMap(([key, text]) => [this.#builder.string(key), this.#builder.string(text)]));
      takeRoom(ENTRY_BYTES + rows.byteLength);
      this.#labels.set(set, rows);
    }
    return rows;
  }
}

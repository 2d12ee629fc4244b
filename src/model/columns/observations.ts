import { grown, grownBytes } from './growth.ts';
import { Int64s } from './int64.ts';

/** What a sample says in the profile of one type: as its value alone says (nothing where that is 0), or else in so many words. */
export const PLAIN = 0;
/** One value, though it is 0. */
export const VALUE = 1;
/** Any number of values other than one, without timestamps. */
export const VALUES = 2;
/** Timestamps, each of which counts 1. */
export const TIMES = 3;
/** Values with a timestamp each. */
export const BOTH = 4;

/**
 * The single values and timestamps of OTLP samples, by cell: sample × width + type. `values` of the sample holds their sum, which is what
 * stages read and edit: where it is another by the time of writing, the single ones are void.
 */
export class Observations {
  kind = new Uint8Array(8) as Uint8Array;
  /** Where those of a cell begin and end in `values` and `times`. */
  start = new Uint32Array(8) as Uint32Array;
  end = new Uint32Array(8) as Uint32Array;
  /** Observations of all cells. */
  count = 0;
  readonly values = new Int64s();
  /** Unix nanoseconds, unsigned. */
  readonly times = new Int64s();

  get heldBytes(): number {
    return 9 * this.kind.length + this.values.halves.byteLength + this.times.halves.byteLength;
  }

  /** Makes room for so many cells. */
  ensureCells(cells: number): void {
    if (cells <= this.kind.length) return;
    this.kind = grownBytes(this.kind, cells);
    this.start = grown(this.start, cells);
    this.end = grown(this.end, cells);
  }

  ensure(count: number): void {
    this.values.ensure(count);
    this.times.ensure(count);
  }

  move(from: number, to: number): void {
    this.kind[to] = this.kind[from]!;
    this.start[to] = this.start[from]!;
    this.end[to] = this.end[from]!;
  }
}

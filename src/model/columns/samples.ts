import { grown } from './growth.ts';
import { Int64s } from './int64.ts';

/** Samples: a stack, one value per sample type, and a chain of labels each. */
export class Samples {
  count = 0;
  /** First row that is written: behind 0 only while a profile is written in pieces. */
  from = 0;
  /** Values per sample; `values` holds them sample by sample. */
  width = 0;
  readonly values = new Int64s();
  /** Where the stack of a sample begins and ends in `stack`. Ranges do not overlap. */
  stackStart = new Uint32Array(8) as Uint32Array;
  stackEnd = new Uint32Array(8) as Uint32Array;
  /** Rows of locations, leaf first. */
  stack = new Uint32Array(8) as Uint32Array;
  stackLength = 0;
  /** First label of each sample; 0 when it has none. */
  firstLabel = new Uint32Array(8) as Uint32Array;

  clear(): void {
    this.count = this.from = this.width = this.stackLength = 0;
  }

  /** Makes room for `count` samples with `stackLength` frames and `values` values in all. */
  ensure(count: number, stackLength: number, values: number): void {
    if (count > this.stackStart.length) {
      this.stackStart = grown(this.stackStart, count);
      this.stackEnd = grown(this.stackEnd, count);
      this.firstLabel = grown(this.firstLabel, count);
    }
    if (stackLength > this.stack.length) this.stack = grown(this.stack, stackLength);
    this.values.ensure(values);
  }

  /** Moves sample `from` to place `to`, which is not behind it. */
  move(from: number, to: number): void {
    this.stackStart[to] = this.stackStart[from]!;
    this.stackEnd[to] = this.stackEnd[from]!;
    this.firstLabel[to] = this.firstLabel[from]!;
    const { width, values } = this;
    for (let at = 0; at < width; at++) values.copy(from * width + at, to * width + at);
  }
}

import { grown } from './growth.ts';
import { Int64s } from './int64.ts';

/** Lines of all locations. */
export class Lines {
  count = 0;
  /** Row of functions; 0 for none. */
  function = new Uint32Array(8) as Uint32Array;
  readonly line = new Int64s();
  readonly column = new Int64s();

  ensure(count: number): void {
    if (count <= this.function.length) return;
    this.function = grown(this.function, count);
    this.line.ensure(count);
    this.column.ensure(count);
  }

  /** A new line, at the end: of the location whose `lineEnd` is raised to it. */
  add(fn: number): number {
    const row = this.count++;
    this.ensure(this.count);
    this.function[row] = fn;
    this.line.set(row, 0n);
    this.column.set(row, 0n);
    return row;
  }

  /** A copy of line `from`, at the end. */
  addCopy(from: number): number {
    const row = this.add(this.function[from]!);
    this.line.copy(from, row);
    this.column.copy(from, row);
    return row;
  }
}

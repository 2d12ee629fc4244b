import { grown } from './growth.ts';
import { Ids } from './ids.ts';
import { Int64s } from './int64.ts';

/** Functions; `name`, `systemName` and `file` are rows of strings. Row 0 is none. */
export class Functions {
  readonly ids = new Ids();
  name = new Uint32Array(8) as Uint32Array;
  systemName = new Uint32Array(8) as Uint32Array;
  file = new Uint32Array(8) as Uint32Array;
  readonly startLine = new Int64s();

  /** Rows in use, row 0 included. */
  get count(): number {
    return this.ids.count;
  }

  ensure(count: number): void {
    if (count <= this.name.length) return;
    this.name = grown(this.name, count);
    this.systemName = grown(this.systemName, count);
    this.file = grown(this.file, count);
    this.startLine.ensure(count);
  }

  /** A new function with this name and nothing else. */
  add(name: number): number {
    const row = this.ids.addFresh();
    this.ensure(row + 1);
    this.name[row] = name;
    this.systemName[row] = this.file[row] = 0;
    this.startLine.set(row, 0n);
    return row;
  }
}

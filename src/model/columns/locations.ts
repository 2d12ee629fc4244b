import { grown, grownBytes } from './growth.ts';
import { Ids } from './ids.ts';
import { Int64s } from './int64.ts';
import { Lines } from './lines.ts';

/** Places in code. Row 0 is none. */
export class Locations {
  readonly ids = new Ids();
  /** Row of mappings; 0 for none. */
  mapping = new Uint32Array(8) as Uint32Array;
  readonly address = new Int64s();
  folded = new Uint8Array(8) as Uint8Array;
  /** Where the lines of a location begin and end: more than one where calls were inlined, innermost first. */
  lineStart = new Uint32Array(8) as Uint32Array;
  lineEnd = new Uint32Array(8) as Uint32Array;
  readonly lines = new Lines();

  /** Rows in use, row 0 included. */
  get count(): number {
    return this.ids.count;
  }

  clear(): void {
    this.ids.clear();
    this.lines.count = 0;
  }

  ensure(count: number): void {
    if (count <= this.mapping.length) return;
    this.mapping = grown(this.mapping, count);
    this.address.ensure(count);
    this.folded = grownBytes(this.folded, count);
    this.lineStart = grown(this.lineStart, count);
    this.lineEnd = grown(this.lineEnd, count);
  }

  /** A new location without address and lines. */
  add(mapping: number): number {
    const row = this.ids.addFresh();
    this.ensure(row + 1);
    this.mapping[row] = mapping;
    this.address.set(row, 0n);
    this.folded[row] = 0;
    this.lineStart[row] = this.lineEnd[row] = this.lines.count;
    return row;
  }
}

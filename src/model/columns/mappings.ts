import { grown, grownBytes } from './growth.ts';
import { Ids } from './ids.ts';
import { Int64s } from './int64.ts';

/** Flags of a mapping, what its symbols say. */
export const HAS_FUNCTIONS = 1;
export const HAS_FILENAMES = 2;
export const HAS_LINE_NUMBERS = 4;
export const HAS_INLINE_FRAMES = 8;

/** Files that code was loaded from; `file` and `buildId` are rows of strings. Row 0 is none. */
export class Mappings {
  readonly ids = new Ids();
  readonly start = new Int64s();
  readonly limit = new Int64s();
  readonly offset = new Int64s();
  file = new Uint32Array(8) as Uint32Array;
  buildId = new Uint32Array(8) as Uint32Array;
  flags = new Uint8Array(8) as Uint8Array;

  /** Rows in use, row 0 included. */
  get count(): number {
    return this.ids.count;
  }

  ensure(count: number): void {
    if (count <= this.file.length) return;
    this.start.ensure(count);
    this.limit.ensure(count);
    this.offset.ensure(count);
    this.file = grown(this.file, count);
    this.buildId = grown(this.buildId, count);
    this.flags = grownBytes(this.flags, count);
  }
}

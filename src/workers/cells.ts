import type { Slab } from '../model/memory.ts';

/** What small slabs are cut from, bytes. */
export const CHUNK_BYTES = 64 * 1024;

export interface Cell extends Slab {
  readonly chunk: Chunk;
  readonly at: number;
  references: number;
}

/**
 * A run of shared memory that is cut into slabs of one size. A shared buffer of its own costs about a kilobyte of bookkeeping, more
 * than many a profile has bytes.
 */
export class Chunk {
  readonly buffer = new SharedArrayBuffer(CHUNK_BYTES);
  /** Of one cell. */
  readonly capacity: number;
  /** No cell is given out again: a thread that was ended may still be writing into one. */
  retired = false;
  readonly #cells: Cell[] = [];
  readonly #free: number[] = [];
  /** Cells that were never given out come after this one. */
  #used = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  get size(): number {
    return Math.floor(CHUNK_BYTES / this.capacity);
  }
  /** Cells that can be given out. */
  get free(): number {
    return this.#free.length + this.size - this.#used;
  }

  /** The cell in which these bytes lie, which was given out once. */
  cellOf(bytes: Uint8Array): Cell {
    return this.#cells[Math.floor(bytes.byteOffset / this.capacity)]!;
  }

  /** Call only while one is free. */
  take(): Cell {
    const at = this.#free.pop();
    if (at !== undefined) {
      const cell = this.#cells[at]!;
      cell.references = 1;
      return cell;
    }
    const next = this.#used++;
    const bytes = Buffer.from(this.buffer, next * this.capacity, this.capacity);
    const cell: Cell = { bytes, chunk: this, at: next, references: 1 };
    this.#cells.push(cell);
    return cell;
  }

  give({ at }: Cell): void {
    this.#free.push(at);
  }
}

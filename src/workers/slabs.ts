import type { Memory, MemoryUsage, Slab } from '../model/memory.ts';
import { type Cell, Chunk } from './cells.ts';
import type { Reclaim } from './reclaim.ts';
import { Reservations } from './reservations.ts';

/** Smallest slab: below it the bookkeeping costs more than the bytes. */
const MIN_SLAB_BYTES = 256;
/** Slabs below this are cells of a chunk, the others are buffers of their own. */
const MIN_WHOLE_BYTES = 4096;
/** What may lie in the pool unused; beyond it a released slab goes to the garbage collector. Covers a burst of large bodies. */
const MAX_FREE_BYTES = 64 * 1024 * 1024;
/** Value written over released slabs when poisoning: an impossible gzip header and an overlong varint. */
const POISON = 0xdb;

interface Entry extends Slab {
  readonly capacity: number;
  references: number;
  retired?: true;
}

/**
 * Pooled shared memory. Slabs come in size classes 2^n and 1.5·2^n, so a body wastes at most a third of its slab.
 * Without pooling every body is a fresh Buffer, which V8 counts as external memory and answers with full garbage collections.
 */
export class SlabPool implements Memory {
  readonly #slabs = new Map<ArrayBufferLike, Entry | Chunk>();
  /** Chunks that have a free cell, by the size of their cells. */
  readonly #chunks = new Map<number, Chunk[]>();
  readonly #free = new Map<number, Entry[]>();
  readonly #poison: boolean;
  /** The process's own bound first, then one for each limiter; the smallest rules. */
  readonly #budgets: { bytes: number }[];
  readonly #reservations: Reservations;
  #budgetBytes: number;
  #heldBytes = 0;
  #freeBytes = 0;
  #makers: ((bytes: number) => void)[] = [];
  readonly #reclaim: Reclaim | undefined;

  /** @param options.reclaim told of slabs that nobody refers to any more */
  constructor(options: { budgetBytes: number; poison?: boolean; reclaim?: Reclaim }) {
    this.#budgets = [{ bytes: options.budgetBytes }];
    this.#budgetBytes = options.budgetBytes;
    this.#poison = options.poison ?? false;
    this.#reclaim = options.reclaim;
    this.#reservations = new Reservations({
      usage: () => this.usage,
      hold: bytes => {
        this.#heldBytes += bytes;
      },
      makeRoom: bytes => this.makeRoom(bytes),
    });
  }

  get usage(): MemoryUsage {
    return { heldBytes: this.#heldBytes, freeBytes: this.#freeBytes, budgetBytes: this.#budgetBytes };
  }

  lease(size: number): Slab | undefined {
    const capacity = sizeClass(size);
    const missing = () => this.#heldBytes + capacity - this.#budgetBytes;
    if (missing() > 0) this.makeRoom(missing());
    if (missing() > 0) return undefined;
    this.#heldBytes += capacity;
    if (capacity < MIN_WHOLE_BYTES) return this.#leaseCell(capacity);
    const pooled = this.#free.get(capacity)?.pop();
    if (pooled) {
      this.#freeBytes -= capacity;
      pooled.references = 1;
      return pooled;
    }
    const buffer = new SharedArrayBuffer(capacity);
    const entry: Entry = { bytes: Buffer.from(buffer), capacity, references: 1 };
    this.#slabs.set(buffer, entry);
    return entry;
  }

  holds(bytes: Uint8Array): boolean {
    return this.#slabs.has(bytes.buffer);
  }

  slabOf(bytes: Uint8Array): Slab | undefined {
    return this.#find(bytes);
  }

  retain(bytes: Uint8Array): void {
    const entry = this.#find(bytes);
    if (!entry) return;
    if (entry.references === 0) throw new Error('retained a slab that was released already');
    entry.references++;
  }

  release(bytes: Uint8Array): void {
    const entry = this.#find(bytes);
    if (!entry) return;
    if (entry.references === 0) throw new Error('released a slab twice');
    if (--entry.references > 0) return;
    if ('chunk' in entry) {
      this.#releaseCell(entry);
      return;
    }
    this.#heldBytes -= entry.capacity;
    if (this.#poison) entry.bytes.fill(POISON);
    if (entry.retired || this.#freeBytes + entry.capacity > MAX_FREE_BYTES) {
      this.#slabs.delete(entry.bytes.buffer);
      this.#reclaim?.dropped(entry.capacity);
      return;
    }
    this.#freeBytes += entry.capacity;
    const shelf = this.#free.get(entry.capacity);
    if (shelf) shelf.push(entry);
    else this.#free.set(entry.capacity, [entry]);
  }

  retire(bytes: Uint8Array): void {
    const entry = this.#slabs.get(bytes.buffer);
    if (!entry || entry.retired) return;
    entry.retired = true;
    if (entry instanceof Chunk) this.#putAway(entry);
  }

  charge(bytes: number): void {
    this.#heldBytes += bytes;
  }

  onShortage(makeRoom: (bytes: number) => void): void {
    this.#makers.push(makeRoom);
  }

  makeRoom(bytes: number): number {
    const before = this.#heldBytes;
    for (const make of this.#makers) {
      const missing = bytes - (before - this.#heldBytes);
      if (missing > 0) make(missing);
    }
    return before - this.#heldBytes;
  }

  reserve(size: number, must = false): Promise<(() => void) | undefined> {
    return this.#reservations.reserve(size, must);
  }

  reclaim(): boolean {
    return this.#reclaim?.shrink() ?? false;
  }

  limit(budgetBytes: number): () => void {
    const budget = { bytes: budgetBytes };
    this.#budgets.push(budget);
    this.#budgetBytes = Math.min(...this.#budgets.map(({ bytes }) => bytes));
    return () => {
      const at = this.#budgets.indexOf(budget);
      if (at >= 0) this.#budgets.splice(at, 1);
      this.#budgetBytes = Math.min(...this.#budgets.map(({ bytes }) => bytes));
    };
  }

  #find(bytes: Uint8Array): Entry | Cell | undefined {
    // No bytes are nobody's: where a cell ends, the next one begins.
    if (bytes.length === 0) return undefined;
    const found = this.#slabs.get(bytes.buffer);
    return found instanceof Chunk ? found.cellOf(bytes) : found;
  }

  #leaseCell(capacity: number): Slab {
    let shelf = this.#chunks.get(capacity);
    if (!shelf) {
      shelf = [];
      this.#chunks.set(capacity, shelf);
    }
    let chunk = shelf.at(-1);
    if (!chunk) {
      chunk = new Chunk(capacity);
      this.#slabs.set(chunk.buffer, chunk);
      shelf.push(chunk);
      this.#freeBytes += chunk.free * capacity;
    }
    const cell = chunk.take();
    this.#freeBytes -= capacity;
    if (chunk.free === 0) shelf.pop();
    return cell;
  }

  #releaseCell(cell: Cell): void {
    const { chunk } = cell;
    const { capacity } = chunk;
    this.#heldBytes -= capacity;
    if (this.#poison) cell.bytes.fill(POISON);
    chunk.give(cell);
    if (!chunk.retired) {
      this.#freeBytes += capacity;
      if (chunk.free === 1) this.#chunks.get(capacity)!.push(chunk);
    }
    if (chunk.free < chunk.size || (!chunk.retired && this.#freeBytes <= MAX_FREE_BYTES)) return;
    this.#putAway(chunk);
    this.#slabs.delete(chunk.buffer);
    this.#reclaim?.dropped(chunk.buffer.byteLength);
  }

  /** No cell of it is leased any more. */
  #putAway(chunk: Chunk): void {
    const shelf = this.#chunks.get(chunk.capacity)!;
    const at = shelf.indexOf(chunk);
    if (at < 0) return;
    shelf.splice(at, 1);
    this.#freeBytes -= chunk.free * chunk.capacity;
  }
}

/** The smallest 2^n or 1.5·2^n that is at least `size`. */
export function sizeClass(size: number): number {
  if (size <= MIN_SLAB_BYTES) return MIN_SLAB_BYTES;
  const power = 2 ** Math.ceil(Math.log2(size));
  return power * 0.75 >= size ? power * 0.75 : power;
}

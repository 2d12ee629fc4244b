import type { Memory, Slab } from '../model/memory.ts';

/** Share of the byte budget that bodies may hold before their last byte has come: slow senders leave the other half to quick ones. */
const MAX_SHARE = 0.5;

/** Leases of bodies that are still arriving, of all ports together. One that comes all at once is not counted. */
export class Arriving {
  readonly memory: Memory;
  #heldBytes = 0;

  constructor(memory: Memory) {
    this.memory = memory;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** A slab that counts until `settle`; undefined when there is no room for bodies that are not whole. */
  lease(size: number): Slab | undefined {
    if (this.#heldBytes + size > this.memory.usage.budgetBytes * MAX_SHARE) return undefined;
    const slab = this.memory.lease(size);
    if (slab) this.#heldBytes += slab.bytes.length;
    return slab;
  }

  /** The body is whole, or given up. */
  settle(slab: Slab): void {
    this.#heldBytes -= slab.bytes.length;
  }
}

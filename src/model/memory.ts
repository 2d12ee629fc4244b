/** A run of pooled shared memory that somebody holds. `bytes` covers the whole slab, which may be longer than asked for. */
export interface Slab {
  readonly bytes: Buffer;
}

/** Room for bytes outside of slabs, for as long as something is inflated. */
export interface Room {
  /**
   * Counts this many bytes as held until the returned function is called. Waits for its turn behind others; undefined when the byte
   * budget does not allow it or too many wait: refuse then.
   * @param must counted and never refused: what was acknowledged already is looked at
   */
  reserve(size: number, must?: boolean): Promise<(() => void) | undefined>;
}

/**
 * The process's payload memory. Slabs are reference counted; only `net` (which leases and, once the request is answered,
 * releases) and `pipeline` (which retains for queues) call these. A released slab is reused at once.
 */
export interface Memory extends Room {
  /**
   * A slab of at least `size` bytes with one reference, or undefined when the byte budget does not allow it and nobody makes room:
   * refuse then.
   */
  lease(size: number): Slab | undefined;
  /** One more reference for the slab that holds these bytes. A no-op for bytes that are not in a slab. */
  retain(bytes: Uint8Array): void;
  /** One reference less; at zero the slab goes back to the pool. */
  release(bytes: Uint8Array): void;
  /** After its last release the slab of these bytes is not used again: a thread that was ended may still be writing into it. */
  retire(bytes: Uint8Array): void;
  /** Whether these bytes lie in a slab. */
  holds(bytes: Uint8Array): boolean;
  /** The slab in which these bytes lie: the same one for all that share it. */
  slabOf(bytes: Uint8Array): Slab | undefined;
  /** Counts heap as held that lives as long as held bytes do, such as what a queue keeps of a batch; negative when it goes. */
  charge(bytes: number): void;
  /** Who is asked for room when there is none. `makeRoom` lets go of about so many held bytes, if it can. */
  onShortage(makeRoom: (bytes: number) => void): void;
  /** Asks them. Returns by how much less is held. */
  makeRoom(bytes: number): number;
  /**
   * Has what nobody refers to any more collected and given back to the system, at most every few seconds: before somebody is refused
   * for its sake. Returns whether that comes at once; what is resident now says little then.
   */
  reclaim(): boolean;
  readonly usage: MemoryUsage;
  /** One more bound on what slabs may hold together, the smallest rules; `limit_mib` of memory_limiter sets one. Returns the undo. */
  limit(budgetBytes: number): () => void;
}

export interface MemoryUsage {
  /** In slabs that somebody holds, charged, and reserved. */
  readonly heldBytes: number;
  /** In slabs that wait for reuse. */
  readonly freeBytes: number;
  readonly budgetBytes: number;
}

// What a batch takes of the memory while it waits in a queue, and how that is kept small.
import { bytesOf, itemsOf } from '../../model/batch.ts';
import type { Memory, Slab } from '../../model/memory.ts';
import { sizeClass } from '../../workers/slabs.ts';
import { moved } from '../move.ts';
import type { AnyBatch } from './store.ts';

/**
 * Heap of a queued batch and of each of its profiles, bytes: envelope, attributes, query, summary, place in the queue. Measured:
 * 2.0 to 2.3 KiB for a batch of one profile with few labels.
 */
const BATCH_HEAP_BYTES = 1024;
const PROFILE_HEAP_BYTES = 1024;

/** How much larger than needed the slabs must be for a copy to be worth while: below it, the copy costs more than it frees. */
const WORTH_A_COPY = 2;

/** Bytes that a batch takes while it waits: the slab that fits it, and its heap. */
export function footprintOf(batch: AnyBatch, memory: Memory): number {
  const { heldBytes, fitBytes } = measure(batch, memory);
  return envelopesOf(batch) + (isLoose(heldBytes, fitBytes) ? fitBytes : heldBytes);
}

/**
 * The batch as it should wait, held until `letGo`: as it is, or copied to a slab of its size when those that it lies in are much
 * larger. A body of unknown length starts in 64 KiB, and one request may have been decoded into several slabs.
 */
export function fitted(batch: AnyBatch, memory: Memory): AnyBatch {
  const { usedBytes, heldBytes, fitBytes } = measure(batch, memory);
  const slab = isLoose(heldBytes, fitBytes) ? memory.lease(usedBytes) : undefined;
  const kept = slab ? copied(batch, slab) : batch;
  for (const bytes of bytesOf(kept)) memory.retain(bytes);
  memory.charge(heapOf(kept, memory));
  // Whoever leased holds it once; from here on the batch does.
  if (slab) memory.release(slab.bytes);
  return kept;
}

export function letGo(batch: AnyBatch, memory: Memory): void {
  const heap = heapOf(batch, memory);
  for (const bytes of bytesOf(batch)) memory.release(bytes);
  memory.charge(-heap);
}

/** With the bytes that lie in no slab: what was converted for a try, and is owed still. */
function heapOf(batch: AnyBatch, memory: Memory): number {
  let loose = 0;
  for (const bytes of bytesOf(batch)) if (!memory.holds(bytes)) loose += bytes.length;
  return envelopesOf(batch) + loose;
}

function envelopesOf(batch: AnyBatch): number {
  return BATCH_HEAP_BYTES + itemsOf(batch) * PROFILE_HEAP_BYTES;
}

function isLoose(heldBytes: number, fitBytes: number): boolean {
  return heldBytes >= WORTH_A_COPY * fitBytes;
}

/** `heldBytes`: the slabs that it lies in. `fitBytes`: the one that it would fit into. */
function measure(batch: AnyBatch, memory: Memory): { usedBytes: number; heldBytes: number; fitBytes: number } {
  let usedBytes = 0;
  let heldBytes = 0;
  let last: Slab | undefined;
  const slabs = new Set<Slab>();
  for (const bytes of bytesOf(batch)) {
    usedBytes += bytes.length;
    const slab = memory.slabOf(bytes);
    // Bytes in no slab are the garbage collector's, and stay where they are.
    if (!slab) heldBytes += bytes.length;
    else if (slab !== last && !slabs.has(slab)) {
      heldBytes += slab.bytes.length;
      slabs.add(slab);
      last = slab;
    }
  }
  return { usedBytes, heldBytes, fitBytes: slabs.size > 0 ? sizeClass(usedBytes) : Number.POSITIVE_INFINITY };
}

function copied(batch: AnyBatch, slab: Slab): AnyBatch {
  const copies = new Map<Uint8Array, Uint8Array>();
  let at = 0;
  for (const bytes of bytesOf(batch)) {
    if (copies.has(bytes)) continue;
    const copy = slab.bytes.subarray(at, at + bytes.length);
    copy.set(bytes);
    copies.set(bytes, copy);
    at += bytes.length;
  }
  return moved(batch, copies);
}

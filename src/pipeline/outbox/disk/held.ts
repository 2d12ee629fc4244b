// What the main thread knows of what is in a queue file: some 200 bytes an entry, without its batch.
import type { Scheduled } from '../schedule.ts';
import type { AnyBatch, Entry } from '../store.ts';
import type { StoredEntry } from './messages.ts';

/** A stored batch: once in the file, whichever queues it is in. */
export class Stored {
  readonly id: number;
  readonly bytes: number;
  /** Entries that still want it. */
  wanted = 0;
  /** Entries that are being delivered: the batch stays in memory for them. */
  users = 0;
  batch: AnyBatch | undefined;
  loading: Promise<AnyBatch | 'not now' | Error> | undefined;

  constructor(id: number, bytes: number) {
    this.id = id;
    this.bytes = bytes;
  }
}

export interface Held extends Scheduled {
  readonly key: number;
  readonly stored: Stored;
  readonly items: number;
  attempts: number;
  firstTryMs: number | undefined;
}
export interface Taken extends Entry {
  readonly held: Held;
}

export function heldOf(entry: StoredEntry, stored: Stored): Held {
  const { id: key, bytes, items, storedMs, attempts, firstTryMs, dueMs } = entry;
  return { key, stored, bytes, size: bytes, items, storedMs, attempts, firstTryMs: firstTryMs ?? undefined, dueMs };
}

export function entryOf(
  { key, stored, bytes, items, storedMs, attempts, firstTryMs, dueMs }: Held,
  queue: string,
): StoredEntry {
  return {
    id: key,
    payload: stored.id,
    queue,
    bytes,
    items,
    storedMs,
    attempts,
    firstTryMs: firstTryMs ?? null,
    dueMs,
  };
}

export function takenOf(held: Held, batch: AnyBatch): Taken {
  const { key, storedMs, attempts, firstTryMs } = held;
  return { key, batch, storedMs, attempts, firstTryMs, held };
}

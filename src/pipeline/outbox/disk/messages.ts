// What the main thread and the queue file's thread say to each other.
import type { DeadReason } from '../store.ts';

export interface DiskSettings {
  readonly file: string;
  readonly sync: 'full' | 'normal';
  readonly deadLetters: { readonly maxAgeMs: number; readonly maxBytes: number };
}

/** One batch on its way to one exporter. */
export interface StoredEntry {
  readonly id: number;
  readonly payload: number;
  readonly queue: string;
  readonly bytes: number;
  readonly items: number;
  readonly storedMs: number;
  readonly attempts: number;
  readonly firstTryMs: number | null;
  readonly dueMs: number;
}

/** Steps of one transaction. Payload bytes lie in shared memory and are not touched until the answer. */
export type Op =
  | {
      readonly kind: 'put';
      readonly payload: number;
      /** The batch's id, or what it is made of. */
      readonly batch: string | readonly (string | Uint8Array)[];
      readonly meta: string;
      readonly bodies: readonly Uint8Array[];
      readonly entries: readonly StoredEntry[];
    }
  /** The entry goes; its payload too when nothing else needs it. */
  | { readonly kind: 'done'; readonly entry: number; readonly payload: number; readonly last: boolean }
  | {
      readonly kind: 'later';
      readonly entry: number;
      readonly attempts: number;
      readonly firstTryMs: number;
      readonly dueMs: number;
    }
  | {
      readonly kind: 'dead';
      readonly entry: number;
      readonly atMs: number;
      readonly attempts: number;
      readonly reason: DeadReason;
      readonly message: string;
    };

export type ToThread =
  | { readonly kind: 'group'; readonly ops: readonly Op[] }
  | { readonly kind: 'read'; readonly call: number; readonly payload: number; readonly into: Uint8Array }
  | { readonly kind: 'close' };

export type FromThread =
  | {
      readonly kind: 'opened';
      readonly entries: readonly StoredEntry[];
      /** Bytes of every payload that an entry names. */
      readonly sizes: readonly (readonly [payload: number, bytes: number])[];
      readonly nextId: number;
      readonly warnings: readonly string[];
    }
  | { readonly kind: 'unusable'; readonly message: string }
  /** `repeated`: per put, by its place in the group, the entries that were not stored since their queue had the batch lately. */
  | { readonly kind: 'committed'; readonly repeated: readonly (readonly [op: number, entry: number])[] }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'read'; readonly call: number; readonly id: string; readonly meta: string }
  | { readonly kind: 'unreadable'; readonly call: number; readonly message: string }
  | { readonly kind: 'closed' };

// What the main thread and the queue file's thread say to each other.
import type { QueueProblem } from '../operations.ts';
import type { DeadReason } from '../store.ts';
import type { Answers, Ask } from './ask.ts';

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

/** Why an entry is a dead letter, and since when. */
export interface Death {
  readonly atMs: number;
  readonly reason: DeadReason;
  readonly message: string;
}

/** An entry that goes so that another fits. */
export interface Eviction {
  /** The entry that it makes room for. */
  readonly for: number;
  readonly entry: number;
  readonly payload: number;
}

/** Deliveries that will not be made. */
export interface Lost {
  readonly queue: string;
  readonly items: number;
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
      /** The entries are dead letters from the start: known again as such, whatever else their queue had lately. */
      readonly dead?: Death;
      /** Entries that make room for those of this step: gone with it, and only where it is not a repeat. */
      readonly evict?: readonly Eviction[];
      /** It may be in the file already, whole or in part: the file took the place of a damaged one, or a thread ended under it. */
      readonly again?: boolean;
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
  | ({ readonly kind: 'dead'; readonly entry: number; readonly bytes: number; readonly attempts: number } & Death);

/**
 * A put without what is large: cloning many small objects costs more than writing them as JSON once for the group, and bytes in
 * shared memory are named, not sent twice. Strings in `batch` are text, numbers are places in `bodies`.
 */
type Put = Extract<Op, { kind: 'put' }>;
type PackedOp =
  | Exclude<Op, { kind: 'put' }>
  | (Pick<Put, 'kind' | 'payload' | 'entries' | 'dead' | 'evict' | 'again'> & {
      readonly batch: string | readonly (string | number)[];
      /** How many of `bodies` are this one's. */
      readonly count: number;
    });
export interface PackedGroup {
  readonly kind: 'group';
  /** Whether there is something new in it, for which there must be room; the rest must be noted in any case. */
  readonly fresh: boolean;
  /** JSON of `PackedOp[]`. */
  readonly ops: string;
  /** `meta` of each put, in order. */
  readonly metas: readonly string[];
  /** Bodies of all puts, one after another. */
  readonly bodies: readonly Uint8Array[];
}

export function packGroup(ops: readonly Op[], fresh: boolean): PackedGroup {
  const metas: string[] = [];
  const bodies: Uint8Array[] = [];
  const packed = ops.map((op): PackedOp => {
    if (op.kind !== 'put') return op;
    const { kind, payload, entries, dead, evict, again } = op;
    const first = bodies.length;
    metas.push(op.meta);
    bodies.push(...op.bodies);
    const place = (part: Uint8Array): number => {
      const at = op.bodies.indexOf(part);
      // A part that is no body of the batch goes along behind the bodies.
      return at >= 0 ? first + at : bodies.push(part) - 1;
    };
    const batch =
      typeof op.batch === 'string' ? op.batch : op.batch.map(part => (typeof part === 'string' ? part : place(part)));
    const more = { ...(dead && { dead }), ...(evict && { evict }), ...(again && { again }) };
    return { kind, payload, entries, batch, count: op.bodies.length, ...more };
  });
  return { kind: 'group', fresh, ops: JSON.stringify(packed), metas, bodies };
}

export function unpackGroup({ ops, metas, bodies }: PackedGroup): Op[] {
  let put = 0;
  let body = 0;
  return (JSON.parse(ops) as PackedOp[]).map((op): Op => {
    if (op.kind !== 'put') return op;
    const { kind, payload, entries, count, dead, evict, again } = op;
    const own = bodies.slice(body, body + count);
    body += count;
    let batch: Put['batch'];
    if (typeof op.batch === 'string') batch = op.batch;
    else {
      for (const part of op.batch) if (typeof part === 'number') body = Math.max(body, part + 1);
      batch = op.batch.map(part => (typeof part === 'string' ? part : bodies[part]!));
    }
    return {
      kind,
      payload,
      entries,
      batch,
      meta: metas[put++]!,
      bodies: own,
      ...(dead && { dead }),
      ...(evict && { evict }),
      ...(again && { again }),
    };
  });
}

export type ToThread =
  | PackedGroup
  | { readonly kind: 'read'; readonly call: number; readonly payload: number; readonly into: Uint8Array }
  | { readonly kind: 'ask'; readonly call: number; readonly ask: Ask }
  | { readonly kind: 'close' };

export type FromThread =
  | {
      readonly kind: 'opened';
      readonly entries: readonly StoredEntry[];
      /** Bytes of every payload that an entry names. */
      readonly sizes: readonly (readonly [payload: number, bytes: number])[];
      readonly nextId: number;
      readonly warnings: readonly string[];
      /** What the file owed and could not be saved from damage, as far as it is known. */
      readonly lost: readonly Lost[];
    }
  /** The file was damaged, and another one has taken its place. Comes before the answer that waited for it. */
  | { readonly kind: 'replaced'; readonly kept: readonly number[]; readonly warnings: readonly string[] }
  | { readonly kind: 'unusable'; readonly message: string }
  /** `repeated`: per put, by its place in the group, the entries that were not stored since their queue had the batch lately. */
  | { readonly kind: 'committed'; readonly repeated: readonly (readonly [op: number, entry: number])[] }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'read'; readonly call: number; readonly id: string; readonly meta: string }
  | { readonly kind: 'answer'; readonly call: number; readonly answer: Answers[keyof Answers] }
  /** A call that has no answer; `problem` when the question was wrong, not the file, `later` when it may have one then. */
  | {
      readonly kind: 'unanswered';
      readonly call: number;
      readonly message: string;
      readonly problem?: QueueProblem['code'];
      readonly later?: true;
    }
  | { readonly kind: 'closed' };

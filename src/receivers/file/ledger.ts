import type { Memory } from '../../api/index.ts';

/** Files that are told apart at most: about 35 MB. */
export const MAX_FILES = 100_000;
/** How long a file is remembered that is not seen any more, ms: a folder on the network may be gone for a while. */
const FORGET_MS = 60 * 60 * 1000;

/** A file as it was seen. */
export interface Found {
  /** Device and inode: a file that is renamed is the same file. */
  readonly key: string;
  readonly path: string;
  readonly size: number;
  /** Of its content, unix ns. */
  readonly modifiedNs: bigint;
}

/** `seen`: it may still be written to, waits for a thread of work, or for its next try. */
type State = 'seen' | 'reading' | 'done';

interface Entry {
  path: string;
  size: number;
  modifiedNs: bigint;
  state: State;
  seenMs: number;
  /** Number of the look that saw it last. */
  look: number;
  /** When to try again. */
  dueMs: number;
  /** Tries that were put off. */
  tries: number;
}

/** What is to become of files that nobody has seen before. */
export type Strangers = 'read' | 'pass over' | 'ignore';

/** Knows files by identity, and which of them were read. Nothing here touches a disk. */
export class Ledger {
  readonly #entries = new Map<string, Entry>();
  #looks = 0;

  /**
   * Takes note of what was found; returns what is to be read now, the oldest first. A file is whole when two looks found the same; an empty
   * one is not begun yet.
   * @param complete everything was looked at: what is not there is gone
   */
  look(found: readonly Found[], nowMs: number, strangers: Strangers, complete: boolean): Found[] {
    const due: Found[] = [];
    const look = ++this.#looks;
    for (const file of found) {
      const { key, path, size, modifiedNs } = file;
      const entry = this.#entries.get(key);
      if (!entry) {
        if (strangers === 'ignore' || this.#entries.size >= 2 * MAX_FILES) continue;
        const state = strangers === 'read' ? 'seen' : 'done';
        this.#entries.set(key, { path, size, modifiedNs, state, seenMs: nowMs, look, dueMs: 0, tries: 0 });
        continue;
      }
      entry.seenMs = nowMs;
      entry.look = look;
      entry.path = path;
      // What changes while it is read is found to have changed at the next look.
      if (entry.state === 'reading') continue;
      if (entry.size !== size || entry.modifiedNs !== modifiedNs)
        Object.assign(entry, { size, modifiedNs, state: 'seen', dueMs: 0, tries: 0 });
      else if (entry.state === 'seen' && size > 0 && entry.dueMs <= nowMs) due.push(file);
    }
    if (complete) this.#forget(nowMs);
    return due.sort((a, b) => (a.modifiedNs < b.modifiedNs ? -1 : a.modifiedNs > b.modifiedNs ? 1 : 0));
  }

  /** How often it was put off, where the caller has it now and no other; it ends with `done`, `again` or `gone`. */
  claim({ key }: Found): number | undefined {
    const entry = this.#entries.get(key);
    if (entry?.state !== 'seen') return undefined;
    entry.state = 'reading';
    return entry.tries;
  }

  done({ key }: Found): void {
    const entry = this.#entries.get(key);
    if (entry) entry.state = 'done';
  }

  /** It is to be read at a look after this delay, which depends on how often it was put off before. */
  again({ key }: Found, delayMs: (tries: number) => number, nowMs: number): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    entry.state = 'seen';
    entry.dueMs = nowMs + delayMs(entry.tries++);
  }

  gone({ key }: Found): void {
    this.#entries.delete(key);
  }

  /** Files that are not settled: neither read nor given up. Empty ones have nothing to settle. */
  get open(): number {
    let open = 0;
    for (const { state, size } of this.#entries.values())
      if (state === 'reading' || (state === 'seen' && size > 0)) open++;
    return open;
  }

  /** What was read, or passed over. */
  *settled(): Generator<Found> {
    for (const [key, { path, size, modifiedNs, state }] of this.#entries)
      if (state === 'done') yield { key, path, size, modifiedNs };
  }

  /** Read by an earlier process. */
  restore({ key, path, size, modifiedNs }: Found, nowMs: number): void {
    if (this.#entries.has(key) || this.#entries.size >= 2 * MAX_FILES) return;
    this.#entries.set(key, { path, size, modifiedNs, state: 'done', seenMs: nowMs, look: 0, dueMs: 0, tries: 0 });
  }

  #forget(nowMs: number): void {
    const crowded = this.#entries.size > MAX_FILES;
    for (const [key, { state, seenMs, look }] of this.#entries) {
      if (look === this.#looks || state === 'reading') continue;
      // One that was never read and is not there will not be waited for.
      if (state === 'seen' || crowded || nowMs - seenMs > FORGET_MS) this.#entries.delete(key);
    }
  }
}

interface Shared {
  readonly ledger: Ledger;
  holders: number;
}
/** By the memory of the process, then by id: a receiver that a reload replaces and its successor must not read a file twice. */
const shared = new WeakMap<Memory, Map<string, Shared>>();

/** The ledger of this id for as long as somebody holds it. `isNew`: nobody did until now. */
export function holdLedger(memory: Memory, id: string): { ledger: Ledger; isNew: boolean; leave: () => void } {
  const byId = shared.get(memory) ?? new Map<string, Shared>();
  shared.set(memory, byId);
  const known = byId.get(id);
  const held = known ?? { ledger: new Ledger(), holders: 0 };
  held.holders++;
  byId.set(id, held);
  const leave = () => {
    if (--held.holders === 0) byId.delete(id);
  };
  return { ledger: held.ledger, isNew: !known, leave };
}

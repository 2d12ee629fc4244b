// What can be read of a damaged file, payload by payload, each only with a right checksum.
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { DeadReason } from '../store.ts';
import { checksum, type FileEntry, type QueueDatabase } from './database.ts';
import type { Lost } from './messages.ts';
import { type EntryRow, type FoundPayload, Scan } from './scan.ts';
import { isTrouble } from './schema.ts';

/** Ids that are tried one by one behind a damaged page before the rest counts as lost. */
const MAX_GAP = 200_000;

export interface Salvaged {
  readonly entries: number;
  readonly payloads: number;
  readonly lost: readonly Lost[];
  /** What is lost, for the operator. */
  readonly said: string;
}

/** What was read of a payload that somebody wants. @throws when the page that holds it is damaged */
type Read = (payload: number) => FoundPayload | undefined;

/**
 * Copies from a damaged file, which stays as it is, into a new one: first what SQLite still finds, then what stands in its pages.
 * @throws what SQLite throws when it is not the damage that stops it: a full disk, another process
 */
export function salvage(file: string, into: QueueDatabase): Salvaged {
  const saved: Saved = { entries: 0, payloads: new Set() };
  const old = new DatabaseSync(file);
  let named: FileEntry[];
  let whole: boolean;
  /** A payload goes with its last entry: of these the entries were lost. */
  let unnamed: ReadonlySet<number>;
  let lost: FileEntry[];
  try {
    // Nobody else may begin the same.
    old.exec('PRAGMA locking_mode = EXCLUSIVE');
    const columns = '*, stored_ms AS storedMs, first_try_ms AS firstTryMs, due_ms AS dueMs, dead_ms AS deadMs';
    const entries = rows<FileEntry>(old, 'entry', columns);
    named = entries.rows.filter(isEntry);
    whole = entries.whole && named.length === entries.rows.length;
    let read: StatementSync | undefined;
    lost = take(named, into, saved, payload => {
      // Where the damage hides the table itself this throws.
      read ??= old.prepare('SELECT batch, crc, meta, body FROM payload WHERE id = ?');
      return read.get(payload) as FoundPayload | undefined;
    });
    rememberFrom(old, into);
    const wanted = new Set(named.map(({ payload }) => payload));
    unnamed = new Set(rows(old, 'payload', 'id').rows.map(({ id }) => id)).difference(wanted);
  } finally {
    // Moves its log into it too.
    old.close();
  }
  if (!whole || lost.length > 0) lost = takeFromPages(file, into, saved, named, lost);
  const known = lost.length > 0 ? `${lost.length} deliveries are lost` : 'no delivery that it still names is lost';
  return {
    entries: saved.entries,
    payloads: saved.payloads.size,
    // Dead letters were counted when they died.
    lost: lost.filter(({ deadMs }) => deadMs === null).map(({ queue, items }) => ({ queue, items })),
    said: [known, saidOf(unnamed.difference(saved.payloads).size, whole)].filter(Boolean).join(', and '),
  };
}

/** Damaged pages hold rows of anything. No checksum is over an entry: what counts is that of its payload. */
function isEntry(row: EntryRow): row is FileEntry {
  const { payload, queue, bytes, items, storedMs, attempts, firstTryMs, dueMs, deadMs, reason, message } = row;
  return (
    typeof queue === 'string' &&
    [payload, bytes, items, storedMs, attempts, dueMs].every(one => typeof one === 'number') &&
    [firstTryMs, deadMs].every(one => one === null || typeof one === 'number') &&
    [reason, message].every(one => one === null || typeof one === 'string')
  );
}

/** What nobody can count by queue. */
function saidOf(unnamed: number, whole: boolean): string {
  if (unnamed > 0) return `${unnamed} batches are lost whose entries could not be read`;
  return whole ? '' : 'perhaps others whose entries could not be read';
}

interface Saved {
  entries: number;
  readonly payloads: Set<number>;
}

/** Takes over entries with their payloads; returns those whose payload cannot be read. */
function take(entries: readonly FileEntry[], into: QueueDatabase, saved: Saved, read: Read): FileEntry[] {
  const lost: FileEntry[][] = [];
  for (const [payload, owed] of Map.groupBy(entries, one => one.payload)) {
    try {
      const row = read(payload);
      if (!row || checksum(row.meta, row.body) !== row.crc) {
        lost.push(owed);
        continue;
      }
      into.transaction(() => {
        into.put(payload, row.batch, row.meta, row.body, owed, { again: saved.payloads.has(payload) });
        for (const { id, bytes, deadMs, attempts, reason, message } of owed)
          if (deadMs !== null)
            into.apply({
              ...{ kind: 'dead', entry: id, bytes, atMs: deadMs, attempts },
              ...{ reason: reason as DeadReason, message: message ?? '' },
            });
      });
      saved.payloads.add(payload);
      saved.entries += owed.length;
    } catch (error) {
      if (isTrouble(error)) throw error;
      // The page that held it is damaged, or what it says is no entry: counted, and the next one may be sound.
      lost.push(owed);
    }
  }
  return lost.flat();
}

/** What SQLite did not find: returns what is lost all the same. */
function takeFromPages(
  file: string,
  into: QueueDatabase,
  saved: Saved,
  named: readonly FileEntry[],
  lost: readonly FileEntry[],
): FileEntry[] {
  const scan = new Scan(file);
  try {
    const known = new Set(named.map(({ id }) => id));
    const more = scan.entries.filter(isEntry).filter(({ id }) => !known.has(id));
    return take([...lost, ...more], into, saved, payload => scan.payload(payload));
  } finally {
    scan.close();
  }
}

/** Ids of the last minutes, as far as they can be read: without them a sender's second try is delivered twice. */
function rememberFrom(old: DatabaseSync, into: QueueDatabase): void {
  try {
    into.transaction(() => {
      const recent = old.prepare('SELECT stored_ms AS storedMs, keys FROM recent ORDER BY id').iterate();
      for (const { storedMs, keys } of recent) into.remember([keys as string], storedMs as number);
    });
  } catch (error) {
    if (isTrouble(error)) throw error;
    // A file of the first version has none.
  }
}

/** All rows of a table that can be read; after a damaged page, those with higher ids. */
function rows<T extends { id: number } = { id: number }>(
  db: DatabaseSync,
  table: string,
  columns: string,
): { rows: T[]; whole: boolean } {
  const found: T[] = [];
  let whole = true;
  let after = 0;
  for (let gap = 1; gap <= MAX_GAP; gap *= 2) {
    try {
      for (const row of db.prepare(`SELECT ${columns} FROM ${table} WHERE id > ? ORDER BY id`).iterate(after)) {
        const entry = row as unknown as T;
        found.push(entry);
        after = entry.id;
        gap = 1;
      }
      return { rows: found, whole };
    } catch (error) {
      if (isTrouble(error)) throw error;
      whole = false;
      after += gap;
    }
  }
  return { rows: found, whole };
}

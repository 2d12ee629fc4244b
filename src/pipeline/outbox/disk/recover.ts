import { existsSync, renameSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { DeadReason } from '../store.ts';
import { checksum, type FileEntry, QueueDatabase } from './database.ts';
import { mendLogFile } from './log-file.ts';
import type { Lost } from './messages.ts';
import { QueueFileError } from './schema.ts';

/** Ids that are tried one by one behind a damaged page before the rest counts as lost. */
const MAX_GAP = 200_000;

export interface Opened {
  readonly database: QueueDatabase;
  /** Sentences for the operator: what was damaged, set aside, saved and lost. */
  readonly warnings: readonly string[];
  readonly lost: readonly Lost[];
}

/**
 * Opens the queue file. A damaged one is set aside beside it (never deleted), and what can be read of it is taken over, each
 * payload only with a right checksum.
 * @throws QueueFileError when it is in use, newer, foreign, or cannot be written
 */
export function openQueueFile(file: string, sync: 'full' | 'normal', nowMs: number): Opened {
  const healed = mendLogFile(file, nowMs);
  try {
    return { database: QueueDatabase.open(file, sync), warnings: healed, lost: [] };
  } catch (error) {
    if (!(error instanceof QueueFileError) || error.reason !== 'corrupt') throw error;
    const opened = setAside(file, sync, nowMs, error.message);
    return { ...opened, warnings: [...healed, ...opened.warnings] };
  }
}

/**
 * Sets a damaged file aside, whatever has it open must have closed it, and makes another one with what can be read.
 * @throws QueueFileError when no file can be made
 */
export function setAside(file: string, sync: 'full' | 'normal', nowMs: number, why: string): Opened {
  const aside = `${file}.damaged-${new Date(nowMs).toISOString().replace(/[:.]/g, '-')}`;
  // The log belongs to the file: together they are read as the last commit left them.
  for (const suffix of ['', '-wal'])
    if (existsSync(`${file}${suffix}`)) renameSync(`${file}${suffix}`, `${aside}${suffix}`);
  const database = QueueDatabase.open(file, sync);
  let found: Salvaged = { entries: 0, payloads: 0, lost: [], said: 'there was no file any more' };
  try {
    if (existsSync(aside)) found = salvage(aside, database);
  } catch (error) {
    found = { ...found, said: `nothing else could be read (${(error as Error).message})` };
  }
  const { entries, payloads, lost, said } = found;
  return {
    database,
    lost,
    warnings: [
      `the queue file was damaged (${why}) and is set aside as ${aside}; ${payloads} batches for ${entries} deliveries were saved from it; ${said}`,
    ],
  };
}

interface Salvaged {
  readonly entries: number;
  readonly payloads: number;
  readonly lost: readonly Lost[];
  /** What is lost, for the operator. */
  readonly said: string;
}

function salvage(aside: string, into: QueueDatabase): Salvaged {
  const old = new DatabaseSync(aside);
  try {
    const columns = '*, stored_ms AS storedMs, first_try_ms AS firstTryMs, due_ms AS dueMs, dead_ms AS deadMs';
    const entries = rows<FileEntry>(old, 'entry', columns);
    const saved = { entries: 0, payloads: 0 };
    const lost: FileEntry[] = [];
    const read = old.prepare('SELECT batch, crc, meta, body FROM payload WHERE id = ?');
    for (const [payload, owed] of Map.groupBy(entries.rows, one => one.payload)) {
      try {
        const row = read.get(payload) as { batch: string; crc: number; meta: string; body: Uint8Array } | undefined;
        if (!row || checksum(row.meta, row.body) !== row.crc) {
          lost.push(...owed);
          continue;
        }
        into.transaction(() => {
          into.put(payload, row.batch, row.meta, row.body, owed);
          for (const { id, bytes, deadMs, attempts, reason, message } of owed)
            if (deadMs !== null)
              into.apply({
                ...{ kind: 'dead', entry: id, bytes, atMs: deadMs, attempts },
                ...{ reason: reason as DeadReason, message: message ?? '' },
              });
        });
        saved.payloads++;
        saved.entries += owed.length;
      } catch {
        // The page that held it is damaged, or what it says is no entry: counted, and the next one may be sound.
        lost.push(...owed);
      }
    }
    rememberFrom(old, into);
    const known = lost.length > 0 ? `${lost.length} deliveries are lost` : 'no delivery that it still names is lost';
    return {
      ...saved,
      // Dead letters were counted when they died.
      lost: lost.filter(({ deadMs }) => deadMs === null).map(({ queue, items }) => ({ queue, items })),
      said: entries.whole ? known : `${known}, and an unknown number whose entries could not be read`,
    };
  } finally {
    old.close();
  }
}

/** Ids of the last minutes, as far as they can be read: without them a sender's second try is delivered twice. */
function rememberFrom(old: DatabaseSync, into: QueueDatabase): void {
  try {
    into.transaction(() => {
      const recent = old.prepare('SELECT stored_ms AS storedMs, keys FROM recent ORDER BY id').iterate();
      for (const { storedMs, keys } of recent) into.remember([keys as string], storedMs as number);
    });
  } catch {
    // A file of the first version has none.
  }
}

/** All rows of a table that can be read; after a damaged page, those with higher ids. */
function rows<T extends { id: number }>(
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
    } catch {
      whole = false;
      after += gap;
    }
  }
  return { rows: found, whole };
}

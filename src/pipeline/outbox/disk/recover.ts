import { existsSync, renameSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { checksum, QueueDatabase } from './database.ts';
import type { StoredEntry } from './messages.ts';
import { QueueFileError } from './schema.ts';

/** Ids that are tried one by one behind a damaged page before the rest counts as lost. */
const MAX_GAP = 200_000;

export interface Opened {
  readonly database: QueueDatabase;
  /** Sentences for the operator: what was damaged, set aside, saved and lost. */
  readonly warnings: readonly string[];
}

/**
 * Opens the queue file. A damaged one is set aside beside it (never deleted), and what can be read of it is taken over, each
 * payload only with a right checksum.
 * @throws QueueFileError when it is in use, newer, foreign, or cannot be written
 */
export function openQueueFile(file: string, sync: 'full' | 'normal', nowMs: number): Opened {
  try {
    return { database: QueueDatabase.open(file, sync), warnings: [] };
  } catch (error) {
    if (!(error instanceof QueueFileError) || error.reason !== 'corrupt') throw error;
    return setAside(file, sync, nowMs, error.message);
  }
}

function setAside(file: string, sync: 'full' | 'normal', nowMs: number, why: string): Opened {
  const aside = `${file}.damaged-${new Date(nowMs).toISOString().replace(/[:.]/g, '-')}`;
  // The log belongs to the file: together they are read as the last commit left them.
  for (const suffix of ['', '-wal'])
    if (existsSync(`${file}${suffix}`)) renameSync(`${file}${suffix}`, `${aside}${suffix}`);
  const database = QueueDatabase.open(file, sync);
  let saved = { entries: 0, payloads: 0 };
  let lost: string;
  try {
    const found = salvage(aside, database);
    saved = found.saved;
    lost = found.lost;
  } catch (error) {
    lost = `nothing else could be read (${(error as Error).message})`;
  }
  return {
    database,
    warnings: [
      `the queue file was damaged (${why}) and is set aside as ${aside}; ${saved.payloads} batches for ${saved.entries} deliveries were saved from it; ${lost}`,
    ],
  };
}

interface OldEntry extends StoredEntry {
  readonly deadMs: number | null;
  readonly reason: string | null;
  readonly message: string | null;
}

function salvage(aside: string, into: QueueDatabase): { saved: { entries: number; payloads: number }; lost: string } {
  const old = new DatabaseSync(aside);
  try {
    const entries = rows<OldEntry>(
      old,
      'entry',
      '*, stored_ms AS storedMs, first_try_ms AS firstTryMs, due_ms AS dueMs, dead_ms AS deadMs',
    );
    const byPayload = Map.groupBy(entries.rows, ({ payload }) => payload);
    const saved = { entries: 0, payloads: 0 };
    let damaged = 0;
    let unread = 0;
    const read = old.prepare('SELECT batch, crc, meta, body FROM payload WHERE id = ?');
    for (const [payload, owed] of byPayload) {
      try {
        const row = read.get(payload) as { batch: string; crc: number; meta: string; body: Uint8Array } | undefined;
        if (!row) unread += owed.length;
        else if (checksum(row.meta, row.body) !== row.crc) damaged += owed.length;
        else {
          into.transaction(() => {
            into.put(payload, row.batch, row.meta, row.body, owed);
            for (const { id, deadMs, attempts, reason, message } of owed)
              if (deadMs !== null)
                into.apply({
                  kind: 'dead',
                  entry: id,
                  atMs: deadMs,
                  attempts,
                  reason: reason as never,
                  message: message ?? '',
                });
          });
          saved.payloads++;
          saved.entries += owed.length;
        }
      } catch {
        // The page that held it is damaged, or what it says is no entry: counted, and the next one may be sound.
        unread += owed.length;
      }
    }
    const known =
      damaged + unread > 0 ? `${damaged + unread} deliveries are lost` : 'no delivery that it still names is lost';
    return { saved, lost: entries.whole ? known : `${known}, and an unknown number whose entries could not be read` };
  } finally {
    old.close();
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

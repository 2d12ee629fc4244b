import { closeSync, existsSync, openSync, readFileSync, readSync, renameSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { checksum, QueueDatabase } from './database.ts';
import { healLog } from './log.ts';
import type { StoredEntry } from './messages.ts';
import { classified, QueueFileError } from './schema.ts';

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
  const healed = withHealedLog(file, nowMs);
  try {
    return { database: QueueDatabase.open(file, sync), warnings: healed };
  } catch (error) {
    if (!(error instanceof QueueFileError) || error.reason !== 'corrupt') throw error;
    const { database, warnings } = setAside(file, sync, nowMs, error.message);
    return { database, warnings: [...healed, ...warnings] };
  }
}

/** Puts a log in order that SQLite would read only up to its first damaged place; the damaged one is kept beside it. */
function withHealedLog(file: string, nowMs: number): string[] {
  const name = `${file}-wal`;
  if (!existsSync(file) || !existsSync(name)) return [];
  const log = readFileSync(name);
  const healed = healLog(log, pageBytesOf(file));
  if (!healed?.bytes) return healed ? [healed.said] : [];
  takeAlone(file);
  const aside = `${name}.damaged-${stamp(nowMs)}`;
  writeFileSync(aside, log);
  writeFileSync(name, healed.bytes);
  return [`${healed.said}; the log as it was is kept as ${aside}`];
}

/** The bytes are in memory; what SQLite makes of the sound beginning of the log as it closes is what it says too. */
function takeAlone(file: string): void {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(file);
    db.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; ROLLBACK');
  } catch (error) {
    const known = classified(file, error);
    // A damaged file is no other process's.
    if (known.reason !== 'corrupt') throw known;
  } finally {
    db?.close();
  }
}

/** From the header of the file; 64 KiB is written as 1. */
function pageBytesOf(file: string): number {
  const header = Buffer.alloc(2);
  const handle = openSync(file, 'r');
  readSync(handle, header, 0, 2, 16);
  closeSync(handle);
  const said = header.readUInt16BE(0);
  return said === 1 ? 65_536 : said;
}

const stamp = (nowMs: number): string => new Date(nowMs).toISOString().replace(/[:.]/g, '-');

function setAside(file: string, sync: 'full' | 'normal', nowMs: number, why: string): Opened {
  const aside = `${file}.damaged-${stamp(nowMs)}`;
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

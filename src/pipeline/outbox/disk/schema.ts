// The queue file itself: how it is opened and migrated, whose it is, and what is wrong with it.
import { closeSync, openSync, readSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/** Raised with each change of the tables; `MIGRATIONS[n]` brings version n to n + 1. */
export const SCHEMA_VERSION = 2;
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE info (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
   CREATE TABLE payload (
     id INTEGER PRIMARY KEY, batch TEXT NOT NULL, crc INTEGER NOT NULL, meta TEXT NOT NULL, body BLOB NOT NULL);
   CREATE TABLE entry (
     id INTEGER PRIMARY KEY, payload INTEGER NOT NULL, queue TEXT NOT NULL, bytes INTEGER NOT NULL, items INTEGER NOT NULL,
     stored_ms INTEGER NOT NULL, attempts INTEGER NOT NULL, first_try_ms INTEGER, due_ms INTEGER NOT NULL,
     dead_ms INTEGER, reason TEXT, message TEXT);
   CREATE INDEX entry_payload ON entry (payload);
   CREATE INDEX entry_dead ON entry (dead_ms) WHERE dead_ms IS NOT NULL;`,
  // One row for each transaction: `keys` has a line for each batch that a queue took.
  'CREATE TABLE recent (id INTEGER PRIMARY KEY, stored_ms INTEGER NOT NULL, keys TEXT NOT NULL);',
];
/** `flmg`: tells `file` and us whose database it is. */
const APPLICATION_ID = 0x666c6d67;
/** A profile of 20 KB then takes 2 pages instead of 6, which halves the cost of storing it (test/bench/README.md). */
export const PAGE_BYTES = 16 * 1024;
/** Log that is written before it is moved into the file. More would save little and hold up a commit for longer: 16 MiB take about 50 ms. */
export const WAL_BYTES = 16 * 1024 * 1024;
const CACHE_KIB = 16 * 1024;

/** A queue file that cannot be used as it is. */
export class QueueFileError extends Error {
  /** `in_use` by another process, `newer` than this program, `foreign`: not ours, `corrupt`, and `full`: damaged, and the disk has no room to mend it. */
  readonly reason: 'in_use' | 'newer' | 'foreign' | 'corrupt' | 'full' | 'io';
  constructor(reason: QueueFileError['reason'], message: string, cause?: unknown) {
    super(message, { cause });
    this.reason = reason;
  }
}

/**
 * Opens or makes the file, brings it to this version and takes it for this process alone.
 * @throws QueueFileError
 */
export function openSqlite(file: string, sync: 'full' | 'normal'): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(file);
    db.exec(`PRAGMA locking_mode = EXCLUSIVE; PRAGMA page_size = ${PAGE_BYTES};`);
    const fresh = pragma(db, 'schema_version') === 0 && pragma(db, 'application_id') === 0;
    const version = pragma(db, 'user_version');
    if (!fresh) examineHeader(db, file, version);
    db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${sync.toUpperCase()}; PRAGMA temp_store = MEMORY;
      PRAGMA cache_size = -${CACHE_KIB}; PRAGMA wal_autocheckpoint = ${WAL_BYTES / PAGE_BYTES};
      PRAGMA journal_size_limit = ${WAL_BYTES};`);
    db.exec('BEGIN IMMEDIATE');
    for (let from = version; from < SCHEMA_VERSION; from++) db.exec(MIGRATIONS[from]!);
    db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${SCHEMA_VERSION};
      INSERT OR REPLACE INTO info VALUES ('schema', ${SCHEMA_VERSION}); COMMIT`);
    const sound = db.prepare('PRAGMA quick_check(1)').get() as { quick_check: string };
    if (sound.quick_check !== 'ok')
      throw new QueueFileError('corrupt', `${file}: ${sound.quick_check.replace(/^\*.*\n/, '')}`);
    return db;
  } catch (error) {
    db?.close();
    const known = error instanceof QueueFileError ? error : classified(file, error);
    if (known.reason === 'io' && isHeaderOdd(file))
      throw new QueueFileError('corrupt', `${file}: its header is damaged`, error);
    throw known;
  }
}

/** The header is one flipped bit away from saying something else; the table tells a damaged file from another one. */
function examineHeader(db: DatabaseSync, file: string, version: number): void {
  const ours = pragma(db, 'application_id') === APPLICATION_ID;
  const told = schemaIn(db);
  if (told !== undefined && ours !== (told === version))
    throw new QueueFileError('corrupt', `${file}: its header is damaged`);
  if (!ours) throw new QueueFileError('foreign', `${file} is a database of another program`);
  if (version > SCHEMA_VERSION)
    throw new QueueFileError(
      'newer',
      `${file} was written by a newer flamegate (schema ${version}, this one knows ${SCHEMA_VERSION}); use that one, or move the file away`,
    );
}

/** The versions of the format that SQLite writes; it takes larger ones for files of another SQLite, not for damage. */
function isHeaderOdd(file: string): boolean {
  const header = Buffer.alloc(48);
  try {
    const handle = openSync(file, 'r');
    readSync(handle, header, 0, header.length, 0);
    closeSync(handle);
  } catch {
    return false;
  }
  return header[18]! > 2 || header[19]! > 2 || header.readUInt32BE(44) > 4;
}

export function pragma(db: DatabaseSync, name: string): number {
  return Object.values(db.prepare(`PRAGMA ${name}`).get() as object)[0] as number;
}

/** The schema version as a table says it; undefined where there is no such table, or it cannot be read. */
function schemaIn(db: DatabaseSync): number | undefined {
  try {
    const row = db.prepare("SELECT value FROM info WHERE key = 'schema'").get() as { value: number } | undefined;
    return row?.value;
  } catch (error) {
    if (isDamage(error)) throw error;
    return undefined;
  }
}

/** Whether SQLite says that the file is damaged: not that it is full, locked or gone. */
export function isDamage(error: unknown): boolean {
  const { errcode = 0 } = error as { errcode?: number };
  // A file that was cut ends too early.
  if (errcode === SQLITE_IOERR_SHORT_READ) return true;
  const code = errcode & 0xff;
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB;
}

/** Whether there is no room, whoever says so. */
export function isFull(error: unknown): boolean {
  const { code, errcode = 0 } = error as { code?: string; errcode?: number };
  return code === 'ENOSPC' || (errcode & 0xff) === SQLITE_FULL;
}

/** Whether it stopped for a reason that is no damage, and that may be gone later: what it did not read or write is not lost. */
export function isTrouble(error: unknown): boolean {
  const { errcode = 0, syscall } = error as { errcode?: number; syscall?: string };
  if (error instanceof QueueFileError || syscall !== undefined) return true;
  const primary = errcode & 0xff;
  // A sector that cannot be read is damage.
  if (primary === SQLITE_IOERR) return errcode !== SQLITE_IOERR_READ && errcode !== SQLITE_IOERR_SHORT_READ;
  return isFull(error) || TROUBLES.has(primary);
}

const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_IOERR = 10;
const SQLITE_IOERR_READ = SQLITE_IOERR | (1 << 8);
/** What SQLite says of a full disk. */
export const SQLITE_FULL = 13;
/** Those two, no memory, a disk that takes no writes, and a file that cannot be opened. */
const TROUBLES: ReadonlySet<number> = new Set([SQLITE_BUSY, SQLITE_LOCKED, 7, 8, 14]);
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;
const SQLITE_IOERR_SHORT_READ = 10 | (2 << 8);

export function classified(file: string, error: unknown): QueueFileError {
  const code = (error as { errcode?: number }).errcode;
  const primary = code === undefined ? undefined : code & 0xff;
  if (primary === SQLITE_BUSY || primary === SQLITE_LOCKED)
    return new QueueFileError(
      'in_use',
      `${file} is in use by another process; one process may have a queue file`,
      error,
    );
  const message = error instanceof Error ? error.message : String(error);
  if (isDamage(error)) return new QueueFileError('corrupt', `${file}: ${message}`, error);
  return new QueueFileError('io', `${file}: ${message}`, error);
}

// The queue file: SQLite, one writer. Everything that knows SQL is here, so that the running gateway and the command line agree.
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import type { Death, Op, StoredEntry } from './messages.ts';

/** Raised with each change of the tables; `MIGRATIONS[n]` brings version n to n + 1. */
export const SCHEMA_VERSION = 1;
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
];
/** `flmg`: tells `file` and us whose database it is. */
const APPLICATION_ID = 0x666c6d67;
/** A profile of 20 KB then takes 2 pages instead of 6, which halves the cost of storing it (test/bench/README.md). */
const PAGE_BYTES = 16 * 1024;
/** Log that is written before it is moved into the file. More would save little and hold up a commit for longer: 16 MiB take about 50 ms. */
const WAL_BYTES = 16 * 1024 * 1024;
const CACHE_KIB = 16 * 1024;

/** A queue file that cannot be used as it is. */
export class QueueFileError extends Error {
  /** `in_use` by another process, `newer` than this program, `foreign`: not ours, `corrupt`. */
  readonly reason: 'in_use' | 'newer' | 'foreign' | 'corrupt' | 'io';
  constructor(reason: QueueFileError['reason'], message: string, cause?: unknown) {
    super(message, { cause });
    this.reason = reason;
  }
}

/** An entry that will not be delivered. */
export interface DeadLetter extends StoredEntry {
  readonly deadMs: number;
  readonly reason: string;
  readonly message: string;
}

const ENTRY_COLUMNS =
  'id, payload, queue, bytes, items, stored_ms AS storedMs, attempts, first_try_ms AS firstTryMs, due_ms AS dueMs';

export class QueueDatabase {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  private constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /**
   * Opens or makes the file and takes it for this process alone.
   * @throws QueueFileError
   */
  static open(file: string, sync: 'full' | 'normal'): QueueDatabase {
    let db: DatabaseSync | undefined;
    try {
      db = new DatabaseSync(file);
      db.exec(`PRAGMA locking_mode = EXCLUSIVE; PRAGMA page_size = ${PAGE_BYTES};`);
      const fresh = pragma(db, 'schema_version') === 0 && pragma(db, 'application_id') === 0;
      const version = pragma(db, 'user_version');
      const ours = pragma(db, 'application_id') === APPLICATION_ID;
      // The header is one flipped bit away from saying something else; the table tells a damaged file from another one.
      if (!fresh && (!ours || version !== SCHEMA_VERSION) && schemaIn(db) === SCHEMA_VERSION)
        throw new QueueFileError('corrupt', `${file}: its header is damaged`);
      if (!fresh && !ours) throw new QueueFileError('foreign', `${file} is a database of another program`);
      if (version > SCHEMA_VERSION)
        throw new QueueFileError(
          'newer',
          `${file} was written by a newer flamegate (schema ${version}, this one knows ${SCHEMA_VERSION}); use that one, or move the file away`,
        );
      db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${sync.toUpperCase()}; PRAGMA temp_store = MEMORY;
        PRAGMA cache_size = -${CACHE_KIB}; PRAGMA wal_autocheckpoint = ${WAL_BYTES / PAGE_BYTES};
        PRAGMA journal_size_limit = ${WAL_BYTES};`);
      db.exec('BEGIN IMMEDIATE');
      for (let from = version; from < SCHEMA_VERSION; from++) db.exec(MIGRATIONS[from]!);
      db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${SCHEMA_VERSION};
        INSERT OR REPLACE INTO info VALUES ('schema', ${SCHEMA_VERSION}); COMMIT`);
      const sound = db.prepare('PRAGMA quick_check(1)').get() as { quick_check: string };
      if (sound.quick_check !== 'ok') throw new QueueFileError('corrupt', `${file}: ${sound.quick_check}`);
      return new QueueDatabase(db);
    } catch (error) {
      db?.close();
      throw error instanceof QueueFileError ? error : classified(file, error);
    }
  }

  close(): void {
    this.#db.close();
  }

  /** Runs all steps in one transaction; it is durable, as `sync` says, when this returns. @throws what SQLite throws, nothing is changed then */
  transaction(steps: () => void): void {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      steps();
      this.#db.exec('COMMIT');
    } catch (error) {
      // A full disk ends the transaction by itself.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  /** @param dead the entries are dead letters from the start */
  put(id: number, batch: string, meta: string, body: Uint8Array, entries: readonly StoredEntry[], dead?: Death): void {
    this.#run('INSERT INTO payload VALUES (?, ?, ?, ?, ?)', id, batch, checksum(meta, body), meta, body);
    for (const { id: entry, payload, queue, bytes, items, storedMs, attempts, firstTryMs, dueMs } of entries)
      this.#run(
        'INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
        ...[entry, payload, queue, bytes, items, storedMs, attempts, firstTryMs, dueMs],
        ...[dead?.atMs ?? null, dead?.reason ?? null, dead?.message ?? null],
      );
  }

  apply(op: Exclude<Op, { kind: 'put' }>): void {
    switch (op.kind) {
      case 'done':
        this.#run('DELETE FROM entry WHERE id = ?', op.entry);
        if (op.last) this.#dropPayload(op.payload);
        return;
      case 'later':
        this.#run(
          'UPDATE entry SET attempts = ?, first_try_ms = ?, due_ms = ? WHERE id = ?',
          ...[op.attempts, op.firstTryMs, op.dueMs, op.entry],
        );
        return;
      case 'dead':
        this.#run(
          'UPDATE entry SET dead_ms = ?, attempts = ?, reason = ?, message = ? WHERE id = ?',
          ...[op.atMs, op.attempts, op.reason, op.message, op.entry],
        );
        return;
      default:
        op satisfies never;
    }
  }

  /** Entries that are still to be delivered, in the order in which they came. */
  entries(): StoredEntry[] {
    return this.#prepared(`SELECT ${ENTRY_COLUMNS} FROM entry WHERE dead_ms IS NULL ORDER BY id`).all() as never;
  }

  /** Oldest first. */
  deadLetters(): DeadLetter[] {
    return this.#prepared(
      `SELECT ${ENTRY_COLUMNS}, dead_ms AS deadMs, reason, message FROM entry WHERE dead_ms IS NOT NULL ORDER BY dead_ms, id`,
    ).all() as never;
  }

  /** Bytes of each payload's body. */
  sizes(): [number, number][] {
    const rows = this.#prepared('SELECT id, length(body) AS bytes FROM payload').all() as never as {
      id: number;
      bytes: number;
    }[];
    return rows.map(({ id, bytes }) => [id, bytes]);
  }

  /** Ids of batches that are stored for a queue, for telling repeated ones. */
  known(): { queue: string; batch: string; storedMs: number }[] {
    return this.#prepared(
      'SELECT queue, batch, stored_ms AS storedMs FROM entry JOIN payload ON payload.id = entry.payload ORDER BY entry.id',
    ).all() as never;
  }

  /** The highest id in use. */
  maxId(): number {
    const { id } = this.#prepared(
      'SELECT max(coalesce((SELECT max(id) FROM entry), 0), coalesce((SELECT max(id) FROM payload), 0)) AS id',
    ).get() as { id: number };
    return id;
  }

  /** A payload as it was stored. @throws Error when it is gone or its checksum is wrong */
  read(payload: number): { batch: string; meta: string; body: Uint8Array } {
    const row = this.#prepared('SELECT batch, crc, meta, body FROM payload WHERE id = ?').get(payload) as
      | { batch: string; crc: number; meta: string; body: Uint8Array }
      | undefined;
    if (!row) throw new Error(`payload ${payload} is not in the file`);
    if (checksum(row.meta, row.body) !== row.crc) throw new Error(`payload ${payload} is damaged: wrong checksum`);
    return row;
  }

  /** Deletes dead letters that are older, and then the oldest until the rest is small enough; returns how many. */
  pruneDead(beforeMs: number, maxBytes: number): number {
    let pruned = 0;
    let bytes = 0;
    for (const { id, payload, deadMs, bytes: size } of this.deadLetters().toReversed()) {
      bytes += size;
      if (deadMs >= beforeMs && bytes <= maxBytes) continue;
      this.apply({ kind: 'done', entry: id, payload, last: true });
      pruned++;
    }
    return pruned;
  }

  /** Payloads that no entry names: left by nothing we know of, but a file lives long. */
  dropOrphans(): void {
    this.#db.exec('DELETE FROM payload WHERE id NOT IN (SELECT payload FROM entry)');
  }

  /** Gives the room of an empty file back to the system. */
  shrink(): void {
    if (this.#prepared('SELECT 1 FROM payload LIMIT 1').get()) return;
    if (pragma(this.#db, 'page_count') * PAGE_BYTES < WAL_BYTES) return;
    this.#db.exec('VACUUM; PRAGMA wal_checkpoint(TRUNCATE)');
  }

  /** Moves the log into the file, so that its room can be used again. */
  checkpoint(): void {
    this.#db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  }

  #dropPayload(id: number): void {
    this.#run('DELETE FROM payload WHERE id = ? AND NOT EXISTS (SELECT 1 FROM entry WHERE payload = ?)', id, id);
  }

  #run(sql: string, ...values: (string | number | null | Uint8Array)[]): void {
    this.#prepared(sql).run(...values);
  }

  #prepared(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

/** Over what describes the batch and its bytes, so that neither can change unseen. */
export function checksum(meta: string, body: Uint8Array): number {
  return crc32(body, crc32(meta));
}

function pragma(db: DatabaseSync, name: string): number {
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

function isDamage(error: unknown): boolean {
  const code = ((error as { errcode?: number }).errcode ?? 0) & 0xff;
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB;
}

const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

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
  if (primary === SQLITE_CORRUPT || primary === SQLITE_NOTADB)
    return new QueueFileError('corrupt', `${file}: ${message}`, error);
  return new QueueFileError('io', `${file}: ${message}`, error);
}

// Everything that knows SQL is here, so that the running gateway and the command line agree.
import { statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import type { Selection, Tally } from '../operations.ts';
import type { Death, Lost, Op, StoredEntry } from './messages.ts';
import { openSqlite, PAGE_BYTES, pragma, SQLITE_FULL, WAL_BYTES } from './schema.ts';

/** An entry as the file has it; the last three are null while it is to be delivered. */
export interface FileEntry extends StoredEntry {
  readonly deadMs: number | null;
  readonly reason: string | null;
  readonly message: string | null;
}

/** What became of the damaged file whose place this one took. */
export interface Report {
  readonly warnings: readonly string[];
  readonly lost: readonly Lost[];
}

const ENTRY_COLUMNS =
  'id, payload, queue, bytes, items, stored_ms AS storedMs, attempts, first_try_ms AS firstTryMs, due_ms AS dueMs';
const FILE_ENTRY_COLUMNS = `${ENTRY_COLUMNS}, dead_ms AS deadMs, reason, message`;
/** Entries that one question looks at: about 3 ms of the thread that also writes what comes in. */
const PAGE_ENTRIES = 5_000;
/** A bounded stretch of the table, from an id on. */
const STRETCH = `(SELECT * FROM entry WHERE id > ? ORDER BY id LIMIT ${PAGE_ENTRIES})`;

/** Room beyond which nobody has to calculate, bytes. */
const PLENTY_BYTES = 4 * WAL_BYTES;
/** Left for what must be noted, bytes; twice as much when the file would grow. */
const RESERVE_BYTES = 4 * 1024 * 1024;
/** Pages of the tables beside the payloads of one transaction, bytes. */
const ROOM_BYTES = 256 * 1024;

type Nullable<T> = { readonly [K in keyof T]?: T[K] | null };

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
    return new QueueDatabase(openSqlite(file, sync));
  }

  get isOpen(): boolean {
    return this.#db.isOpen;
  }

  /**
   * Throws as SQLite does on a full disk, but before it is full: there must be room left to note what is delivered, which is what
   * frees the file, and to move the log into the file.
   */
  requireRoom(bytes: number): void {
    const file = this.#db.location()!;
    const { bavail, bsize } = statfsSync(dirname(file));
    const free = bavail * bsize;
    // Pages hold other things too.
    const pages = 2 * bytes + ROOM_BYTES;
    if (free > PLENTY_BYTES + 2 * pages) return;
    const log = statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0;
    const growth = Math.max(0, log + pages - pragma(this.#db, 'freelist_count') * PAGE_BYTES);
    // Less has to be left when nothing grows: what was delivered made room within the file, not beside it.
    if (free < pages + growth + (growth > 0 ? 2 * RESERVE_BYTES : RESERVE_BYTES))
      throw Object.assign(new Error(`the disk is nearly full, ${Math.floor(free / 1024 ** 2)} MiB are left`), {
        errcode: SQLITE_FULL,
      });
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

  /** @param dead the entries are dead letters from the start @param again it may be there already */
  put(
    id: number,
    batch: string,
    meta: string,
    body: Uint8Array,
    entries: readonly StoredEntry[],
    { dead, again = false }: { dead?: Death | undefined; again?: boolean | undefined } = {},
  ): void {
    const insert = again ? 'INSERT OR REPLACE' : 'INSERT';
    this.#run(`${insert} INTO payload VALUES (?, ?, ?, ?, ?)`, id, batch, checksum(meta, body), meta, body);
    for (const entry of entries) this.insert(entry, dead, insert);
  }

  /** One more entry for a payload that is there. */
  insert(entry: StoredEntry, dead?: Death, insert = 'INSERT'): void {
    const { id, payload, queue, bytes, items, storedMs, attempts, firstTryMs, dueMs } = entry;
    this.#run(
      `${insert} INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[id, payload, queue, bytes, items, storedMs, attempts, firstTryMs, dueMs],
      ...[dead?.atMs ?? null, dead?.reason ?? null, dead?.message ?? null],
    );
  }

  /** Writes something that nobody needs: does the file take it? */
  probe(nowMs: number): void {
    this.#run("INSERT OR REPLACE INTO info VALUES ('probed_ms', ?)", nowMs);
  }

  /** Kept with what was saved, so that a kill before it was told hides no loss. */
  get report(): Report | undefined {
    const row = this.#prepared("SELECT value FROM info WHERE key = 'report'").get() as { value: string } | undefined;
    try {
      return row && (JSON.parse(row.value) as Report);
    } catch {
      return {
        warnings: ['the queue file was damaged before, and what was lost then cannot be read any more'],
        lost: [],
      };
    }
  }

  set report(report: Report) {
    this.#run("INSERT OR REPLACE INTO info VALUES ('report', ?)", JSON.stringify(report));
  }

  /** The report has been told. */
  told(): void {
    if (this.report) this.#run("DELETE FROM info WHERE key = 'report'");
  }

  /** Notes which queues took which batches, in rows of `packTook`, few for a transaction: those at the end of a table cost the least. */
  remember(rows: Iterable<Uint8Array | string>, storedMs: number): void {
    for (const row of rows) this.#run('INSERT INTO recent (stored_ms, keys) VALUES (?, ?)', storedMs, row);
  }

  /** Deletes what was remembered before; rows are in the order of their time, so that only old ones are read. */
  forget(beforeMs: number): void {
    const first = this.#prepared('SELECT id FROM recent WHERE stored_ms >= ? ORDER BY id LIMIT 1').get(beforeMs);
    this.#run('DELETE FROM recent WHERE id < ?', (first as { id: number } | undefined)?.id ?? Number.MAX_SAFE_INTEGER);
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
  deadLetters(): FileEntry[] {
    return this.#prepared(
      `SELECT ${FILE_ENTRY_COLUMNS} FROM entry WHERE dead_ms IS NOT NULL ORDER BY dead_ms, id`,
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

  /** What the queues took lately, oldest first: see `remember`. */
  recent(): Iterable<{ storedMs: number; keys: Uint8Array | string }> {
    return this.#prepared('SELECT stored_ms AS storedMs, keys FROM recent ORDER BY id').iterate() as never;
  }

  /** The highest id in use. */
  maxId(): number {
    const { id } = this.#prepared(
      'SELECT max(coalesce((SELECT max(id) FROM entry), 0), coalesce((SELECT max(id) FROM payload), 0)) AS id',
    ).get() as { id: number };
    return id;
  }

  /** What is selected of the next stretch of the table, at most `limit`; `next` is where to go on, undefined at the end. */
  page(
    { queue = null, state = null, sinceMs = null, untilMs = null }: Nullable<Selection>,
    after: number,
    limit: number,
  ): { rows: FileEntry[]; next: number | undefined } {
    const rows = this.#prepared(
      `SELECT ${FILE_ENTRY_COLUMNS} FROM ${STRETCH} WHERE queue = coalesce(?, queue)
         AND (dead_ms IS NOT NULL) = coalesce(?, dead_ms IS NOT NULL)
         AND stored_ms >= coalesce(?, stored_ms) AND stored_ms < coalesce(?, stored_ms + 1) LIMIT ?`,
    ).all(after, queue, state && Number(state === 'dead'), sinceMs, untilMs, limit) as never as FileEntry[];
    return { rows, next: rows.length === limit ? rows.at(-1)!.id : this.#stretchEnd(after) };
  }

  /** The next stretch of the table in numbers. */
  tally(after: number): { rows: (Tally & { queue: string; reason: string | null })[]; next: number | undefined } {
    const rows = this.#prepared(
      `SELECT queue, CASE WHEN dead_ms IS NULL THEN NULL ELSE coalesce(reason, '') END AS reason,
         count(*) AS batches, sum(bytes) AS bytes, min(stored_ms) AS oldestMs FROM ${STRETCH} GROUP BY 1, 2`,
    ).all(after) as never;
    return { rows, next: this.#stretchEnd(after) };
  }

  entry(id: number): FileEntry | undefined {
    return this.#prepared(`SELECT ${FILE_ENTRY_COLUMNS} FROM entry WHERE id = ?`).get(id) as never;
  }

  /** Whether a payload waits in a queue. */
  waits(payload: number, queue: string): boolean {
    const sql = 'SELECT 1 FROM entry WHERE payload = ? AND queue = ? AND dead_ms IS NULL LIMIT 1';
    return this.#prepared(sql).get(payload, queue) !== undefined;
  }

  /** What describes a payload; its bytes are not read. */
  describe(payload: number): { batch: string; meta: string } | undefined {
    return this.#prepared('SELECT batch, meta FROM payload WHERE id = ?').get(payload) as never;
  }

  #stretchEnd(after: number): number | undefined {
    const sql = `SELECT max(id) AS last, count(*) AS entries FROM ${STRETCH}`;
    const { last, entries } = this.#prepared(sql).get(after) as { last: number; entries: number };
    return entries < PAGE_ENTRIES ? undefined : last;
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
      if (deadMs! >= beforeMs && bytes <= maxBytes) continue;
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

import {
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { healLog } from './log.ts';
import { classified, QueueFileError } from './schema.ts';

/**
 * Puts the log of a queue file in order that SQLite would read only up to its first damaged place; the damaged one is kept beside it.
 * Whoever opens a queue file does this first: SQLite throws away what it did not read as soon as it closes the file. A kill at any
 * moment leaves the log as it was or as it is to be.
 * @returns what to tell the operator; nothing for a sound log
 * @throws QueueFileError when it is in use, or cannot be written
 */
export function mendLogFile(file: string, nowMs: number): string[] {
  const name = `${file}-wal`;
  if (!existsSync(file) || !existsSync(name)) return [];
  const log = readFileSync(name);
  const healed = healLog(log, pageBytesOf(file));
  if (!healed?.bytes) return healed ? [healed.said] : [];
  requireAlone(file);
  const aside = `${name}.damaged-${stamp(nowMs)}`;
  const next = `${name}.new`;
  try {
    // A process that has just let the file go was in the middle of writing what looked damaged.
    if (!readFileSync(name).equals(log))
      throw new QueueFileError('in_use', `${file} is being closed by another process`);
    copyFileSync(name, aside);
    writeFileSync(next, healed.bytes, { flush: true });
    renameSync(next, name);
  } catch (error) {
    rmSync(next, { force: true });
    throw error instanceof QueueFileError ? error : classified(name, error);
  }
  return [`${healed.said}; the log as it was is kept as ${aside}`];
}

/**
 * Asks without writing: a connection that may write would, as it closes, take over the sound beginning of the log and delete the rest.
 * @throws QueueFileError when another process has the file
 */
export function requireAlone(file: string): void {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(file, { readOnly: true });
    db.exec('BEGIN; SELECT 1 FROM sqlite_schema; ROLLBACK');
  } catch (error) {
    const known = classified(file, error);
    // The lock is asked for first: that the file is damaged, or its disk is full, says that no other process has it.
    if (known.reason === 'in_use') throw known;
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

export const stamp = (nowMs: number): string => new Date(nowMs).toISOString().replace(/[:.]/g, '-');

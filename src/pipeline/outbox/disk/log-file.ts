import { closeSync, existsSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { healLog } from './log.ts';
import { classified } from './schema.ts';

/**
 * Puts the log of a queue file in order that SQLite would read only up to its first damaged place; the damaged one is kept beside it.
 * @returns what to tell the operator; nothing for a sound log
 */
export function mendLogFile(file: string, nowMs: number): string[] {
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

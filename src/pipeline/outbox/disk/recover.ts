import { existsSync, statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { QueueDatabase, type Report } from './database.ts';
import { mendLogFile } from './log-file.ts';
import type { Lost } from './messages.ts';
import { type Salvaged, salvage } from './salvage.ts';
import { isFull, isTrouble, QueueFileError, WAL_BYTES } from './schema.ts';
import { asideOf, nextOf, removeNext, swapIn, takePlace } from './swap.ts';

/** Room that a new file needs however little is in it, bytes. */
const SPARE_BYTES = 1024 * 1024;
const MIB = 1024 * 1024;

export interface Opened {
  readonly database: QueueDatabase;
  /** Sentences for the operator: what was damaged, set aside, saved and lost. The file has them too until `database.told()`. */
  readonly warnings: readonly string[];
  readonly lost: readonly Lost[];
}

/**
 * Opens the queue file. What can be read of a damaged one is taken over into a new one, each payload only with a right checksum, and
 * the damaged one is kept beside it (never deleted).
 * @throws QueueFileError when it is in use, newer, foreign, cannot be written, or is damaged and there is no room for a new one
 */
export function openQueueFile(file: string, sync: 'full' | 'normal', nowMs: number): Opened {
  finishSwap(file, nowMs);
  const healed = mendLogFile(file, nowMs);
  try {
    return opened(file, sync, healed);
  } catch (error) {
    if (!(error instanceof QueueFileError) || error.reason !== 'corrupt') throw error;
    renew(file, nowMs, error.message);
    return opened(file, sync, healed);
  }
}

/**
 * Takes over what can be read of a damaged file, whatever had it open must have closed it, into one that takes its place. When that
 * fails the damaged file is still in its place, and `openQueueFile` tries again.
 * @throws QueueFileError when no file can be made
 */
export function setAside(file: string, sync: 'full' | 'normal', nowMs: number, why: string): Opened {
  renew(file, nowMs, why);
  return opened(file, sync, []);
}

function opened(file: string, sync: 'full' | 'normal', healed: readonly string[]): Opened {
  const database = QueueDatabase.open(file, sync);
  removeNext(file);
  const { warnings, lost } = database.report ?? { warnings: [], lost: [] };
  return { database, warnings: [...healed, ...warnings], lost };
}

/** A kill between the two renames leaves no file, but a new one that is whole: what it reports it got last. */
function finishSwap(file: string, nowMs: number): void {
  const next = nextOf(file);
  if (existsSync(file) || !existsSync(next)) return;
  let whole = false;
  try {
    const database = QueueDatabase.open(next, 'normal');
    whole = database.report !== undefined;
    database.close();
  } catch (error) {
    if (!(error instanceof QueueFileError) || error.reason !== 'corrupt') throw error;
  }
  // Otherwise somebody moved the damaged file away.
  if (whole) takePlace(file, asideOf(file, nowMs));
}

/** @param why what is wrong with the file */
function renew(file: string, nowMs: number, why: string): void {
  removeNext(file);
  requireRoom(file, why);
  const aside = asideOf(file, nowMs);
  // Synced as a whole before it takes its place.
  const database = QueueDatabase.open(nextOf(file), 'normal');
  try {
    database.report = reportOf(read(file, database), aside, why);
    database.checkpoint();
    database.close();
    if (existsSync(`${nextOf(file)}-wal`)) throw new QueueFileError('io', `${nextOf(file)} cannot be written`);
  } catch (error) {
    if (database.isOpen) database.close();
    removeNext(file);
    throw isFull(error) ? noRoom(file, why) : error;
  }
  swapIn(file, aside);
}

function read(file: string, into: QueueDatabase): Salvaged {
  const none = { entries: 0, payloads: 0, lost: [] };
  if (!existsSync(file)) return { ...none, said: 'there was no file any more' };
  try {
    return salvage(file, into);
  } catch (error) {
    if (isTrouble(error)) throw error;
    return { ...none, said: `nothing else could be read (${(error as Error).message})` };
  }
}

function reportOf({ entries, payloads, lost, said }: Salvaged, aside: string, why: string): Report {
  return {
    lost,
    warnings: [
      `the queue file was damaged (${why}) and is set aside as ${aside}; ${payloads} batches for ${entries} deliveries were saved from it; ${said}`,
    ],
  };
}

/** Asked first, so that a disk is not filled in vain at every try. The new file is at most as large as the old one, and has a log. */
const roomFor = (file: string): number => {
  const bytes = ['', '-wal'].reduce(
    (sum, end) => sum + (statSync(`${file}${end}`, { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
  return bytes + Math.min(bytes, WAL_BYTES) + SPARE_BYTES;
};

function requireRoom(file: string, why: string): void {
  if (freeBeside(file) < roomFor(file)) throw noRoom(file, why);
}

function freeBeside(file: string): number {
  const { bavail, bsize } = statfsSync(dirname(file));
  return bavail * bsize;
}

function noRoom(file: string, why: string): QueueFileError {
  const [needed, free] = [Math.ceil(roomFor(file) / MIB), Math.floor(freeBeside(file) / MIB)];
  const told = `the queue file is damaged (${why}); what can be read of it is copied beside it, which needs ${needed} MiB, and ${free} MiB are free`;
  const help = `Nothing is lost so far: make room, or move ${file} and its -wal file away to begin with empty queues`;
  return new QueueFileError('full', `${told}. ${help}`);
}

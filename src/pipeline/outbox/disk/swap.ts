// How a file that was made anew takes the place of a damaged one: a kill at any moment leaves the damaged one, of which what can be
// read is taken over again, or the finished new one.
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { requireAlone, stamp } from './log-file.ts';

/** Where the new one is made. */
export const nextOf = (file: string): string => `${file}.new`;
/** What the damaged one is called from then on. */
export const asideOf = (file: string, nowMs: number): string => `${file}.damaged-${stamp(nowMs)}`;

/** Deletes what an attempt that did not end has left. @throws QueueFileError when another process is making it */
export function removeNext(file: string): void {
  const next = nextOf(file);
  if (existsSync(next)) requireAlone(next);
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(`${next}${suffix}`, { force: true });
}

/** The new file is whole, closed and has no log of its own. */
export function swapIn(file: string, aside: string): void {
  flush(nextOf(file));
  flush(dirname(file));
  // First the file, then its log: a damaged file in its place is always read together with its log.
  if (existsSync(file)) renameSync(file, aside);
  takePlace(file, aside);
}

/**
 * The second half, also after a kill in the middle.
 * @param aside to whose file the log belongs that still lies here
 */
export function takePlace(file: string, aside: string): void {
  // A log that is not its own would be read into it.
  if (existsSync(`${file}-wal`)) renameSync(`${file}-wal`, `${aside}-wal`);
  rmSync(`${file}-shm`, { force: true });
  renameSync(nextOf(file), file);
  flush(dirname(file));
}

function flush(path: string): void {
  const handle = openSync(path, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import type { Found } from './ledger.ts';

/** How many files are asked for their state at a time. */
const BATCH = 64;

/** The regular files among these paths; what is gone meanwhile is left out. @param problem told of paths that cannot be looked at */
export async function lookAt(paths: Iterable<string>, problem: (path: string, error: Error) => void): Promise<Found[]> {
  const found: Found[] = [];
  let batch: Promise<Found | undefined>[] = [];
  const flush = async () => {
    for (const one of await Promise.all(batch)) if (one) found.push(one);
    batch = [];
  };
  for (const path of paths) {
    batch.push(
      stat(path, { bigint: true }).then(
        stats => (stats.isFile() ? foundOf(path, stats) : undefined),
        (error: NodeJS.ErrnoException) => {
          if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') problem(path, error);
          return undefined;
        },
      ),
    );
    if (batch.length === BATCH) await flush();
  }
  await flush();
  return found;
}

function foundOf(path: string, { dev, ino, size, mtimeNs }: BigIntStats): Found {
  // File systems without inodes say 0.
  const key = ino === 0n ? path : `${dev}:${ino}`;
  return { key, path, size: Number(size), modifiedNs: mtimeNs };
}

/**
 * All bytes of a file, into memory of the caller; undefined when it is another than was found, before or behind.
 * @param into asked for the memory once the file is known to be the same
 * @throws what the system says; what `into` throws
 */
export async function readWhole(file: Found, into: (size: number) => Buffer): Promise<Buffer | undefined> {
  // Should it have become a pipe meanwhile, nobody waits for a writer.
  const handle = await open(file.path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    if (!(await isStill(file, handle))) return undefined;
    const bytes = into(file.size);
    for (let at = 0; at < bytes.length; ) {
      const { bytesRead } = await handle.read(bytes, at, bytes.length - at, at);
      if (bytesRead === 0) return undefined;
      at += bytesRead;
    }
    return (await isStill(file, handle)) ? bytes : undefined;
  } finally {
    await handle.close();
  }
}

async function isStill(file: Found, handle: FileHandle): Promise<boolean> {
  return isSame(file, await handle.stat({ bigint: true }));
}

function isSame(file: Found, stats: BigIntStats): boolean {
  const { key, size, modifiedNs } = foundOf(file.path, stats);
  return stats.isFile() && key === file.key && size === file.size && modifiedNs === file.modifiedNs;
}

/** Whether the path still leads to this very file with this very content. @throws what the system says */
export async function isUnchanged(file: Found): Promise<boolean> {
  return isSame(file, await stat(file.path, { bigint: true }));
}

import { randomBytes } from 'node:crypto';
import type { Stats } from 'node:fs';
import { chmod, realpath, rename, stat, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PIPE } from './input.ts';
import { Refusal, refusalOf } from './refusal.ts';

/**
 * Writes a file whole or not at all: beside its name, then renamed. One that is there is replaced, as `cp` does; behind a link, what it leads to.
 * A device or named pipe is written to. A reader of our output that has gone away (`| head`) is no error.
 * @throws Refusal
 */
export async function place(file: string, content: Uint8Array): Promise<void> {
  if (file === PIPE) return writeOut(content);
  try {
    const held = await statOf(file);
    if (held?.isDirectory()) throw new Refusal(`${file}: is a folder; name the file to write in it`);
    if (held && !held.isFile()) await writeFile(file, content);
    else await replace(held ? await realpath(file) : file, content, held);
  } catch (error) {
    throw refusalOf(file, error);
  }
}

async function statOf(file: string): Promise<Stats | undefined> {
  try {
    return await stat(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return undefined;
  }
}

async function replace(file: string, content: Uint8Array, held: Stats | undefined): Promise<void> {
  const temporary = join(dirname(file), `.flamegate-${randomBytes(4).toString('hex')}.tmp`);
  try {
    await writeFile(temporary, content, { flag: 'wx' });
    if (held) await chmod(temporary, held.mode);
    await rename(temporary, file);
  } catch (error) {
    // It may never have come to be; the error that matters is the first.
    await unlink(temporary).catch(() => {});
    throw error;
  }
}

function writeOut(content: Uint8Array): Promise<void> {
  return new Promise((done, failed) => {
    process.stdout.write(content, error => {
      if (!error || (error as NodeJS.ErrnoException).code === 'EPIPE') done();
      else failed(refusalOf('standard output', error));
    });
  });
}

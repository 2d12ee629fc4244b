import { readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from './config.ts';

interface Kept {
  readonly name: string;
  readonly size: number;
  readonly modifiedMs: number;
}

/** Only files with these endings are ours to delete. */
const OURS = /\.(pb|otlp|jfr|folded|lines|tree|trie|speedscope\.json)(\.gz)?$/;

/** Knows the files of the folder, oldest first, and deletes what is over a bound. */
export class Retention {
  readonly #config: Config;
  #files: Kept[] = [];
  #bytes = 0;

  constructor(config: Config) {
    this.#config = config;
  }

  /** Takes stock of what an earlier run left. */
  async scan(): Promise<void> {
    const names = (await readdir(this.#config.path)).filter(name => OURS.test(name));
    const files = await Promise.all(
      names.map(async name => {
        const { size, mtimeMs } = await stat(join(this.#config.path, name));
        return { name, size, modifiedMs: mtimeMs };
      }),
    );
    this.#files = files.sort((a, b) => a.modifiedMs - b.modifiedMs);
    this.#bytes = files.reduce((sum, { size }) => sum + size, 0);
  }

  /** Counts a new file and deletes the oldest ones that no longer fit. */
  async added(name: string, size: number, nowMs: number): Promise<void> {
    this.#files.push({ name, size, modifiedMs: nowMs });
    this.#bytes += size;
    const { max_files, max_bytes, max_age } = this.#config;
    const gone: Kept[] = [];
    for (let oldest = this.#files[0]; oldest; oldest = this.#files[0]) {
      const tooOld = max_age > 0 && nowMs - oldest.modifiedMs > max_age;
      if (this.#files.length <= max_files && this.#bytes <= max_bytes && !tooOld) break;
      gone.push(oldest);
      this.#files.shift();
      this.#bytes -= oldest.size;
    }
    await Promise.all(gone.map(({ name: old }) => unlink(join(this.#config.path, old)).catch(ignoreMissing)));
  }
}

/** Somebody else may have deleted it first. */
function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}

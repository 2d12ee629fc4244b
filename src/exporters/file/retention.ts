import { readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from './config.ts';
import { ownNames } from './file-name.ts';

interface Kept {
  readonly size: number;
  readonly modifiedMs: number;
}

/** How files are called while they are written. */
const TEMPORARY = /^\.flamegate-[0-9a-f]{8}-\d+\.tmp$/;
/** A temporary file of this age, ms, was left by a process that died: no write takes so long. */
const ABANDONED_MS = 60 * 60 * 1000;

/**
 * Knows the files of the folder that this exporter wrote, by the pattern of their names, and deletes what is over a bound.
 * Everything else in the folder is left alone.
 */
export class Retention {
  readonly #config: Config;
  readonly #ours: RegExp;
  /** By name, oldest first. */
  readonly #files = new Map<string, Kept>();
  #bytes = 0;

  constructor(config: Config) {
    this.#config = config;
    this.#ours = ownNames(config.name);
  }

  /** Takes stock of what an earlier run left, and clears away what it left half written. */
  async scan(nowMs: number): Promise<void> {
    const found: [string, Kept][] = [];
    const look = async (name: string) => {
      const path = join(this.#config.path, name);
      const { size, mtimeMs } = await stat(path);
      if (!TEMPORARY.test(name)) found.push([name, { size, modifiedMs: mtimeMs }]);
      else if (nowMs - mtimeMs > ABANDONED_MS) await unlink(path);
    };
    const entries = await readdir(this.#config.path, { withFileTypes: true });
    const names = entries.filter(
      entry => entry.isFile() && (this.#ours.test(entry.name) || TEMPORARY.test(entry.name)),
    );
    await Promise.all(names.map(({ name }) => look(name).catch(ignoreMissing)));
    this.#files.clear();
    this.#bytes = 0;
    for (const [name, kept] of found.sort(([, a], [, b]) => a.modifiedMs - b.modifiedMs)) this.#keep(name, kept);
  }

  /**
   * Counts a file that was written, in place of one of the same name, and deletes the oldest that no longer fit; never the new
   * one. Throws the error of the first that could not be deleted, after all were tried; none of them is tried again.
   */
  async added(name: string, size: number, nowMs: number): Promise<void> {
    this.#forget(name);
    this.#keep(name, { size, modifiedMs: nowMs });
    const { max_files, max_bytes, max_age } = this.#config;
    let gone: string[] | undefined;
    for (const [oldest, { modifiedMs }] of this.#files) {
      const tooOld = max_age > 0 && nowMs - modifiedMs > max_age;
      if (oldest === name || (this.#files.size <= max_files && this.#bytes <= max_bytes && !tooOld)) break;
      this.#forget(oldest);
      gone ??= [];
      gone.push(oldest);
    }
    if (!gone) return;
    const path = this.#config.path;
    const outcomes = await Promise.allSettled(gone.map(old => unlink(join(path, old)).catch(ignoreMissing)));
    const failed = outcomes.find(outcome => outcome.status === 'rejected');
    if (failed) throw failed.reason;
  }

  #keep(name: string, kept: Kept): void {
    this.#files.set(name, kept);
    this.#bytes += kept.size;
  }

  #forget(name: string): void {
    const kept = this.#files.get(name);
    if (!kept) return;
    this.#files.delete(name);
    this.#bytes -= kept.size;
  }
}

/** Somebody else may have deleted it first. */
function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}

import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import type { PathPattern, Segment } from './pattern.ts';

/** Folders below each other that are gone through: a path on Linux has 4096 bytes, people have fewer folders. */
const MAX_DEPTH = 64;

/** Goes through folders as patterns say, and gathers paths. One that several patterns name is there once. */
export class Walk {
  readonly paths = new Set<string>();
  /** What could not be looked at, by path. */
  readonly problems = new Map<string, Error>();
  /** More files fit than may be told apart; the others are left out. */
  overflowed = false;
  readonly #excludes: readonly PathPattern[];
  readonly #maxPaths: number;

  constructor(excludes: readonly PathPattern[], maxPaths: number) {
    this.#excludes = excludes;
    this.#maxPaths = maxPaths;
  }

  async go(pattern: PathPattern): Promise<void> {
    const { root, segments } = pattern;
    const firstGlob = segments.findIndex(({ kind }) => kind !== 'literal');
    await this.#into(root, segments, 0, firstGlob < 0 ? segments.length - 1 : firstGlob, 0);
  }

  /** @param at the segment to take next @param named up to which the pattern names each folder, so that they should be there */
  async #into(folder: string, segments: readonly Segment[], at: number, named: number, depth: number): Promise<void> {
    const segment = segments[at]!;
    const isLast = at === segments.length - 1;
    if (segment.kind === 'literal') {
      const path = below(folder, segment.name);
      if (isLast) this.#found(path);
      else await this.#into(path, segments, at + 1, named, depth);
      return;
    }
    const anyDepth = segment.kind === 'any depth';
    if (anyDepth) await this.#into(folder, segments, at + 1, named, depth);
    if (depth === MAX_DEPTH) return;
    for (const entry of await this.#list(folder, at <= named)) {
      const { name } = entry;
      const path = below(folder, name);
      if (anyDepth) {
        // Links are not followed here: they may lead in a circle.
        if (entry.isDirectory() && !name.startsWith('.')) await this.#into(path, segments, at, -1, depth + 1);
      } else if ((segment.hidden || !name.startsWith('.')) && segment.regex.test(name)) {
        if (isLast) {
          if (!entry.isDirectory()) this.#found(path);
        } else if (entry.isDirectory() || entry.isSymbolicLink())
          await this.#into(path, segments, at + 1, -1, depth + 1);
      }
    }
  }

  async #list(folder: string, expected: boolean): Promise<Dirent[]> {
    try {
      return await readdir(folder === '' ? '.' : folder, { withFileTypes: true });
    } catch (thrown) {
      const { code, message } = thrown as NodeJS.ErrnoException;
      const isAbsent = code === 'ENOENT' || code === 'ENOTDIR';
      if (!isAbsent) this.problems.set(folder, new Error(`the folder cannot be read: ${message}`));
      else if (expected) this.problems.set(folder, new Error(`there is no folder ${folder}`));
      return [];
    }
  }

  #found(path: string): void {
    if (this.paths.has(path) || this.#excludes.some(exclude => exclude.fits(path))) return;
    if (this.paths.size >= this.#maxPaths) this.overflowed = true;
    else this.paths.add(path);
  }
}

function below(folder: string, name: string): string {
  return folder === '' || folder === '/' ? folder + name : `${folder}/${name}`;
}

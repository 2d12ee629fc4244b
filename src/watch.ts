// Notices that a file changed which the configuration was read from.
import { realpath, stat } from 'node:fs/promises';
import type { Clock } from './api/index.ts';

/**
 * Time between two looks at the files, ms. A look is two system calls a file, and sees what notifications of the kernel miss: network
 * file systems, bind mounts, a ConfigMap whose link is swapped two folders away, a file that is not there yet.
 */
const LOOK_MS = 500;

type Read = (path: string, maxBytes: number) => Promise<string>;

/** The files that the last load read, and how each of them was just before. */
export class WatchedFiles {
  readonly #read: Read;
  #loaded = new Map<string, string>();

  constructor(read: Read) {
    this.#read = read;
  }

  /** Starts anew: what is read from here on is what counts. */
  begin(): void {
    this.#loaded = new Map();
  }

  /** Reads a file and remembers it. What changes while it is read counts as changed. */
  readonly read: Read = async (path, maxBytes) => {
    this.#loaded.set(path, await stateOf(path));
    return this.#read(path, maxBytes);
  };

  /** Tells of changes until `stop` fires: once for each, when the files have been quiet from one look to the next. */
  async watch(clock: Clock, changed: (files: readonly string[]) => void, stop: AbortSignal): Promise<void> {
    let last = '';
    let told = '';
    for (;;) {
      await clock.sleep(LOOK_MS, stop);
      if (stop.aborted) return;
      const loaded = this.#loaded;
      const files: string[] = [];
      let states = '';
      for (const [path, before] of loaded) {
        const state = await stateOf(path);
        if (state !== before) files.push(path);
        states += `${path} ${state}\n`;
      }
      // A load began meanwhile, and saw the files as they are now.
      if (loaded !== this.#loaded) continue;
      if (files.length > 0 && states === last && states !== told) {
        told = states;
        changed(files);
      }
      last = states;
    }
  }
}

/** What tells one state of a file from another: where it really lies, which file that is, and when it was written. */
async function stateOf(path: string): Promise<string> {
  try {
    const real = await realpath(path);
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(real, { bigint: true });
    return [real, dev, ino, size, mtimeNs, ctimeNs].join(' ');
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

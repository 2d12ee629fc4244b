import { appendFile, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Host, QueueStorage } from '../../api/index.ts';
import type { Found } from './ledger.ts';

/** Lines that may be added before all is written anew. */
const MAX_ADDED = 10_000;

/** Which files were read, in a file: a JSON line each. It outlives the process, not a loss of power in the last moment. */
export class Journal {
  readonly #path: string;
  #added = 0;
  /** Writes one after the other. */
  #last: Promise<void> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  /** Beside the queue of this extension. @throws Error when the extension does not run or has no folder */
  static beside(storage: string, host: Host): Journal {
    const file = host.extension<Partial<QueueStorage>>(storage)?.queueFile?.file;
    if (file === undefined)
      throw new Error(`storage: \`${storage}\` is no file_storage extension that service.extensions lists`);
    return new Journal(join(dirname(file), `${encodeURIComponent(host.id)}.read.jsonl`));
  }

  /** What an earlier process wrote; undefined when none did. Lines that it did not get to write whole are passed over. */
  async load(): Promise<Found[] | undefined> {
    let text: string;
    try {
      text = await readFile(this.#path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    return text.split('\n').flatMap(line => parsed(line) ?? []);
  }

  /** One more; all of `settled` once many lines were added. */
  add(file: Found, settled: () => Iterable<Found>): Promise<void> {
    if (++this.#added > MAX_ADDED) return this.rewrite(settled);
    return this.#write(() => appendFile(this.#path, lineOf(file)));
  }

  /** Nothing but these. Written beside and renamed, so that it is never half there. */
  rewrite(settled: () => Iterable<Found>): Promise<void> {
    this.#added = 0;
    return this.#write(async () => {
      await mkdir(dirname(this.#path), { recursive: true });
      const temporary = `${this.#path}.tmp`;
      await writeFile(temporary, Array.from(settled(), lineOf));
      await rename(temporary, this.#path);
    });
  }

  #write(write: () => Promise<void>): Promise<void> {
    const written = this.#last.then(write);
    this.#last = written.catch(() => {});
    return written;
  }
}

const lineOf = ({ key, path, size, modifiedNs }: Found): string =>
  `${JSON.stringify({ key, path, size, modifiedNs: String(modifiedNs) })}\n`;

function parsed(line: string): Found | undefined {
  try {
    const { key, path, size, modifiedNs } = JSON.parse(line) as Record<string, unknown>;
    if (typeof key !== 'string' || typeof path !== 'string' || typeof size !== 'number') return undefined;
    return { key, path, size, modifiedNs: BigInt(String(modifiedNs)) };
  } catch {
    return undefined;
  }
}

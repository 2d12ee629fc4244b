// The pages of a damaged file as its last commit left them: in its log, where that could not be moved into the file, or in the file.
import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';
import { PAGE_BYTES } from './schema.ts';

const LOG_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const FRAME_BYTES = FRAME_HEADER_BYTES + PAGE_BYTES;

export class Pages {
  readonly count: number;
  readonly #file: number;
  readonly #log: number | undefined;
  /** Where in the log the last version of a page is. */
  readonly #logged = new Map<number, number>();

  constructor(file: string) {
    this.#file = openSync(file, 'r');
    this.#log = existsSync(`${file}-wal`) ? openSync(`${file}-wal`, 'r') : undefined;
    if (this.#log !== undefined) this.#index(this.#log);
    let count = Math.floor(fstatSync(this.#file).size / PAGE_BYTES);
    for (const page of this.#logged.keys()) count = Math.max(count, page);
    this.count = count;
  }

  /** Empty where it cannot be read. */
  read(number: number): Buffer {
    const at = this.#logged.get(number);
    return at === undefined
      ? bytesAt(this.#file, (number - 1) * PAGE_BYTES, PAGE_BYTES)
      : bytesAt(this.#log!, at, PAGE_BYTES);
  }

  close(): void {
    closeSync(this.#file);
    if (this.#log !== undefined) closeSync(this.#log);
  }

  /** Frames of the same salts up to the last that ends a transaction; a damaged log was mended before (log.ts). */
  #index(log: number): void {
    const salts = bytesAt(log, 16, 8);
    const since = new Map<number, number>();
    const size = fstatSync(log).size;
    for (let at = LOG_HEADER_BYTES; at + FRAME_BYTES <= size; at += FRAME_BYTES) {
      const head = bytesAt(log, at, FRAME_HEADER_BYTES);
      if (!head.subarray(8, 16).equals(salts)) return;
      since.set(head.readUInt32BE(0), at + FRAME_HEADER_BYTES);
      if (head.readUInt32BE(4) === 0) continue;
      for (const [page, place] of since) this.#logged.set(page, place);
      since.clear();
    }
  }
}

function bytesAt(handle: number, at: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  try {
    readSync(handle, bytes, 0, length, at);
  } catch {
    // A sector that cannot be read: as if it were empty.
  }
  return bytes;
}

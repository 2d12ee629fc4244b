import { bytesOf } from '../../../model/batch.ts';
import type { Memory } from '../../../model/memory.ts';
import type { AnyBatch } from '../store.ts';
import { decodeBatch } from './codec.ts';
import type { Stored } from './held.ts';
import { NotYet, type ThreadLink } from './link.ts';

/** Payload bytes of stored batches that stay in memory, so that what is delivered soon is not read back. */
const CACHE_BYTES = 32 * 1024 * 1024;

/** Stored batches that are in memory too: those that somebody delivers, and others while there is room. */
export class BatchCache {
  readonly #memory: Memory;
  readonly #link: ThreadLink;
  #bytes = 0;

  constructor(memory: Memory, link: ThreadLink) {
    this.#memory = memory;
    this.#link = link;
  }

  /** The batch, read back when it is only in the file; `not now` when there is no memory, or the file waits to be mended. */
  async load(stored: Stored): Promise<AnyBatch | 'not now' | Error> {
    stored.loading ??= this.#read(stored).finally(() => {
      stored.loading = undefined;
    });
    return stored.loading;
  }

  async #read(stored: Stored): Promise<AnyBatch | 'not now' | Error> {
    const slab = this.#memory.lease(Math.max(1, stored.bytes));
    if (!slab) return 'not now';
    const bytes = slab.bytes.subarray(0, stored.bytes);
    try {
      const { id, meta } = await this.#link.read(stored.id, bytes);
      const batch = decodeBatch(id, meta, bytes);
      this.keep(stored, batch);
      return batch;
    } catch (error) {
      if (error instanceof NotYet) return 'not now';
      return error instanceof Error ? error : new Error(String(error));
    } finally {
      this.#memory.release(slab.bytes);
    }
  }

  keep(stored: Stored, batch: AnyBatch): void {
    for (const bytes of bytesOf(batch)) this.#memory.retain(bytes);
    stored.batch = batch;
    this.#bytes += stored.bytes;
  }

  drop(stored: Stored): void {
    const { batch } = stored;
    if (!batch) return;
    stored.batch = undefined;
    this.#bytes -= stored.bytes;
    for (const bytes of bytesOf(batch)) this.#memory.release(bytes);
  }

  /** One user less. */
  let(stored: Stored): void {
    stored.users--;
    this.trim(stored);
  }

  /** Lets a batch go that nobody uses, when nobody wants it or there is no room. */
  trim(stored: Stored): void {
    if (stored.users === 0 && (stored.wanted === 0 || this.#bytes > CACHE_BYTES)) this.drop(stored);
  }
}

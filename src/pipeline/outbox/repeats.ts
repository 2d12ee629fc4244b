import type { AnyBatch } from './store.ts';

/** How long a batch is remembered, ms: longer than any SDK tries again. */
const REMEMBER_MS = 10 * 60_000;
/** Batches that are remembered at most, about 250 bytes each; beyond it the oldest go early. */
const MAX_REMEMBERED = 20_000;

/**
 * What a queue took although its sender will try again, since another branch did not take it. To know a second try costs a hash of its
 * bytes, so it is computed only when a batch of that very size is remembered: never, while every branch accepts.
 */
export class Repeats {
  /** By queue and batch id, in the order in which they came. */
  readonly #taken = new Map<string, { sizeBytes: number; ms: number }>();
  /** How many of them have this size. */
  readonly #sizes = new Map<number, number>();

  has(queue: string, batch: AnyBatch, nowMs: number): boolean {
    if (!this.#sizes.has(batch.sizeBytes)) return false;
    const taken = this.#taken.get(`${queue} ${batch.id.hex}`);
    return taken !== undefined && nowMs - taken.ms < REMEMBER_MS;
  }

  /** @param sizeBytes of the batch as the queue took it */
  add(queue: string, hex: string, sizeBytes: number, nowMs: number): void {
    const key = `${queue} ${hex}`;
    this.#forget(key);
    this.#taken.set(key, { sizeBytes, ms: nowMs });
    this.#sizes.set(sizeBytes, (this.#sizes.get(sizeBytes) ?? 0) + 1);
    for (const [oldest, { ms }] of this.#taken) {
      if (this.#taken.size <= MAX_REMEMBERED && nowMs - ms < REMEMBER_MS) return;
      this.#forget(oldest);
    }
  }

  #forget(key: string): void {
    const taken = this.#taken.get(key);
    if (!taken) return;
    this.#taken.delete(key);
    const left = this.#sizes.get(taken.sizeBytes)! - 1;
    if (left > 0) this.#sizes.set(taken.sizeBytes, left);
    else this.#sizes.delete(taken.sizeBytes);
  }
}

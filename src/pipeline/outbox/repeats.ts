import type { Attributes } from '../../model/attributes.ts';
import { labelText } from '../../model/attributes.ts';
import type { AnyBatch } from './store.ts';

/** How long a batch is remembered, ms: longer than any SDK tries again. */
const REMEMBER_MS = 10 * 60_000;
/** Batches that are remembered at most, about 400 bytes each; beyond it the oldest go early. */
const MAX_REMEMBERED = 20_000;

/** What of a batch is not in its id, without its bytes: two pipelines may hand one batch to one queue with different tags. */
export interface Envelope {
  readonly sizeBytes: number;
  readonly attributes: readonly Attributes[];
}

export function envelopeOf(batch: AnyBatch): Envelope {
  const { sizeBytes } = batch;
  return { sizeBytes, attributes: batch.signal === 'profiles' ? batch.profiles.map(one => one.attributes) : [] };
}

const textOf = ({ attributes }: Envelope): string =>
  JSON.stringify(attributes.map(one => [...one].map(([name, value]) => [name, labelText(value)])));

/**
 * What a queue took although its sender will try again, since another branch did not take it. To know a second try costs a hash of its
 * bytes, so it is computed only when a batch of that very size is remembered: never, while every branch accepts.
 */
export class Repeats {
  /** By queue, batch id and envelope, in the order in which they came. */
  readonly #taken = new Map<string, { sizeBytes: number; ms: number }>();
  /** How many of them have this size. */
  readonly #sizes = new Map<number, number>();

  has(queue: string, batch: AnyBatch, nowMs: number): boolean {
    if (!this.#sizes.has(batch.sizeBytes)) return false;
    const taken = this.#taken.get(`${queue} ${batch.id.hex} ${textOf(envelopeOf(batch))}`);
    return taken !== undefined && nowMs - taken.ms < REMEMBER_MS;
  }

  /** @param taken the batch as the queue took it */
  add(queue: string, hex: string, taken: Envelope, nowMs: number): void {
    const { sizeBytes } = taken;
    const key = `${queue} ${hex} ${textOf(taken)}`;
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

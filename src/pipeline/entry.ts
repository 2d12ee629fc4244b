import { combine, type Result } from '../api/index.ts';
import { bytesOf, itemsOf, type Signal } from '../model/batch.ts';
import { isOwed } from './fanout.ts';
import type { World } from './host.ts';
import type { Node } from './link.ts';
import { moved } from './move.ts';
import type { Observer } from './observed.ts';
import type { AnyBatch } from './outbox/store.ts';

const NO_MEMORY: Result = { kind: 'refused', reason: 'memory limit reached', retryAfterMs: 1000 };

/**
 * Where a receiver's batches enter the graph, once per receiver. It sees to it that payloads lie in shared memory (those of
 * `net` do; a plugin's own buffers are copied once), hands the batch to every pipeline that names the receiver, and counts.
 */
export class Entry implements Node {
  /** Pipelines of a signal that name the component. */
  heads: ReadonlyMap<Signal, readonly Node[]> = new Map();
  readonly #memory: World['memory'];
  readonly #stores: World['stores'];
  readonly #observer: Observer;

  constructor({ memory, stores }: Pick<World, 'memory' | 'stores'>, observer: Observer) {
    this.#memory = memory;
    this.#stores = stores;
    this.#observer = observer;
  }

  /** Whether a batch of this signal would go anywhere. */
  wants(signal: Signal): boolean {
    return this.heads.has(signal);
  }

  async consume(batch: AnyBatch, abort: AbortSignal): Promise<Result> {
    const heads = this.heads.get(batch.signal) ?? [];
    const startedMs = performance.now();
    const adopted: Uint8Array[] = [];
    const shared = this.#adopt(batch, adopted);
    let result: Result;
    try {
      if (shared === undefined) result = NO_MEMORY;
      else if (heads.length === 1) result = await heads[0]!.consume(shared as never, abort);
      else if (heads.length === 0) result = nowhere(batch.signal);
      else {
        result = combine(itemsOf(batch), await Promise.all(heads.map(head => head.consume(shared as never, abort))));
        // One pipeline took it, another did not: the queues of the first do not take it again.
        if (isOwed(result)) this.#stores.memory.remember(shared);
      }
    } catch (thrown) {
      result = this.#observer.bug(thrown);
    }
    for (const bytes of adopted) this.#memory.release(bytes);
    this.#observer.settle(batch, result, startedMs);
    if (result.kind === 'accepted' && result.drops)
      for (const { items, reason } of result.drops) this.#observer.drop(items, reason);
    return result;
  }

  #adopt(batch: AnyBatch, adopted: Uint8Array[]): AnyBatch | undefined {
    let foreign = false;
    for (const bytes of bytesOf(batch)) if (!this.#memory.holds(bytes)) foreign = true;
    if (!foreign) return batch;
    const copies = new Map<Uint8Array, Uint8Array>();
    for (const bytes of bytesOf(batch)) {
      if (copies.has(bytes)) continue;
      if (this.#memory.holds(bytes)) {
        copies.set(bytes, bytes);
        continue;
      }
      const slab = this.#memory.lease(bytes.length);
      if (!slab) {
        for (const copy of adopted) this.#memory.release(copy);
        adopted.length = 0;
        return undefined;
      }
      slab.bytes.set(bytes);
      adopted.push(slab.bytes);
      copies.set(bytes, slab.bytes.subarray(0, bytes.length));
    }
    return moved(batch, copies);
  }
}

function nowhere(signal: Signal): Result {
  return { kind: 'permanent', error: new Error(`no ${signal} pipeline names this receiver`), fault: 'gateway' };
}

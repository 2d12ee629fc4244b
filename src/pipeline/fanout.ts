import { combine, type Result } from '../api/index.ts';
import { itemsOf } from '../model/batch.ts';
import type { Node } from './link.ts';
import type { Outbox } from './outbox/outbox.ts';
import type { AnyBatch, Reservation, Row, Store } from './outbox/store.ts';

/** How long a sender should wait when a queue is full: about the time in which a store that recovers empties some of it. */
const FULL_RETRY_AFTER_MS = 5_000;

/** An exporter at the end of a pipeline: stored for later when it has a queue, otherwise asked at once. */
export interface Branch {
  readonly id: string;
  readonly outbox?: Outbox;
  readonly node: Node;
}

/**
 * The end of a pipeline. All branches share the batch and its bytes. Enqueueing is all or none: when one queue must refuse,
 * no exporter gets the batch; branches without a queue are asked once the queues have it.
 */
export class Fanout implements Node {
  readonly #branches: readonly Branch[];
  readonly #direct: readonly Branch[];
  readonly #stores: ReadonlyMap<Store, readonly Outbox[]>;
  readonly #outboxes: ReadonlyMap<string, Outbox>;

  constructor(branches: readonly Branch[]) {
    this.#branches = branches;
    this.#direct = branches.filter(branch => !branch.outbox?.queued);
    const queued = branches.flatMap(branch => (branch.outbox?.queued ? [branch.outbox] : []));
    this.#outboxes = new Map(queued.map(outbox => [outbox.id, outbox]));
    // Durable stores first: they can fail, and then no other has the batch yet.
    const order = queued.toSorted((a, b) => Number(b.store.durable) - Number(a.store.durable));
    this.#stores = Map.groupBy(order, outbox => outbox.store);
  }

  async consume(batch: AnyBatch, abort: AbortSignal): Promise<Result> {
    const results: Result[] = [];
    const writes: { store: Store; room: Reservation }[] = [];
    const giveBack = () => {
      for (const { room } of writes) room.giveBack();
    };
    // In one go: nobody else can fill a queue before all have promised.
    for (const [store, outboxes] of this.#stores) {
      const rows: Row[] = [];
      for (const outbox of outboxes) {
        const row = outbox.row(batch);
        if (row) rows.push(row);
        else
          results.push({
            kind: 'permanent',
            error: new Error(`larger than the queue of ${outbox.id}`),
            fault: 'gateway',
          });
      }
      if (rows.length === 0) continue;
      const room = store.reserve(rows);
      if (typeof room === 'string') {
        giveBack();
        return { kind: 'refused', reason: room, retryAfterMs: FULL_RETRY_AFTER_MS };
      }
      writes.push({ store, room });
    }
    for (const { room } of writes) {
      try {
        const { evicted, repeated } = await room.put();
        for (const one of evicted) this.#outboxes.get(one.queue)?.evicted(one);
        for (const queue of repeated ?? []) this.#outboxes.get(queue)?.repeated(itemsOf(batch));
        results.push({ kind: 'accepted' });
      } catch (error) {
        giveBack();
        return { kind: 'refused', reason: (error as Error).message, retryAfterMs: FULL_RETRY_AFTER_MS };
      }
    }
    // Only once every queue has it: what cannot be undone comes last.
    if (this.#direct.length > 0)
      results.push(...(await Promise.all(this.#direct.map(({ node }) => node.consume(batch as never, abort)))));
    const result = combine(itemsOf(batch), results);
    // Whoever sent it tries again; the queues have it already.
    if (isOwed(result)) for (const { store } of writes) store.remember?.(batch);
    return result;
  }

  get ids(): readonly string[] {
    return this.#branches.map(branch => branch.id);
  }
}

/** Whether the sender is asked to send the same again. */
export function isOwed(result: Result): boolean {
  return result.kind === 'refused' || result.kind === 'retryable';
}

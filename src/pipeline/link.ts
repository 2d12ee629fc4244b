import type { Consumer, Result } from '../api/index.ts';
import type { AnyBatch } from './outbox/store.ts';

/** Any consumer of the graph; what flows along an arrow was checked when the configuration was. */
export type Node = Consumer<never>;

/** An arrow that can be turned to another node while batches flow: how a reload keeps components that did not change. */
export class Link implements Node {
  #target: Node | undefined;

  point(target: Node): void {
    this.#target = target;
  }

  consume(batch: AnyBatch, abort: AbortSignal): Promise<Result> {
    if (!this.#target) throw new Error('a component emitted before its pipeline was built');
    return this.#target.consume(batch as never, abort);
  }
}

import type { QueueTally, Tally } from '../operations.ts';

const NOTHING: Tally = { batches: 0, bytes: 0 };

/** Adds numbers up by queue and reason, as they come in pages. */
export class Tallies {
  readonly #queues = new Map<string, { pending: Tally; dead: Map<string, Tally>; read: boolean; inFlight: number }>();

  /** @param row with `reason` null for what is to be delivered */
  add({ queue, reason, ...tally }: Tally & { readonly queue: string; readonly reason: string | null }): void {
    const of = this.#of(queue);
    if (reason === null) of.pending = sum(of.pending, tally);
    else of.dead.set(reason, sum(of.dead.get(reason) ?? NOTHING, tally));
  }

  /** An exporter reads this queue. */
  reads(queue: string, inFlight = 0): void {
    const of = this.#of(queue);
    of.read = true;
    of.inFlight = inFlight;
  }

  /** By name. */
  list(): QueueTally[] {
    return [...this.#queues]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([queue, { dead, ...of }]) => ({
        queue,
        ...of,
        dead: [...dead].map(([reason, tally]) => ({ reason, ...tally })),
      }));
  }

  #of(queue: string) {
    let of = this.#queues.get(queue);
    if (!of) {
      of = { pending: NOTHING, dead: new Map(), read: false, inFlight: 0 };
      this.#queues.set(queue, of);
    }
    return of;
  }
}

function sum(a: Tally, b: Tally): Tally {
  const oldest = [a.oldestMs, b.oldestMs].filter(ms => ms !== undefined);
  return {
    batches: a.batches + b.batches,
    bytes: a.bytes + b.bytes,
    ...(oldest.length > 0 && { oldestMs: Math.min(...oldest) }),
  };
}

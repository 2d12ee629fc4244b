import { aborted } from './gate.ts';
import type { Entry, Outcome } from './store.ts';

export interface HandOutParts {
  /** The next entry; undefined when no further one may be taken. */
  readonly next: () => Promise<Entry | undefined>;
  /** Gives it to the sender, settles it, and says how. */
  readonly attempt: (entry: Entry) => Promise<Outcome['kind']>;
  /** Batches in the queue, those that the sender has among them. */
  readonly batches: () => number;
}

/** Delivery to a sender that answers when it lets go of a batch: it is given everything there is. */
export class HandOut {
  readonly #of: HandOutParts;
  /** What the sender has. */
  readonly #out = new Set<Promise<void>>();
  /** How often the sender did not get rid of a batch, which waits for another time. */
  #postponed = 0;
  #change = Promise.withResolvers<void>();

  constructor(of: HandOutParts) {
    this.#of = of;
  }

  /** Ends when nothing may be taken any more and everything that was is settled. */
  async run(): Promise<void> {
    const { next, attempt } = this.#of;
    for (let entry = await next(); entry; entry = await next()) {
      const one = attempt(entry).then(kind => {
        if (kind === 'later') this.#postponed++;
        this.#out.delete(one);
        this.#changed();
      });
      this.#out.add(one);
      this.#changed();
    }
    await Promise.all(this.#out);
  }

  /** Resolves when the sender has, or had once more, all that is in the queue; or when `until` fires. */
  async everything(until: AbortSignal): Promise<void> {
    const before = this.#postponed;
    while (!until.aborted && this.#of.batches() - (this.#postponed - before) > this.#out.size)
      await Promise.race([this.#change.promise, aborted(until)]);
  }

  #changed(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers<void>();
  }
}

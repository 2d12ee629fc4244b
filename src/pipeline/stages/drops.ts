import type { Drop } from '../../api/index.ts';

/** Drops of one batch, one entry per reason; the first message stands for all. */
export class Drops {
  readonly #byReason = new Map<string, { items: number; message: string | undefined }>();
  items = 0;

  add(items: number, reason: string, message?: string): void {
    this.items += items;
    const known = this.#byReason.get(reason);
    if (known) known.items += items;
    else this.#byReason.set(reason, { items, message });
  }

  list(): Drop[] {
    return [...this.#byReason].map(([reason, { items, message }]) => ({
      items,
      reason,
      ...(message !== undefined && { message }),
    }));
  }
}

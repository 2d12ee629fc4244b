/** How long a batch id is remembered, ms: longer than any SDK tries again. */
export const REMEMBER_MS = 10 * 60_000;
/** Ids that are remembered at most, about 150 bytes each; beyond it the oldest go early. */
const MAX_IDS = 200_000;

/** Which queue took which batch lately, so that a sender's second try is not delivered twice. */
export class Recent {
  /** In the order in which they came. */
  readonly #storedMs = new Map<string, number>();

  static key(queue: string, batch: string): string {
    return `${queue} ${batch}`;
  }

  has(key: string, nowMs: number): boolean {
    const storedMs = this.#storedMs.get(key);
    // A clock that was set back must not make an id last for ever.
    return storedMs !== undefined && Math.abs(nowMs - storedMs) < REMEMBER_MS;
  }

  add(key: string, nowMs: number): void {
    this.#storedMs.delete(key);
    this.#storedMs.set(key, nowMs);
    for (const [oldest, storedMs] of this.#storedMs) {
      if (this.#storedMs.size <= MAX_IDS && nowMs - storedMs < REMEMBER_MS) return;
      this.#storedMs.delete(oldest);
    }
  }
}

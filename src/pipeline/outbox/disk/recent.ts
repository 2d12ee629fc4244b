/** How long a batch id is remembered, ms: longer than any SDK tries again. */
const REMEMBER_MS = 10 * 60_000;
/** Ids that are remembered at most, about 150 bytes each; beyond it the oldest go early. */
const MAX_IDS = 200_000;

/** Which queue took which batch lately, so that a sender's second try is not delivered twice. */
export class Recent {
  /** In the order in which they came. */
  readonly #storedMs = new Map<string, number>();

  has(queue: string, batch: string, nowMs: number): boolean {
    const storedMs = this.#storedMs.get(`${queue} ${batch}`);
    return storedMs !== undefined && nowMs - storedMs < REMEMBER_MS;
  }

  add(queue: string, batch: string, nowMs: number): void {
    const key = `${queue} ${batch}`;
    this.#storedMs.delete(key);
    this.#storedMs.set(key, nowMs);
    for (const [oldest, storedMs] of this.#storedMs) {
      if (this.#storedMs.size <= MAX_IDS && nowMs - storedMs < REMEMBER_MS) return;
      this.#storedMs.delete(oldest);
    }
  }
}

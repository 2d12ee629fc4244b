/** How long a batch id is remembered, ms: longer than any SDK tries again. */
export const REMEMBER_MS = 10 * 60_000;
/** Ids that are remembered at most unless a test says otherwise, about 150 bytes each; beyond it the older half goes early. */
const MAX_IDS = 200_000;

/**
 * Which queue took which batch lately, so that a sender's second try is not delivered twice. Two generations, the older of which is
 * dropped as a whole: a Map that loses its oldest key with each new one costs 20 µs a time, since it steps over what was deleted.
 */
export class Recent {
  #young = new Map<string, number>();
  #old: ReadonlyMap<string, number> = new Map();
  /** When the younger generation began. */
  #sinceMs = 0;
  readonly #max: number;

  constructor(max = MAX_IDS) {
    this.#max = max;
  }

  static key(queue: string, batch: string): string {
    return `${queue} ${batch}`;
  }

  has(key: string, nowMs: number): boolean {
    const storedMs = this.#young.get(key) ?? this.#old.get(key);
    // A clock that was set back must not make an id last for ever.
    return storedMs !== undefined && Math.abs(nowMs - storedMs) < REMEMBER_MS;
  }

  add(key: string, nowMs: number): void {
    if (this.#young.size >= this.#max / 2 || Math.abs(nowMs - this.#sinceMs) >= REMEMBER_MS) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#sinceMs = nowMs;
    }
    this.#young.set(key, nowMs);
  }
}

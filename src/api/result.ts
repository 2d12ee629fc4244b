/** Items that went no further. `reason` is the label of the drop counter, snake_case and from a small set; `message` is for people. */
export interface Drop {
  readonly items: number;
  readonly reason: string;
  readonly message?: string;
}

/** What happened to a batch. Returned, never thrown; a throw on the data path is a bug, caught and counted by the pipeline. */
export type Result<Rest = never> =
  /** It is ours now. `drops` say what of it went no further (OTLP: partial success). */
  | { readonly kind: 'accepted'; readonly drops?: readonly Drop[] }
  /** WE are full: limiter, queue, rate. Never made from a store's answer. */
  | { readonly kind: 'refused'; readonly reason: string; readonly retryAfterMs?: number }
  /** THEY are down or slow; the same bytes may work later. `rest` is what is still owed, the whole batch when absent. */
  | { readonly kind: 'retryable'; readonly error: Error; readonly retryAfterMs?: number; readonly rest?: Rest }
  /** The same bytes never work. `fault` says who must change something. */
  | { readonly kind: 'permanent'; readonly error: Error; readonly fault: 'sender' | 'gateway' };

export const ACCEPTED: Result = Object.freeze({ kind: 'accepted' });

/**
 * One answer for several branches, the only truth table of the house:
 * refused wins over retryable, retryable over everything else, with the longest delay that anyone asked for;
 * a permanent branch beside an accepted one becomes a counted drop of `items`; only permanent branches: the first of them.
 */
export function combine(items: number, results: readonly Result[]): Result {
  const first = results[0];
  if (results.length === 1 && first) return first;
  const again = results.find(r => r.kind === 'refused') ?? results.find(r => r.kind === 'retryable');
  if (again) {
    const delays = results.flatMap(r => ('retryAfterMs' in r && r.retryAfterMs !== undefined ? [r.retryAfterMs] : []));
    return delays.length > 0 ? { ...again, retryAfterMs: Math.max(...delays) } : again;
  }
  const bad = results.filter(r => r.kind === 'permanent');
  if (bad[0] && bad.length === results.length) return bad[0];
  const drops: Drop[] = results.flatMap(r => (r.kind === 'accepted' ? (r.drops ?? []) : []));
  for (const r of bad) drops.push({ items, reason: 'rejected', message: r.error.message });
  return drops.length > 0 ? { kind: 'accepted', drops } : ACCEPTED;
}

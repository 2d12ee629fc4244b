import type { OutboxConfig } from '../../api/index.ts';

/**
 * Longest delay that a store can ask for, ms: an hour. A `Retry-After` of days is a mistake or ill will, and asking a store that
 * is down once an hour hurts nobody.
 */
export const MAX_ASKED_MS = 3_600_000;

export type RetryConfig = OutboxConfig['retry_on_failure'];

/**
 * Delay before try `attempt` + 1 in ms: initial · multiplier^attempt, at most max_interval, spread by randomization_factor to
 * both sides (the Collector's formula); never shorter than what the store asked for.
 * @param attempt failed tries before this delay, counted from 0
 */
export function retryDelayMs(
  config: RetryConfig,
  attempt: number,
  askedMs: number | undefined,
  random: () => number,
): number {
  // The power may be infinite, and nothing times infinity is no number.
  const grown = config.initial_interval && config.initial_interval * config.multiplier ** attempt;
  const base = Math.min(config.max_interval, grown);
  const spread = base * config.randomization_factor;
  return Math.max(base - spread + 2 * spread * random(), askedDelayMs(askedMs));
}

/** What the store asked for, as far as it is heard; 0 when it asked for nothing. */
export function askedDelayMs(askedMs: number | undefined): number {
  return Math.min(askedMs ?? 0, MAX_ASKED_MS);
}

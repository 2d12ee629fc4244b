import type { OutboxConfig } from '../../api/index.ts';

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
  const base = Math.min(config.max_interval, config.initial_interval * config.multiplier ** attempt);
  const spread = base * config.randomization_factor;
  return Math.max(base - spread + 2 * spread * random(), askedMs ?? 0);
}

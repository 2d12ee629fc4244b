import type { Clock, Result } from '../../api/index.ts';
import { askedDelayMs, type RetryConfig, retryDelayMs } from './retry.ts';
import type { AnyBatch } from './store.ts';

export interface DirectParts {
  readonly retry: RetryConfig;
  readonly clock: Clock;
  readonly random: () => number;
  /** One try. */
  readonly send: (batch: AnyBatch) => Promise<Result<AnyBatch>>;
  /** Whether no further try may begin. */
  readonly ended: () => boolean;
  /** Fires when nobody waits any more. */
  readonly abort: AbortSignal;
}

/**
 * Delivery while the sender waits. Retries only when `max_elapsed_time` bounds them: a sender is better served by an honest 503 than
 * by a connection that hangs until its own timeout.
 */
export async function deliverNow(batch: AnyBatch, of: DirectParts): Promise<Result> {
  const { retry, clock, random, send, ended, abort } = of;
  const untilMs = retry.enabled && retry.max_elapsed_time > 0 ? clock.now() + retry.max_elapsed_time : 0;
  for (let attempt = 0, owed = batch; ; attempt++) {
    const result = await send(owed);
    if (result.kind !== 'retryable') return result;
    const delayMs = retryDelayMs(retry, attempt, result.retryAfterMs, random);
    if (abort.aborted || ended() || clock.now() + delayMs > untilMs) {
      const { kind, error, retryAfterMs } = result;
      return { kind, error, ...(retryAfterMs !== undefined && { retryAfterMs: askedDelayMs(retryAfterMs) }) };
    }
    if (result.rest) owed = result.rest;
    await clock.sleep(delayMs, abort);
  }
}

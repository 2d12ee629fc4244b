import type { Keepalive } from './accepting.ts';

const MINUTE_MS = 60_000;

/**
 * Clients of HTTP/2 keep a connection without limit, and each costs some ten KB: without a request for five minutes it is closed, so
 * that those who left without a word are gone too. Age has no bound unless a load balancer in front needs one; `time` and `timeout`
 * are what gRPC has everywhere.
 */
export const DEFAULT_KEEPALIVE: Keepalive = {
  maxIdleMs: 5 * MINUTE_MS,
  maxAgeMs: 0,
  maxAgeGraceMs: 0,
  timeMs: 120 * MINUTE_MS,
  timeoutMs: 20_000,
};

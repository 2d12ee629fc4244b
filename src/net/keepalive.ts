import type { Listen } from '../api/index.ts';
import type { Keepalive } from './accepting.ts';

const MINUTE_MS = 60_000;

/** Where no configuration says otherwise; `fields.keepalive` gives the reasons. */
export const DEFAULT_KEEPALIVE: Keepalive = {
  maxIdleMs: 5 * MINUTE_MS,
  maxAgeMs: 0,
  maxAgeGraceMs: 0,
  timeMs: 120 * MINUTE_MS,
  timeoutMs: 20_000,
};

export function keepaliveOf({ keepalive }: Listen): Keepalive | undefined {
  const parameters = keepalive?.server_parameters;
  return (
    parameters && {
      maxIdleMs: parameters.max_connection_idle,
      maxAgeMs: parameters.max_connection_age,
      maxAgeGraceMs: parameters.max_connection_age_grace,
      timeMs: parameters.time,
      timeoutMs: parameters.timeout,
    }
  );
}

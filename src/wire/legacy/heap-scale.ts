import { whole } from './text.ts';

/**
 * What was allocated, from what was sampled: a sampler that takes one byte of `rate` on average takes a block of `size` bytes with the
 * probability 1 − e^(−size/rate), so each counts for its inverse. Whole parts, as pprof computes them in doubles.
 * @param rate bytes; 1 or less: everything was taken, or nobody knows
 * @throws DecodeError value_overflow
 */
export function unsampled(count: bigint, bytes: bigint, rate: bigint): [count: bigint, bytes: bigint] {
  if (count === 0n || bytes === 0n) return [0n, 0n];
  if (rate <= 1n) return [count, bytes];
  const size = Number(bytes) / Number(count);
  const scale = 1 / (1 - Math.exp(-size / Number(rate)));
  return [whole(Number(count) * scale), whole(Number(bytes) * scale)];
}

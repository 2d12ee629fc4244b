import { DecodeError } from '../decode-error.ts';
import type { Nodes } from './nodes.ts';

/** Microseconds from the start; so sums of differences stay exact. About 140 years. */
const MAX_MICROS = 2 ** 52;

/**
 * How long each node was at the top of the stack, microseconds. A sample lasts until the next one, the last until the profile ends, as DevTools
 * reads it: the delta of a sample is the time in front of it. What lies before the first sample belongs to none, so that the sum is the end
 * less the time of the first sample. Deltas may be negative, as V8 takes samples in several threads: then samples are put in the order of
 * their times. An end before the last sample is none: the last then lasts 0.
 * @param lasts from start to end; undefined where the profile does not say
 * @throws DecodeError bad_value
 */
export function timesOf(
  samples: readonly number[],
  deltas: readonly number[],
  lasts: number | undefined,
  nodes: Nodes,
): Float64Array {
  const sums = new Float64Array(nodes.count);
  const at = new Float64Array(samples.length);
  let now = 0;
  let isOrdered = true;
  for (const [sample, delta] of deltas.entries()) {
    now += delta;
    if (!(Math.abs(now) <= MAX_MICROS)) throw new DecodeError('bad_value', 'a sample is too far from the start');
    at[sample] = now;
    if (delta < 0) isOrdered = false;
  }
  const order = Uint32Array.from(samples.keys());
  if (!isOrdered) order.sort((one, other) => at[one]! - at[other]! || one - other);
  for (let place = 0; place < order.length; place++) {
    const sample = order[place]!;
    const from = at[sample]!;
    const until = place + 1 < order.length ? at[order[place + 1]!]! : Math.min(lasts ?? from, MAX_MICROS);
    sums[nodes.at(samples[sample]!)]! += Math.max(0, until - from);
  }
  return sums;
}

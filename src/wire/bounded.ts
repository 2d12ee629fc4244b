import type { Samples } from '../model/columns/samples.ts';
import { DecodeError } from './decode-error.ts';

/** The value, where 64 bits hold it. @param what it is, for people @throws DecodeError value_overflow */
export function bounded(value: bigint, what = 'a value'): bigint {
  if (BigInt.asIntN(64, value) !== value) throw new DecodeError('value_overflow', `${what} is beyond 64 bits`);
  return value;
}

/** Makes counts what they stand for: every value so many times the period. @throws DecodeError value_overflow */
export function timesPeriod({ values, count, width }: Samples, period: bigint): void {
  for (let at = 0; at < count * width; at++) values.set(at, bounded(values.at(at) * period));
}

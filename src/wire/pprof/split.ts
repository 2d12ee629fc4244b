import type { Columns } from '../../model/columns/columns.ts';
import { DecodeError } from '../decode-error.ts';
import { decodePprof } from './decode.ts';
import { encodePprof } from './encode.ts';

/** What a store takes of one profile. */
export interface ProfileLimits {
  /** Inflated. */
  readonly bytes: number;
  readonly samples: number;
}

/**
 * A pprof as several within the limits, each with some of its samples: together they have every sample once, so that all totals stay.
 * Each later piece says that it began a nanosecond after the one before, since stores keep one profile per series and time. Costs one
 * decoding, and an encoding of all tables per piece.
 * @param raw inflated
 * @param receivedNs time of the pieces of a profile that has none: the moment of arrival, unix nanoseconds, as a store takes it
 * @returns copies; `raw` itself where it is within the limits
 * @throws DecodeError as `decodePprof`; too_large when a single sample is more than the limit
 */
export function splitPprof(raw: Uint8Array, limits: ProfileLimits, receivedNs: bigint): Uint8Array[] {
  const columns = decodePprof(raw);
  const { count } = columns.samples;
  if (count <= limits.samples && raw.length <= limits.bytes) return [raw];
  const wanted = Math.max(Math.ceil(count / limits.samples), Math.ceil(raw.length / limits.bytes));
  const each = Math.max(1, Math.ceil(count / wanted));
  if (columns.timeNanos <= 0n) columns.timeNanos = receivedNs;
  columns.edited = true;
  const pieces: Uint8Array[] = [];
  for (let from = 0; from < count; from += each) take(columns, from, Math.min(count, from + each), limits, pieces);
  return pieces;
}

/** Adds the samples from `from` to `to` as one piece, or as two halves where they are too large. */
function take(columns: Columns, from: number, to: number, limits: ProfileLimits, pieces: Uint8Array[]): void {
  columns.samples.from = from;
  columns.samples.count = to;
  const piece = encodePprof(columns);
  if (piece.length <= limits.bytes) {
    pieces.push(new Uint8Array(piece));
    columns.timeNanos++;
    return;
  }
  if (to - from === 1) throw new DecodeError('too_large', `one sample alone takes more than ${limits.bytes} bytes`);
  const half = (from + to) >>> 1;
  take(columns, from, half, limits, pieces);
  take(columns, half, to, limits, pieces);
}

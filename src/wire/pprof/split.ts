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
 * Each later piece says that it began a nanosecond after the one before, since stores keep one profile per series and time. Costs a
 * decoding and an encoding per piece.
 * @param raw inflated
 * @returns copies; one piece where it is within the limits
 * @throws DecodeError as `decodePprof`; too_large when a single sample is more than the limit
 */
export function splitPprof(raw: Uint8Array, limits: ProfileLimits): Uint8Array[] {
  const { count } = decodePprof(raw).samples;
  if (count <= limits.samples && raw.length <= limits.bytes) return [raw];
  const wanted = Math.max(Math.ceil(count / limits.samples), Math.ceil(raw.length / limits.bytes));
  const each = Math.max(1, Math.ceil(count / wanted));
  const pieces: Uint8Array[] = [];
  for (let from = 0; from < count; from += each) take(raw, from, Math.min(count, from + each), limits, pieces);
  return pieces;
}

/** Adds the samples from `from` to `to` as one piece, or as two halves where they are too large. */
function take(raw: Uint8Array, from: number, to: number, limits: ProfileLimits, pieces: Uint8Array[]): void {
  const columns = decodePprof(raw);
  columns.filterSamples(sample => sample >= from && sample < to);
  columns.timeNanos += BigInt(pieces.length);
  columns.edited = true;
  const piece = new Uint8Array(encodePprof(columns));
  if (piece.length <= limits.bytes) {
    pieces.push(piece);
    return;
  }
  if (to - from === 1) throw new DecodeError('too_large', `one sample alone takes more than ${limits.bytes} bytes`);
  const half = (from + to) >>> 1;
  take(raw, from, half, limits, pieces);
  take(raw, half, to, limits, pieces);
}

import type { Encoding } from '../../model/payload.ts';
import type { Summary } from '../../model/summary.ts';
import { DecodeError } from '../decode-error.ts';
import { gunzip, isGzip, MAX_INFLATED_BYTES, peekGunzip } from '../gzip.ts';
import { scanPprof } from './scan.ts';

/** Highest field of perftools.profiles.Profile, with room for what pprof may add. */
const HIGHEST_FIRST_FIELD = 31;

/**
 * A cheap look at the beginning of a pprof: a few µs whatever its size.
 * @throws DecodeError empty_body, unknown_format, not_a_profile (gzip in gzip), bad_compression
 */
export function checkPprofHeader(bytes: Uint8Array): Encoding {
  if (bytes.length === 0) throw new DecodeError('empty_body', 'the body is empty');
  if (!isGzip(bytes)) {
    checkFirstTag(bytes);
    return 'identity';
  }
  // Header and trailer alone take 18 bytes.
  if (bytes.length < 18) throw new DecodeError('bad_compression', 'the gzip stream is cut off');
  const head = peekGunzip(bytes, 16);
  if (head.length === 0) throw new DecodeError('empty_body', 'the body inflates to nothing');
  checkInflated(head);
  return 'gzip';
}

/** Inflates within the limits and scans. @throws DecodeError as `gunzip` and `scanPprof` */
export async function summarizePprof(
  payload: { readonly encoding: Encoding; readonly bytes: Uint8Array },
  maxBytes = MAX_INFLATED_BYTES,
): Promise<Summary> {
  if (payload.encoding === 'identity') {
    if (payload.bytes.length > 0) checkFirstTag(payload.bytes);
    return scanPprof(payload.bytes);
  }
  const raw = await gunzip(payload.bytes, maxBytes);
  if (raw.length === 0) throw new DecodeError('empty_body', 'the body inflates to nothing');
  if (isGzip(raw)) throw new DecodeError('not_a_profile', 'the body is gzip inside gzip');
  return scanPprof(raw);
}

function checkInflated(head: Uint8Array): void {
  if (isGzip(head)) throw new DecodeError('not_a_profile', 'the body is gzip inside gzip');
  checkFirstTag(head);
}

/** Texts, pictures and archives do not begin with a tag that a Profile message could begin with. */
function checkFirstTag(bytes: Uint8Array): void {
  const first = bytes[0]!;
  const field = first >>> 3;
  const type = first & 7;
  const isText = first === 0x3c || first === 0x5b || first === 0x7b || first === 0x89;
  if (isText || (first < 0x80 && (field > HIGHEST_FIRST_FIELD || type === 3 || type === 4 || type === 7)))
    throw new DecodeError('unknown_format', 'the body is not a pprof profile');
}

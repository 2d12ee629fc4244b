import type { Encoding } from '../../model/payload.ts';
import type { Examined, Summary } from '../../model/summary.ts';
import { DecodeError } from '../decode-error.ts';
import { isGzip } from '../gzip.ts';
import { type InflateOptions, inflate } from '../inflate.ts';
import { scanPprof } from './scan.ts';

/** Header (10 bytes) and trailer (8 bytes) of a gzip member, and the least deflate block. */
const LEAST_GZIP_BYTES = 20;
/** Flag bits of a gzip header that RFC 1952 reserves. */
const RESERVED_GZIP_FLAGS = 0xe0;

/**
 * A look at the beginning of a pprof that costs nothing: the gzip header and the first block's type, or the first tag. It does
 * not inflate: setting up zlib alone would cost as much as all the rest of forwarding a small profile.
 * @throws DecodeError empty_body, unknown_format, bad_compression
 */
export function checkPprofHeader(bytes: Uint8Array): Encoding {
  if (bytes.length === 0) throw new DecodeError('empty_body', 'the body is empty');
  if (!isGzip(bytes)) {
    checkFirstTag(bytes);
    return 'identity';
  }
  const flags = bytes[3] ?? 0;
  const cut = bytes.length < LEAST_GZIP_BYTES;
  // Without optional fields the first block follows at once; its type 3 does not exist.
  const badBlock = flags === 0 && ((bytes[10] ?? 0) & 6) === 6;
  if (cut || badBlock || flags & RESERVED_GZIP_FLAGS)
    throw new DecodeError('bad_compression', 'the gzip stream is damaged');
  if (bytes.length === LEAST_GZIP_BYTES && bytes.subarray(-4).every(byte => byte === 0))
    throw new DecodeError('empty_body', 'the body inflates to nothing');
  return 'gzip';
}

/** Inflates within the limits and scans. @throws DecodeError as `inflate` and `scanPprof` */
export async function examinePprof(
  payload: { readonly encoding: Encoding; readonly bytes: Uint8Array },
  maxBytes: number,
  how: InflateOptions = {},
): Promise<Examined> {
  return inflate(payload, maxBytes, how, raw => ({
    summary: scanBody(raw, payload.encoding),
    inflatedBytes: raw.length,
  }));
}

/** What inflated bytes say. @param encoding what they had been in @throws DecodeError */
export function scanBody(raw: Uint8Array, encoding: Encoding): Summary {
  if (encoding !== 'identity' && isGzip(raw)) throw new DecodeError('not_a_profile', 'the body is gzip inside gzip');
  if (raw.length > 0) checkFirstTag(raw);
  return scanPprof(raw);
}

/** Wire types that the schema has for fields 1 to 14: 2 for messages and strings, 0 for numbers; 13 may be packed. */
const FIRST_TYPES = [-1, 2, 2, 2, 2, 2, 2, 0, 0, 0, 0, 2, 0, -1, 0];

/** Texts, pictures and archives do not begin with a tag that a Profile message could begin with. */
function checkFirstTag(bytes: Uint8Array): void {
  const first = bytes[0]!;
  const field = first >>> 3;
  const type = first & 7;
  const due = first < 0x80 ? (FIRST_TYPES[field] ?? -1) : -1;
  const isPicture = first === 0x89 && bytes[1] === 0x50;
  const isFree = due === -1 && type !== 3 && type !== 4 && type !== 7;
  if (isPicture || (due !== -1 && due !== type) || (due === -1 && !isFree))
    throw new DecodeError('unknown_format', 'the body is not a pprof profile');
}

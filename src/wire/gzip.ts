import { promisify } from 'node:util';
import { constants, gunzip as gunzipPooled, gunzipSync, gzip as gzipPooled } from 'node:zlib';
import { DecodeError } from './decode-error.ts';

const MIB = 1024 * 1024;
/** Longest request body, bytes: four times what Pyroscope stores of one profile. */
export const MAX_BODY_BYTES = 16 * MIB;
/** Longest inflated body, bytes. */
export const MAX_INFLATED_BYTES = 64 * MIB;
/** Inflating further than this, bytes, needs a plausible ratio: real profiles reach 20, bombs 1000. */
const FREE_INFLATED_BYTES = MIB;
const MAX_RATIO = 200;
/** Compressed bytes below which one call on this thread costs less than the hand-over to zlib's thread pool (45–80 µs). */
const INLINE_BYTES = 64 * 1024;
/** Compressed bytes that always hold the first block's first symbols: dynamic Huffman tables take at most about 320. */
const PEEK_BYTES = 1024;

const gunzipAsync = promisify(gunzipPooled);
const gzipAsync = promisify(gzipPooled);

/** Whether the bytes begin as RFC 1952 wants it: magic and method deflate. */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes.length >= 3 && bytes[0] === 0x1f && bytes[1] === 0x8b && bytes[2] === 8;
}

/** How far a compressed body may inflate, bytes. */
export function inflatedLimit(compressedBytes: number, maxBytes: number): number {
  return Math.min(maxBytes, Math.max(FREE_INFLATED_BYTES, MAX_RATIO * compressedBytes));
}

/**
 * All members of a gzip stream, inflated and concatenated.
 * @throws DecodeError decompressed_too_large, or bad_compression (cut off, wrong checksum, other bytes behind it)
 */
export async function gunzip(bytes: Uint8Array, maxBytes: number): Promise<Buffer> {
  const maxOutputLength = inflatedLimit(bytes.length, maxBytes);
  // The stream's last four bytes say how long the (last) member is. One allocation of that size is 1.5 times faster than
  // growing; the sender may lie, so it is only a hint within the limit.
  const chunkSize = Math.min(maxOutputLength, Math.max(1024, isizeOf(bytes) + 1));
  try {
    if (bytes.length <= INLINE_BYTES) return gunzipSync(bytes, { maxOutputLength, chunkSize });
    return await gunzipAsync(bytes, { maxOutputLength, chunkSize });
  } catch (error) {
    throw inflateError(error, maxOutputLength);
  }
}

function isizeOf(bytes: Uint8Array): number {
  const n = bytes.length;
  if (n < 18) return 0;
  return (bytes[n - 4]! | (bytes[n - 3]! << 8) | (bytes[n - 2]! << 16) | (bytes[n - 1]! << 24)) >>> 0;
}

function inflateError(error: unknown, limit: number): DecodeError {
  if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
    return new DecodeError('decompressed_too_large', `the body inflates to more than ${limit} bytes`);
  return new DecodeError(
    'bad_compression',
    'the gzip stream is damaged: cut off, wrong checksum, or followed by other bytes',
  );
}

/** The first bytes of the inflated stream, at most `want`; fewer when there are no more. @throws DecodeError bad_compression */
export function peekGunzip(bytes: Uint8Array, want: number): Buffer {
  try {
    const head = gunzipSync(bytes.subarray(0, PEEK_BYTES), {
      finishFlush: constants.Z_SYNC_FLUSH,
      // Enough for what so few compressed bytes can honestly hold; a bomb inflates PEEK_BYTES to about 1 MiB.
      maxOutputLength: 2 * MIB,
      chunkSize: 4096,
    });
    return head.subarray(0, want);
  } catch (error) {
    throw inflateError(error, 2 * MIB);
  }
}

/** Level 1: on profiles higher levels cost three times as much for a tenth less. */
export function gzip(bytes: Uint8Array): Promise<Buffer> {
  return gzipAsync(bytes, { level: 1 });
}

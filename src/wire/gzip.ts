import { promisify } from 'node:util';
import {
  constants,
  gunzip as gunzipPooled,
  gunzipSync,
  gzip as gzipPooled,
  gzipSync,
  zstdCompressSync,
  zstdDecompressSync,
} from 'node:zlib';
import type { Encoding } from '../model/payload.ts';
import { DecodeError } from './decode-error.ts';

const MIB = 1024 * 1024;
/** Longest request body, bytes: four times what Pyroscope stores of one profile. */
export const MAX_BODY_BYTES = 16 * MIB;
/** Longest inflated body, bytes. */
export const MAX_INFLATED_BYTES = 64 * MIB;
/** Inflating further than this, bytes, needs a plausible ratio: real profiles reach 20, bombs 1000. */
const FREE_INFLATED_BYTES = MIB;
const MAX_RATIO = 200;
/** Compressed bytes up to which one call on this thread costs less than the hand-over to zlib's thread pool (45–80 µs). */
const INLINE_BYTES = 64 * 1024;
/** Inflated bytes after which a call on this thread gives up, since it keeps everybody waiting: about 2 ms. */
const INLINE_INFLATED_BYTES = MIB;
/** The least that zlib takes for a chunk, bytes. */
const LEAST_CHUNK_BYTES = 64;
/** Compressed bytes that always hold the first block's first symbols: dynamic Huffman tables take at most about 320. */
const PEEK_BYTES = 1024;

/** What zlib answers when asked for `info`: the engine tells how many bytes of the input it used. */
interface Inflated {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}
const gunzipAsync = promisify(gunzipPooled) as unknown as (bytes: Uint8Array, options: object) => Promise<Inflated>;
const gunzipInline = gunzipSync as unknown as (bytes: Uint8Array, options: object) => Inflated;
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
 * @param bytes may lie in shared memory
 * @throws DecodeError decompressed_too_large, or bad_compression (cut off, wrong checksum, other bytes behind it)
 */
export async function gunzip(bytes: Uint8Array, maxBytes: number): Promise<Buffer> {
  const limit = Math.max(1, inflatedLimit(bytes.length, maxBytes));
  const size = isizeOf(bytes);
  if (bytes.length <= INLINE_BYTES && size <= INLINE_INFLATED_BYTES) {
    const inlineLimit = Math.min(limit, INLINE_INFLATED_BYTES);
    try {
      return whole(gunzipInline(bytes, optionsFor(size, inlineLimit)), bytes.length);
    } catch (error) {
      // The sender's word on the size was too low: the thread pool goes on to the real limit.
      if (!isTooLarge(error) || inlineLimit === limit) throw inflateError(error, limit);
    }
  }
  try {
    return whole(await gunzipAsync(bytes, optionsFor(size, limit)), bytes.length);
  } catch (error) {
    throw inflateError(error, limit);
  }
}

function optionsFor(size: number, maxOutputLength: number): object {
  // The stream's last four bytes say how long the (last) member is. One allocation of that size is 1.5 times faster than
  // growing; the sender may lie, so it is only a hint within the limit.
  const chunkSize = Math.max(LEAST_CHUNK_BYTES, Math.min(maxOutputLength, Math.max(1024, size + 1)));
  return { maxOutputLength, chunkSize, info: true };
}

/** zlib stops without a word at a zero byte behind a member; stores do not, so what follows must not go through. */
function whole({ buffer, engine }: Inflated, compressedBytes: number): Buffer {
  if (engine.bytesWritten !== compressedBytes)
    throw new DecodeError('bad_compression', 'other bytes follow the gzip stream');
  return buffer;
}

function isizeOf(bytes: Uint8Array): number {
  const n = bytes.length;
  if (n < 18) return 0;
  return (bytes[n - 4]! | (bytes[n - 3]! << 8) | (bytes[n - 2]! << 16) | (bytes[n - 1]! << 24)) >>> 0;
}

function isTooLarge(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
}

function inflateError(error: unknown, limit: number): DecodeError {
  if (error instanceof DecodeError) return error;
  if (isTooLarge(error))
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
const LEVEL = 1;

export function gzip(bytes: Uint8Array): Promise<Buffer> {
  return gzipAsync(bytes, { level: LEVEL });
}

/**
 * Undoes an encoding on this thread, for workers: there the hand-over to zlib's thread pool would only add to the cost.
 * @throws DecodeError as `gunzip`
 */
export function inflateHere(
  { encoding, bytes }: { readonly encoding: Encoding; readonly bytes: Uint8Array },
  maxBytes: number,
): Uint8Array {
  if (encoding === 'identity') return bytes;
  const limit = Math.max(1, inflatedLimit(bytes.length, maxBytes));
  try {
    if (encoding === 'zstd') return zstdDecompressSync(bytes, { maxOutputLength: limit });
    return whole(gunzipInline(bytes, optionsFor(isizeOf(bytes), limit)), bytes.length);
  } catch (error) {
    throw inflateError(error, limit);
  }
}

/** The same bytes in this encoding, on this thread. */
export function compressHere(bytes: Uint8Array, encoding: Encoding): Uint8Array {
  if (encoding === 'identity') return bytes;
  // One chunk of the size of the input: growing costs copies, and profiles always get smaller.
  const chunkSize = Math.max(LEAST_CHUNK_BYTES, bytes.length);
  if (encoding === 'zstd')
    return zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: LEVEL }, chunkSize });
  return gzipSync(bytes, { level: LEVEL, chunkSize });
}

import { promisify } from 'node:util';
import { constants, gunzipSync, gzip as gzipPooled, gzipSync, zstdCompressSync } from 'node:zlib';
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
/** The longest header of a zstd frame, bytes. */
const LEAST_ZSTD_BYTES = 18;
/** The least that zlib takes for a chunk, bytes. */
const LEAST_CHUNK_BYTES = 64;
/** Compressed bytes that always hold the first block's first symbols: dynamic Huffman tables take at most about 320. */
const PEEK_BYTES = 1024;

/** Compressions around each other that are undone: `.pb.gz.zst` is two, and some tools compress what is compressed already. */
export const MAX_LAYERS = 3;
/** How zstd frames begin (RFC 8878). */
const ZSTD_MAGIC = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);

/** What zlib answers when asked for `info`: the engine tells how many bytes of the input it used. */
interface Inflated {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}
const gunzipInfo = gunzipSync as unknown as (bytes: Uint8Array, options: object) => Inflated;
const gzipAsync = promisify(gzipPooled);

/** Whether the bytes begin as RFC 1952 wants it: magic and method deflate. */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes.length >= 3 && bytes[0] === 0x1f && bytes[1] === 0x8b && bytes[2] === 8;
}

/** The compression of a file, as its first bytes tell it. */
export function encodingOf(bytes: Uint8Array): Encoding {
  if (isGzip(bytes)) return 'gzip';
  return ZSTD_MAGIC.equals(bytes.subarray(0, ZSTD_MAGIC.length)) ? 'zstd' : 'identity';
}

/** How far a compressed body may inflate, bytes. */
export function inflatedLimit(compressedBytes: number, maxBytes: number): number {
  return Math.min(maxBytes, Math.max(FREE_INFLATED_BYTES, MAX_RATIO * compressedBytes));
}

/**
 * How long the stream says that its content is, bytes: the (last) member's length of gzip, the content size of zstd. A hint, and 0
 * where it says nothing.
 */
export function inflatedSize(bytes: Uint8Array, encoding: Encoding): number {
  if (encoding === 'gzip') return isizeOf(bytes);
  return encoding === 'zstd' ? zstdSizeOf(bytes) : bytes.length;
}

/**
 * All members of a gzip stream, inflated on this thread.
 * @throws DecodeError decompressed_too_large, or bad_compression (cut off, wrong checksum, other bytes behind it)
 */
export function gunzipHere(bytes: Uint8Array, limit: number): Buffer {
  // One allocation of the size that the stream says is 1.5 times faster than growing; the sender may lie, so it is a hint.
  const chunkSize = Math.max(LEAST_CHUNK_BYTES, Math.min(limit, Math.max(1024, isizeOf(bytes) + 1)));
  try {
    const { buffer, engine } = gunzipInfo(bytes, { maxOutputLength: limit, chunkSize, info: true });
    if (engine.bytesWritten !== bytes.length) throw trailing('gzip');
    return buffer;
  } catch (error) {
    throw inflateError(error, limit, 'gzip');
  }
}

function isizeOf(bytes: Uint8Array): number {
  const n = bytes.length;
  if (n < 18) return 0;
  return (bytes[n - 4]! | (bytes[n - 3]! << 8) | (bytes[n - 2]! << 16) | (bytes[n - 1]! << 24)) >>> 0;
}

/** The frame's header (RFC 8878 section 3.1.1.1). */
function zstdSizeOf(bytes: Uint8Array): number {
  if (bytes.length < LEAST_ZSTD_BYTES) return 0;
  const descriptor = bytes[4]!;
  const single = (descriptor & 0x20) !== 0;
  const at = 5 + (single ? 0 : 1) + [0, 1, 2, 4][descriptor & 3]!;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  switch (descriptor >>> 6) {
    case 0:
      return single ? bytes[at]! : 0;
    case 1:
      return view.getUint16(at, true) + 256;
    case 2:
      return view.getUint32(at, true);
    default:
      return Number(view.getBigUint64(at, true));
  }
}

/** zlib stops without a word at a zero byte behind a member; stores do not, so what follows must not go through. */
export function trailing(encoding: Encoding): DecodeError {
  return new DecodeError('bad_compression', `other bytes follow the ${encoding} stream`);
}

export function tooLarge(limit: number): DecodeError {
  return new DecodeError('decompressed_too_large', `the body inflates to more than ${limit} bytes`);
}

/** What zlib threw, as the sender hears it. */
export function inflateError(error: unknown, limit: number, encoding: Encoding): DecodeError {
  if (error instanceof DecodeError) return error;
  if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') return tooLarge(limit);
  return new DecodeError(
    'bad_compression',
    `the ${encoding} stream is damaged: cut off, wrong checksum, or followed by other bytes`,
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
    throw inflateError(error, 2 * MIB, 'gzip');
  }
}

/** Level 1: on profiles higher levels cost three times as much for a tenth less. */
const LEVEL = 1;

export function gzip(bytes: Uint8Array): Promise<Buffer> {
  return gzipAsync(bytes, { level: LEVEL });
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

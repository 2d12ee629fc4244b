// Inflating that takes no more memory than it was given room for, and gives it back at once instead of leaving it to the
// garbage collector: forty bodies that inflate to 60 MiB each would else be 2.4 GiB of live memory, and then of dead memory.
import { createGunzip, createZstdDecompress } from 'node:zlib';
import type { Room } from '../model/memory.ts';
import type { Encoding } from '../model/payload.ts';
import { DecodeError } from './decode-error.ts';
import { gunzipHere, inflatedLimit, inflatedSize, inflateError, tooLarge, trailing } from './gzip.ts';

/** Compressed bytes up to which one call on this thread costs less than the hand-over to zlib's thread pool (45–80 µs). */
const INLINE_BYTES = 64 * 1024;
/** Inflated bytes after which a call on this thread gives up, since it keeps everybody waiting: about 2 ms. */
const INLINE_INFLATED_BYTES = 1024 * 1024;
/**
 * The same on a worker, where nobody waits: one call costs half of what zlib's threads do. What it leaves of a body that lied on its size
 * is garbage for a while, so that no more than this is believed.
 */
const WORKER_INFLATED_BYTES = 16 * 1024 * 1024;
/** The least room for a first try, bytes. */
const LEAST_ROOM_BYTES = 64 * 1024;
/** By how much the next try is larger when a sender's word on the size was too low: all tries cost a third more than the last. */
const ROOM_GROWTH = 4;
/** How long a sender should wait that found no room, ms: others' bodies are inflated by then. */
const RETRY_AFTER_MS = 1000;

export interface InflateOptions {
  readonly room?: Room | undefined;
  readonly must?: boolean;
  readonly worker?: boolean;
}
interface Encoded {
  readonly encoding: Encoding;
  /** May lie in shared memory. */
  readonly bytes: Uint8Array;
}

/**
 * Undoes an encoding and lets `use` look at the bytes, which are gone once it has returned.
 * @param room where inflated bytes are counted; undefined on a worker, which inflates one body at a time
 * @param must what was acknowledged already is not refused for want of room
 * @throws DecodeError decompressed_too_large, bad_compression (cut off, wrong checksum, other bytes behind it), memory_limit;
 * and what `use` throws
 */
export async function inflate<T>(
  encoded: Encoded,
  maxBytes: number,
  { room, must, worker }: InflateOptions,
  use: (raw: Uint8Array) => T,
): Promise<T> {
  const { encoding, bytes } = encoded;
  if (encoding === 'identity') return use(bytes);
  const limit = Math.max(1, inflatedLimit(bytes.length, maxBytes));
  // The sender's word on the size saves growing; it may be a lie, so it is only where to begin.
  const said = inflatedSize(bytes, encoding);
  let wanted = Math.min(limit, Math.max(LEAST_ROOM_BYTES, said));
  const inline = worker ? said <= WORKER_INFLATED_BYTES : bytes.length <= INLINE_BYTES && said <= INLINE_INFLATED_BYTES;
  if (encoding === 'gzip' && inline) {
    const most = Math.min(limit, Math.max(INLINE_INFLATED_BYTES, said));
    const raw = inflateInline(bytes, most, limit);
    if (raw) return used(raw, use);
    wanted = Math.min(limit, most * ROOM_GROWTH);
  }
  for (; ; wanted = Math.min(limit, wanted * ROOM_GROWTH)) {
    const leave = await room?.reserve(wanted, must);
    if (room && !leave)
      throw new DecodeError('memory_limit', 'the gateway holds as much as it may, try again later', RETRY_AFTER_MS);
    try {
      const raw = await inflateWithin(encoded, wanted);
      if (raw) return used(raw, use);
      if (wanted >= limit) throw tooLarge(limit);
    } finally {
      leave?.();
    }
  }
}

function used<T>(raw: Buffer, use: (raw: Buffer) => T): T {
  try {
    return use(raw);
  } finally {
    free(raw);
  }
}

/** Frees a buffer that nobody looks at any more; small ones share a block, which stays. */
function free({ buffer, byteOffset }: Buffer): void {
  if (buffer instanceof ArrayBuffer && byteOffset === 0 && buffer.byteLength > Buffer.poolSize) buffer.transfer(0);
}

/** On this thread; undefined when it is more than `most`. */
function inflateInline(bytes: Uint8Array, most: number, limit: number): Buffer | undefined {
  try {
    return gunzipHere(bytes, most);
  } catch (error) {
    if (most === limit || (error as DecodeError).reason !== 'decompressed_too_large') throw error;
    return undefined;
  }
}

/** On zlib's threads, into one chunk of about `most` bytes; undefined when they are not enough. */
function inflateWithin({ encoding, bytes }: Encoded, most: number): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    // One byte more tells that it was too little.
    const options = { chunkSize: most + 1 };
    const stream = encoding === 'zstd' ? createZstdDecompress(options) : createGunzip(options);
    const parts: Buffer[] = [];
    let size = 0;
    const end = (error?: DecodeError) => {
      stream.destroy();
      for (const part of parts) free(part);
      if (error) reject(error);
      else resolve(undefined);
    };
    stream.on('data', (part: Buffer) => {
      parts.push(part);
      size += part.length;
      if (size > most) end();
    });
    stream.on('error', error => end(inflateError(error, most, encoding)));
    stream.on('end', () => {
      if (stream.bytesWritten !== bytes.length) end(trailing(encoding));
      // An empty stream brings no part. More than one do not come as long as zlib fills its chunk first.
      else resolve(parts.length === 1 ? parts[0]! : Buffer.concat(parts));
      stream.destroy();
    });
    stream.end(bytes);
  });
}

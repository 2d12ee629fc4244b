// Names of Content-Encoding and grpc-encoding, and the encodings that are undone here: nothing behind this can carry them.
import { inflate, inflateRaw } from 'node:zlib';
import type { Memory, Slab } from '../model/memory.ts';
import type { Encoding } from '../model/payload.ts';
import { DecodeError } from '../wire/decode-error.ts';
import { inflatedLimit, tooLarge } from '../wire/gzip.ts';
import { snappyLength, unsnap } from '../wire/snappy.ts';

export type Coding = Encoding | 'deflate' | 'snappy';

export const CODINGS: Readonly<Record<string, Coding>> = {
  // Names come from senders: `constructor` is none.
  __proto__: null as never,
  identity: 'identity',
  gzip: 'gzip',
  'x-gzip': 'gzip',
  zstd: 'zstd',
  deflate: 'deflate',
  // The Collector's second name for it.
  zlib: 'deflate',
  snappy: 'snappy',
  'x-snappy-framed': 'snappy',
};

const RETRY_AFTER_MS = 1000;
const noRoom = () =>
  new DecodeError('memory_limit', 'the gateway holds as much as it may, try again later', RETRY_AFTER_MS);

export interface Undone {
  readonly slab: Slab;
  readonly length: number;
}

/** Undoes deflate or snappy into a slab. @throws DecodeError bad_compression, decompressed_too_large, memory_limit */
export async function undo(
  coding: 'deflate' | 'snappy',
  bytes: Buffer,
  maxBytes: number,
  memory: Memory,
): Promise<Undone> {
  const limit = Math.max(1, inflatedLimit(bytes.length, maxBytes));
  return coding === 'snappy' ? unsnapped(bytes, limit, memory) : inflated(bytes, limit, memory);
}

function unsnapped(bytes: Buffer, limit: number, memory: Memory): Undone {
  const length = snappyLength(bytes);
  if (length > limit) throw tooLarge(limit);
  const slab = memory.lease(Math.max(1, length));
  if (!slab) throw noRoom();
  try {
    unsnap(bytes, slab.bytes.subarray(0, length));
  } catch (error) {
    memory.release(slab.bytes);
    throw error;
  }
  return { slab, length };
}

/** On zlib's threads. Nothing says how long the content is, so room for all that is allowed is reserved while it is inflated. */
async function inflated(bytes: Buffer, limit: number, memory: Memory): Promise<Undone> {
  const leave = await memory.reserve(limit);
  if (!leave) throw noRoom();
  try {
    const plain = await inflateWithin(bytes, limit);
    const slab = memory.lease(Math.max(1, plain.length));
    if (!slab) throw noRoom();
    slab.bytes.set(plain);
    return { slab, length: plain.length };
  } finally {
    leave();
  }
}

/** RFC 9110 section 8.4.1.2 means zlib's format; bare deflate is what some clients send. */
function inflateWithin(bytes: Buffer, limit: number): Promise<Buffer> {
  const zlib = bytes.length >= 2 && (bytes[0]! & 0x0f) === 8 && bytes.readUInt16BE(0) % 31 === 0;
  const undo = (zlib ? inflate : inflateRaw) as unknown as (
    bytes: Buffer,
    options: object,
    done: (error: NodeJS.ErrnoException | null, result: { buffer: Buffer; engine: { bytesWritten: number } }) => void,
  ) => void;
  return new Promise((resolve, reject) => {
    undo(bytes, { maxOutputLength: limit, info: true }, (error, result) => {
      if (error?.code === 'ERR_BUFFER_TOO_LARGE') reject(tooLarge(limit));
      else if (error) reject(new DecodeError('bad_compression', 'the deflate stream is damaged or cut off'));
      else if (result.engine.bytesWritten !== bytes.length)
        reject(new DecodeError('bad_compression', 'other bytes follow the deflate stream'));
      else resolve(result.buffer);
    });
  });
}

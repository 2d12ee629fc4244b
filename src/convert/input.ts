// The bytes of a file or pipe, with compression undone.
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Encoding } from '../model/payload.ts';
import { DecodeError } from '../wire/decode-error.ts';
import { encodingOf, gunzipHere, MAX_LAYERS } from '../wire/gzip.ts';
import { inflate } from '../wire/inflate.ts';
import { Refusal, refusalOf } from './refusal.ts';

/**
 * Longest file, compressed and inflated, bytes. The body of a request may have 64 MiB, since many come at once; here is one file, and its
 * owner waits.
 */
export const MAX_FILE_BYTES = 1024 ** 3;
/** Read at a time, bytes. */
const CHUNK_BYTES = 1024 * 1024;

/** The name of a pipe. */
export const PIPE = '-';

export interface Input {
  /** For people. */
  readonly name: string;
  /** As stored, bytes. */
  readonly size: number;
  /** Compression that was undone, outermost first. */
  readonly layers: readonly Encoding[];
  readonly raw: Uint8Array;
  /** Unix ms: when the file was written last; of a pipe, now. */
  readonly writtenMs: number;
}

/** @throws Refusal */
export async function readInput(file: string): Promise<Input> {
  const isPipe = file === PIPE;
  const name = isPipe ? 'standard input' : file;
  try {
    const writtenMs = isPipe ? Date.now() : (await stat(file)).mtimeMs;
    const stream = isPipe ? process.stdin : createReadStream(file, { highWaterMark: CHUNK_BYTES });
    const bytes = await collected(stream, name);
    if (bytes.length === 0) throw new Refusal(`${name}: is empty`);
    return { name, size: bytes.length, ...(await unpacked(bytes)), writtenMs };
  } catch (error) {
    throw refusalOf(name, error);
  }
}

async function collected(stream: AsyncIterable<Uint8Array>, name: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size > MAX_FILE_BYTES) throw new Refusal(`${name}: is longer than ${MAX_FILE_BYTES} bytes, which is the limit`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

/** @throws DecodeError bad_compression, decompressed_too_large */
export async function unpacked(bytes: Uint8Array): Promise<Pick<Input, 'layers' | 'raw'>> {
  const layers: Encoding[] = [];
  let raw = bytes;
  for (;;) {
    const encoding = encodingOf(raw);
    if (encoding === 'identity') return { layers, raw };
    if (layers.length === MAX_LAYERS)
      throw new DecodeError('bad_compression', `it is compressed more than ${MAX_LAYERS} times`);
    layers.push(encoding);
    // What `inflate` lends is gone when it returns.
    raw =
      encoding === 'gzip'
        ? gunzipHere(raw, MAX_FILE_BYTES)
        : await inflate({ encoding, bytes: raw }, MAX_FILE_BYTES, { worker: true }, lent => Buffer.from(lent));
  }
}

import { promisify } from 'node:util';
import { constants, gzip, zstdCompress } from 'node:zlib';
import type { Encoding } from '../model/payload.ts';

const gzipAsync = promisify(gzip);
const zstdAsync = promisify(zstdCompress);
/** On profiles higher levels cost three times as much for a tenth less. */
const DEFAULT_LEVEL = 1;

/**
 * A body in this encoding, made on a thread of zlib's. `identity` gives the chunks themselves; anything else is own memory.
 * The chunks may lie in shared memory and are read until this has answered.
 */
export async function compressed(
  chunks: readonly Uint8Array[],
  encoding: Encoding,
  level = DEFAULT_LEVEL,
): Promise<readonly Uint8Array[]> {
  if (encoding === 'identity') return chunks;
  const [only] = chunks;
  const whole = only && chunks.length === 1 ? only : Buffer.concat(chunks);
  if (encoding === 'gzip') return [await gzipAsync(whole, { level })];
  return [await zstdAsync(whole, { params: { [constants.ZSTD_c_compressionLevel]: level } })];
}

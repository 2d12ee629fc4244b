import type { Payload } from '../../model/payload.ts';
import { DecodeError } from '../decode-error.ts';
import { gunzip, isGzip, peekGunzip } from '../gzip.ts';
import { checkPprofHeader, summarizePprof } from './payload.ts';

/** How much of a body is looked at before it is acknowledged. */
export type Validate = 'full' | 'header';

/**
 * What the profiles of one request may still inflate to, bytes; each takes from it. One limit per profile would not do: ten
 * thousand profiles of 1 KB that inflate to 1 MiB each fit in one body and hold the process for a minute.
 */
export interface InflateBudget {
  leftBytes: number;
}

/** zlib takes no smaller bound on its output, bytes. */
const LEAST_INFLATE_BYTES = 64;

/**
 * A pprof as it came in a request body: plain, gzip, or either of them inside HTTP gzip. The bytes stay as they are; only gzip
 * around gzip is undone, once.
 * @param httpGzip whether Content-Encoding said gzip
 * @param limit bytes that a lone profile may inflate to, or what all profiles of its request share
 * @throws DecodeError decompressed_too_large, and as `checkPprofHeader`, `gunzip` and `scanPprof`
 */
export async function receivePprof(
  bytes: Uint8Array,
  httpGzip: boolean,
  validate: Validate,
  limit: number | InflateBudget,
): Promise<Payload> {
  const budget = typeof limit === 'number' ? { leftBytes: limit } : limit;
  let inner = bytes;
  if (httpGzip && !isGzip(bytes))
    throw new DecodeError(
      bytes.length === 0 ? 'empty_body' : 'bad_compression',
      'the body is not gzip, against its content-encoding',
    );
  // HTTP gzip around a plain pprof is the same bytes as a gzipped pprof, and is carried as one.
  if (httpGzip && isGzip(peekGunzip(bytes, 3))) inner = await inflate(bytes, budget);
  const encoding = checkPprofHeader(inner);
  const payload: Payload = { form: 'pprof', encoding, bytes: inner };
  if (validate === 'header') return payload;
  const raw = encoding === 'gzip' ? await inflate(inner, budget) : inner;
  if (encoding === 'gzip' && isGzip(raw)) throw new DecodeError('not_a_profile', 'the body is gzip inside gzip');
  return { ...payload, summary: await summarizePprof({ encoding: 'identity', bytes: raw }) };
}

async function inflate(bytes: Uint8Array, budget: InflateBudget): Promise<Buffer> {
  if (budget.leftBytes < LEAST_INFLATE_BYTES)
    throw new DecodeError('decompressed_too_large', 'the profiles of the request inflate to more than is allowed');
  const raw = await gunzip(bytes, budget.leftBytes);
  budget.leftBytes -= raw.length;
  return raw;
}

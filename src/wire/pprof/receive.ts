import type { Payload } from '../../model/payload.ts';
import type { Examined } from '../../model/summary.ts';
import { DecodeError } from '../decode-error.ts';
import { isGzip, peekGunzip } from '../gzip.ts';
import { checkPprofHeader, examinePprof } from './payload.ts';

/** How much of a body is looked at before it is acknowledged. */
export type Validate = 'full' | 'header';

/**
 * What the profiles of one request may still inflate to, bytes; each takes from it. One limit per profile would not do: ten
 * thousand profiles of 1 KB that inflate to 1 MiB each fit in one body and hold the process for a minute.
 */
export interface InflateBudget {
  leftBytes: number;
}

/** Looks at a whole profile, here or elsewhere. @throws DecodeError as `examinePprof` */
export type Examine = (payload: Pick<Payload, 'form' | 'encoding' | 'bytes'>, maxBytes: number) => Promise<Examined>;

/** zlib takes no smaller bound on its output, bytes. */
const LEAST_INFLATE_BYTES = 64;

/**
 * Whether HTTP gzip lies around a body that is gzip itself. `net` then undoes the outer one, so that what goes on lies in a slab.
 * @throws DecodeError empty_body, bad_compression when the body is not what its content-encoding says
 */
export function isGzippedTwice(bytes: Uint8Array): boolean {
  if (!isGzip(bytes))
    throw new DecodeError(
      bytes.length === 0 ? 'empty_body' : 'bad_compression',
      'the body is not gzip, against its content-encoding',
    );
  return isGzip(peekGunzip(bytes, 3));
}

/**
 * A pprof as it came in a request body, plain or gzip; HTTP gzip around a plain pprof is the same bytes as a gzipped pprof, and is
 * carried as one. The bytes stay as they are.
 * @param limit bytes that a lone profile may inflate to, or what all profiles of its request share
 * @throws DecodeError decompressed_too_large, and as `checkPprofHeader` and `examinePprof`
 */
export async function receivePprof(
  bytes: Uint8Array,
  validate: Validate,
  limit: number | InflateBudget,
  examine: Examine = examinePprof,
): Promise<Payload> {
  const encoding = checkPprofHeader(bytes);
  const payload: Payload = { form: 'pprof', encoding, bytes };
  if (validate === 'header') return payload;
  const budget = typeof limit === 'number' ? { leftBytes: limit } : limit;
  if (encoding !== 'identity' && budget.leftBytes < LEAST_INFLATE_BYTES)
    throw new DecodeError('decompressed_too_large', 'the profiles of the request inflate to more than is allowed');
  const { summary, inflatedBytes } = await examine(payload, budget.leftBytes);
  if (encoding !== 'identity') budget.leftBytes -= inflatedBytes;
  return { ...payload, summaries: [summary] };
}

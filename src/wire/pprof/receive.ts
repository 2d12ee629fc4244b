import type { Payload } from '../../model/payload.ts';
import { DecodeError } from '../decode-error.ts';
import { gunzip, isGzip, peekGunzip } from '../gzip.ts';
import { checkPprofHeader, summarizePprof } from './payload.ts';

/** How much of a body is looked at before it is acknowledged. */
export type Validate = 'full' | 'header';

/**
 * A pprof as it came in a request body: plain, gzip, or either of them inside HTTP gzip. The bytes stay as they are; only gzip
 * around gzip is undone, once.
 * @param httpGzip whether Content-Encoding said gzip
 * @throws DecodeError as `checkPprofHeader`, `gunzip` and `scanPprof`
 */
export async function receivePprof(
  bytes: Uint8Array,
  httpGzip: boolean,
  validate: Validate,
  maxInflatedBytes: number,
): Promise<Payload> {
  let inner = bytes;
  if (httpGzip && !isGzip(bytes))
    throw new DecodeError(
      bytes.length === 0 ? 'empty_body' : 'bad_compression',
      'the body is not gzip, against its content-encoding',
    );
  // HTTP gzip around a plain pprof is the same bytes as a gzipped pprof, and is carried as one.
  if (httpGzip && isGzip(peekGunzip(bytes, 3))) inner = await gunzip(bytes, maxInflatedBytes);
  const encoding = checkPprofHeader(inner);
  const payload: Payload = { form: 'pprof', encoding, bytes: inner };
  return validate === 'full' ? { ...payload, summary: await summarizePprof(payload, maxInflatedBytes) } : payload;
}

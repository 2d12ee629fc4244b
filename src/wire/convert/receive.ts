import type { Payload } from '../../model/payload.ts';
import { DecodeError } from '../decode-error.ts';
import { isGzip, peekGunzip } from '../gzip.ts';
import { isLegacy } from '../legacy/decode.ts';
import { type Examine, type InflateBudget, receivePprof, type Validate } from '../pprof/receive.ts';
import { examineProfile, payloadOf } from './examine.ts';

/** Inflated bytes that tell a legacy form. */
const HEAD_BYTES = 1024;

/**
 * What a door of pprof brought: a pprof, or one of the forms that pprof had before it was protobuf, which Go's tools still read there. The
 * second look is taken at what is no pprof only.
 * @param limit bytes that a lone profile may inflate to, or what all profiles of its request share
 * @throws DecodeError as `receivePprof`; of a legacy form what its decoder says
 */
export async function receiveProfile(
  bytes: Uint8Array,
  validate: Validate,
  limit: number | InflateBudget,
  examine: Examine = examineProfile,
): Promise<Payload> {
  try {
    return await receivePprof(bytes, validate, limit, examine);
  } catch (error) {
    if (!(error instanceof DecodeError) || !looksLegacy(bytes)) throw error;
  }
  const payload = payloadOf('legacy', bytes);
  if (validate === 'header') return payload;
  const budget = typeof limit === 'number' ? { leftBytes: limit } : limit;
  const { summary, inflatedBytes } = await examine(payload, budget.leftBytes);
  if (payload.encoding !== 'identity') budget.leftBytes -= inflatedBytes;
  return { ...payload, summaries: [summary] };
}

function looksLegacy(bytes: Uint8Array): boolean {
  if (!isGzip(bytes)) return isLegacy(bytes);
  try {
    return isLegacy(peekGunzip(bytes, HEAD_BYTES));
  } catch {
    // What is wrong with the compression was said already.
    return false;
  }
}

import type { Form, Payload } from '../../model/payload.ts';
import type { Examined } from '../../model/summary.ts';
import { DecodeError } from '../decode-error.ts';
import { isGzip } from '../gzip.ts';
import { type InflateOptions, inflate } from '../inflate.ts';
import { checkPprofHeader, examinePprof } from '../pprof/payload.ts';
import { type About, readProfiles } from './read.ts';
import { summaryOf } from './summary.ts';

/**
 * Inflates a profile of any form but OTLP within the limits and looks at all of it: pprof by a scan, the others by decoding them.
 * @throws DecodeError as `inflate`, `examinePprof` and `readProfiles`
 */
export async function examineProfile(
  payload: Pick<Payload, 'form' | 'encoding' | 'bytes'>,
  maxBytes: number,
  about: About = {},
  how: InflateOptions = {},
): Promise<Examined> {
  const { form } = payload;
  if (form === 'pprof') return examinePprof(payload, maxBytes, how);
  return inflate(payload, maxBytes, how, raw => {
    if (raw.length === 0) throw new DecodeError('empty_body', 'the body is empty');
    // What of it columns do not hold is lost where it is converted, and nowhere else.
    const read = readProfiles(form, raw, about);
    return { summary: summaryOf(read.map(({ columns }) => columns)), inflatedBytes: raw.length };
  });
}

/** A profile in another form than pprof as it came, plain or gzip; only its beginning is looked at. @throws DecodeError empty_body, bad_compression */
export function payloadOf(form: Form, bytes: Uint8Array): Payload {
  if (bytes.length === 0) throw new DecodeError('empty_body', 'the body is empty');
  // The look at a gzip header is the same for every form.
  return { form, encoding: isGzip(bytes) ? checkPprofHeader(bytes) : 'identity', bytes };
}

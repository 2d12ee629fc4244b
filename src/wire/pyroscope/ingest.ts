import type { Form } from '../../model/payload.ts';
import { DecodeError } from '../decode-error.ts';
import { parseName, type SeriesName } from './name.ts';
import { queryPairs } from './query.ts';

/** Query of `POST /ingest`. Unknown keys are left where they are: in the raw query. */
export interface IngestQuery {
  readonly name: SeriesName;
  /** Unix nanoseconds; undefined when absent or not absolute (`now-1h`). */
  readonly from: bigint | undefined;
  readonly until: bigint | undefined;
  readonly sampleRate: number;
  readonly spyName: string;
  readonly units: string;
  readonly aggregationType: string;
  readonly format: string;
}

const DEFAULT_SAMPLE_RATE = 100;

/** @throws DecodeError bad_name (also when there is none), bad_label */
export function parseIngestQuery(query: string): IngestQuery {
  const keys = new Map<string, string>();
  // The first of several counts.
  for (const { key, value } of queryPairs(query)) if (!keys.has(key)) keys.set(key, value);
  const name = keys.get('name');
  if (name === undefined) throw new DecodeError('bad_name', 'the query has no name that can be read');
  const rate = keys.get('sampleRate');
  return {
    name: parseName(name),
    from: parseTime(keys.get('from')),
    until: parseTime(keys.get('until')),
    sampleRate: rate !== undefined && /^\d{1,9}$/.test(rate) ? Number(rate) : DEFAULT_SAMPLE_RATE,
    spyName: keys.get('spyName') || 'unknown',
    units: keys.get('units') || 'samples',
    aggregationType: keys.get('aggregationType') || 'sum',
    format: keys.get('format') ?? '',
  };
}

/** Absolute times of Pyroscope's attime: the number of digits tells the unit; 8 digits may be YYYYMMDD. */
export function parseTime(text: string | undefined): bigint | undefined {
  const digits = text?.replace(/[\s_,]/g, '');
  if (!digits || !/^\d{1,19}$/.test(digits)) return undefined;
  const value = BigInt(digits);
  switch (digits.length) {
    case 8: {
      const date = /^((?:19|20)\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])$/.exec(digits);
      return date
        ? BigInt(Date.UTC(Number(date[1]), Number(date[2]) - 1, Number(date[3]))) * 1_000_000n
        : value * 1_000_000_000n;
    }
    case 13:
      return value * 1_000_000n;
    case 16:
      return value * 1000n;
    case 19:
      return value;
    default:
      return value * 1_000_000_000n;
  }
}

/**
 * What the body is, by Pyroscope's rules in their order, with one liberty: `format=pprof` with a multipart content type is read
 * as multipart (the server would refuse it). Everything unknown is folded text.
 */
export function ingestForm(format: string, contentType: string): { form: Form; multipart: boolean } {
  const multipart = contentType.includes('multipart/form-data');
  if (format === 'trie' || contentType === 'binary/octet-stream+trie') return { form: 'trie', multipart: false };
  if (format === 'tree' || contentType === 'binary/octet-stream+tree') return { form: 'tree', multipart: false };
  if (format === 'lines') return { form: 'lines', multipart: false };
  if (format === 'jfr') return { form: 'jfr', multipart };
  if (format === 'pprof') return { form: 'pprof', multipart };
  if (format === 'speedscope') return { form: 'speedscope', multipart: false };
  if (multipart) return { form: 'pprof', multipart: true };
  return { form: 'groups', multipart: false };
}

/** The same raw query with another value of the `name` that counts; everything else stays byte for byte. */
export function renameQuery(query: string, name: string): string {
  const value = encodeURIComponent(name);
  let at = 0;
  for (const text of query.split('&')) {
    for (const { key } of queryPairs(text)) {
      if (key !== 'name') continue;
      const equals = text.indexOf('=');
      const head = equals < 0 ? text : text.slice(0, equals);
      return `${query.slice(0, at)}${head}=${value}${query.slice(at + text.length)}`;
    }
    at += text.length + 1;
  }
  return query === '' ? `name=${value}` : `${query}&name=${value}`;
}

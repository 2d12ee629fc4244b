import type { Form } from '../../model/payload.ts';
import { DecodeError } from '../decode-error.ts';
import { parseName, type SeriesName } from './name.ts';
import { findPair, queryValue } from './query.ts';

const DEFAULT_SAMPLE_RATE = 100;
/** Names that are remembered: an SDK sends the same one every few seconds. About 1 KB each. */
const KNOWN_NAMES = 4096;
const MAX_KNOWN_NAME_CHARS = 512;
const known = new Map<string, SeriesName>();

/** Query of `POST /ingest`, read key by key as they are asked for. Unknown keys are left where they are: in the raw query. */
export class IngestQuery {
  readonly #raw: string;

  constructor(raw: string) {
    this.#raw = raw;
  }

  /** @throws DecodeError bad_name (also when there is none), bad_label */
  get name(): SeriesName {
    const text = queryValue(this.#raw, 'name');
    if (text === undefined) throw new DecodeError('bad_name', 'the query has no name that can be read');
    let name = known.get(text);
    if (!name) {
      name = parseName(text);
      if (known.size >= KNOWN_NAMES) known.clear();
      if (text.length <= MAX_KNOWN_NAME_CHARS) known.set(text, name);
    }
    return name;
  }

  /** Unix nanoseconds; undefined when absent, or relative (`now-1h`) where nobody says what is now. */
  from(nowMs?: number): bigint | undefined {
    return parseTime(queryValue(this.#raw, 'from'), nowMs);
  }

  until(nowMs?: number): bigint | undefined {
    return parseTime(queryValue(this.#raw, 'until'), nowMs);
  }

  /** Whether the query says when the profile began, however it says it. */
  get saysFrom(): boolean {
    return findPair(this.#raw, 'from') !== undefined;
  }

  get sampleRate(): number {
    const rate = queryValue(this.#raw, 'sampleRate');
    return rate !== undefined && /^\d{1,9}$/.test(rate) ? Number(rate) : DEFAULT_SAMPLE_RATE;
  }

  get spyName(): string {
    return queryValue(this.#raw, 'spyName') || 'unknown';
  }

  get units(): string {
    return queryValue(this.#raw, 'units') || 'samples';
  }

  get aggregationType(): string {
    return queryValue(this.#raw, 'aggregationType') || 'sum';
  }

  get format(): string {
    return queryValue(this.#raw, 'format') ?? '';
  }
}

/** Seconds of the units of attime; a month has 30 days, a year 365. */
const SECONDS: Readonly<Record<string, bigint>> = {
  s: 1n,
  m: 60n,
  min: 60n,
  h: 3600n,
  d: 86_400n,
  w: 604_800n,
  M: 2_592_000n,
  mon: 2_592_000n,
  y: 31_536_000n,
};
/** Whatever stands in front of the sign is taken for now. */
const RELATIVE = /^[^+-]*([+-])(\d{1,9})(mon|min|[smhdwMy])/;

/**
 * Times of Pyroscope's attime: the number of digits tells the unit, 8 digits may be YYYYMMDD; or a distance from now.
 * @param nowMs unix milliseconds
 */
export function parseTime(text: string | undefined, nowMs?: number): bigint | undefined {
  const digits = text?.replace(/[\s_,]/g, '');
  if (!digits) return undefined;
  const [, sign, count, unit] = RELATIVE.exec(digits) ?? [];
  if (unit !== undefined && nowMs !== undefined) {
    const distance = BigInt(count!) * SECONDS[unit]! * 1_000_000_000n;
    const now = BigInt(Math.trunc(nowMs)) * 1_000_000n;
    return sign === '-' ? now - distance : now + distance;
  }
  if (!/^\d{1,19}$/.test(digits)) return undefined;
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
  const pair = findPair(query, 'name');
  if (!pair) return query === '' ? `name=${value}` : `${query}&name=${value}`;
  const before = pair.value > pair.to ? `${query.slice(0, pair.to)}=` : query.slice(0, pair.value);
  return `${before}${value}${query.slice(pair.to)}`;
}

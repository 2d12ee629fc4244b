import { DecodeError } from '../decode-error.ts';

/** An application and its static labels, as `name` of /ingest says them. */
export interface SeriesName {
  readonly app: string;
  /** As received, last one wins; may hold empty values. */
  readonly labels: ReadonlyMap<string, string>;
}

const APP = /^[A-Za-z0-9_.\-/]+$/;
const KEY = /^[A-Za-z0-9_.]+$/;

/**
 * `app`, `app{}` or `app{k=v,k2=v2}` as Pyroscope's label set parser reads it: values are not quoted and nothing is escaped,
 * so a value may hold anything but `,` and `}`. A value that neither ends is dropped, as the server does; text behind a value's
 * `}` is read as further keys.
 * @throws DecodeError bad_name (application), bad_label (key)
 */
export function parseName(text: string): SeriesName {
  const brace = text.indexOf('{');
  let app = (brace < 0 ? text : text.slice(0, brace)).trim();
  if (app === '') throw new DecodeError('bad_name', 'the application name is empty');
  if (!APP.test(app))
    throw new DecodeError('bad_name', 'the application name may hold letters, digits and _ . - / only');
  const labels = new Map<string, string>();
  // The parser reads `name + "{"`: without braces the labels are empty, with them a brace stands behind everything.
  const rest = brace < 0 ? '' : `${text.slice(brace + 1)}{`;
  for (let at = 0; at < rest.length; ) {
    let end = at;
    while (end < rest.length && rest[end] !== '=' && rest[end] !== '}') end++;
    if (end >= rest.length || rest[end] === '}') break;
    const key = rest.slice(at, end).trim();
    if (!KEY.test(key)) throw new DecodeError('bad_label', 'a label name may hold letters, digits and _ . only');
    let stop = end + 1;
    while (stop < rest.length && rest[stop] !== ',' && rest[stop] !== '}') stop++;
    if (stop >= rest.length) break;
    const value = rest.slice(end + 1, stop).trim();
    if (key === '__name__') app = value;
    else labels.set(key, value);
    at = stop + 1;
  }
  if (!APP.test(app))
    throw new DecodeError('bad_name', 'the application name may hold letters, digits and _ . - / only');
  return { app, labels };
}

/** The normal form `app{k=v,…}`, keys sorted; undefined when a key or value cannot be said in this syntax. */
export function formatName({ app, labels }: SeriesName): string | undefined {
  if (!APP.test(app)) return undefined;
  const pairs: string[] = [];
  for (const [key, value] of labels) {
    if (!KEY.test(key) || value.includes(',') || value.includes('}') || value.trim() !== value) return undefined;
    pairs.push(`${key}=${value}`);
  }
  return `${app}{${pairs.sort().join(',')}}`;
}

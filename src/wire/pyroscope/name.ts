import { DecodeError } from '../decode-error.ts';

/** An application and its static labels, as `name` of /ingest says them. */
export interface SeriesName {
  readonly app: string;
  /** As received, last one wins; may hold empty values. */
  readonly labels: ReadonlyMap<string, string>;
}

const APP = /^[A-Za-z0-9_.\-/]+$/;
const KEY = /^[A-Za-z0-9_.]+$/;
/** Names the application itself when it stands as a key. */
const APP_KEY = '__name__';

/**
 * `app`, `app{}` or `app{k=v,k2=v2}` as Pyroscope's label set parser reads it: values are not quoted and nothing is escaped,
 * so a value may hold anything but `,` and `}`. What a value does not end is dropped unread, key and all, as the server does;
 * text behind a value's `}` is read as further keys; the last of equal keys wins. `__name__` replaces the application.
 * @throws DecodeError bad_name (application), bad_label (key)
 */
export function parseName(text: string): SeriesName {
  const brace = text.indexOf('{');
  let app = checkedApp(brace < 0 ? text : text.slice(0, brace));
  const labels = new Map<string, string>();
  for (let at = brace < 0 ? text.length : brace + 1; at < text.length; ) {
    const equals = text.indexOf('=', at);
    const close = text.indexOf('}', at);
    // A brace where a key is due ends it all.
    if (equals < 0 || (close >= 0 && close < equals)) break;
    const comma = text.indexOf(',', equals + 1);
    const last = text.indexOf('}', equals + 1);
    const end = comma < 0 || last < 0 ? Math.max(comma, last) : Math.min(comma, last);
    if (end < 0) break;
    const key = trimSpace(text.slice(at, equals));
    if (!KEY.test(key)) throw new DecodeError('bad_label', 'a label name may hold letters, digits and _ . only');
    const value = trimSpace(text.slice(equals + 1, end));
    if (key === APP_KEY) app = checkedApp(value);
    else labels.set(key, value);
    at = end + 1;
  }
  return { app, labels };
}

function checkedApp(text: string): string {
  const app = trimSpace(text);
  if (app === '') throw new DecodeError('bad_name', 'the application name is empty');
  if (!APP.test(app))
    throw new DecodeError('bad_name', 'the application name may hold letters, digits and _ . - / only');
  return app;
}

/** As Go's strings.TrimSpace: what JavaScript trims, but U+0085 instead of U+FEFF. */
function trimSpace(text: string): string {
  let from = 0;
  let to = text.length;
  while (from < to && isSpace(text[from]!)) from++;
  while (from < to && isSpace(text[to - 1]!)) to--;
  return text.slice(from, to);
}

function isSpace(unit: string): boolean {
  return unit === '\u0085' || (unit !== '\ufeff' && unit.trim() === '');
}

/** The normal form `app{k=v,…}`, keys sorted; undefined when a key or value cannot be said in this syntax. */
export function formatName({ app, labels }: SeriesName): string | undefined {
  if (!APP.test(app)) return undefined;
  const pairs: string[] = [];
  for (const key of [...labels.keys()].sort()) {
    const value = labels.get(key)!;
    if (!KEY.test(key) || key === APP_KEY || /[,}]/.test(value) || trimSpace(value) !== value) return undefined;
    pairs.push(`${key}=${value}`);
  }
  return `${app}{${pairs.join(',')}}`;
}

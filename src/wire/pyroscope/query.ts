import { unescape as decode } from 'node:querystring';

/** Where a pair lies in a raw query: `query.slice(from, to)`; its value begins at `value`, which is `to` + 1 without an `=`. */
export interface PairAt {
  readonly from: number;
  readonly value: number;
  readonly to: number;
}

const BROKEN_ESCAPE = /%(?![0-9A-Fa-f]{2})/;

/**
 * The first pair with this key that counts. Read as Go's net/url does, since that is who reads the query behind us: a pair with
 * a semicolon or a broken percent escape does not count. Looks at raw text and decodes nothing but keys that are escaped.
 * @param key of letters and digits
 */
export function findPair(query: string, key: string): PairAt | undefined {
  for (let from = 0; from < query.length; ) {
    const next = query.indexOf('&', from);
    const to = next < 0 ? query.length : next;
    const equals = query.indexOf('=', from);
    const keyEnd = equals < 0 || equals > to ? to : equals;
    if (isKey(query, from, keyEnd, key)) {
      const text = query.slice(from, to);
      if (!text.includes(';') && !BROKEN_ESCAPE.test(text)) return { from, value: keyEnd + 1, to };
    }
    from = to + 1;
  }
  return undefined;
}

function isKey(query: string, from: number, to: number, key: string): boolean {
  if (to - from === key.length) return query.startsWith(key, from);
  return to - from > key.length && decoded(query.slice(from, to)) === key;
}

/** The decoded value of the first pair with this key; '' without one of its own, undefined when no pair has the key. */
export function queryValue(query: string, key: string): string | undefined {
  const pair = findPair(query, key);
  return pair && decoded(query.slice(pair.value, pair.to));
}

/** `+` is a space, bytes that are not UTF-8 become U+FFFD. */
function decoded(text: string): string {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text;
  return spaced.includes('%') ? decode(spaced) : spaced;
}

import { unescape as decode } from 'node:querystring';

/** One pair of a query, decoded. */
export interface QueryPair {
  readonly key: string;
  readonly value: string;
}

/**
 * The pairs of a raw query in their order, read as Go's net/url does, since that is who reads them behind us: a pair with a
 * semicolon or a broken percent escape does not count, `+` is a space, bytes that are not UTF-8 become U+FFFD.
 */
export function* queryPairs(query: string): Generator<QueryPair> {
  for (const text of query.split('&')) {
    if (text === '' || text.includes(';') || /%(?![0-9A-Fa-f]{2})/.test(text)) continue;
    const equals = text.indexOf('=');
    const key = equals < 0 ? text : text.slice(0, equals);
    yield { key: decoded(key), value: equals < 0 ? '' : decoded(text.slice(equals + 1)) };
  }
}

function decoded(text: string): string {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text;
  return spaced.includes('%') ? decode(spaced) : spaced;
}

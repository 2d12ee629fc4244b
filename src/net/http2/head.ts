import type { IncomingHttpHeaders } from 'node:http2';
import { escaped, HeadError, type RequestHead, type RequestHeaders } from '../http1/head.ts';

const PSEUDO = ':'.charCodeAt(0);

/**
 * A head of HTTP/2 as one of HTTP/1.1, so that nobody behind it needs to know. nghttp2 has checked names, values, and that
 * content-length is true.
 * @throws HeadError
 */
export function requestHead(fields: IncomingHttpHeaders): RequestHead {
  const target = fields[':path'];
  // OPTIONS of the whole server and CONNECT have none.
  if (target === undefined || target[0] !== '/') throw new HeadError(400, 'the request names no path');
  const headers: RequestHeaders = Object.create(null);
  for (const name in fields) {
    if (name.charCodeAt(0) === PSEUDO) continue;
    const value = fields[name];
    headers[name] = typeof value === 'string' ? value : value?.join(', ');
  }
  // It counts, whatever Host says (RFC 9113 section 8.3.1).
  if (fields[':authority'] !== undefined) headers.host = fields[':authority'];
  const path = escaped(target);
  const mark = path.indexOf('?');
  const length = headers['content-length'];
  return {
    method: fields[':method'] ?? '',
    path: mark < 0 ? path : path.slice(0, mark),
    query: mark < 0 ? '' : path.slice(mark + 1),
    headers,
    keepAlive: true,
    length: length === undefined ? undefined : Number(length),
    expectsContinue: headers.expect?.toLowerCase() === '100-continue',
  };
}

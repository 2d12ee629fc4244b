import { STATUS_CODES } from 'node:http';
import type { Response } from '../../api/index.ts';

const FORBIDDEN = /[\0-\x08\x0a-\x1f\x7f]|[^\0-\xff]/;

let dateSecond = 0;
let dateLine = '';

/** `date: …`, made once a second. */
function date(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateLine = `date: ${new Date(second * 1000).toUTCString()}\r\n`;
  }
  return dateLine;
}

/**
 * Status line and headers of a response, one character per byte.
 * @param keepAliveMs how long the connection is kept; 0 closes it
 * @throws TypeError when a header cannot be sent
 */
export function responseHead({ status, headers, body }: Response, keepAliveMs: number): string {
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${date()}`;
  if (headers) {
    for (const name in headers) {
      const value = headers[name]!;
      if (FORBIDDEN.test(value)) throw new TypeError(`response header ${name} holds what HTTP cannot say`);
      text += `${name}: ${value}\r\n`;
    }
  }
  text +=
    keepAliveMs > 0
      ? `connection: keep-alive\r\nkeep-alive: timeout=${keepAliveMs / 1000}\r\n`
      : 'connection: close\r\n';
  // A 204 has no body and says nothing of its length (RFC 9110 section 8.6).
  if (status === 204) return `${text}\r\n`;
  const length = body === undefined ? 0 : typeof body === 'string' ? Buffer.byteLength(body) : body.length;
  return `${text}content-length: ${length}\r\n\r\n`;
}

import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Response } from '../../api/index.ts';

const FORBIDDEN = /[\0-\x08\x0a-\x1f\x7f]|[^\0-\xff]/;

/** The value of a response's header. @throws TypeError when it cannot be sent */
export function sayable(name: string, value: string): string {
  if (FORBIDDEN.test(value)) throw new TypeError(`response header ${name} holds what HTTP cannot say`);
  return value;
}

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
      text += `${name}: ${sayable(name, headers[name]!)}\r\n`;
    }
  }
  text +=
    keepAliveMs > 0
      ? `connection: keep-alive\r\nkeep-alive: timeout=${keepAliveMs / 1000}\r\n`
      : 'connection: close\r\n';
  // A 204 has no body and says nothing of its length (RFC 9110 section 8.6).
  if (status === 204) return `${text}\r\n`;
  return `${text}content-length: ${lengthOf(body)}\r\n\r\n`;
}

/**
 * Writes a response, in one call to the system where it can.
 * @param keepAliveMs how long the connection is kept; 0 closes it
 * @returns why it could not be written: then it is a 500
 */
export function writeResponse(
  socket: Socket,
  response: Response,
  keepAliveMs: number,
  headOnly: boolean,
): TypeError | undefined {
  let text: string;
  try {
    text = responseHead(response, keepAliveMs);
  } catch (error) {
    socket.write(responseHead({ status: 500 }, keepAliveMs), 'latin1');
    return error as TypeError;
  }
  if (response.body === undefined || headOnly) {
    socket.write(text, 'latin1');
    return undefined;
  }
  socket.cork();
  socket.write(text, 'latin1');
  socket.write(response.body);
  socket.uncork();
  return undefined;
}

/** Bytes of a response's body. */
export function lengthOf(body: Response['body']): number {
  return body === undefined ? 0 : typeof body === 'string' ? Buffer.byteLength(body) : body.length;
}

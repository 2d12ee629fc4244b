// The head of a request as a server reads it (RFC 9112 sections 2 to 6). Strict where two servers in a row may differ, since
// that is how requests are smuggled: one way to end a line, one length, no folded lines, no space before a colon.

export type RequestHeaders = Record<string, string | undefined>;

export interface RequestHead {
  readonly method: string;
  /** As sent, up to the first `?`; here and in the query, bytes that no URL may hold are percent-escaped. */
  readonly path: string;
  readonly query: string;
  /** Names in lower case; repeated ones are joined with `, `, but of some the first counts. */
  readonly headers: RequestHeaders;
  /** Whether the connection is to be kept afterwards. */
  readonly keepAlive: boolean;
  /** Bytes of the body; undefined when it comes in chunks. */
  readonly length: number | undefined;
  /** Whether the sender waits for `100 Continue` before it sends the body. */
  readonly expectsContinue: boolean;
}

/** A head that cannot be taken; `status` is the answer. */
export class HeadError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const bad = (message: string) => new HeadError(400, message);

const FORBIDDEN = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n/;
const RAW = /[\x80-\xff]/;
const RAW_BYTES = /[\x80-\xff]/g;
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Headers that mean one thing only; a repeated one is a mistake of which the first counts, as node:http has it. */
const SINGLE = new Set(['content-type', 'authorization', 'user-agent', 'referer', 'from', 'if-modified-since']);
/** Spellings of header names that were seen, in lower case: heads of one sender repeat them. Bounded, since anybody may invent some. */
const MAX_KNOWN_NAMES = 512;
const knownNames = new Map<string, string>();

/**
 * @param text the head without its last empty line, one character per byte
 * @throws HeadError
 */
export function parseRequestHead(text: string): RequestHead {
  if (FORBIDDEN.test(text)) throw bad('the request head holds a control character');
  const lineEnd = text.indexOf('\r\n');
  const [method, target, minor] = parseRequestLine(lineEnd < 0 ? text : text.slice(0, lineEnd));
  const headers: RequestHeaders = Object.create(null);
  for (let at = lineEnd < 0 ? text.length : lineEnd + 2; at < text.length; ) {
    const found = text.indexOf('\r\n', at);
    const end = found < 0 ? text.length : found;
    const colon = text.indexOf(':', at);
    if (colon < 0 || colon > end) throw bad('a header line has no colon');
    const name = nameOf(text.slice(at, colon));
    const value = text.slice(colon + 1, end).trim();
    const known = headers[name];
    if (known === undefined) headers[name] = value;
    else if (name === 'host' || (name === 'content-length' && known !== value))
      throw bad(`${name} is given more than once`);
    else if (name !== 'content-length' && !SINGLE.has(name)) headers[name] = `${known}, ${value}`;
    at = end + 2;
  }
  if (minor === '1' && headers.host === undefined) throw bad('the host header is missing');
  const mark = target.indexOf('?');
  const connection = headers.connection?.toLowerCase() ?? '';
  const expect = headers.expect?.toLowerCase();
  if (expect !== undefined && expect !== '100-continue') throw new HeadError(417, 'only 100-continue can be expected');
  return {
    method,
    path: mark < 0 ? target : target.slice(0, mark),
    query: mark < 0 ? '' : target.slice(mark + 1),
    headers,
    keepAlive: minor === '1' ? !/\bclose\b/.test(connection) : /\bkeep-alive\b/.test(connection),
    length: lengthOf(headers, minor),
    expectsContinue: expect !== undefined && minor === '1',
  };
}

function parseRequestLine(line: string): [method: string, target: string, minor: '0' | '1'] {
  const first = line.indexOf(' ');
  const last = line.lastIndexOf(' ');
  const method = line.slice(0, first);
  let target = line.slice(first + 1, last);
  const version = line.slice(last + 1);
  if (first <= 0 || last === first || !TOKEN.test(method)) throw bad('the request line is malformed');
  if (version !== 'HTTP/1.1' && version !== 'HTTP/1.0') {
    if (/^HTTP\/\d/.test(version)) throw new HeadError(505, 'only HTTP/1.1 and HTTP/1.0 are spoken here');
    throw bad('the request line is malformed');
  }
  if (target.includes(' ')) throw bad('the request target holds a space');
  // A client that takes us for a proxy writes the whole URL (RFC 9112 section 3.2.2).
  if (target[0] !== '/') target = target.replace(/^https?:\/\/[^/?]*(?=[/?]|$)/i, '') || '/';
  if (target[0] === '?') target = `/${target}`;
  return [method, escaped(target), version === 'HTTP/1.1' ? '1' : '0'];
}

/**
 * A request target with raw bytes escaped: UTF-8, as `curl` and log shippers send it. The text has one character per byte; escaped,
 * everybody reads the bytes that came.
 */
export function escaped(target: string): string {
  if (!RAW.test(target)) return target;
  return target.replace(RAW_BYTES, byte => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`);
}

function nameOf(spelled: string): string {
  const known = knownNames.get(spelled);
  if (known !== undefined) return known;
  if (!TOKEN.test(spelled)) throw bad('a header name is malformed');
  const name = spelled.toLowerCase();
  if (knownNames.size < MAX_KNOWN_NAMES && spelled.length <= 64) knownNames.set(spelled, name);
  return name;
}

function lengthOf(headers: RequestHeaders, minor: '0' | '1'): number | undefined {
  const coding = headers['transfer-encoding'];
  const length = headers['content-length'];
  if (coding === undefined) {
    if (length === undefined) return 0;
    if (!/^\d{1,15}$/.test(length)) throw bad('content-length is no number');
    return Number(length);
  }
  if (length !== undefined) throw bad('both content-length and transfer-encoding are given');
  if (minor === '0') throw bad('HTTP/1.0 knows no transfer-encoding');
  if (coding.toLowerCase() !== 'chunked') throw new HeadError(501, 'the only transfer-encoding taken is chunked');
  return undefined;
}

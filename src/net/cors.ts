// Calls from pages of other sites (https://fetch.spec.whatwg.org/#http-cors-protocol), where a protocol allows them.
import type { Cors, Response } from '../api/index.ts';
import type { RequestHead } from './http1/head.ts';
import { type Binding, findRoute } from './routing.ts';

/** Headers that Connect and gRPC-Web send, and that the Collector lets through unasked; a browser asks for all of them. */
const USUAL_HEADERS = [
  'accept',
  'content-type',
  'x-requested-with',
  'x-grpc-web',
  'x-user-agent',
  'grpc-timeout',
  'connect-protocol-version',
  'connect-timeout-ms',
];
/** What a page must read of a call of gRPC-Web that failed. */
const RPC_HEADERS = ['grpc-status', 'grpc-message', 'grpc-status-details-bin'];

/** The answer to a browser that asks whether it may send a request; undefined when it is not asking, or nobody would say yes. */
export function preflight(bindings: readonly Binding[], head: RequestHead): Response | undefined {
  const { origin, 'access-control-request-method': method } = head.headers;
  if (head.method !== 'OPTIONS' || origin === undefined || method === undefined) return undefined;
  const found = findRoute(bindings, head.path, method);
  if ('status' in found) return undefined;
  const { cors } = found.binding.protocol;
  if (!cors || cors.allowed_origins.length === 0) return undefined;
  const vary = 'origin, access-control-request-method, access-control-request-headers';
  const allowed = originHeaders(cors, origin);
  if (!allowed) return { status: 204, headers: { vary } };
  const asked = (head.headers['access-control-request-headers'] ?? '')
    .split(',')
    .map(name => name.trim().toLowerCase())
    .filter(name => name !== '' && headerAllowed(cors, name));
  return {
    status: 204,
    headers: {
      ...allowed,
      vary,
      'access-control-allow-methods': method,
      ...(asked.length > 0 && { 'access-control-allow-headers': asked.join(', ') }),
      ...(cors.max_age > 0 && { 'access-control-max-age': String(cors.max_age) }),
    },
  };
}

/** The same response, as a page of that origin may read it. */
export function shared(response: Response, cors: Cors, origin: string | undefined): Response {
  if (origin === undefined || cors.allowed_origins.length === 0) return response;
  const allowed = originHeaders(cors, origin);
  const exposed = {
    ...allowed,
    'access-control-expose-headers': [...cors.exposed_headers, ...RPC_HEADERS].join(', '),
  };
  return { ...response, headers: { ...response.headers, vary: 'origin', ...(allowed && exposed) } };
}

function originHeaders(cors: Cors, origin: string): Record<string, string> | undefined {
  if (cors.allowed_origins.includes('*')) return { 'access-control-allow-origin': '*' };
  if (!cors.allowed_origins.some(pattern => matches(pattern, origin))) return undefined;
  return { 'access-control-allow-origin': origin, 'access-control-allow-credentials': 'true' };
}

/** `https://*.example.com`: one star stands for anything. */
function matches(pattern: string, origin: string): boolean {
  const [one, other] = [pattern.toLowerCase(), origin.toLowerCase()];
  const star = one.indexOf('*');
  if (star < 0) return one === other;
  const [before, behind] = [one.slice(0, star), one.slice(star + 1)];
  return other.length >= before.length + behind.length && other.startsWith(before) && other.endsWith(behind);
}

function headerAllowed({ allowed_headers }: Cors, name: string): boolean {
  return (
    USUAL_HEADERS.includes(name) || allowed_headers.some(allowed => allowed === '*' || allowed.toLowerCase() === name)
  );
}

import { timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Protocol, Request, Response, Secret } from '../api/index.ts';
import type { Status } from '../pipeline/status.ts';

export interface AdminParts {
  status(): Status;
  metrics(): Promise<{ contentType: string; body: string }>;
  /** Where the port listens, host:port; its host is one that a browser may name. */
  readonly endpoint: string;
  readonly token?: Secret | undefined;
}

const TEXT = { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' };
const LOCAL_HOSTS = ['localhost', '127.0.0.1', '[::1]'];
const PAGE_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'self'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};

/** Health, metrics, the status API, and the page that shows it. */
export function adminProtocol(parts: AdminParts): Protocol {
  const asset = (name: string, type: string) => {
    const body = readFileSync(new URL(`./assets/${name}`, import.meta.url));
    const headers = { ...PAGE_HEADERS, 'content-type': `${type}; charset=utf-8` };
    return async (request: Request): Promise<Response> => wrongHost(request, parts) ?? { status: 200, headers, body };
  };
  return {
    name: 'admin',
    routes: [
      { path: '/livez', method: 'GET', handle: async () => ({ status: 200, headers: TEXT, body: 'ok\n' }) },
      { path: '/readyz', method: 'GET', handle: async () => readiness(parts.status()) },
      {
        path: '/metrics',
        method: 'GET',
        handle: async request => unauthorized(request, parts) ?? (await metrics(parts)),
      },
      {
        path: '/api/v1/status',
        method: 'GET',
        handle: async request =>
          wrongHost(request, parts) ?? unauthorized(request, parts) ?? statusAnswer(parts.status()),
      },
      // The page itself says nothing; what it shows comes from the API, with the token.
      { path: '/', method: 'GET', handle: asset('index.html', 'text/html') },
      { path: '/app.js', method: 'GET', handle: asset('app.js', 'text/javascript') },
      { path: '/style.css', method: 'GET', handle: asset('style.css', 'text/css') },
      { path: '/icon.svg', method: 'GET', handle: asset('icon.svg', 'image/svg+xml') },
    ],
  };
}

/** Ready once all listeners are open. A store that is down degrades the status, not readiness: no restart would help it. */
function readiness({ ready, state }: Status): Response {
  return ready
    ? { status: 200, headers: TEXT, body: 'ready\n' }
    : { status: 503, headers: TEXT, body: `not ready: ${state}\n` };
}

async function metrics(parts: AdminParts): Promise<Response> {
  const { contentType, body } = await parts.metrics();
  return { status: 200, headers: { 'content-type': contentType, 'cache-control': 'no-store' }, body };
}

function statusAnswer(status: Status): Response {
  return {
    status: 200,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
    body: JSON.stringify(status, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value)),
  };
}

/** A page of another site that made its name point here (DNS rebinding) still names itself in Host. */
function wrongHost({ headers }: Request, { endpoint }: AdminParts): Response | undefined {
  const host = String(headers.host ?? '')
    .replace(/:\d+$/, '')
    .toLowerCase();
  const own = endpoint.slice(0, endpoint.lastIndexOf(':')).toLowerCase();
  if (LOCAL_HOSTS.includes(host) || /^127\.[\d.]+$/.test(host) || (own !== '' && host === own)) return undefined;
  return {
    status: 421,
    headers: TEXT,
    body: 'this host name is not served here; use localhost or the configured endpoint\n',
  };
}

function unauthorized({ headers }: Request, { token }: AdminParts): Response | undefined {
  if (!token) return undefined;
  const wanted = Buffer.from(`Bearer ${token.reveal()}`);
  const got = Buffer.alloc(wanted.length);
  const header = String(headers.authorization ?? '');
  got.write(header);
  if (timingSafeEqual(wanted, got) && Buffer.byteLength(header) === wanted.length) return undefined;
  return {
    status: 401,
    headers: { ...TEXT, 'www-authenticate': 'Bearer realm="flamegate"' },
    body: 'the admin token is missing or wrong\n',
  };
}

import { readFileSync } from 'node:fs';
import type { Protocol, Request, Response } from '../api/index.ts';
import type { Status } from '../pipeline/status.ts';
import { type Guarded, unauthorized, wrongHost } from './guard.ts';
import { type QueueParts, queueRoutes } from './queues.ts';

export interface AdminParts extends Guarded, QueueParts {
  status(): Status;
  metrics(): Promise<{ contentType: string; body: string }>;
}

const TEXT = { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' };
const PAGE_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'self'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};

/** Health, metrics, the status API, the page that shows it, and what `flamegate queue` asks for. */
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
      ...queueRoutes(parts),
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

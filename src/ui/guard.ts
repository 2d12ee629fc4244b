// Who may ask the admin port, and who may change something through it.
import { timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import type { Request, Response, Secret } from '../api/index.ts';
import { isLoopback } from '../net/endpoint.ts';

export interface Guarded {
  /** Where the port listens, host:port; its host is one that a browser may name. */
  readonly endpoint: string;
  readonly token?: Secret | undefined;
  /** The port asks for credentials of its own (`auth`) before any of this. */
  readonly auth?: boolean;
}

const TEXT = { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' };
const OWN_NAME = hostname().toLowerCase();

/**
 * A page of another site that made its name point here (DNS rebinding) still names itself in Host. That takes a name, and one that
 * its owner can point anywhere: an address as the host is where the browser really went, and the machine's own name is the operator's.
 */
export function wrongHost({ headers }: Request, { endpoint }: Guarded): Response | undefined {
  const host = String(headers.host ?? '')
    .replace(/:\d+$/, '')
    .toLowerCase();
  const own = endpoint.slice(0, endpoint.lastIndexOf(':')).toLowerCase();
  const isAddress = isIP(host.replace(/^\[(.*)\]$/, '$1')) !== 0;
  if (isAddress || host === 'localhost' || (host !== '' && (host === own || host === OWN_NAME))) return undefined;
  return {
    status: 421,
    headers: TEXT,
    body: 'this host name is not served here; use localhost, an address of this machine, or the configured endpoint\n',
  };
}

export function unauthorized({ headers }: Request, { token }: Guarded): Response | undefined {
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

/**
 * What queues hold is nobody else's: without a token or `auth`, only this machine may ask. The Host header alone would not tell,
 * since who is no browser writes into it what it likes.
 */
export function stranger({ remote }: Request, { token, auth }: Guarded): Response | undefined {
  if (token || auth || isLoopback(remote.replace(/^::ffff:/, ''))) return undefined;
  return {
    status: 403,
    headers: TEXT,
    body: 'from another machine this needs a token; set service.telemetry.admin.token\n',
  };
}

/** A browser names the site that asks for a change; programs that are no browser name none. */
export function foreignOrigin({ headers }: Request): Response | undefined {
  const site = headers['sec-fetch-site'];
  if (site === undefined || site === 'same-origin' || site === 'none') {
    const { origin } = headers;
    if (origin === undefined) return undefined;
    if (URL.canParse(origin) && new URL(origin).host === headers.host?.toLowerCase()) return undefined;
  }
  return { status: 403, headers: TEXT, body: 'a page of another site may not ask for this\n' };
}

// Which proxy stands before a store: the one of the configuration, else those of the environment, as curl and Go read it.
import { BlockList, isIP } from 'node:net';
import { isLoopback } from './endpoint.ts';

export interface ProxyServer {
  readonly host: string;
  readonly port: number;
  /** Whether the proxy itself is spoken to over TLS. */
  readonly secure: boolean;
  /** Value of Proxy-Authorization. */
  readonly authorization: string | undefined;
}
type Environment = Readonly<Record<string, string | undefined>>;

/**
 * @param store only its protocol, host and port count
 * @param configured wins over the environment, NO_PROXY included
 * @throws TypeError when the environment names what is no http:// or https:// proxy
 */
export function proxyFor(
  store: URL,
  configured: URL | undefined,
  env: Environment = process.env,
): ProxyServer | undefined {
  if (configured) return parsed(configured);
  const secure = store.protocol === 'https:';
  const name = secure ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  const text = env[name] || env[name.toLowerCase()];
  if (!text || !isProxied(store, env.NO_PROXY || env.no_proxy || '')) return undefined;
  const url = URL.parse(text.includes('://') ? text : `http://${text}`);
  // Its text may hold a password.
  if (!url || !/^https?:$/.test(url.protocol)) throw new TypeError(`${name} is no http:// or https:// URL of a proxy`);
  return parsed(url);
}

function parsed(url: URL): ProxyServer {
  const secure = url.protocol === 'https:';
  let credentials: string;
  try {
    credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  } catch {
    throw new TypeError('the credentials in the URL of the proxy hold a % that is no escape; write %25 for it');
  }
  return {
    host: bare(url.hostname),
    port: Number(url.port) || (secure ? 443 : 80),
    secure,
    authorization: credentials === ':' ? undefined : `Basic ${Buffer.from(credentials).toString('base64')}`,
  };
}

/** Without the brackets of an IPv6 address. */
export const bare = (host: string): string => host.replace(/^\[(.*)\]$/, '$1');
export const portOf = (url: URL): number => Number(url.port) || (url.protocol === 'https:' ? 443 : 80);

/** This machine is never asked for by way of a proxy of the environment. */
function isProxied(store: URL, exceptions: string): boolean {
  const host = bare(store.hostname).toLowerCase();
  if (isLoopback(host)) return false;
  return !exceptions.split(',').some(entry => covers(entry.trim().toLowerCase(), host, portOf(store)));
}

/** One entry of NO_PROXY: `*`, a name with all below it, `.name` with only those, an address, a range of them; each with a port or without. */
function covers(entry: string, host: string, port: number): boolean {
  if (entry === '') return false;
  if (entry === '*') return true;
  if (entry.includes('/')) return inRange(entry, host);
  const [, name = entry, only] = isIP(entry) ? [] : (/^(.*?)(?::(\d+))?$/.exec(entry) ?? []);
  if (only !== undefined && Number(only) !== port) return false;
  const wanted = bare(name).replace(/^\*(?=\.)/, '');
  if (wanted.startsWith('.')) return host.endsWith(wanted);
  return host === wanted || (!isIP(host) && host.endsWith(`.${wanted}`));
}

function inRange(range: string, host: string): boolean {
  const family = isIP(host);
  const [net = '', bits = ''] = range.split('/');
  if (family === 0 || isIP(net) !== family || !/^\d{1,3}$/.test(bits)) return false;
  if (Number(bits) > (family === 6 ? 128 : 32)) return false;
  const type = family === 6 ? 'ipv6' : 'ipv4';
  const list = new BlockList();
  list.addSubnet(net, Number(bits), type);
  return list.check(host, type);
}

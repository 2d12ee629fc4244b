export interface Endpoint {
  /** '' for all addresses. */
  readonly host: string;
  readonly port: number;
}

/**
 * `127.0.0.1:4040`, `[::1]:4040` or `:4040`; the config room has checked the form. One address has one spelling afterwards:
 * `localhost` is 127.0.0.1 wherever the resolver would send it, `[::]` is all addresses.
 */
export function parseEndpoint(text: string): Endpoint {
  const colon = text.lastIndexOf(':');
  const host = text.slice(0, colon).toLowerCase();
  return { host: hostOf(host), port: Number(text.slice(colon + 1)) };
}

function hostOf(host: string): string {
  if (host === 'localhost') return '127.0.0.1';
  if (host[0] !== '[') return host;
  const inner = host.slice(1, -1);
  const url = URL.parse(`http://[${inner}]`);
  const short = url ? url.hostname.slice(1, -1) : inner;
  return short === '::' ? '' : short;
}

/** Two endpoints with the same text here are the same address. */
export function addressOf(endpoint: string): string {
  const { host, port } = parseEndpoint(endpoint);
  return `${host}:${port}`;
}

/** Whether both cannot be listened on at a time. Of host names it is not known before they are resolved. */
export function overlap(a: Endpoint, b: Endpoint): boolean {
  if (a.port !== b.port || a.port === 0) return a.port === b.port && a.host === b.host;
  const covers = (one: string, other: string) =>
    one === '' || one === other || (one === '0.0.0.0' && !other.includes(':') && other !== '');
  return covers(a.host, b.host) || covers(b.host, a.host);
}

/** Whether only this machine can reach it. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\./.test(host);
}

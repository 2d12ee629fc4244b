export interface Endpoint {
  /** '' for all addresses. */
  readonly host: string;
  readonly port: number;
}

/** `127.0.0.1:4040`, `[::1]:4040` or `:4040`; the config room has checked the form. */
export function parseEndpoint(text: string): Endpoint {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
}

/** Whether only this machine can reach it. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\./.test(host);
}

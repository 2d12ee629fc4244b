// A socket to a store: TCP or TLS, straight or through the tunnel of a proxy.
import { connect as connectTcp, type OnReadOpts, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ProxyServer } from './client-proxy.ts';
import type { ClientTls } from './client-tls.ts';

/** Time for a connection to be made, tunnel and TLS included, ms. */
const CONNECT_TIMEOUT_MS = 10_000;
/** Longest answer of a proxy to CONNECT, bytes. */
const MAX_TUNNEL_HEAD_BYTES = 16 * 1024;

/** Where a store listens, and the way there. */
export interface Address {
  readonly host: string;
  readonly port: number;
  /** Makes it TLS. */
  readonly tls: ClientTls | undefined;
  /** Where it is reached by CONNECT. */
  readonly tunnel?: { readonly proxy: ProxyServer; readonly tls: ClientTls | undefined } | undefined;
}

/** An error of a connection; `code` is the key of `errno.ts`. */
export function coded(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

/**
 * Connects. `done` is told once, unless the returned function was called before, which gives up.
 * @param onread where the bytes of plain TCP go without a buffer for each read; `done` is then told `direct`
 */
export function dial(
  { host, port, tls, tunnel }: Address,
  onread: OnReadOpts | undefined,
  done: (outcome: Socket | Error, direct: boolean) => void,
): () => void {
  let socket: Socket;
  let over = false;
  const settle = (outcome: Socket | Error, direct = false) => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    if (outcome instanceof Error) socket.destroy();
    else outcome.off('error', settle).off('close', closed);
    done(outcome, direct);
  };
  const closed = () => settle(coded('CONNECTION_CLOSED', 'the connection was closed while it was made'));
  const watched = (one: Socket): Socket => {
    socket = one;
    one.setNoDelay(true);
    one.setKeepAlive(true);
    return one.on('error', settle).on('close', closed);
  };
  const timer = setTimeout(
    () => settle(coded('CONNECT_TIMEOUT', `no connection within ${CONNECT_TIMEOUT_MS} ms`)),
    CONNECT_TIMEOUT_MS,
  );
  const ready = () => settle(socket);
  if (tunnel) {
    const { proxy } = tunnel;
    const through = () =>
      openTunnel(socket, proxy, host, port, outcome => {
        if (outcome instanceof Error) settle(outcome);
        else if (over) outcome.destroy();
        else if (tls) watched(connectTls({ ...tls.options(host), socket: outcome }, ready));
        else ready();
      });
    watched(
      tunnel.tls
        ? connectTls({ ...tunnel.tls.options(proxy.host), host: proxy.host, port: proxy.port }, through)
        : connectTcp({ host: proxy.host, port: proxy.port }, through),
    );
  } else if (tls) watched(connectTls({ ...tls.options(host), host, port }, ready));
  else {
    const plain = connectTcp({ host, port, ...(onread && { onread }) }, () => settle(socket, onread !== undefined));
    watched(plain);
  }
  return () => {
    over = true;
    clearTimeout(timer);
    socket.destroy();
  };
}

/** RFC 9110 section 9.3.6. */
function openTunnel(
  socket: Socket,
  proxy: ProxyServer,
  host: string,
  port: number,
  done: (outcome: Socket | Error) => void,
): void {
  const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const credentials = proxy.authorization ? `proxy-authorization: ${proxy.authorization}\r\n` : '';
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n${credentials}\r\n`);
  let head = Buffer.alloc(0);
  const finish = (outcome: Socket | Error) => {
    socket.off('data', read).off('end', ended);
    done(outcome);
  };
  const at = `the proxy ${proxy.host}:${proxy.port}`;
  const ended = () => finish(coded('PROXY_REFUSED', `${at} closed the connection before it answered`));
  const read = (bytes: Buffer) => {
    head = Buffer.concat([head, bytes]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) {
      if (head.length > MAX_TUNNEL_HEAD_BYTES) finish(coded('PROXY_REFUSED', `${at} answers too much to CONNECT`));
      return;
    }
    const [, status] = /^HTTP\/1\.[01] (\d{3})/.exec(head.toString('latin1', 0, end)) ?? [];
    if (status === undefined || !/^2/.test(status)) {
      finish(coded('PROXY_REFUSED', `${at} answered ${status ?? 'what is no HTTP'} to CONNECT ${authority}`));
      return;
    }
    socket.pause();
    socket.off('data', read);
    // A store on cleartext HTTP/2 may speak first.
    const rest = head.subarray(end + 4);
    if (rest.length > 0) socket.unshift(rest);
    finish(socket);
  };
  socket.on('data', read).on('end', ended);
}

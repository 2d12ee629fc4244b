import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Instrument, Listen, Logger, Memory, Protocol, Request, Response, Route } from '../api/index.ts';
import { authorization, authorized, challenge } from './auth.ts';
import { BodyReader } from './body.ts';
import { parseEndpoint } from './endpoint.ts';

/** Longest request head, bytes; `name` of /ingest holds all labels, and a gateway in front may add headers. */
const MAX_HEAD_BYTES = 32 * 1024;
/** Longest time for a request head, ms. */
const HEAD_TIMEOUT_MS = 10_000;
/** An idle connection is kept this long, ms: longer than Go's clients keep theirs (90 s), so that the client closes first. */
const KEEP_ALIVE_MS = 120_000;
/** How often stalled bodies are looked for, ms. */
const SWEEP_MS = 1000;

/** One protocol of one owner on a port. */
export interface Binding {
  readonly owner: string;
  readonly protocol: Protocol;
  readonly at: Listen;
  readonly expected: (() => string) | undefined;
  inFlight: number;
  idle: (() => void) | undefined;
}

export interface ServerParts {
  readonly memory: Memory;
  readonly log: Logger;
  readonly requests: Instrument;
  readonly bugs: Instrument;
  readonly stallMs: number;
}

/** An open port: routes requests to the bindings on it. */
export class PortServer {
  readonly endpoint: string;
  bindings: readonly Binding[] = [];
  readonly #of: ServerParts;
  readonly #server: Server;
  readonly #reading = new Set<BodyReader>();
  readonly #sweep: NodeJS.Timeout;

  constructor(at: Listen, of: ServerParts) {
    this.endpoint = at.endpoint;
    this.#of = of;
    const options = {
      maxHeaderSize: MAX_HEAD_BYTES,
      headersTimeout: HEAD_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      // Slow bodies are the sweep's: it answers in the protocol's own form.
      requestTimeout: 0,
      connectionsCheckingInterval: SWEEP_MS,
      noDelay: true,
    };
    const onRequest = (incoming: IncomingMessage, outgoing: ServerResponse) => void this.#serve(incoming, outgoing);
    this.#server = at.tls
      ? createTlsServer(
          {
            ...options,
            cert: readFileSync(at.tls.cert_file),
            key: readFileSync(at.tls.key_file),
            ...(at.tls.client_ca_file !== undefined && {
              ca: readFileSync(at.tls.client_ca_file),
              requestCert: true,
              rejectUnauthorized: true,
            }),
          },
          onRequest,
        )
      : createServer(options, onRequest);
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => this.#badHead(error, socket));
    this.#sweep = setInterval(() => this.#sweepStalled(), SWEEP_MS);
    this.#sweep.unref();
  }

  get address(): { host: string; port: number } | undefined {
    const address = this.#server.address() as AddressInfo | null;
    return address ? { host: address.address, port: address.port } : undefined;
  }

  /** @throws with a sentence when the port cannot be opened */
  open(): Promise<void> {
    const { host, port } = parseEndpoint(this.endpoint);
    return new Promise((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException) => {
        const why =
          error.code === 'EADDRINUSE'
            ? 'another process listens there; stop it or choose another endpoint'
            : error.message;
        reject(new Error(`cannot listen on ${this.endpoint}: ${why}`, { cause: error }));
      };
      this.#server.once('error', failed);
      this.#server.listen({ port, ...(host !== '' && { host }) }, () => {
        this.#server.off('error', failed);
        this.#server.on('error', error => this.#of.log.error('server error', { endpoint: this.endpoint, error }));
        resolve();
      });
    });
  }

  close(): Promise<void> {
    clearInterval(this.#sweep);
    return new Promise(resolve => {
      this.#server.close(() => resolve());
      this.#server.closeIdleConnections();
      // What is answered now ends its connection instead of waiting for another request.
      setTimeout(() => this.#server.closeAllConnections(), SWEEP_MS).unref();
    });
  }

  async #serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const url = incoming.url ?? '/';
    const mark = url.indexOf('?');
    const path = mark < 0 ? url : url.slice(0, mark);
    const found = this.#route(path, incoming.method ?? 'GET');
    if ('status' in found) {
      this.#answer(incoming, outgoing, 'none', found);
      return;
    }
    const { binding, route } = found;
    const protocol = binding.protocol.name;
    binding.inFlight++;
    const body = new BodyReader(incoming, this.#of.memory);
    this.#reading.add(body);
    try {
      const refused = this.#unauthorized(binding, incoming);
      const request = new NodeRequest(incoming, outgoing, path, mark < 0 ? '' : url.slice(mark + 1), body);
      const response = refused ?? (await route.handle(request));
      this.#answer(incoming, outgoing, protocol, response);
    } catch (error) {
      this.#of.bugs.record(1);
      this.#of.log.error('request handler threw, this is a bug', { protocol, error, stack: true });
      this.#answer(incoming, outgoing, protocol, {
        status: 500,
        headers: { 'content-type': 'application/json' },
        body: '{"code":"internal","message":"internal error"}',
      });
    } finally {
      body.release();
      this.#reading.delete(body);
      if (--binding.inFlight === 0) binding.idle?.();
    }
  }

  #route(path: string, method: string): { binding: Binding; route: Route } | Response {
    const asked = method === 'HEAD' ? 'GET' : method;
    const allowed = new Set<string>();
    for (const binding of this.bindings) {
      for (const route of binding.protocol.routes) {
        if (route.path[0] === '*' ? !path.endsWith(route.path.slice(1)) : path !== route.path) continue;
        if (route.method === asked) return { binding, route };
        allowed.add(route.method);
      }
    }
    const headers = { 'content-type': 'text/plain; charset=utf-8' };
    if (allowed.size > 0) {
      const allow = [...allowed].join(', ');
      return { status: 405, headers: { ...headers, allow }, body: `method not allowed here, use ${allow}\n` };
    }
    const paths = new Set(
      this.bindings.flatMap(({ protocol }) => protocol.routes.map(route => `${route.method} ${route.path}`)),
    );
    return { status: 404, headers, body: `nothing is served at this path; here are:\n${[...paths].join('\n')}\n` };
  }

  #unauthorized({ at, expected }: Binding, incoming: IncomingMessage): Response | undefined {
    if (!at.auth || !expected || authorized(expected(), incoming.headers.authorization)) return undefined;
    return {
      status: 401,
      headers: { 'content-type': 'application/json', 'www-authenticate': challenge(at.auth) },
      body: '{"code":"unauthenticated","message":"missing or wrong credentials"}',
    };
  }

  #answer(
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    protocol: string,
    { status, headers, body }: Response,
  ): void {
    this.#of.requests.record(1, { protocol, code: String(status) });
    if (outgoing.destroyed) return;
    const length = body === undefined ? 0 : typeof body === 'string' ? Buffer.byteLength(body) : body.length;
    // What is left of the body is thrown away, up to a bound and while it keeps coming, so that the sender reads the answer.
    if (!incoming.complete) {
      incoming.resume();
      // After node's own listener, which gives the connection the time of an idle one.
      outgoing.once('finish', () => incoming.complete || incoming.setTimeout(this.#of.stallMs));
    }
    // Who was too slow is not waited for again (RFC 9110 section 15.5.9).
    const close = status === 408 ? { connection: 'close' } : undefined;
    outgoing.writeHead(status, { ...headers, ...close, 'content-length': length });
    outgoing.end(body);
  }

  #badHead(error: NodeJS.ErrnoException, socket: Socket): void {
    const status =
      error.code === 'HPE_HEADER_OVERFLOW'
        ? '431 Request Header Fields Too Large'
        : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
          ? '408 Request Timeout'
          : '400 Bad Request';
    this.#of.requests.record(1, { protocol: 'none', code: status.slice(0, 3) });
    if (!socket.writable || socket.destroyed) return;
    socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
  }

  #sweepStalled(): void {
    const before = performance.now() - this.#of.stallMs;
    for (const body of this.#reading) if (body.reading && body.progressMs < before) body.stalled();
  }
}

/** A node:http request as components see it. */
class NodeRequest implements Request {
  readonly path: string;
  readonly query: string;
  readonly #incoming: IncomingMessage;
  readonly #outgoing: ServerResponse;
  readonly #body: BodyReader;
  #abort: AbortController | undefined;

  constructor(incoming: IncomingMessage, outgoing: ServerResponse, path: string, query: string, body: BodyReader) {
    this.#incoming = incoming;
    this.#outgoing = outgoing;
    this.path = path;
    this.query = query;
    this.#body = body;
  }

  get method(): string {
    return this.#incoming.method ?? 'GET';
  }
  get headers(): Request['headers'] {
    return this.#incoming.headers;
  }
  get remote(): string {
    return this.#incoming.socket.remoteAddress ?? '';
  }
  /** Made on first use: most requests are answered before anybody asks. */
  get abort(): AbortSignal {
    if (!this.#abort) {
      const abort = new AbortController();
      this.#abort = abort;
      // Of the response, not of the socket: a socket serves many requests and would collect a listener for each.
      this.#outgoing.once('close', () => {
        if (!this.#outgoing.writableFinished) abort.abort();
      });
    }
    return this.#abort.signal;
  }
  read(options: Parameters<Request['read']>[0]): ReturnType<Request['read']> {
    return this.#body.read(options);
  }
}

/** What a binding needs beside the component's own protocol. */
export function bindingOf(owner: string, at: Listen, protocol: Protocol): Binding {
  return { owner, at, protocol, expected: authorization(at.auth), inFlight: 0, idle: undefined };
}

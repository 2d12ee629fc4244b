import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import type { Instrument, Listen, Logger, Response } from '../api/index.ts';
import type { AcceptedRequest, Accepting, Answer, Connection, Keepalive } from './accepting.ts';
import type { Arriving } from './arriving.ts';
import { authorized, challenge } from './auth.ts';
import { preflight, shared } from './cors.ts';
import { parseEndpoint } from './endpoint.ts';
import { AcceptedConnection } from './http1/accepted.ts';
import type { RequestHead } from './http1/head.ts';
import { Http2Connection } from './http2/connection.ts';
import { DEFAULT_KEEPALIVE } from './keepalive.ts';
import { PortRequest } from './port-request.ts';
import { type Binding, findRoute } from './routing.ts';
import { RpcCall } from './rpc/call.ts';
import { rpcKindOf } from './rpc/kind.ts';
import { RPC } from './rpc/status.ts';
import { Certificates } from './server-tls.ts';

/** How often connections that do not move are looked for, ms. */
const SWEEP_MS = 1000;
/** Connections that may wait to be accepted; the system's own bound is often 4096. */
const BACKLOG = 4096;
/** When senders shall come back to a port whose token file cannot be read yet, s: a file being rotated is there long before. */
const NO_TOKEN_RETRY_S = 5;

/** A port that cannot be opened, as a sentence. */
export class PortError extends Error {
  /** Whether somebody listens there. */
  readonly taken: boolean;
  constructor(endpoint: string, cause: NodeJS.ErrnoException) {
    const taken = cause.code === 'EADDRINUSE';
    const why = taken ? 'another process listens there; stop it or choose another endpoint' : cause.message;
    super(`cannot listen on ${endpoint}: ${why}`, { cause });
    this.taken = taken;
  }
}

export interface ServerParts {
  readonly arriving: Arriving;
  readonly log: Logger;
  readonly requests: Instrument;
  readonly bugs: Instrument;
  /** Changes of certificate files. */
  readonly reloads: Instrument;
  readonly stallMs: number;
}

/** An open port: routes requests to the bindings on it. */
export class PortServer implements Accepting {
  readonly endpoint: string;
  readonly arriving: Arriving;
  readonly stallMs: number;
  bindings: readonly Binding[] = [];
  closing = false;
  readonly #of: ServerParts;
  readonly #server: Server;
  readonly #certificates: Certificates | undefined;
  readonly #connections = new Set<Connection>();
  readonly #sweep: NodeJS.Timeout;

  constructor(at: Listen, of: ServerParts) {
    this.endpoint = at.endpoint;
    this.arriving = of.arriving;
    this.stallMs = of.stallMs;
    this.#of = of;
    const accept = (socket: Socket & { alpnProtocol?: string | false | null }) => {
      if (this.closing) socket.destroy();
      else if (socket.alpnProtocol === 'h2') this.#connections.add(new Http2Connection(socket, this));
      else this.#connections.add(new AcceptedConnection(socket, this));
    };
    try {
      this.#certificates = at.tls && new Certificates(at.tls);
    } catch (error) {
      throw new PortError(at.endpoint, error as Error);
    }
    this.#server = this.#certificates
      ? createTlsServer({ ...this.#certificates.options, allowHalfOpen: true }, accept)
      : // Paused, so that nothing is read before the connection has its own reader.
        createServer({ allowHalfOpen: true, pauseOnConnect: true }, accept);
    this.#server.on('error', error => {
      if (this.#server.listening) of.log.error('server error', { endpoint: this.endpoint, error });
    });
    let sweptMs = performance.now();
    this.#sweep = setInterval(() => {
      const nowMs = performance.now();
      const sinceMs = Math.min(nowMs - sweptMs, 2 * SWEEP_MS);
      sweptMs = nowMs;
      for (const connection of this.#connections) connection.sweep(nowMs, sinceMs);
      void this.#refreshCertificates(nowMs);
    }, SWEEP_MS);
    this.#sweep.unref();
  }

  get keepalive(): Keepalive {
    return this.bindings.find(({ keepalive }) => keepalive)?.keepalive ?? DEFAULT_KEEPALIVE;
  }

  async #refreshCertificates(nowMs: number): Promise<void> {
    const { endpoint } = this;
    try {
      if (!(await this.#certificates?.refresh(this.#server as TlsServer, nowMs))) return;
      this.#of.reloads.record(1, { outcome: 'taken' });
      this.#of.log.info('certificates read again', { endpoint });
    } catch (error) {
      this.#of.reloads.record(1, { outcome: 'failed' });
      this.#of.log.error('changed certificates cannot be used, the old ones go on', {
        endpoint,
        error: error as Error,
      });
    }
  }

  get address(): { host: string; port: number } | undefined {
    const address = this.#server.address() as AddressInfo | null;
    return address ? { host: address.address, port: address.port } : undefined;
  }

  /** Begins to listen, also after `pause`. @throws PortError */
  open(): Promise<void> {
    const { host, port } = parseEndpoint(this.endpoint);
    return new Promise((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException) => {
        this.#server.off('listening', opened);
        reject(new PortError(this.endpoint, error));
      };
      const opened = () => {
        this.#server.off('error', failed);
        resolve();
      };
      this.#server.once('error', failed).once('listening', opened);
      this.#server.listen({ port, ...(host !== '' && { host }), backlog: BACKLOG });
    });
  }

  /** Listens no longer; connections go on. */
  pause(): void {
    this.#server.close();
  }

  /** Takes over the connections of a port that closes, so that senders notice nothing. */
  adopt(port: PortServer): void {
    for (const connection of port.#connections) {
      connection.moveTo(this);
      this.#connections.add(connection);
    }
    port.#connections.clear();
  }

  /** Stops accepting; connections end with the answer they wait for, and after a while without. */
  async close(): Promise<void> {
    clearInterval(this.#sweep);
    this.closing = true;
    this.#server.close();
    for (const connection of this.#connections) connection.drain();
    if (this.#connections.size === 0) return;
    const drained = Promise.withResolvers<void>();
    this.#drained = drained.resolve;
    const late = setTimeout(() => {
      for (const connection of this.#connections) connection.destroy();
    }, SWEEP_MS);
    await drained.promise;
    clearTimeout(late);
  }
  #drained: (() => void) | undefined;

  became(old: Connection, next: Connection): void {
    this.#connections.delete(old);
    this.#connections.add(next);
  }

  gone(connection: Connection): void {
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#drained?.();
  }

  refused(status: number): void {
    this.#of.requests.record(1, { protocol: 'none', code: String(status) });
  }

  bug(error: unknown): void {
    this.#of.bugs.record(1);
    this.#of.log.error('answer could not be written, this is a bug', { error: error as Error, stack: true });
  }

  async serve(accepted: AcceptedRequest): Promise<Answer> {
    const kind = rpcKindOf(accepted);
    if (!kind) return this.#respond(accepted, undefined);
    if ('status' in kind) return this.#counted('none', kind);
    const call = new RpcCall(accepted, kind);
    return call.answer(await this.#respond(accepted, call));
  }

  async #respond(accepted: AcceptedRequest, call: RpcCall | undefined): Promise<Response> {
    const { head } = accepted;
    const found = findRoute(this.bindings, head.path, head.method);
    if (call && ('status' in found || !found.route.rpc)) return this.#counted('none', unknownMethod(head));
    if ('status' in found) return this.#counted('none', preflight(this.bindings, head) ?? found);
    const { binding, route } = found;
    const protocol = binding.protocol.name;
    binding.inFlight++;
    try {
      const refused = this.#unauthorized(binding, head) ?? call?.refused;
      const response = refused ?? (await route.handle(call ?? new PortRequest(accepted, 'plain')));
      const { cors } = binding.protocol;
      return this.#counted(protocol, cors ? shared(response, cors, head.headers.origin) : response);
    } catch (error) {
      this.#of.bugs.record(1);
      this.#of.log.error('request handler threw, this is a bug', { protocol, error: error as Error, stack: true });
      return this.#counted(protocol, refusal(binding, head, 500, 'internal', 'internal error'));
    } finally {
      if (--binding.inFlight === 0) binding.idle?.();
    }
  }

  #counted(protocol: string, response: Response): Response {
    this.#of.requests.record(1, { protocol, code: String(response.status) });
    return response;
  }

  #unauthorized(binding: Binding, head: RequestHead): Response | undefined {
    const { at, expected } = binding;
    if (!at.auth || !expected) return undefined;
    let wanted: string;
    try {
      wanted = expected();
    } catch (error) {
      this.#of.log.error('nobody can be let in', { endpoint: this.endpoint, error: error as Error });
      const later = { 'retry-after': String(NO_TOKEN_RETRY_S) };
      return refusal(binding, head, 503, 'unavailable', 'credentials cannot be checked right now', later);
    }
    if (authorized(wanted, head.headers.authorization)) return undefined;
    const ask = { 'www-authenticate': challenge(at.auth) };
    return refusal(binding, head, 401, 'unauthenticated', 'missing or wrong credentials', ask);
  }
}

/** A refusal as the protocol words it, or else as Connect does. */
function refusal(
  { protocol }: Binding,
  { headers }: RequestHead,
  status: number,
  code: string,
  message: string,
  beside: Readonly<Record<string, string>> = {},
): Response {
  const own = protocol.refusal?.(headers, status, message);
  const { headers: said, body } = own ?? {
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ code, message }),
  };
  return { status, headers: { ...said, ...beside }, body };
}

function unknownMethod({ path }: RequestHead): Response {
  const message = `no gRPC method ${path} is served here`;
  return { status: 404, rpc: { code: RPC.unimplemented, message } };
}

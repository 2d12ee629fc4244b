import { gunzipSync } from 'node:zlib';
import { type Auth, configuredHeaderProblem, headerProblem } from '../api/index.ts';
import { authorization } from './auth.ts';
import type { Address } from './client-dial.ts';
import { bare, portOf, proxyFor } from './client-proxy.ts';
import { ClientTls, type ClientTlsSettings, proxyTls } from './client-tls.ts';
import { classify } from './errno.ts';
import { type AnswerHeaders, type AnswerLimit, type AnswerReader, answerTooLong, ERROR_TEXT } from './http1/answer.ts';
import { Connection, type Exchange } from './http1/connection.ts';

/** Connections to one store at a time. The outbox's consumers are the real bound. */
const DEFAULT_CONNECTIONS = 64;
/** How long an idle connection is kept when the store does not say, ms: shorter than what servers and balancers keep theirs. */
const IDLE_MS = 4_000;
/** Taken off what a store says in `Keep-Alive: timeout`, ms: the way there and clocks that differ. */
const IDLE_MARGIN_MS = 1_000;
const MAX_IDLE_MS = 60_000;
const TARGET = /^[\x21-\x7e\x80-\xff]+$/;
export interface HttpAnswer {
  readonly kind: 'answer';
  readonly status: number;
  readonly headers: Readonly<AnswerHeaders>;
  /** What the limit of the client lets through, Content-Encoding gzip undone. */
  readonly body: Buffer;
}
export interface HttpFailure {
  readonly kind: 'failure';
  readonly retryable: boolean;
  readonly error: Error;
}

export interface ClientConfig {
  readonly endpoint: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly tls?: ClientTlsSettings | undefined;
  readonly auth?: Auth | undefined;
  readonly proxy_url?: URL | undefined;
}

/**
 * Calls one store over kept HTTP/1.1 connections. Chunks are written one after another without being put together, straight from
 * shared memory; they are not touched any more once `post` has answered.
 */
export class HttpClient {
  readonly #address: Address;
  readonly #prefix: string;
  /** What the head of every request says. */
  readonly #common: string;
  /** Lower-case names that the configuration sets: they win over what a single request says. */
  readonly #configured: ReadonlySet<string>;
  readonly #authorization: (() => string) | undefined;
  readonly #most: number;
  readonly #limit: AnswerLimit;
  readonly #open = new Set<Connection>();
  /** The one that was used last serves first, so that those not needed expire. */
  readonly #idle: Connection[] = [];
  readonly #waiting: Call[] = [];
  #closed = false;

  /** @throws when a header cannot be sent, a TLS file cannot be read, or the environment names no proxy */
  constructor(config: ClientConfig, options: { connections?: number; answer?: AnswerLimit } = {}) {
    const { endpoint } = config;
    const { address, origin, proxyAuthorization } = routeTo(config);
    this.#address = address;
    this.#prefix = `${origin}${endpoint.pathname.replace(/\/$/, '')}`;
    this.#limit = options.answer ?? ERROR_TEXT;
    this.#authorization = authorization(config.auth);
    const configured = Object.entries(config.headers).map(([name, value]) => [name.toLowerCase(), value] as const);
    for (const [name, value] of configured) {
      const problem = configuredHeaderProblem(name, value);
      if (problem !== undefined) throw new TypeError(problem);
    }
    this.#configured = new Set(configured.map(([name]) => name));
    this.#common = linesOf(
      Object.fromEntries([
        ['host', endpoint.host],
        ...configured,
        ...(proxyAuthorization === undefined ? [] : [['proxy-authorization', proxyAuthorization]]),
      ]),
      this.#authorization ? new Set(['authorization']) : NONE,
    );
    this.#most = options.connections ?? DEFAULT_CONNECTIONS;
  }

  /** One POST. Redirects are not followed. Never throws; `abort` ends it as a retryable failure. */
  post(
    path: string,
    query: string,
    headers: Readonly<Record<string, string>>,
    chunks: readonly Uint8Array[],
    abort: AbortSignal,
  ): Promise<HttpAnswer | HttpFailure> {
    return new Promise(resolve => {
      try {
        if (abort.aborted) throw abort.reason;
        if (this.#closed) throw new Error('client closed');
        let sizeBytes = 0;
        for (const chunk of chunks) sizeBytes += chunk.length;
        const target = `${this.#prefix}${path}${query === '' ? '' : `?${query}`}`;
        if (!TARGET.test(target)) throw new TypeError('the path or query holds what HTTP cannot say');
        const credentials = this.#authorization ? `authorization: ${this.#authorization()}\r\n` : '';
        const head = `POST ${target} HTTP/1.1\r\n${this.#common}${credentials}${linesOf(headers, this.#configured)}content-length: ${sizeBytes}\r\n\r\n`;
        this.#dispatch(new Call(head, chunks, abort, this.#limit, resolve, call => this.#dispatch(call)));
      } catch (thrown) {
        resolve({ kind: 'failure', ...classify(thrown) });
      }
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const gone = classify(new Error('client closed')).error;
    for (const call of this.#waiting.splice(0)) call.done(gone);
    for (const connection of this.#open) connection.abort(gone);
  }

  #dispatch(call: Call): void {
    if (call.over) return;
    const idle = this.#closed ? undefined : this.#idle.pop();
    if (idle) call.on(idle);
    else if (this.#closed) call.done(new Error('client closed'));
    else if (this.#open.size < this.#most) call.on(this.#connect());
    else this.#waiting.push(call);
  }

  #connect(): Connection {
    const connection = new Connection(
      this.#address,
      this.#limit,
      (it, headers) => this.#free(it, headers),
      it => this.#gone(it),
    );
    this.#open.add(connection);
    return connection;
  }

  #next(): Call | undefined {
    for (;;) {
      const call = this.#waiting.shift();
      if (!call?.over) return call;
    }
  }

  #free(connection: Connection, headers: AnswerHeaders): void {
    const call = this.#next();
    if (call) {
      call.on(connection);
      return;
    }
    this.#idle.push(connection);
    connection.expire(idleMs(headers));
  }

  #gone(connection: Connection): void {
    this.#open.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    const call = this.#next();
    if (call) this.#dispatch(call);
  }
}

/** One request, on one connection or, when that had been closed while it was idle, on a second. */
class Call implements Exchange {
  readonly head: string;
  readonly chunks: readonly Uint8Array[];
  /** Whether it was answered; a call that waits for a connection may be over before its turn. */
  over = false;
  readonly #abort: AbortSignal;
  readonly #limit: AnswerLimit;
  readonly #resolve: (outcome: HttpAnswer | HttpFailure) => void;
  readonly #again: (call: Call) => void;
  #connection: Connection | undefined;

  constructor(
    head: string,
    chunks: readonly Uint8Array[],
    abort: AbortSignal,
    limit: AnswerLimit,
    resolve: (outcome: HttpAnswer | HttpFailure) => void,
    again: (call: Call) => void,
  ) {
    this.head = head;
    this.chunks = chunks;
    this.#abort = abort;
    this.#limit = limit;
    this.#resolve = resolve;
    this.#again = again;
    abort.addEventListener('abort', this.#cut);
  }

  on(connection: Connection): void {
    this.#connection = connection;
    connection.send(this);
  }

  done(outcome: AnswerReader | Error): void {
    const connection = this.#connection;
    // As Go's transport does it: the store closed an idle connection just when we wrote, and has not seen the request.
    if (outcome instanceof Error && connection?.stale && !this.#abort.aborted) {
      this.#connection = undefined;
      this.#again(this);
      return;
    }
    this.over = true;
    this.#abort.removeEventListener('abort', this.#cut);
    this.#resolve(
      outcome instanceof Error ? { kind: 'failure', ...classify(outcome) } : answerOf(outcome, this.#limit),
    );
  }

  readonly #cut = (): void => {
    const { reason } = this.#abort;
    const error = reason instanceof Error ? reason : new Error('aborted');
    if (this.#connection) this.#connection.abort(error);
    else this.done(error);
  };
}

function answerOf({ status, headers, body }: AnswerReader, limit: AnswerLimit): HttpAnswer | HttpFailure {
  if (headers['content-encoding'] !== 'gzip' || body.length === 0) return { kind: 'answer', status, headers, body };
  try {
    return { kind: 'answer', status, headers, body: gunzipSync(body, { maxOutputLength: limit.bytes }) };
  } catch (error) {
    if (limit.beyond === 'fail' && (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      return { kind: 'failure', ...classify(answerTooLong(limit.bytes)) };
    // An error text that does not inflate is not worth losing the status for.
    return { kind: 'answer', status, headers, body: Buffer.alloc(0) };
  }
}

/** The way to the store. A proxy is asked for http:// by the absolute form of the target (RFC 9112 section 3.2.2), for https:// by a tunnel. */
function routeTo({ endpoint, tls, proxy_url }: ClientConfig): {
  address: Address;
  /** What stands before the path of each request. */
  origin: string;
  proxyAuthorization?: string | undefined;
} {
  const proxy = proxyFor(endpoint, proxy_url);
  const [host, port] = [bare(endpoint.hostname), portOf(endpoint)];
  if (endpoint.protocol === 'https:')
    return {
      address: {
        host,
        port,
        tls: new ClientTls(tls, ['http/1.1']),
        tunnel: proxy && { proxy, tls: proxyTls(proxy, tls) },
      },
      origin: '',
    };
  if (!proxy) return { address: { host, port, tls: undefined }, origin: '' };
  return {
    address: { host: proxy.host, port: proxy.port, tls: proxyTls(proxy, tls) },
    origin: endpoint.origin,
    proxyAuthorization: proxy.authorization,
  };
}

export type { AnswerLimit } from './http1/answer.ts';

const NONE: ReadonlySet<string> = new Set();

/** Header lines of all names, which are in lower case, but those to leave out. @throws TypeError */
function linesOf(headers: Readonly<Record<string, string>>, leaveOut: ReadonlySet<string>): string {
  let lines = '';
  for (const name in headers) {
    if (leaveOut.has(name)) continue;
    const value = headers[name]!;
    const problem = headerProblem(name, value);
    if (problem !== undefined) throw new TypeError(problem);
    lines += `${name}: ${value}\r\n`;
  }
  return lines;
}

function idleMs(headers: AnswerHeaders): number {
  const seconds = /\btimeout=(\d{1,6})/i.exec(headers['keep-alive'] ?? '')?.[1];
  if (seconds === undefined) return IDLE_MS;
  return Math.min(MAX_IDLE_MS, Math.max(0, Number(seconds) * 1000 - IDLE_MARGIN_MS));
}

/** `Retry-After` in ms: seconds or an HTTP date (RFC 9110 section 10.2.3). */
export function retryAfterMs(
  headers: Readonly<Record<string, string | undefined>>,
  nowMs = Date.now(),
): number | undefined {
  const text = headers['retry-after']?.trim();
  if (!text) return undefined;
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}

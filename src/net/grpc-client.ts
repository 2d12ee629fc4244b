import { type Auth, configuredHeaderProblem, type Encoding, headerProblem } from '../api/index.ts';
import { authorization } from './auth.ts';
import type { Address } from './client-dial.ts';
import { bare, portOf, proxyFor } from './client-proxy.ts';
import { ClientTls, type ClientTlsSettings, proxyTls } from './client-tls.ts';
import { classify } from './errno.ts';
import { GrpcCall, type GrpcOutcome } from './grpc-client-call.ts';
import { GrpcSession, type Keepalive } from './grpc-client-session.ts';

/** Connections to one store: more than one only where it limits how many calls go over each. */
const MAX_SESSIONS = 4;
/** Longest response message, bytes, as gRPC has it everywhere. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

export type { GrpcAnswer } from './grpc-client-answer.ts';

export interface GrpcClientConfig {
  /** `https:` makes it TLS; the path does not count. */
  readonly endpoint: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly tls?: ClientTlsSettings | undefined;
  readonly auth?: Auth | undefined;
  readonly proxy_url?: URL | undefined;
  /** Instead of host and port in `:authority`. */
  readonly authority?: string | undefined;
  readonly keepalive?: Keepalive | undefined;
}

/**
 * Unary calls of gRPC to one store over kept HTTP/2 connections. Messages are bytes already; they may lie in shared memory, and are not
 * touched any more once `call` has answered.
 */
export class GrpcClient {
  readonly #address: Address;
  readonly #origin: string;
  readonly #keepalive: Keepalive | undefined;
  readonly #authority: string;
  readonly #configured: Readonly<Record<string, string>>;
  readonly #authorization: (() => string) | undefined;
  readonly #sessions = new Set<GrpcSession>();
  readonly #waiting: GrpcCall[] = [];
  #isClosed = false;

  /** @throws when a header cannot be sent, a TLS file cannot be read, or the environment names no proxy */
  constructor(config: GrpcClientConfig) {
    const { endpoint, tls } = config;
    const [host, port] = [bare(endpoint.hostname), portOf(endpoint)];
    const secure = endpoint.protocol === 'https:';
    // Always a tunnel, and the proxy of https:// with it, as other implementations of gRPC have it.
    const proxy = proxyFor(new URL(`https://${endpoint.hostname}:${port}`), config.proxy_url);
    this.#address = {
      host,
      port,
      tls: secure ? new ClientTls(tls, ['h2']) : undefined,
      tunnel: proxy && { proxy, tls: proxyTls(proxy, tls) },
    };
    this.#origin = endpoint.origin;
    this.#authority = config.authority ?? endpoint.host;
    this.#keepalive = config.keepalive;
    this.#authorization = authorization(config.auth);
    for (const [name, value] of Object.entries(config.headers)) {
      const problem = configuredHeaderProblem(name, value);
      if (problem !== undefined) throw new TypeError(problem);
    }
    this.#configured = lowerCased(config.headers);
  }

  /**
   * One try. Never throws; `abort` ends it as a retryable failure, and so does whatever ends a call without a status.
   * @param metadata names in lower case; what the configuration sets wins
   * @param encoding of the message, which is the chunks one after the other
   */
  call(
    path: string,
    metadata: Readonly<Record<string, string>>,
    chunks: readonly Uint8Array[],
    encoding: Encoding,
    abort: AbortSignal,
  ): Promise<GrpcOutcome> {
    return new Promise(resolve => {
      try {
        if (abort.aborted) throw abort.reason;
        if (this.#isClosed) throw new Error('client closed');
        for (const name in metadata) {
          const problem = headerProblem(name, metadata[name]!);
          if (problem !== undefined) throw new TypeError(problem);
        }
        const headers = {
          ...metadata,
          ...this.#configured,
          ':method': 'POST',
          ':path': path,
          ':authority': this.#authority,
          te: 'trailers',
          'content-type': 'application/grpc+proto',
          'grpc-accept-encoding': 'identity,gzip',
          ...(encoding !== 'identity' && { 'grpc-encoding': encoding }),
          ...(this.#authorization && { authorization: this.#authorization() }),
        };
        const compressed = encoding !== 'identity';
        const again = (call: GrpcCall) => this.#wait(call);
        this.#wait(new GrpcCall({ headers, compressed, chunks, abort, maxBytes: MAX_ANSWER_BYTES, resolve, again }));
      } catch (thrown) {
        resolve({ kind: 'failure', ...classify(thrown) });
      }
    });
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const gone = new Error('client closed');
    for (const call of this.#waiting.splice(0)) call.fail(gone);
    for (const session of [...this.#sessions]) session.cut(gone);
  }

  #wait(call: GrpcCall): void {
    if (this.#isClosed) call.fail(new Error('client closed'));
    else this.#waiting.push(call);
    this.#next();
  }

  /** Makes what calls there is room for; opens a connection where there is none. */
  #next(): void {
    while (this.#waiting.length > 0) {
      if (this.#waiting[0]!.over) {
        this.#waiting.shift();
        continue;
      }
      let usable = 0;
      let opening = false;
      let session: GrpcSession | undefined;
      for (const one of this.#sessions) {
        if (one.hasRoom) session ??= one;
        if (one.opening) opening = true;
        if (!one.leaving) usable++;
      }
      if (!session) {
        if (!opening && usable < MAX_SESSIONS) this.#connect();
        return;
      }
      this.#make(this.#waiting.shift()!, session);
    }
  }

  #make(call: GrpcCall, session: GrpcSession): void {
    try {
      call.on(session);
    } catch (error) {
      call.fail(error as Error);
    }
  }

  #connect(): void {
    const session = new GrpcSession(this.#address, {
      origin: this.#origin,
      keepalive: this.#keepalive,
      changed: () => this.#next(),
      closed: (it, error) => this.#gone(it, error),
    });
    this.#sessions.add(session);
  }

  /** Calls that wait fail with a connection that did not come about; where another serves, they wait for that. */
  #gone(session: GrpcSession, error: Error): void {
    if (!this.#sessions.delete(session)) return;
    const isLast = ![...this.#sessions].some(({ leaving }) => !leaving);
    if (isLast && !session.served) for (const call of this.#waiting.splice(0)) call.fail(error);
    this.#next();
  }
}

function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

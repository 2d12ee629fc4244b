import { type ClientHttp2Session, type ClientHttp2Stream, connect, type OutgoingHttpHeaders } from 'node:http2';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { type Address, coded, dial } from './client-dial.ts';

/** Time for the store's first frame once it is connected, ms. */
const SETTINGS_TIMEOUT_MS = 10_000;
/** What node:http2 may hold for one connection, MB: many requests of 64 MiB at a time. Its default, 10, resets streams of 5 MB. */
const SESSION_MEMORY_MB = 1024;

/** As the Collector's `keepalive`, ms. */
export interface Keepalive {
  readonly time: number;
  readonly timeout: number;
  readonly permit_without_stream: boolean;
}

/** One HTTP/2 connection to a store. It takes calls once the store has said how many at a time. */
export class GrpcSession {
  readonly #origin: string;
  readonly #keepalive: Keepalive | undefined;
  readonly #changed: () => void;
  readonly #closed: (session: GrpcSession, error: Error) => void;
  readonly #giveUp: () => void;
  #socket: Socket | undefined;
  #session: ClientHttp2Session | undefined;
  #error: Error | undefined;
  #isOpen = false;
  #most = 0;
  /** What to tell the calls under way once nothing of the connection is left. */
  readonly #calls = new Set<() => void>();
  /** The store said that it takes no more, or the connection is going. */
  leaving = false;
  #settings: NodeJS.Timeout | undefined;
  #pings: NodeJS.Timeout | undefined;
  #pong: NodeJS.Timeout | undefined;

  /**
   * @param origin of pseudo headers, as `http://host:port`
   * @param changed there may be room
   * @param closed with the reason; called once
   */
  constructor(
    address: Address,
    of: {
      readonly origin: string;
      readonly keepalive: Keepalive | undefined;
      readonly changed: () => void;
      readonly closed: (session: GrpcSession, error: Error) => void;
    },
  ) {
    this.#origin = of.origin;
    this.#keepalive = of.keepalive;
    this.#changed = of.changed;
    this.#closed = of.closed;
    this.#giveUp = dial(address, undefined, outcome => {
      if (outcome instanceof Error) this.#end(outcome);
      else if (address.tls && (outcome as TLSSocket).alpnProtocol !== 'h2') {
        outcome.on('error', () => {}).destroy();
        this.#end(coded('NO_HTTP2', 'the store does not speak HTTP/2 over TLS (ALPN h2), which gRPC needs'));
      } else this.#open(outcome);
    });
  }

  /** Whether another call can be made now. */
  get hasRoom(): boolean {
    return !this.leaving && this.#calls.size < this.#most && this.#session?.closed === false;
  }

  /** Whether the store has spoken. */
  get served(): boolean {
    return this.#isOpen;
  }

  get opening(): boolean {
    return !this.leaving && !this.#isOpen;
  }

  /**
   * Takes a place until `left`.
   * @param gone called when the socket is closed: nothing reads the bytes of a call any more
   * @throws what node:http2 does not send
   */
  request(headers: OutgoingHttpHeaders, gone: () => void): ClientHttp2Stream {
    const stream = this.#session!.request(headers);
    this.#calls.add(gone);
    return stream;
  }

  left(gone: () => void): void {
    this.#calls.delete(gone);
    if (this.leaving && this.#calls.size === 0) this.#session?.close();
    this.#changed();
  }

  /** Takes no further call; ends with those that are under way. */
  retire(): void {
    this.leaving = true;
    this.#changed();
  }

  /** Ends the connection at once, with all calls on it. */
  cut(error: Error = coded('CONNECTION_CLOSED', 'the connection was cut')): void {
    this.leaving = true;
    this.#error ??= error;
    if (this.#socket) {
      this.#session?.destroy(error);
      this.#socket.destroy();
    } else {
      this.#giveUp();
      this.#end(error);
    }
  }

  #open(socket: Socket): void {
    this.#socket = socket;
    const session = connect(this.#origin, {
      createConnection: () => socket,
      maxSessionMemory: SESSION_MEMORY_MB,
      settings: { enablePush: false },
    });
    this.#session = session;
    this.#settings = setTimeout(
      () => this.cut(coded('CONNECT_TIMEOUT', `no HTTP/2 settings within ${SETTINGS_TIMEOUT_MS} ms`)),
      SETTINGS_TIMEOUT_MS,
    );
    session.on('remoteSettings', ({ maxConcurrentStreams }) => {
      clearTimeout(this.#settings);
      this.#isOpen = true;
      this.#most = maxConcurrentStreams ?? Number.POSITIVE_INFINITY;
      this.#changed();
    });
    session.on('goaway', () => {
      this.leaving = true;
      if (this.#calls.size === 0) session.close();
      this.#changed();
    });
    session.on('error', error => {
      this.leaving = true;
      this.#error ??= error;
    });
    session.on('close', () => this.#end(coded('CONNECTION_CLOSED', 'the connection was closed')));
    const time = this.#keepalive?.time ?? 0;
    if (time > 0) this.#pings = setInterval(() => this.#ping(session), time).unref();
  }

  #ping(session: ClientHttp2Session): void {
    const { timeout, permit_without_stream } = this.#keepalive!;
    if (this.#pong || session.destroyed || (this.#calls.size === 0 && !permit_without_stream)) return;
    this.#pong = setTimeout(() => this.cut(coded('KEEPALIVE', `no answer to a ping within ${timeout} ms`)), timeout);
    const answered = () => {
      clearTimeout(this.#pong);
      this.#pong = undefined;
    };
    // Not sent while too many pings wait for their answers; the next one is.
    if (!session.ping(answered)) answered();
  }

  #end(error: Error): void {
    this.leaving = true;
    clearTimeout(this.#settings);
    clearTimeout(this.#pong);
    clearInterval(this.#pings);
    for (const gone of this.#calls) gone();
    this.#closed(this, this.#error ?? error);
  }
}

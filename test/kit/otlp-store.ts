// A store of OTLP profiles and traces as exporters see it, over gRPC (grpc-js) and HTTP: requests recorded, answers as told.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer as createTcp, type Socket, type Server as TcpServer } from 'node:net';
import { gunzipSync, inflateSync, zstdDecompressSync } from 'node:zlib';
import * as grpc from '@grpc/grpc-js';
import { encodeMessage, statusBytes } from './otlp-schema.ts';

export type Signal = 'profiles' | 'traces';
export type Transport = 'grpc' | 'http';

export const RPC: Record<Signal, string> = {
  profiles: '/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export',
  traces: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
};
export const ROUTE: Record<Signal, string> = { profiles: '/v1development/profiles', traces: '/v1/traces' };
/** Message names in the schema, and the field of a partial success that counts. */
const ANSWER = {
  profiles: { type: 'ExportProfilesServiceResponse', rejected: 'rejectedProfiles' },
  traces: { type: 'ExportTraceServiceResponse', rejected: 'rejectedSpans' },
} as const;

export interface OtlpDelivery {
  readonly signal: Signal;
  readonly transport: Transport;
  readonly path: string;
  /** Lower case; of gRPC the metadata. */
  readonly headers: Readonly<Record<string, string>>;
  /** Compression undone. */
  readonly body: Buffer;
  readonly atMs: number;
}

export interface PartialSuccess {
  readonly rejected: number;
  readonly message: string;
}
export type OtlpAnswer =
  | 'ok'
  | { readonly partial: PartialSuccess }
  /** `code` answers a gRPC request, `status` one by HTTP; the delay goes into RetryInfo and, in whole seconds, into Retry-After. */
  | { readonly code: number; readonly status: number; readonly message: string; readonly retryAfterMs?: number }
  /** The connection breaks without an answer. */
  | 'cut';

/** Export…ServiceResponse as a store writes it. */
export function answerBytes(signal: Signal, partial?: PartialSuccess): Buffer {
  const { type, rejected } = ANSWER[signal];
  const said = partial && { partialSuccess: { [rejected]: partial.rejected, errorMessage: partial.message } };
  return encodeMessage(type, said ?? {});
}

const raw = (bytes: Buffer) => bytes;

export class FakeOtlpStore {
  readonly deliveries: OtlpDelivery[] = [];
  /** What the next requests hear; those that hear neither `ok` nor a partial success are not recorded. */
  answer: (delivery: OtlpDelivery) => OtlpAnswer | Promise<OtlpAnswer> = () => 'ok';
  requests = 0;
  #http: Server | undefined;
  #grpc: grpc.Server | undefined;
  /** In front of grpc-js, which has no way to break a connection under a call. */
  #relay: TcpServer | undefined;
  readonly #sockets = new Set<Socket>();
  #httpPort = 0;
  #grpcPort = 0;
  readonly #waiting = new Set<() => void>();

  /** Address for gRPC, host:port. */
  get grpc(): string {
    return `127.0.0.1:${this.#grpcPort}`;
  }

  /** Address for HTTP, a URL without a path. */
  get http(): string {
    return `http://127.0.0.1:${this.#httpPort}`;
  }

  /** Opens both ports; the same ones again after `stop`. */
  async start(): Promise<this> {
    await Promise.all([this.#startHttp(), this.#startGrpc()]);
    return this;
  }

  async stop(): Promise<void> {
    const relay = this.#relay;
    this.#relay = undefined;
    const freed = new Promise<unknown>(resolve => (relay ? relay.close(resolve) : resolve(undefined)));
    this.#cut();
    await freed;
    this.#grpc?.forceShutdown();
    this.#grpc = undefined;
    const server = this.#http;
    this.#http = undefined;
    if (!server) return;
    const closed = new Promise(resolve => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  /** What came by this way. */
  by(transport: Transport, signal: Signal = 'profiles'): OtlpDelivery[] {
    return this.deliveries.filter(one => one.transport === transport && one.signal === signal);
  }

  /** Resolves when the condition holds after some request; rejects after `ms`. */
  until(condition: () => boolean, what: string, ms = 20_000): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(check);
        reject(new Error(`OTLP store: no ${what} within ${ms} ms, ${this.deliveries.length} deliveries`));
      }, ms);
      const check = () => {
        if (!condition()) return;
        clearTimeout(timer);
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
    });
  }

  async #heard(delivery: OtlpDelivery): Promise<OtlpAnswer> {
    this.requests++;
    const answer = await this.answer(delivery);
    if (answer === 'ok' || (answer !== 'cut' && 'partial' in answer)) this.deliveries.push(delivery);
    // Whoever waits goes on after the answer is on its way.
    setImmediate(() => {
      for (const check of this.#waiting) check();
    });
    return answer;
  }

  async #startHttp(): Promise<void> {
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', chunk => chunks.push(chunk));
      request.on('end', () => void this.#byHttp(request, Buffer.concat(chunks), response));
    });
    await new Promise<void>(resolve => server.listen(this.#httpPort, '127.0.0.1', resolve));
    // A test that failed before its clean-up must end, not hang.
    server.unref();
    this.#httpPort = (server.address() as AddressInfo).port;
    this.#http = server;
  }

  async #byHttp(request: IncomingMessage, body: Buffer, response: ServerResponse): Promise<void> {
    const path = request.url ?? '';
    const signal = path === ROUTE.profiles ? 'profiles' : path === ROUTE.traces ? 'traces' : undefined;
    if (!signal) return void response.writeHead(404).end();
    const headers = request.headers as Record<string, string>;
    const plain = undone(headers['content-encoding'], body);
    const answer = await this.#heard({ signal, transport: 'http', path, headers, body: plain, atMs: Date.now() });
    const type = headers['content-type'] ?? '';
    const json = type === 'application/json';
    if (answer === 'cut') request.socket.destroy();
    else if (answer === 'ok' || 'partial' in answer) {
      const partial = answer === 'ok' ? undefined : answer.partial;
      const said = json ? JSON.stringify(partialJson(signal, partial)) : answerBytes(signal, partial);
      response.writeHead(200, { 'content-type': type }).end(said);
    } else {
      const { code, status, message, retryAfterMs } = answer;
      const said = json ? JSON.stringify({ code, message }) : statusBytes(code, message, retryAfterMs);
      const delay = retryAfterMs !== undefined && { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) };
      response.writeHead(status, { 'content-type': type, ...delay }).end(said);
    }
  }

  async #startGrpc(): Promise<void> {
    const server = new grpc.Server({ 'grpc.max_receive_message_length': 64 << 20 });
    for (const signal of ['profiles', 'traces'] as const)
      server.addService(
        {
          Export: {
            path: RPC[signal],
            requestStream: false,
            responseStream: false,
            requestSerialize: raw,
            requestDeserialize: raw,
            responseSerialize: raw,
            responseDeserialize: raw,
          },
        },
        {
          Export: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) =>
            void this.#byGrpc(signal, call, done),
        },
      );
    const inner = await new Promise<number>((resolve, reject) =>
      server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      ),
    );
    this.#grpc = server;
    const relay = createTcp(outside => {
      const inside = connect(inner, '127.0.0.1');
      for (const [one, other] of [
        [outside, inside],
        [inside, outside],
      ] as const) {
        one.unref().setNoDelay();
        one.on('error', () => {});
        one.on('close', () => {
          this.#sockets.delete(one);
          other.destroy();
        });
        this.#sockets.add(one);
        one.pipe(other);
      }
    });
    await new Promise<void>(resolve => relay.listen(this.#grpcPort, '127.0.0.1', resolve));
    relay.unref();
    this.#grpcPort = (relay.address() as AddressInfo).port;
    this.#relay = relay;
  }

  #cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async #byGrpc(
    signal: Signal,
    call: grpc.ServerUnaryCall<Buffer, Buffer>,
    done: grpc.sendUnaryData<Buffer>,
  ): Promise<void> {
    const headers = Object.fromEntries(Object.entries(call.metadata.getMap()).map(([key, one]) => [key, String(one)]));
    // A small message is a view on a pool.
    const body = Buffer.from(call.request);
    const answer = await this.#heard({
      signal,
      transport: 'grpc',
      path: RPC[signal],
      headers,
      body,
      atMs: Date.now(),
    });
    if (answer === 'cut') this.#cut();
    else if (answer === 'ok' || 'partial' in answer)
      done(null, answerBytes(signal, answer === 'ok' ? undefined : answer.partial));
    else {
      const metadata = new grpc.Metadata();
      if (answer.retryAfterMs !== undefined)
        metadata.set('grpc-status-details-bin', statusBytes(answer.code, answer.message, answer.retryAfterMs));
      done({ code: answer.code, details: answer.message, metadata });
    }
  }
}

const partialJson = (signal: Signal, partial: PartialSuccess | undefined) =>
  partial
    ? { partialSuccess: { [ANSWER[signal].rejected]: String(partial.rejected), errorMessage: partial.message } }
    : {};

function undone(encoding: string | undefined, body: Buffer): Buffer {
  if (encoding === 'gzip') return gunzipSync(body);
  if (encoding === 'zstd') return zstdDecompressSync(body);
  if (encoding === 'deflate') return inflateSync(body);
  return body;
}

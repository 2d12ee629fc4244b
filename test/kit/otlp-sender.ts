// Senders of OTLP that share nothing with src: grpc-js, a plain HTTP/2 client with gRPC frames of its own, and HTTP/1.1.
import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from 'node:http2';
import { gzipSync } from 'node:zlib';
import * as grpc from '@grpc/grpc-js';
import { decodeMessage, type StatusFacts, statusFacts } from './otlp-schema.ts';
import { ROUTE, RPC, type Signal } from './otlp-store.ts';

/** What a server said, whichever way. */
export interface Said {
  /** gRPC status; of plain HTTP the code of the google.rpc.Status in the body, 0 with 2xx. */
  readonly code: number;
  /** HTTP status; 200 of gRPC. */
  readonly status: number;
  readonly message: string;
  readonly partial: { readonly rejected: bigint; readonly message: string } | undefined;
  readonly details: StatusFacts | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

/** One way to send a request. */
export interface Sender {
  readonly name: string;
  send(signal: Signal, body: Uint8Array, options?: SendOptions): Promise<Said>;
  close(): void;
}
export interface SendOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly gzip?: boolean;
}

const raw = (bytes: Buffer) => bytes;

/** The service answered; what it says of rejected parts. */
function partialOf(signal: Signal, bytes: Uint8Array): Said['partial'] {
  const type = signal === 'profiles' ? 'ExportProfilesServiceResponse' : 'ExportTraceServiceResponse';
  const partial = decodeMessage(type, bytes).partialSuccess;
  if (!partial) return undefined;
  return { rejected: partial.rejectedProfiles ?? partial.rejectedSpans ?? 0n, message: partial.errorMessage ?? '' };
}

/** grpc-js with raw bytes. @param address host:port */
export function grpcSender(address: string, name = 'grpc-js'): Sender {
  const plain = new grpc.Client(address, grpc.credentials.createInsecure());
  const zipped = new grpc.Client(address, grpc.credentials.createInsecure(), {
    'grpc.default_compression_algorithm': grpc.compressionAlgorithms.gzip,
  });
  return {
    name,
    send(signal, body, { headers = {}, gzip = false } = {}) {
      const metadata = new grpc.Metadata();
      for (const [key, value] of Object.entries(headers)) metadata.set(key, value);
      return new Promise(resolve => {
        let partial: Said['partial'];
        let failure: grpc.ServiceError | undefined;
        const call = (gzip ? zipped : plain).makeUnaryRequest(
          RPC[signal],
          raw,
          raw,
          Buffer.from(body),
          metadata,
          { deadline: Date.now() + 20_000 },
          (error, answer) => {
            failure = error ?? undefined;
            partial = answer && partialOf(signal, answer);
          },
        );
        let first: grpc.Metadata | undefined;
        call.on('metadata', given => {
          first = given;
        });
        call.on('status', ({ code, details, metadata: trailers }) => {
          const [binary] = trailers.get('grpc-status-details-bin');
          // The callback comes after the status.
          setImmediate(() =>
            resolve({
              code,
              status: 200,
              message: failure?.details ?? details,
              partial,
              details: binary === undefined ? undefined : statusFacts(binary as Buffer),
              headers: { ...mapOf(first), ...mapOf(trailers) },
            }),
          );
        });
      });
    },
    close() {
      plain.close();
      zipped.close();
    },
  };
}

const mapOf = (metadata: grpc.Metadata | undefined): Record<string, string> =>
  Object.fromEntries(Object.entries(metadata?.getMap() ?? {}).map(([key, value]) => [key, String(value)]));

/** gRPC framed by hand over node:http2: sees every header and trailer as it came. @param url e.g. http://127.0.0.1:4317 */
export function http2Sender(url: string): Sender {
  const session: ClientHttp2Session = connect(url);
  session.on('error', () => {});
  return {
    name: 'node:http2, gRPC',
    async send(signal, body, { headers = {}, gzip = false } = {}) {
      const message = gzip ? gzipSync(body) : body;
      const frame = Buffer.alloc(5 + message.length);
      frame[0] = gzip ? 1 : 0;
      frame.writeUInt32BE(message.length, 1);
      frame.set(message, 5);
      const answer = await exchange(
        session,
        {
          ':method': 'POST',
          ':path': RPC[signal],
          'content-type': 'application/grpc+proto',
          te: 'trailers',
          ...(gzip && { 'grpc-encoding': 'gzip' }),
          ...headers,
        },
        frame,
      );
      const all = { ...answer.headers, ...answer.trailers };
      const code = Number(all['grpc-status'] ?? 2);
      const details = all['grpc-status-details-bin'];
      return {
        code,
        status: Number(all[':status']),
        message: decodeURIComponent(all['grpc-message'] ?? ''),
        partial: code === 0 ? partialOf(signal, answer.body.subarray(5)) : undefined,
        details: details === undefined ? undefined : statusFacts(Buffer.from(details, 'base64')),
        headers: all,
      };
    },
    close: () => session.destroy(),
  };
}

const textsOf = (headers: IncomingHttpHeaders): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));

export interface Exchange {
  readonly headers: Record<string, string>;
  readonly trailers: Record<string, string>;
  readonly body: Buffer;
}

/** One request over HTTP/2 with nothing hidden. */
export function exchange(
  session: ClientHttp2Session,
  headers: Record<string, string>,
  body: Uint8Array,
): Promise<Exchange> {
  return new Promise((resolve, reject) => {
    const stream = session.request(headers);
    const chunks: Buffer[] = [];
    let first: IncomingHttpHeaders = {};
    let last: IncomingHttpHeaders = {};
    stream.on('response', given => {
      first = given;
    });
    stream.on('trailers', given => {
      last = given;
    });
    stream.on('data', chunk => chunks.push(chunk));
    stream.on('error', reject);
    stream.on('close', () =>
      resolve({
        headers: textsOf(first),
        trailers: textsOf(last),
        body: Buffer.concat(chunks),
      }),
    );
    stream.setTimeout(20_000, () => stream.destroy(new Error('no answer within 20 s')));
    stream.end(body);
  });
}

/** OTLP over HTTP/1.1. @param url without a path; the body is protobuf unless `content-type` says application/json */
export function httpSender(url: string, type: 'application/x-protobuf' | 'application/json'): Sender {
  return {
    name: `HTTP/1.1, ${type}`,
    async send(signal, body, { headers = {}, gzip = false } = {}) {
      const answer = await fetch(`${url}${ROUTE[signal]}`, {
        method: 'POST',
        headers: { 'content-type': type, ...(gzip && { 'content-encoding': 'gzip' }), ...headers },
        body: new Uint8Array(gzip ? gzipSync(body) : body),
      });
      return saidByHttp(signal, answer.status, answer.headers, Buffer.from(await answer.arrayBuffer()));
    },
    close() {},
  };
}

/** The answer to OTLP over plain HTTP; its own content type says how to read it. */
export function saidByHttp(signal: Signal, status: number, headers: Headers, body: Buffer): Said {
  const ok = status >= 200 && status < 300;
  const json = headers.get('content-type')?.startsWith('application/json') ?? false;
  const base = { status, headers: Object.fromEntries(headers) };
  if (ok) {
    const partial = json ? partialJson(body) : partialOf(signal, body);
    return { ...base, code: 0, message: '', partial, details: undefined };
  }
  if (!json && headers.get('content-type') !== 'application/x-protobuf')
    return { ...base, code: -1, message: body.toString(), partial: undefined, details: undefined };
  const details = json ? (JSON.parse(body.toString()) as StatusFacts) : statusFacts(body);
  return { ...base, code: details.code, message: details.message, partial: undefined, details };
}

function partialJson(body: Buffer): Said['partial'] {
  const { partialSuccess } = JSON.parse(body.toString()) as { partialSuccess?: Record<string, string> };
  if (!partialSuccess) return undefined;
  const rejected = BigInt(partialSuccess.rejectedProfiles ?? partialSuccess.rejectedSpans ?? 0);
  return { rejected, message: partialSuccess.errorMessage ?? '' };
}

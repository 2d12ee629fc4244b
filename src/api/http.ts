// What `net` hands to a receiver and takes back. Plain values: protocol code is tested without a socket.
import type { Encoding } from '../model/payload.ts';

/** A request whose head has arrived; the body is read only when asked for. */
export interface Request {
  readonly method: string;
  /** Path without the query, as sent. */
  readonly path: string;
  /** Raw query without `?`; '' when there is none. */
  readonly query: string;
  /** Lower-case names; repeated ones joined with `, `, but of some the first counts. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** The sender's address, for logs. */
  readonly remote: string;
  /** `rpc` for the one message of a unary gRPC or gRPC-Web call, whose frame `read` has undone. Only routes with `rpc` see those. */
  readonly framing: 'plain' | 'rpc';
  /** Fires when the sender goes away. */
  readonly abort: AbortSignal;
  /** Reads the body into a slab that stays valid until `handle` has answered. Once per request. */
  read(options: ReadOptions): Promise<Body | BodyProblem>;
}

export interface ReadOptions {
  /** Longest body on the wire, bytes. */
  readonly maxBytes: number;
  /** Longest body after Content-Encoding is undone, bytes. */
  readonly maxInflatedBytes: number;
}

export interface Body {
  readonly kind: 'body';
  /** As they came, `encoding` not undone. A view on a slab; the receiver may overwrite it, nobody else has it yet. */
  readonly bytes: Buffer;
  readonly encoding: Encoding;
  /** The bytes with `encoding` undone, in a slab with the same lifetime. */
  decoded(): Promise<Body | BodyProblem>;
  /** Other bytes in the place of these, copied into a slab with the same lifetime. */
  rewritten(bytes: Uint8Array): Body | BodyProblem;
}

/** Why there is no body. `reason` is the label of the counter; `message` a sentence for the sender, without input bytes. */
export interface BodyProblem {
  readonly kind: 'problem';
  readonly reason:
    | 'body_too_large'
    | 'decompressed_too_large'
    | 'bad_compression'
    | 'unsupported_encoding'
    | 'body_timeout'
    | 'body_aborted'
    /** Of a call of gRPC or gRPC-Web: not exactly one message. */
    | 'malformed_message'
    | 'memory_limit';
  readonly message: string;
  readonly retryAfterMs?: number;
}

export interface Response {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /**
   * Of an answer to a gRPC call: code of the status (https://grpc.io/docs/guides/status-codes), a sentence, and a google.rpc.Status for
   * `grpc-status-details-bin`. Without it the code is told from `status`.
   */
  readonly rpc?: { readonly code: number; readonly message?: string; readonly details?: Uint8Array };
}

export interface Route {
  /** Exact path such as `/v1/pprof`; or a suffix, written `*` + path: `'*' + '/ingest'` is any path that ends in `/ingest`. */
  readonly path: string;
  readonly method: 'GET' | 'POST';
  /** Whether it is a method of a gRPC service too, and takes calls over HTTP/2 and gRPC-Web. Others hear UNIMPLEMENTED. */
  readonly rpc?: true;
  /** Must not throw; a throw is answered 500, counted and logged once. */
  handle(request: Request): Promise<Response>;
}

/** A protocol on a port. Several may share one; routes are tried in the order in which protocols were bound. */
export interface Protocol {
  readonly name: string;
  readonly routes: readonly Route[];
  /** Body of what `net` refuses in its name: missing credentials (401), none to check by (503), a bug (500). Connect's JSON without it. */
  readonly refusal?: (headers: Request['headers'], status: number, message: string) => Refusal;
  /** Pages of which sites may call it; `net` answers what browsers ask beforehand. Absent, or without origins: none. */
  readonly cors?: Cors | undefined;
}

export type Refusal = Required<Pick<Response, 'headers' | 'body'>>;

/** As `fields.cors` configures it. */
export interface Cors {
  /** `https://example.com`, `https://*.example.com`, or `*` for all, which then send no credentials. */
  readonly allowed_origins: readonly string[];
  /** Request headers beside those that Connect, gRPC-Web and OTLP need; `*` for any. */
  readonly allowed_headers: readonly string[];
  readonly exposed_headers: readonly string[];
  /** How long a browser need not ask again, seconds; 0 leaves it to the browser. */
  readonly max_age: number;
}

/** A header's name and value, RFC 9110 sections 5.1 and 5.5; anything else would end the line. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** Headers that say how a request is written, which nobody but the client knows. */
const FRAMING = new Set(['content-length', 'transfer-encoding', 'connection', 'expect', 'upgrade']);

/** Why a request cannot carry this header; undefined when it can. The value is not repeated: it may be a secret. */
export function headerProblem(name: string, value: string): string | undefined {
  if (!HEADER_NAME.test(name)) return `${JSON.stringify(name)} is no header name`;
  if (!HEADER_VALUE.test(value)) return `the value of header ${name} holds characters that HTTP cannot say`;
  return undefined;
}

/** Why a configuration cannot set this header; undefined when it can. */
export function configuredHeaderProblem(name: string, value: string): string | undefined {
  if (FRAMING.has(name.toLowerCase())) return `header ${name} cannot be configured, it depends on the request`;
  return headerProblem(name, value);
}

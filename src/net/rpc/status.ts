import type { BodyProblem, Response } from '../../api/index.ts';
import { rpcStatus } from '../../wire/otlp/response.ts';

/** Codes of gRPC, https://grpc.io/docs/guides/status-codes. */
export const RPC = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  aborted: 10,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** What became of a call. */
export interface CallStatus {
  readonly code: number;
  readonly message: string;
  /** A google.rpc.Status. */
  readonly details?: Uint8Array | undefined;
}

const BY_HTTP: Record<number, number> = {
  400: RPC.invalidArgument,
  401: RPC.unauthenticated,
  403: RPC.permissionDenied,
  404: RPC.notFound,
  408: RPC.deadlineExceeded,
  409: RPC.aborted,
  413: RPC.resourceExhausted,
  415: RPC.unimplemented,
  422: RPC.invalidArgument,
  429: RPC.resourceExhausted,
  499: RPC.cancelled,
  500: RPC.internal,
  501: RPC.unimplemented,
  502: RPC.unavailable,
  503: RPC.unavailable,
  504: RPC.deadlineExceeded,
};
const BY_PROBLEM: Record<BodyProblem['reason'], number> = {
  body_too_large: RPC.resourceExhausted,
  decompressed_too_large: RPC.resourceExhausted,
  bad_compression: RPC.invalidArgument,
  unsupported_encoding: RPC.unimplemented,
  body_timeout: RPC.deadlineExceeded,
  body_aborted: RPC.cancelled,
  malformed_message: RPC.internal,
  // With a delay, which makes it one that is tried again (OTLP specification, OTLP/gRPC throttling).
  memory_limit: RPC.resourceExhausted,
};

/** Most of a message, characters: it travels in a header. */
const MAX_MESSAGE = 1024;

export function statusOfProblem({ reason, message, retryAfterMs }: BodyProblem): CallStatus {
  return delayed({ code: BY_PROBLEM[reason], message }, retryAfterMs);
}

/** The status of an answer: what it says itself, or what its HTTP status and body mean. */
export function statusOf({ status, rpc, headers, body }: Response): CallStatus {
  if (!rpc && status < 300) return { code: RPC.ok, message: '' };
  const code = rpc?.code ?? BY_HTTP[status] ?? RPC.unknown;
  const message = rpc?.message ?? (code === RPC.ok ? '' : messageOf(body));
  if (rpc?.details) return { code, message, details: rpc.details };
  const seconds = Number(headers?.['retry-after']);
  return code === RPC.ok ? { code, message } : delayed({ code, message }, seconds > 0 ? seconds * 1000 : undefined);
}

/** The status as fields behind a message or, of a failed call, in the head. */
export function statusFields({ code, message, details }: CallStatus): Record<string, string> {
  return {
    'grpc-status': String(code),
    ...(message !== '' && { 'grpc-message': percentEncoded(message.slice(0, MAX_MESSAGE)) }),
    ...(details && { 'grpc-status-details-bin': Buffer.from(details).toString('base64').replace(/=+$/, '') }),
  };
}

function delayed(status: CallStatus, retryAfterMs: number | undefined): CallStatus {
  return retryAfterMs === undefined
    ? status
    : { ...status, details: rpcStatus({ ...status, retryAfterMs }, 'protobuf') };
}

/** What a body says that was made for people or for Connect. */
function messageOf(body: Response['body']): string {
  const text = (typeof body === 'string' ? body : Buffer.from(body ?? []).toString()).trim();
  if (text[0] !== '{') return text.split('\n', 1)[0]!;
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    return typeof message === 'string' ? message : '';
  } catch {
    return '';
  }
}

/** As grpc-message wants it (PROTOCOL-HTTP2.md, Percent-Encoded). */
function percentEncoded(text: string): string {
  if (/^[ -$&-~]*$/.test(text)) return text;
  let encoded = '';
  for (const byte of Buffer.from(text))
    encoded +=
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  return encoded;
}

const TIMEOUT = /^(\d{1,8})([HMSmun])$/;
const UNIT_MS: Record<string, number> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/** grpc-timeout → ms, at least 1; undefined when it is none. */
export function parseTimeout(text: string): number | undefined {
  const match = TIMEOUT.exec(text);
  return match ? Math.max(1, Math.ceil(Number(match[1]) * UNIT_MS[match[2]!]!)) : undefined;
}

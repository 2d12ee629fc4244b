// What a unary call of gRPC heard (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md), from headers, bytes and trailers.
import type { IncomingHttpHeaders, IncomingHttpStatusHeader } from 'node:http2';
import { gunzipSync } from 'node:zlib';

/** google.rpc.Code, as far as an answer without `grpc-status` is told by it. */
export const GRPC = {
  ok: 0,
  unknown: 2,
  permissionDenied: 7,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;
/** doc/http-grpc-status-mapping.md; others are UNKNOWN. */
const BY_STATUS: Record<number, number> = {
  400: GRPC.internal,
  401: GRPC.unauthenticated,
  403: GRPC.permissionDenied,
  404: GRPC.unimplemented,
  429: GRPC.unavailable,
  502: GRPC.unavailable,
  503: GRPC.unavailable,
  504: GRPC.unavailable,
};
export const PREFIX_BYTES = 5;
const NO_BYTES = Buffer.alloc(0);

export interface GrpcAnswer {
  readonly kind: 'answer';
  /** google.rpc.Code; told from the HTTP status where something answered that does not speak gRPC. */
  readonly code: number;
  readonly message: string;
  /** google.rpc.Status of `grpc-status-details-bin`. */
  readonly details: Uint8Array | undefined;
  /** The response message, decompressed; empty where there is none. */
  readonly body: Buffer;
}

export type ResponseHeaders = IncomingHttpHeaders & IncomingHttpStatusHeader;

/** @param trailers of an answer without a body they are the headers */
export function answerOf(
  headers: ResponseHeaders,
  trailers: IncomingHttpHeaders,
  bytes: Buffer,
  maxBytes: number,
): GrpcAnswer {
  const from = trailers['grpc-status'] === undefined ? headers : trailers;
  const code = textOf(from['grpc-status']);
  const answer = { kind: 'answer' as const, details: undefined, body: NO_BYTES };
  if (code === undefined || !/^\d{1,3}$/.test(code)) {
    const status = headers[':status'] ?? 0;
    const type = textOf(headers['content-type']) ?? 'no content type';
    return {
      ...answer,
      code: BY_STATUS[status] ?? GRPC.unknown,
      message: `HTTP ${status} (${type}) without grpc-status`,
    };
  }
  const details = textOf(from['grpc-status-details-bin']);
  const said = {
    ...answer,
    code: Number(code),
    message: percentDecoded(textOf(from['grpc-message']) ?? ''),
    details: details === undefined ? undefined : Buffer.from(details, 'base64'),
  };
  return said.code === GRPC.ok ? { ...said, body: messageIn(bytes, textOf(headers['grpc-encoding']), maxBytes) } : said;
}

const textOf = (value: string | readonly string[] | undefined): string | undefined =>
  typeof value === 'object' ? value[0] : value;

/** Empty where the bytes are not one message: the call was accepted all the same. */
function messageIn(bytes: Buffer, encoding: string | undefined, maxBytes: number): Buffer {
  if (bytes.length < PREFIX_BYTES || bytes.readUInt32BE(1) !== bytes.length - PREFIX_BYTES) return NO_BYTES;
  const message = bytes.subarray(PREFIX_BYTES);
  if (bytes[0] === 0) return message;
  if (encoding !== 'gzip') return NO_BYTES;
  try {
    return gunzipSync(message, { maxOutputLength: maxBytes });
  } catch {
    return NO_BYTES;
  }
}

/** `grpc-message`: percent-encoded UTF-8; what is no escape stays as it is. */
function percentDecoded(text: string): string {
  if (!text.includes('%')) return text;
  const latin = text.replace(/%([0-9a-f]{2})/gi, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(latin, 'latin1').toString('utf8');
}

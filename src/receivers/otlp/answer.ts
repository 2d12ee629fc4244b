// What a sender hears, as gRPC status or as HTTP status with a google.rpc.Status in the encoding of its request (OTLP
// specification 1.11, OTLP/gRPC Response and OTLP/HTTP Response).
import type { OtlpSignal, OtlpWire, Refusal, Request, Response } from '../../api/index.ts';
import { exportResponse, type PartialSuccess } from '../../wire/otlp/response.ts';
import { rpcStatus } from '../../wire/otlp/status.ts';

/** Code of gRPC, and the HTTP status that says the same. */
const KINDS = {
  invalid_argument: [3, 400],
  deadline_exceeded: [4, 503],
  too_large: [8, 413],
  unsupported_encoding: [12, 415],
  full: [8, 429],
  unimplemented: [12, 404],
  internal: [13, 500],
  unavailable: [14, 503],
} as const;
export type FailureKind = keyof typeof KINDS;

const CONTENT_TYPES: Record<OtlpWire, string> = { protobuf: 'application/x-protobuf', json: 'application/json' };

/** Codes of what is refused before the receiver sees it. */
const REFUSALS: Record<number, number> = { 401: 16, 500: 13, 503: 14 };

/** A refusal of `net` in the encoding of the request. */
export function refusal(headers: Request['headers'], status: number, message: string): Refusal {
  const wire = wireOf({ framing: 'plain', headers }) ?? 'protobuf';
  const body = rpcStatus({ code: REFUSALS[status] ?? 2, message }, wire);
  return { headers: { 'content-type': CONTENT_TYPES[wire] }, body };
}

/** How the request is written; undefined for a content type that is none of OTLP's. */
export function wireOf({ framing, headers }: Pick<Request, 'framing' | 'headers'>): OtlpWire | undefined {
  if (framing === 'rpc') return 'protobuf';
  const type = (headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase();
  if (type === 'application/x-protobuf' || type === 'application/protobuf') return 'protobuf';
  return type === 'application/json' ? 'json' : undefined;
}

export function success(request: Request, signal: OtlpSignal, partial: PartialSuccess | undefined): Response {
  const wire = wireOf(request) ?? 'protobuf';
  return {
    status: 200,
    headers: { 'content-type': CONTENT_TYPES[wire] },
    body: exportResponse(signal, partial, wire),
  };
}

/** @param retryAfterMs for `full` and `unavailable`: when the same may work */
export function failure(request: Request, kind: FailureKind, message: string, retryAfterMs?: number): Response {
  const [code, status] = KINDS[kind];
  const wire = wireOf(request) ?? 'protobuf';
  const detail = { code, message, ...(retryAfterMs !== undefined && { retryAfterMs }) };
  if (request.framing === 'rpc') return { status, rpc: { code, message, details: rpcStatus(detail, 'protobuf') } };
  const delay =
    retryAfterMs === undefined ? {} : { 'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / 1000))) };
  return { status, headers: { 'content-type': CONTENT_TYPES[wire], ...delay }, body: rpcStatus(detail, wire) };
}

// What the answer of an OTLP store over gRPC means (opentelemetry-proto, specification.md, OTLP/gRPC Response).
import type { HttpFailure } from '../../net/client.ts';
import type { GrpcAnswer } from '../../net/grpc-client.ts';
import { excerpt, type OtlpOutcome } from '../../net/otlp-delivery.ts';
import { DecodeError } from '../../wire/decode-error.ts';
import {
  type OtlpSignal,
  type PartialSuccess,
  type RpcStatus,
  readExportResponse,
  readRpcStatus,
} from '../../wire/otlp/response.ts';

type Meaning = 'accepted' | 'retryable' | 'throttled' | 'access' | 'permanent';
/** google.rpc.Code by number. `throttled` is retryable only where the store says when to come back. */
const CODES: readonly (readonly [name: string, meaning: Meaning])[] = [
  ['OK', 'accepted'],
  ['CANCELLED', 'retryable'],
  ['UNKNOWN', 'permanent'],
  ['INVALID_ARGUMENT', 'permanent'],
  ['DEADLINE_EXCEEDED', 'retryable'],
  ['NOT_FOUND', 'permanent'],
  ['ALREADY_EXISTS', 'permanent'],
  ['PERMISSION_DENIED', 'access'],
  ['RESOURCE_EXHAUSTED', 'throttled'],
  ['FAILED_PRECONDITION', 'permanent'],
  ['ABORTED', 'retryable'],
  ['OUT_OF_RANGE', 'retryable'],
  ['UNIMPLEMENTED', 'access'],
  ['INTERNAL', 'permanent'],
  ['UNAVAILABLE', 'retryable'],
  ['DATA_LOSS', 'retryable'],
  ['UNAUTHENTICATED', 'access'],
];

export function outcomeOf(signal: OtlpSignal, answer: GrpcAnswer | HttpFailure): OtlpOutcome {
  if (answer.kind === 'failure') {
    const { error, retryable } = answer;
    return retryable ? { kind: 'retryable', error } : { kind: 'permanent', error, fault: 'gateway' };
  }
  const [name, meaning] = CODES[answer.code] ?? [`code ${answer.code}`, 'permanent'];
  if (meaning === 'accepted') return { kind: 'accepted', partial: partialOf(signal, answer.body) };
  const status = statusOf(answer.details);
  const text = [answer.message, status?.badRequest].filter(Boolean).join(' - ');
  const error = new Error(`store answered ${name}: ${excerpt(text)}`);
  const retryAfterMs = status?.retryAfterMs;
  if (meaning === 'access') return { kind: 'access', error, retryAfterMs };
  if (meaning === 'permanent' || (meaning === 'throttled' && retryAfterMs === undefined))
    return { kind: 'permanent', error, fault: 'sender' };
  return { kind: 'retryable', error, retryAfterMs };
}

/** What was accepted is accepted, whatever else the message holds. */
function partialOf(signal: OtlpSignal, message: Uint8Array): PartialSuccess | undefined {
  return readable(() => readExportResponse(signal, message, 'protobuf'));
}

function statusOf(details: Uint8Array | undefined): RpcStatus | undefined {
  return details && readable(() => readRpcStatus(details, 'protobuf'));
}

function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

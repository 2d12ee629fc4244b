// What the answer of an OTLP store over HTTP means (opentelemetry-proto, specification.md, OTLP/HTTP Response).

import { type HttpAnswer, type HttpFailure, retryAfterMs } from '../../net/client.ts';
import { excerpt, type OtlpOutcome } from '../../net/otlp-delivery.ts';
import { DecodeError } from '../../wire/decode-error.ts';
import {
  type OtlpSignal,
  type PartialSuccess,
  readExportResponse,
  readRpcStatus,
  type Wire,
} from '../../wire/otlp/response.ts';

/** 5xx beside these are for good, as OTLP has it. */
const RETRYABLE = new Set([429, 502, 503, 504]);
/** Statuses that say when to come back. */
const THROTTLING = new Set([429, 503]);
/** The credentials (407: those for a proxy), the address or the route are wrong, not the data. */
const ACCESS = new Set([401, 403, 404, 407]);

export function outcomeOf(signal: OtlpSignal, answer: HttpAnswer | HttpFailure): OtlpOutcome {
  if (answer.kind === 'failure') {
    const { error, retryable } = answer;
    return retryable ? { kind: 'retryable', error } : { kind: 'permanent', error, fault: 'gateway' };
  }
  const { status, headers } = answer;
  if (status >= 200 && status < 300) return { kind: 'accepted', partial: partialOf(signal, answer) };
  if (status >= 300 && status < 400) {
    const error = new Error(`store answered ${status}: redirects are not followed; set endpoint to where the store is`);
    return { kind: 'access', error };
  }
  const text = textOf(answer);
  const error = new Error(`store answered ${status}${text === '' ? '' : `: ${text}`}`);
  if (ACCESS.has(status)) return { kind: 'access', error };
  if (!RETRYABLE.has(status)) return { kind: 'permanent', error, fault: 'sender' };
  return { kind: 'retryable', error, retryAfterMs: THROTTLING.has(status) ? retryAfterMs(headers) : undefined };
}

/** Undefined where the content type is neither of OTLP's. */
function wireOf({ headers }: HttpAnswer): Wire | undefined {
  const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (type === 'application/json') return 'json';
  return type === 'application/x-protobuf' || type === 'application/protobuf' ? 'protobuf' : undefined;
}

/** What was accepted is accepted, whatever else the body holds. */
function partialOf(signal: OtlpSignal, answer: HttpAnswer): PartialSuccess | undefined {
  const wire = wireOf(answer);
  if (!wire || answer.body.length === 0) return undefined;
  try {
    return readExportResponse(signal, answer.body, wire);
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

/** The message of a google.rpc.Status; the text itself where the store answers in another form. */
function textOf(answer: HttpAnswer): string {
  const wire = wireOf(answer);
  try {
    if (wire) {
      const { message, badRequest } = readRpcStatus(answer.body, wire);
      return excerpt(badRequest ? `${message} (${badRequest})` : message);
    }
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    if (wire === 'protobuf') return '';
  }
  return excerpt(answer.body.toString('utf8', 0, 1024));
}

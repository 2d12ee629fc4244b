import type { OtlpWire } from '../../model/otlp.ts';
import { DecodeError } from '../decode-error.ts';
import { BYTES, type Reader } from '../protobuf.ts';

/** How an OTLP/HTTP body is encoded; an answer uses the encoding of the request (OTLP specification, "OTLP/HTTP Response"). */
export type Wire = OtlpWire;

/**
 * Text in an answer, bytes of UTF-8. OTLP 1.11 has a server keep its answer within 4 MiB and shorten the message first: two such
 * texts, each byte of them written as six by JSON, take 768 KiB. A sentence for a human needs far less.
 */
export const MAX_ANSWER_TEXT_BYTES = 64 * 1024;

const CUT = '…';
const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** The text, cut between characters and marked where it is too long; without half characters. */
export function answerText(text: string): string {
  const whole = text.toWellFormed();
  const bytes = Buffer.from(whole);
  if (bytes.length <= MAX_ANSWER_TEXT_BYTES) return whole;
  let end = MAX_ANSWER_TEXT_BYTES - Buffer.byteLength(CUT);
  // Continuation bytes of UTF-8 are 10xxxxxx.
  while ((bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end) + CUT;
}

export type JsonObject = { readonly [key: string]: unknown };

const badJson = (message: string) => new DecodeError('bad_json', message);

/** The object that an answer in JSON is; no body at all, which some servers send, is an empty one. @throws DecodeError bad_json */
export function answerObject(bytes: Uint8Array): JsonObject {
  if (bytes.length === 0) return {};
  let parsed: unknown;
  try {
    parsed = JSON.parse(UTF8.decode(bytes));
  } catch {
    throw badJson('the answer is not JSON');
  }
  return objectIn(parsed);
}

/** @throws DecodeError bad_json where there is something that is no object */
export function objectIn(value: unknown): JsonObject {
  if (value === undefined || value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value))
    throw badJson('the answer holds something else than an object');
  return value as JsonObject;
}

/** @throws DecodeError bad_json */
export function textIn(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (typeof value !== 'string') throw badJson('the answer holds something else than a text');
  return value;
}

/** A 64-bit integer, which JSON holds as a number or in a string. @throws DecodeError bad_json */
export function integerIn(value: unknown): bigint {
  if (value === undefined || value === null) return 0n;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  if (typeof value === 'string' && /^-?[0-9]{1,19}$/.test(value)) return BigInt(value);
  throw badJson('the answer holds something else than an integer');
}

/** The text of the field whose tag was just read. */
export function textField(reader: Reader): string {
  reader.expect(BYTES);
  return reader.string();
}

import { BYTES, int64, Reader, VARINT } from '../protobuf.ts';
import {
  answerObject,
  answerText,
  integerIn,
  type JsonObject,
  objectIn,
  textField,
  textIn,
  type Wire,
} from './answer.ts';
import { bytesField, longField, numberField } from './any-value.ts';

/** google.rpc.Status, as gRPC and OTLP/HTTP answer with, and what of its details matters here. */
export interface RpcStatus {
  /** google.rpc.Code, 0 to 16. */
  readonly code: number;
  /** A sentence for the developer of the client. */
  readonly message: string;
  /** RetryInfo.retry_delay: how long to wait before the next try. */
  readonly retryAfterMs?: number;
  /** BadRequest: the description of its first field violation. */
  readonly badRequest?: string;
}

const STATUS = { code: 1, message: 2, details: 3 } as const;
const ANY = { typeUrl: 1, value: 2 } as const;
const RETRY_INFO = { retryDelay: 1 } as const;
const DURATION = { seconds: 1, nanos: 2 } as const;
const BAD_REQUEST = { fieldViolations: 1 } as const;
const FIELD_VIOLATION = { description: 2 } as const;
const RETRY_INFO_TYPE = 'type.googleapis.com/google.rpc.RetryInfo';
const BAD_REQUEST_TYPE = 'type.googleapis.com/google.rpc.BadRequest';

/** The texts are cut at `MAX_ANSWER_TEXT_BYTES`; the delay is rounded up to whole ms. */
export function rpcStatus({ code, message, retryAfterMs, badRequest }: RpcStatus, wire: Wire): Uint8Array {
  const text = answerText(message);
  const why = badRequest === undefined ? undefined : answerText(badRequest);
  const delay = retryAfterMs === undefined ? undefined : Math.max(0, Math.ceil(retryAfterMs));
  return wire === 'json' ? writeJson(code, text, delay, why) : writeProtobuf(code, text, delay, why);
}

function writeJson(code: number, message: string, delay: number | undefined, why: string | undefined): Uint8Array {
  const details = [
    ...(delay === undefined ? [] : [{ '@type': RETRY_INFO_TYPE, retryDelay: `${delay / 1000}s` }]),
    ...(why === undefined ? [] : [{ '@type': BAD_REQUEST_TYPE, fieldViolations: [{ description: why }] }]),
  ];
  return Buffer.from(JSON.stringify({ code, message, ...(details.length > 0 && { details }) }));
}

function writeProtobuf(code: number, message: string, delay: number | undefined, why: string | undefined): Uint8Array {
  const fields = [numberField(STATUS.code, code), bytesField(STATUS.message, Buffer.from(message))];
  if (delay !== undefined) {
    const duration = Buffer.concat([
      longField(DURATION.seconds, BigInt(Math.floor(delay / 1000))),
      numberField(DURATION.nanos, (delay % 1000) * 1_000_000),
    ]);
    fields.push(detail(RETRY_INFO_TYPE, bytesField(RETRY_INFO.retryDelay, duration)));
  }
  if (why !== undefined) {
    const violation = bytesField(FIELD_VIOLATION.description, Buffer.from(why));
    fields.push(detail(BAD_REQUEST_TYPE, bytesField(BAD_REQUEST.fieldViolations, violation)));
  }
  return Buffer.concat(fields);
}

function detail(type: string, content: Uint8Array): Uint8Array {
  const any = [bytesField(ANY.typeUrl, Buffer.from(type)), bytesField(ANY.value, content)];
  return bytesField(STATUS.details, Buffer.concat(any));
}

/** Details of other types are passed over. @throws DecodeError bad_protobuf, bad_string, bad_json */
export function readRpcStatus(bytes: Uint8Array, wire: Wire): RpcStatus {
  return wire === 'json' ? readJson(answerObject(bytes)) : readProtobuf(new Reader(bytes));
}

function readJson(status: JsonObject): RpcStatus {
  let found: Partial<RpcStatus> = {};
  const details = Array.isArray(status.details) ? status.details.map(objectIn) : [];
  for (const one of details) {
    if (one['@type'] === RETRY_INFO_TYPE) {
      const [, seconds] = /^(-?[0-9]{1,12}(?:\.[0-9]{1,9})?)s$/.exec(textIn(one.retryDelay ?? one.retry_delay)) ?? [];
      if (seconds !== undefined) found = { ...found, retryAfterMs: Math.max(0, Number(seconds) * 1000) };
    } else if (one['@type'] === BAD_REQUEST_TYPE) {
      const violations = one.fieldViolations ?? one.field_violations;
      if (Array.isArray(violations) && violations.length > 0)
        found = { ...found, badRequest: textIn(objectIn(violations[0]).description) };
    }
  }
  return { code: Number(BigInt.asIntN(32, integerIn(status.code))), message: textIn(status.message), ...found };
}

function readProtobuf(reader: Reader): RpcStatus {
  let status: RpcStatus = { code: 0, message: '' };
  while (reader.next()) {
    if (reader.field === STATUS.code) {
      reader.expect(VARINT);
      reader.varint();
      status = { ...status, code: reader.lo | 0 };
    } else if (reader.field === STATUS.message) status = { ...status, message: textField(reader) };
    else if (reader.field === STATUS.details) {
      reader.expect(BYTES);
      status = { ...status, ...readDetail(new Reader(reader.view())) };
    } else reader.skip();
  }
  return status;
}

function readDetail(any: Reader): Partial<RpcStatus> {
  let type = '';
  let content: Uint8Array = new Uint8Array(0);
  while (any.next()) {
    if (any.field === ANY.typeUrl) type = textField(any);
    else if (any.field === ANY.value) {
      any.expect(BYTES);
      content = any.view();
    } else any.skip();
  }
  if (type === RETRY_INFO_TYPE) return readRetryInfo(content);
  return type === BAD_REQUEST_TYPE ? readBadRequest(content) : {};
}

function readRetryInfo(content: Uint8Array): Partial<RpcStatus> {
  const duration = innerMessage(content, RETRY_INFO.retryDelay);
  if (!duration) return {};
  let ms = 0;
  while (duration.next()) {
    if (duration.field !== DURATION.seconds && duration.field !== DURATION.nanos) {
      duration.skip();
      continue;
    }
    duration.expect(VARINT);
    duration.varint();
    const value = Number(int64(duration.lo, duration.hi));
    ms += duration.field === DURATION.seconds ? value * 1000 : value / 1_000_000;
  }
  return { retryAfterMs: Math.max(0, ms) };
}

function readBadRequest(content: Uint8Array): Partial<RpcStatus> {
  const violation = innerMessage(content, BAD_REQUEST.fieldViolations);
  if (!violation) return {};
  let badRequest = '';
  while (violation.next()) {
    if (violation.field === FIELD_VIOLATION.description) badRequest = textField(violation);
    else violation.skip();
  }
  return { badRequest };
}

/** The first message in this field. */
function innerMessage(content: Uint8Array, field: number): Reader | undefined {
  const reader = new Reader(content);
  while (reader.next()) {
    if (reader.field !== field) {
      reader.skip();
      continue;
    }
    reader.expect(BYTES);
    return new Reader(reader.view());
  }
  return undefined;
}

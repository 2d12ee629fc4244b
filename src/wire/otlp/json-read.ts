import { DecodeError } from '../decode-error.ts';
import { JsonCursor } from '../json-cursor.ts';
import { doubleNumber, wholeNumber } from '../json-number.ts';
import { BYTES, FIXED32, FIXED64, VARINT } from '../protobuf.ts';
import { MessageWriter } from './message-writer.ts';
import type { OtlpSignal } from './response.ts';
import { type Field, type Message, REQUESTS, TYPE, type Type } from './schema.ts';

/** Smallest value and one above the largest, of types that JSON writes as whole numbers. */
const RANGES: Partial<Record<Type, readonly [bigint, bigint]>> = {
  [TYPE.int32]: [-(2n ** 31n), 2n ** 31n],
  [TYPE.uint32]: [0n, 2n ** 32n],
  [TYPE.fixed32]: [0n, 2n ** 32n],
  [TYPE.int64]: [-(2n ** 63n), 2n ** 63n],
  [TYPE.uint64]: [0n, 2n ** 64n],
  [TYPE.fixed64]: [0n, 2n ** 64n],
};
const HEX = /^(?:[0-9a-fA-F]{2})*$/;
const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/;
/** Only profile_id may be base64, since OTLP's text does not list it with those that are hex; 16 bytes are 24 letters of base64. */
const EITHER = 'profile_id';
const BASE64_ID = /^(?=.{24}$)[A-Za-z0-9+/_-]{22}==$/;

/**
 * OTLP's JSON as protobuf, in the 1.10 layout (OTLP specification, "JSON Protobuf Encoding"). Beside what that demands: names in
 * snake_case, and `sample` and `line` as in 1.8; 64-bit integers as numbers or in strings, exact; null is absent; unknown members are
 * passed over. References into the dictionary stay references. What is read is checked no further: `examineOtlp` and `examineTraces`
 * do that. Memory: 8 bytes per message beside the result and twice its length.
 * @param text may lie in shared memory
 * @throws DecodeError bad_json, bad_string, bad_value, too_deep; the sentence says where
 */
export function fromJson(text: Uint8Array, signal: OtlpSignal): Uint8Array {
  const cursor = new JsonCursor(text);
  const reading = new Reading(cursor);
  reading.message(REQUESTS[signal]);
  cursor.finish();
  return reading.writer.finish();
}

class Reading {
  readonly writer = new MessageWriter();
  readonly #cursor: JsonCursor;

  constructor(cursor: JsonCursor) {
    this.#cursor = cursor;
  }

  message(message: Message): void {
    const cursor = this.#cursor;
    cursor.object(name => {
      const field = message.byName.get(name);
      if (!field) cursor.skip();
      // null is as if the member were not there.
      else if (!cursor.takeNull()) this.#field(field, message.oneof);
    });
  }

  #field(field: Field, oneof: boolean): void {
    if (!field.repeated) this.#single(field, oneof);
    else if (isPacked(field)) {
      this.writer.tag(field.number, BYTES);
      this.writer.message(() => this.#cursor.list(() => this.#number(field, true)));
    } else this.#cursor.list(() => this.#single(field, true));
  }

  /** @param keepsZero whether a zero value is another thing than none: in a list, and in a oneof */
  #single(field: Field, keepsZero: boolean): void {
    const { writer } = this;
    const cursor = this.#cursor;
    switch (field.type) {
      case TYPE.message:
        writer.tag(field.number, BYTES);
        writer.message(() => this.message(field.message!));
        return;
      case TYPE.string: {
        const text = cursor.string();
        if (text === '' && !keepsZero) return;
        writer.tag(field.number, BYTES);
        writer.text(text);
        return;
      }
      case TYPE.bytes:
      case TYPE.id: {
        const bytes = this.#bytes(field);
        if (bytes.length === 0 && !keepsZero) return;
        writer.tag(field.number, BYTES);
        writer.view(bytes);
        return;
      }
      case TYPE.bool: {
        const value = cursor.boolean();
        if (!value && !keepsZero) return;
        writer.tag(field.number, VARINT);
        writer.number(Number(value));
        return;
      }
      case TYPE.double: {
        const at = cursor.at;
        const value = doubleNumber(cursor.numberText());
        if (value === undefined) throw this.#badValue(field, at);
        if (Object.is(value, 0) && !keepsZero) return;
        writer.tag(field.number, FIXED64);
        writer.double(value);
        return;
      }
      default:
        this.#number(field, keepsZero, true);
    }
  }

  /** A whole number, with its tag where it is not in a packed list. */
  #number(field: Field, keepsZero: boolean, tagged = false): void {
    const { writer } = this;
    const cursor = this.#cursor;
    const { type } = field;
    const isFixed = type === TYPE.fixed64 || type === TYPE.fixed32;
    const small = cursor.smallNumber();
    const value = small >= 0 ? small : this.#large(field);
    if (Number(value) === 0 && !keepsZero) return;
    if (tagged) writer.tag(field.number, type === TYPE.fixed64 ? FIXED64 : type === TYPE.fixed32 ? FIXED32 : VARINT);
    if (type === TYPE.fixed64) writer.fixed64(BigInt(value));
    else if (isFixed) writer.fixed32(Number(value));
    else if (typeof value === 'number') writer.number(value);
    else writer.long(value);
  }

  #large(field: Field): bigint {
    const at = this.#cursor.at;
    const value = wholeNumber(this.#cursor.numberText());
    const [min, limit] = RANGES[field.type]!;
    if (value === undefined || value < min || value >= limit) throw this.#badValue(field, at);
    return value;
  }

  #bytes(field: Field): Uint8Array {
    const at = this.#cursor.at;
    const text = this.#cursor.string();
    if (field.type === TYPE.id) {
      if (HEX.test(text)) return Buffer.from(text, 'hex');
      if (field.name === EITHER && BASE64_ID.test(text)) return Buffer.from(text, 'base64');
    } else if (BASE64.test(text) && text.replace(/=+$/, '').length % 4 !== 1) return Buffer.from(text, 'base64');
    throw this.#badValue(field, at);
  }

  #badValue(field: Field, at: number): DecodeError {
    return new DecodeError('bad_value', `${field.json} cannot have this value, at byte ${at}`);
  }
}

function isPacked({ type }: Field): boolean {
  return type !== TYPE.message && type !== TYPE.string && type !== TYPE.bytes && type !== TYPE.id;
}

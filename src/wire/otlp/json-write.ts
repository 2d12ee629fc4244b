import { doubleText } from '../json-number.ts';
import { BYTES, FIXED32, FIXED64, int64, numberCut, Reader, VARINT } from '../protobuf.ts';
import { MAX_DEPTH, tooDeep } from './any-value.ts';
import type { OtlpSignal } from './response.ts';
import { type Field, type Message, messageOf, REQUESTS, TYPE } from './schema.ts';

const ANY_VALUE = messageOf('AnyValue');
/** Characters that are gathered before they become a chunk. */
const CHUNK_LENGTH = 64 * 1024;
/** What JSON does not let stand in a string as it is. */
const ESCAPED = /["\\\u0000-\u001f]/;

/**
 * A request as OTLP's JSON, one line without a line end, as chunks for one writev: names in lowerCamelCase, 64-bit integers as decimal
 * strings, ids of traces, spans and profiles as hex, other bytes as base64, enums as numbers. Members are in the order of the
 * schema, and what is not on the wire is left out, as are unknown fields, which JSON has no names for. References into the dictionary
 * stay references. Each message is read as often as it has fields.
 * @param bytes a request that was examined; may lie in shared memory
 * @throws DecodeError bad_protobuf, bad_string, too_deep
 */
export function toJson(bytes: Uint8Array, signal: OtlpSignal): Uint8Array[] {
  const writing = new Writing();
  writing.message(REQUESTS[signal], bytes, 0);
  return writing.finish();
}

class Writing {
  readonly #chunks: Uint8Array[] = [];
  #text = '';

  finish(): Uint8Array[] {
    if (this.#text !== '') this.#chunks.push(Buffer.from(this.#text));
    return this.#chunks;
  }

  #add(text: string): void {
    this.#text += text;
    if (this.#text.length < CHUNK_LENGTH) return;
    this.#chunks.push(Buffer.from(this.#text));
    this.#text = '';
  }

  /** @param depth how many attribute values lie around it */
  message(message: Message, bytes: Uint8Array, depth: number): void {
    if (message === ANY_VALUE && depth >= MAX_DEPTH) throw tooDeep();
    const inner = depth + Number(message === ANY_VALUE);
    const { present, from } = fieldsIn(message, bytes);
    let separator = '{';
    for (const field of message.fields) {
      if ((present & (1 << field.number)) === 0) continue;
      this.#add(`${separator}"${field.json}":`);
      separator = ',';
      this.#member(field, bytes, from, inner);
    }
    this.#add(separator === '{' ? '{}' : '}');
  }

  #member(field: Field, bytes: Uint8Array, from: number, depth: number): void {
    const reader = new Reader(bytes, from);
    let separator = '[';
    /** Of a message that comes more than once where it should once, which is merged. */
    const contents: Uint8Array[] = [];
    let last = '';
    while (reader.next()) {
      if (reader.field !== field.number) {
        reader.skip();
        continue;
      }
      if (field.type === TYPE.message) {
        reader.expect(BYTES);
        const content = reader.view();
        if (!field.repeated) contents.push(content);
        else {
          this.#add(separator);
          separator = ',';
          this.message(field.message!, content, depth);
        }
        continue;
      }
      const isPacked = field.repeated && reader.type === BYTES && !isBytes(field);
      const outer = isPacked ? reader.enter() : reader.end;
      for (let more = !isPacked || reader.at < reader.end; more; more = isPacked && reader.at < reader.end) {
        last = this.#scalar(field, reader, isPacked);
        if (!field.repeated) continue;
        this.#add(separator + last);
        separator = ',';
      }
      reader.leave(outer);
    }
    if (field.repeated) this.#add(separator === '[' ? '[]' : ']');
    else if (field.type !== TYPE.message) this.#add(last);
    else this.message(field.message!, contents.length > 1 ? Buffer.concat(contents) : contents[0]!, depth);
  }

  #scalar(field: Field, reader: Reader, isPacked: boolean): string {
    const expect = (type: number) => {
      if (!isPacked) reader.expect(type);
    };
    switch (field.type) {
      case TYPE.string: {
        expect(BYTES);
        const text = reader.string();
        return ESCAPED.test(text) ? JSON.stringify(text) : `"${text}"`;
      }
      case TYPE.bytes:
        expect(BYTES);
        return `"${bufferOf(reader.view()).toString('base64')}"`;
      case TYPE.id:
        expect(BYTES);
        return `"${bufferOf(reader.view()).toString('hex')}"`;
      case TYPE.fixed64:
        expect(FIXED64);
        return `"${fixed(reader, 8).getBigUint64(0, true)}"`;
      case TYPE.fixed32:
        expect(FIXED32);
        return String(fixed(reader, 4).getUint32(0, true));
      case TYPE.double:
        expect(FIXED64);
        return doubleText(fixed(reader, 8).getFloat64(0, true));
    }
    expect(VARINT);
    reader.varint();
    const { lo, hi } = reader;
    switch (field.type) {
      case TYPE.bool:
        return String(lo !== 0 || hi !== 0);
      case TYPE.uint32:
        return String(lo);
      case TYPE.int32:
        return String(lo | 0);
      default:
        if (hi === 0) return `"${lo}"`;
        return `"${field.type === TYPE.uint64 ? BigInt.asUintN(64, int64(lo, hi)) : int64(lo, hi)}"`;
    }
  }
}

/**
 * Which fields of the schema are there, a bit for each number, and where to read from: of a oneof only the last field counts, and what
 * came before another member of it is forgotten.
 */
function fieldsIn({ byNumber, oneof }: Message, bytes: Uint8Array): { present: number; from: number } {
  let present = 0;
  let start = 0;
  const reader = new Reader(bytes);
  for (let from = 0; reader.next(); from = reader.at) {
    const bit = byNumber[reader.field] ? 1 << reader.field : 0;
    if (oneof && bit !== 0 && bit !== present) {
      present = 0;
      start = from;
    }
    present |= bit;
    reader.skip();
  }
  return { present, from: start };
}

const isBytes = ({ type }: Field) => type === TYPE.string || type === TYPE.bytes || type === TYPE.id;
const bufferOf = (view: Uint8Array) => Buffer.from(view.buffer, view.byteOffset, view.length);

/** The number of this many bytes at the cursor, which goes behind it. */
function fixed(reader: Reader, size: number): DataView {
  const { bytes, at } = reader;
  if (size > reader.end - at) throw numberCut();
  reader.at = at + size;
  return new DataView(bytes.buffer, bytes.byteOffset + at, size);
}

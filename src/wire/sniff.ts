// What bytes are, by what they say and not by what they are called.
import type { Form } from '../model/payload.ts';
import { DecodeError } from './decode-error.ts';
import { JsonCursor } from './json-cursor.ts';
import { isLegacy } from './legacy/decode.ts';
import { isPerf } from './perf/decode.ts';
import { BYTES, FIXED32, FIXED64, Reader, VARINT } from './protobuf.ts';
import { TextLines, trimBlanks } from './text-lines.ts';

/** How much of a text is looked at. */
const HEAD_BYTES = 16_384;
/** Fields at the top level of a protobuf message that are looked at. */
const HEAD_FIELDS = 64;
const JFR_MAGIC = [0x46, 0x4c, 0x52, 0x00];

/**
 * The form of inflated bytes; undefined where it is none that can be told. Looks at the first kilobytes; only of JSON at all of it, where the
 * members that tell it come last. Never guesses `lines`, `tree` or `trie`, which any bytes could be: those are what a sender says they are.
 * Whether the bytes are sound is for the decoder to say.
 */
export function formOf(bytes: Uint8Array): Form | undefined {
  if (bytes.length === 0) return undefined;
  if (JFR_MAGIC.every((byte, at) => bytes[at] === byte)) return 'jfr';
  const wide = headOfUtf16(bytes);
  if (wide !== undefined) return areGroups(wide) ? 'groups' : undefined;
  if (isJsonText(bytes)) return jsonForm(bytes);
  const isText = looksLikeText(bytes);
  if (isLegacy(bytes)) return 'legacy';
  if (!isText) return protobufForm(bytes);
  if (isPerf(bytes)) return 'perf';
  return areGroups(bytes) ? 'groups' : protobufForm(bytes);
}

/** Whether a JSON object or list begins here: a brace and the name of its first member, or a bracket and the begin of a value. */
export function isJsonText(bytes: Uint8Array): boolean {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, HEAD_BYTES)).toString('latin1');
  // A first byte 0x0a is both an empty line and a field of a message, so the name has to be one: without control characters.
  return /^[ \t\r\n]*(?:\{[ \t\r\n]*(?:\}|"(?:[^"\\\u0000-\u001f]|\\.)*"[ \t\r\n]*:)|\[[ \t\r\n]*(?:[\]{["tfn]|-?[0-9]))/.test(
    head,
  );
}

/** Ends the walk over an object once its form is known. */
class Found {
  readonly form: Form;
  constructor(form: Form) {
    this.form = form;
  }
}

function jsonForm(bytes: Uint8Array): Form | undefined {
  const names = new Set<string>();
  try {
    const json = new JsonCursor(bytes);
    json.object(name => {
      names.add(name);
      if (name === 'resourceProfiles' || name === 'resource_profiles') throw new Found('otlp');
      if (names.has('nodes') && (names.has('timeDeltas') || names.has('startTime'))) throw new Found('cpuprofile');
      if (names.has('shared') && names.has('profiles')) throw new Found('speedscope');
      if (name === '$schema' && json.isString()) {
        if (json.string().includes('speedscope')) throw new Found('speedscope');
      } else if (name === 'head') checkHead(json);
      else json.skip();
    });
  } catch (error) {
    if (error instanceof Found) return error.form;
    // Cut or wrong JSON: what it is would have been said before.
    if (!(error instanceof DecodeError)) throw error;
  }
  return undefined;
}

/** The first node of V8's heap profile. */
function checkHead(json: JsonCursor): void {
  json.object(name => {
    if (name === 'callFrame' || name === 'selfSize') throw new Found('heapprofile');
    json.skip();
  });
}

/** Wire types of the fields 1 to 14 of a pprof; numbers of field 13 may be packed. */
const PPROF_TYPES: readonly (number | undefined)[] = [
  undefined,
  ...[BYTES, BYTES, BYTES, BYTES, BYTES, BYTES],
  ...[VARINT, VARINT, VARINT, VARINT, BYTES, VARINT, undefined, VARINT],
];
/** Bytes of a message that may go wrong further on: random bytes do so after a field or two. */
const LEAST_SOUND = 16;
const isWireType = (type: number) => type === VARINT || type === FIXED64 || type === BYTES || type === FIXED32;

/**
 * pprof and a request of OTLP begin with the same two bytes. Field 1 of pprof holds two numbers, that of a request holds messages; field 2 of
 * pprof is a sample, of three fields, that of a request a dictionary of seven tables; other fields has pprof only.
 */
function protobufForm(bytes: Uint8Array): 'pprof' | 'otlp' | undefined {
  const reader = new Reader(bytes);
  let form: 'pprof' | 'otlp' | undefined;
  // What a message told that holds fields, and not only that a field is there.
  let told: 'pprof' | 'otlp' | 'neither' | undefined;
  const sure = () => (told === form && reader.at >= Math.min(LEAST_SOUND, bytes.length) ? form : undefined);
  try {
    for (let seen = 0; seen < HEAD_FIELDS && reader.next(); seen++) {
      const { field, type } = reader;
      const known = PPROF_TYPES[field];
      if (known === undefined ? !isWireType(type) : type !== known && !(field === 13 && type === BYTES)) return sure();
      if (field === 1 || field === 2) {
        const outer = reader.enter();
        const said = field === 1 ? firstFieldForm(reader) : secondFieldForm(reader);
        if (said === 'neither') return sure();
        told ??= said;
        form ??= said;
        reader.at = reader.end;
        reader.leave(outer);
        continue;
      }
      if (known !== undefined) form ??= 'pprof';
      reader.skip();
    }
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return sure();
  }
  return form;
}

function firstFieldForm(reader: Reader): 'pprof' | 'otlp' | 'neither' | undefined {
  let form: 'pprof' | 'otlp' | undefined;
  while (reader.next()) {
    const { field, type } = reader;
    const isNumber = type === VARINT && field <= 2;
    const isMessage = type === BYTES && (field <= 3 || field === 1000);
    const told = isNumber ? 'pprof' : isMessage ? 'otlp' : undefined;
    if (told === undefined || (form !== undefined && told !== form)) return 'neither';
    form = told;
    reader.skip();
  }
  return form;
}

function secondFieldForm(reader: Reader): 'pprof' | 'otlp' | 'neither' | undefined {
  let form: 'pprof' | 'otlp' | undefined;
  while (reader.next()) {
    const { field, type } = reader;
    if (type === VARINT && field <= 2) form ??= 'pprof';
    else if (type !== BYTES || field > 7) return 'neither';
    else if (field > 3) form ??= 'otlp';
    reader.skip();
  }
  return form;
}

/** Whether there is no control character but blanks and line ends, in the first part. */
function looksLikeText(bytes: Uint8Array): boolean {
  const length = Math.min(bytes.length, HEAD_BYTES);
  for (let at = 0; at < length; at++) {
    const byte = bytes[at]!;
    if ((byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) || byte === 0x7f) return false;
  }
  return true;
}

/** The first part of UTF-16 that begins with its mark, as one byte per character; undefined of others. Only folded text comes so. */
function headOfUtf16(bytes: Uint8Array): Uint8Array | undefined {
  const mark = bytes[0]! * 256 + (bytes[1] ?? 0);
  if (mark !== 0xfffe && mark !== 0xfeff) return undefined;
  const low = mark === 0xfffe ? 0 : 1;
  const narrow = new Uint8Array(Math.min(bytes.length >> 1, HEAD_BYTES) - 1);
  for (let at = 0; at < narrow.length; at++) {
    const pair = 2 * at + 2;
    narrow[at] = bytes[pair + 1 - low] === 0 ? bytes[pair + low]! : 0x3f;
  }
  return narrow;
}

/** Whether most lines end in a blank and a whole number. */
function areGroups(bytes: Uint8Array): boolean {
  const lines = new TextLines(bytes.subarray(0, HEAD_BYTES));
  let counted = 0;
  let others = 0;
  let last = false;
  while (lines.next()) {
    const line = trimBlanks(lines.text);
    if (line === '') continue;
    const space = line.lastIndexOf(' ');
    last = space > 0 && /^-?[0-9]+$/.test(line.slice(space + 1));
    if (last) counted++;
    else others++;
  }
  // The last line may be cut, where it is not the first.
  if (bytes.length > HEAD_BYTES && !last && counted > 0) others--;
  return counted > others;
}

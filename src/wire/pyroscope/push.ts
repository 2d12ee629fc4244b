// push.v1.PushRequest (grafana/pyroscope api/push/v1/push.proto), protobuf and JSON.
import { isUtf8 } from 'node:buffer';
import { DecodeError } from '../decode-error.ts';
import { BYTES, fieldHead, Reader } from '../protobuf.ts';

/** Series, labels and samples in one request; SDKs send some 20. Each costs us objects, even where it took two bytes to say. */
const MAX_ELEMENTS = 10_000;
/** Brackets, braces and commas of a JSON request: what JSON.parse makes objects and slots of. */
const MAX_JSON_MARKS = 20 * MAX_ELEMENTS;

export interface PushSample {
  /** A view on the request. */
  readonly rawProfile: Uint8Array;
  readonly id: string;
}
export interface PushSeries {
  readonly labels: readonly (readonly [string, string])[];
  readonly samples: readonly PushSample[];
}

/** @throws DecodeError bad_protobuf, bad_string, too_many_elements */
export function decodePush(bytes: Uint8Array): PushSeries[] {
  const reader = new Reader(bytes);
  const series: PushSeries[] = [];
  const budget = { left: MAX_ELEMENTS };
  while (reader.next()) {
    if (reader.field !== 1) {
      reader.skip();
      continue;
    }
    spend(budget);
    const outer = reader.enter();
    series.push(decodeSeries(reader, budget));
    reader.leave(outer);
  }
  return series;
}

function spend(budget: { left: number }): void {
  if (--budget.left < 0)
    throw new DecodeError('too_many_elements', `more than ${MAX_ELEMENTS} series, labels and samples`);
}

function decodeSeries(reader: Reader, budget: { left: number }): PushSeries {
  const labels: [string, string][] = [];
  const samples: PushSample[] = [];
  while (reader.next()) {
    if (reader.field > 2) {
      reader.skip();
      continue;
    }
    spend(budget);
    const isLabel = reader.field === 1;
    const outer = reader.enter();
    if (isLabel) labels.push(decodeLabel(reader));
    else samples.push(decodeSample(reader));
    reader.leave(outer);
  }
  return { labels, samples };
}

function decodeLabel(reader: Reader): [string, string] {
  const label: [string, string] = ['', ''];
  while (reader.next()) {
    if (reader.field === 1 || reader.field === 2) {
      reader.expect(BYTES);
      label[reader.field - 1] = reader.string();
    } else reader.skip();
  }
  return label;
}

function decodeSample(reader: Reader): PushSample {
  let rawProfile: Uint8Array = new Uint8Array();
  let id = '';
  while (reader.next()) {
    if (reader.field === 1) {
      reader.expect(BYTES);
      rawProfile = reader.view();
    } else if (reader.field === 2) {
      reader.expect(BYTES);
      id = reader.string();
    } else reader.skip();
  }
  return { rawProfile, id };
}

/**
 * proto3 JSON of the same; both spellings of field names. Profiles land in new buffers.
 * @throws DecodeError bad_json, bad_string, too_many_elements
 */
export function decodePushJson(bytes: Uint8Array): PushSeries[] {
  if (!isUtf8(bytes)) throw new DecodeError('bad_string', 'the body is not valid UTF-8');
  boundMarks(bytes);
  let request: unknown;
  try {
    request = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch {
    throw new DecodeError('bad_json', 'the body is not JSON');
  }
  const budget = { left: MAX_ELEMENTS };
  return list(object(request, 'the body').series, 'series').map((item, n) => {
    spend(budget);
    const one = object(item, `series[${n}]`);
    return {
      labels: list(one.labels, 'labels').map(pair => {
        spend(budget);
        const { name, value } = object(pair, 'a label');
        return [text(name, 'a label name'), text(value, 'a label value')] as const;
      }),
      samples: list(one.samples, 'samples').map(sample => {
        spend(budget);
        const { rawProfile, raw_profile, ID, id } = object(sample, 'a sample');
        return { rawProfile: base64(text(rawProfile ?? raw_profile, 'rawProfile')), id: text(ID ?? id, 'ID') };
      }),
    };
  });
}

/** A body of commas and brackets takes ten times its size once parsed: it is refused before. base64 has none of them. */
function boundMarks(bytes: Uint8Array): void {
  let marks = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === 0x2c || byte === 0x5b || byte === 0x7b) marks++;
  }
  if (marks > MAX_JSON_MARKS) throw new DecodeError('too_many_elements', 'the JSON has too many elements');
}

/** Both alphabets, padded or not, as protobuf's JSON mapping has it. */
function base64(value: string): Buffer {
  const digits = /^([A-Za-z0-9+/_-]*)={0,2}$/.exec(value)?.[1]?.length;
  if (digits === undefined || digits % 4 === 1) throw new DecodeError('bad_json', 'rawProfile is not base64');
  return Buffer.from(value, 'base64');
}

function object(value: unknown, what: string): Record<string, unknown> {
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw new DecodeError('bad_json', `${what} is not an object`);
  return value as Record<string, unknown>;
}
function list(value: unknown, what: string): unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new DecodeError('bad_json', `${what} is not a list`);
  return value;
}
function text(value: unknown, what: string): string {
  if (value === undefined || value === null) return '';
  if (typeof value !== 'string') throw new DecodeError('bad_json', `${what} is not a string`);
  return value;
}

/** The request as chunks to send one after another; profile bytes are not copied. */
export function encodePush(series: readonly PushSeries[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (const { labels, samples } of series) {
    const inner: Uint8Array[] = [];
    for (const [name, value] of labels) {
      const parts = [...stringField(1, name), ...stringField(2, value)];
      inner.push(fieldHead(1, sizeOf(parts)), ...parts);
    }
    for (const { rawProfile, id } of samples) {
      const parts = [fieldHead(1, rawProfile.length), rawProfile, ...(id === '' ? [] : stringField(2, id))];
      inner.push(fieldHead(2, sizeOf(parts)), ...parts);
    }
    chunks.push(fieldHead(1, sizeOf(inner)), ...inner);
  }
  return join(chunks);
}

function stringField(field: number, value: string): Uint8Array[] {
  const bytes = Buffer.from(value);
  return [fieldHead(field, bytes.length), bytes];
}

function sizeOf(chunks: readonly Uint8Array[]): number {
  let size = 0;
  for (const chunk of chunks) size += chunk.length;
  return size;
}

/** Chunks up to this many bytes are copied together: a write of its own costs more. */
const JOIN_BYTES = 4096;

function join(chunks: readonly Uint8Array[]): Uint8Array[] {
  const joined: Uint8Array[] = [];
  let small: Uint8Array[] = [];
  const flush = () => {
    if (small.length > 0) joined.push(Buffer.concat(small));
    small = [];
  };
  for (const chunk of chunks) {
    if (chunk.length <= JOIN_BYTES) small.push(chunk);
    else {
      flush();
      joined.push(chunk);
    }
  }
  flush();
  return joined;
}

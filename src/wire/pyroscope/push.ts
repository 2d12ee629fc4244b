// push.v1.PushRequest (grafana/pyroscope api/push/v1/push.proto), protobuf and JSON.
import { DecodeError } from '../decode-error.ts';
import { BYTES, fieldHead, Reader } from '../protobuf.ts';

/** Series and samples in one request; SDKs send up to 2. Each costs us an envelope. */
const MAX_SAMPLES = 10_000;

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
  const budget = { samples: MAX_SAMPLES };
  while (reader.next()) {
    if (reader.field === 1) series.push(message(reader, () => decodeSeries(reader, budget)));
    else reader.skip();
  }
  return series;
}

function decodeSeries(reader: Reader, budget: { samples: number }): PushSeries {
  const labels: [string, string][] = [];
  const samples: PushSample[] = [];
  while (reader.next()) {
    if (reader.field > 2) {
      reader.skip();
      continue;
    }
    if (--budget.samples < 0) throw new DecodeError('too_many_elements', `more than ${MAX_SAMPLES} labels and samples`);
    if (reader.field === 1) labels.push(message(reader, () => decodeLabel(reader)));
    else samples.push(message(reader, () => decodeSample(reader)));
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

/** Reads the message at the cursor with the reader narrowed to it. */
function message<T>(reader: Reader, read: () => T): T {
  reader.expect(BYTES);
  const length = reader.length();
  const outer = reader.end;
  reader.end = reader.at + length;
  const value = read();
  reader.end = outer;
  return value;
}

/** proto3 JSON of the same; both spellings of field names. Profiles land in new buffers. @throws DecodeError bad_json */
export function decodePushJson(bytes: Uint8Array): PushSeries[] {
  let request: unknown;
  try {
    request = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch {
    throw new DecodeError('bad_json', 'the body is not JSON');
  }
  return list(object(request, 'the body').series, 'series').map((item, n) => {
    const one = object(item, `series[${n}]`);
    return {
      labels: list(one.labels, 'labels').map(pair => {
        const { name, value } = object(pair, 'a label');
        return [text(name, 'a label name'), text(value, 'a label value')] as const;
      }),
      samples: list(one.samples, 'samples').map(sample => {
        const { rawProfile, raw_profile, ID, id } = object(sample, 'a sample');
        const base64 = text(rawProfile ?? raw_profile, 'rawProfile');
        if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(base64)) throw new DecodeError('bad_json', 'rawProfile is not base64');
        return { rawProfile: Buffer.from(base64, 'base64'), id: text(ID ?? id, 'ID') };
      }),
    };
  });
}

function object(value: unknown, what: string): Record<string, unknown> {
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw new DecodeError('bad_json', `${what} is not an object`);
  return value as Record<string, unknown>;
}
function list(value: unknown, what: string): unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new DecodeError('bad_json', `${what} is not a list`);
  if (value.length > MAX_SAMPLES) throw new DecodeError('too_many_elements', `more than ${MAX_SAMPLES} ${what}`);
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

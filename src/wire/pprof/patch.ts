import { grownBytes } from '../../model/columns/growth.ts';
import { DecodeError } from '../decode-error.ts';
import { BYTES, varintBytes } from '../protobuf.ts';
import { Cursor } from './cursor.ts';

const SAMPLE = 0x12;
const STRING = 0x32;
const LABEL = 0x1a;
const LABEL_KEY = 0x08;
/** Longest varint of a length, bytes. */
const MAX_LENGTH_BYTES = 5;

export interface StringLabel {
  readonly key: string;
  readonly value: string;
}

/** What the string table says of the labels to set. */
interface Table {
  readonly strings: number;
  readonly samples: number;
  /** Rows that hold one of the keys: samples may have such labels already. */
  readonly keys: ReadonlySet<number>;
  /** By text, where it is there. */
  readonly rows: ReadonlyMap<string, number>;
}

/**
 * Gives every sample these string labels without decoding it: new bytes for the label field of each sample, and everything else as it
 * came, byte by byte. Labels of the same keys are replaced; their texts stay in the string table, so this is not for hiding
 * something. About three times as fast as decode, edit and encode, and it checks only what it walks over.
 * @param raw an inflated pprof that was found sound; may lie in shared memory
 * @returns new memory
 * @throws DecodeError bad_protobuf, string_table
 */
export function patchLabels(raw: Uint8Array, labels: readonly StringLabel[]): Uint8Array {
  const cursor = new Cursor(raw);
  const table = look(cursor, labels);
  const { fields, strings } = written(labels, table);
  const output = new Output(raw.length + table.samples * (fields.length + 1) + strings.length + 64);
  const end = raw.length;
  /** What was not copied yet. */
  let rest = 0;
  for (let at = 0; at < end; ) {
    const from = at;
    at = pass(cursor, at, end);
    if (raw[from] !== SAMPLE) continue;
    output.copy(raw, rest, from);
    rest = at;
    writeSample(output, cursor, at - cursor.lo, at, table.keys, fields);
  }
  output.copy(raw, rest, end);
  output.copy(strings, 0, strings.length);
  return output.bytes.subarray(0, output.length);
}

/** One look at the string table, and a count of the samples. */
function look(cursor: Cursor, labels: readonly StringLabel[]): Table {
  const { bytes } = cursor;
  const wanted = new Map<number, Buffer[]>();
  for (const text of labels.flatMap(({ key, value }) => [key, value])) {
    const buffer = Buffer.from(text);
    wanted.set(buffer.length, [...(wanted.get(buffer.length) ?? []), buffer]);
  }
  const isKey = new Set(labels.map(({ key }) => key));
  const keys = new Set<number>();
  const rows = new Map<string, number>();
  let strings = 0;
  let samples = 0;
  const end = bytes.length;
  for (let at = 0; at < end; ) {
    const tag = bytes[at];
    at = pass(cursor, at, end);
    if (tag === SAMPLE) samples++;
    if (tag !== STRING) continue;
    for (const buffer of wanted.get(cursor.lo) ?? []) {
      if (buffer.compare(bytes, at - cursor.lo, at) !== 0) continue;
      const text = buffer.toString();
      if (!rows.has(text)) rows.set(text, strings);
      if (isKey.has(text)) keys.add(strings);
    }
    strings++;
  }
  if (strings === 0) throw new DecodeError('string_table', 'the string table is missing');
  return { strings, samples, keys, rows };
}

/** The label fields for the end of each sample, and the string fields for the end of the profile. */
function written(
  labels: readonly StringLabel[],
  { strings, rows }: Table,
): { fields: Uint8Array; strings: Uint8Array } {
  const added = new Map<string, number>();
  const rowOf = (text: string) => {
    const row = rows.get(text) ?? added.get(text) ?? strings + added.size;
    if (!rows.has(text)) added.set(text, row);
    return row;
  };
  // Of two labels with one key the last one counts.
  const fields = [...new Map(labels.map(({ key, value }) => [key, value]))].flatMap(([key, value]) => {
    const content = [LABEL_KEY, ...varintBytes(rowOf(key)), 0x10, ...varintBytes(rowOf(value))];
    return [LABEL, ...varintBytes(content.length), ...content];
  });
  const texts = [...added.keys()].map(text => {
    const content = Buffer.from(text);
    return Buffer.concat([Buffer.of(STRING, ...varintBytes(content.length)), content]);
  });
  return { fields: Uint8Array.from(fields), strings: Buffer.concat(texts) };
}

function writeSample(
  output: Output,
  cursor: Cursor,
  start: number,
  end: number,
  keys: ReadonlySet<number>,
  fields: Uint8Array,
): void {
  if (keys.size === 0) {
    output.head(end - start + fields.length);
    output.copy(cursor.bytes, start, end);
    output.copy(fields, 0, fields.length);
    return;
  }
  // Kept runs of fields, and what they are long together.
  const runs: number[] = [];
  let kept = 0;
  let run = start;
  for (let at = start; at < end; ) {
    const from = at;
    at = pass(cursor, at, end);
    if (cursor.bytes[from] !== LABEL || !hasKey(cursor, from + 1, at, keys)) continue;
    runs.push(run, from);
    kept += from - run;
    run = at;
  }
  runs.push(run, end);
  kept += end - run;
  output.head(kept + fields.length);
  for (let at = 0; at < runs.length; at += 2) output.copy(cursor.bytes, runs[at]!, runs[at + 1]!);
  output.copy(fields, 0, fields.length);
}

/** Passes over a field; where it is one with a length, and of a short tag, that length is the last number. */
function pass(cursor: Cursor, at: number, end: number): number {
  const tag = cursor.bytes[at]!;
  return tag < 0x80 && (tag & 7) === BYTES && tag > 7 ? cursor.readLength(at + 1, end) : cursor.skip(at, end, 0);
}

/** Whether the label whose length stands at `start` has one of these keys. */
function hasKey(cursor: Cursor, start: number, end: number, keys: ReadonlySet<number>): boolean {
  let key = 0;
  for (let at = cursor.readLength(start, end) - cursor.lo; at < end; ) {
    const from = at;
    at = cursor.readNumber(at, end);
    if (cursor.small !== LABEL_KEY) at = cursor.skip(from, end, 0);
    else {
      at = cursor.readNumber(at, end);
      key = cursor.small;
    }
  }
  return keys.has(key);
}

/** Bytes that are written from the beginning to the end. */
class Output {
  bytes: Uint8Array;
  length = 0;

  constructor(capacity: number) {
    this.bytes = new Uint8Array(capacity);
  }

  /** Tag and length of a sample. */
  head(size: number): void {
    this.bytes = grownBytes(this.bytes, this.length + 1 + MAX_LENGTH_BYTES);
    const { bytes } = this;
    bytes[this.length++] = SAMPLE;
    let rest = size;
    for (; rest >= 0x80; rest >>>= 7) bytes[this.length++] = rest | 0x80;
    bytes[this.length++] = rest;
  }

  copy(source: Uint8Array, from: number, to: number): void {
    const size = to - from;
    this.bytes = grownBytes(this.bytes, this.length + size);
    const { bytes, length } = this;
    // Setting up a native copy costs as much as some 50 bytes.
    if (size > 64) bytes.set(source.subarray(from, to), length);
    else for (let at = 0; at < size; at++) bytes[length + at] = source[from + at]!;
    this.length = length + size;
  }
}

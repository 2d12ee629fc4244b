import type { Columns, ValueTypeRows } from '../../model/columns/columns.ts';
import type { Ranges } from '../../model/columns/unknown.ts';
import { BackWriter, putField, putField64, putHead, putNumber } from './back-writer.ts';
import { writeSamples } from './encode-samples.ts';
import { writeStrings } from './encode-strings.ts';
import { writeFunctions, writeLocations, writeMappings } from './encode-symbols.ts';
import { putUnknown, unknownBytes } from './encode-unknown.ts';
import { liveRows } from './live.ts';

const output = new BackWriter();

/**
 * Columns as pprof, exact; unknown fields come last in their message, default values are left out, numbers are packed. String rows
 * and ids stay as they were. Once something was edited, what nothing refers to any more is left out, and its text with it
 * (`liveRows`). No object per row.
 * @returns a view on scratch memory that is valid until the next call
 */
export function encodePprof(columns: Columns): Uint8Array {
  const live = columns.edited ? liveRows(columns) : undefined;
  output.clear(Math.ceil(columns.source.length * 1.05) + 64);
  writeTail(output, columns);
  writeStrings(output, columns.strings, live?.strings);
  writeFunctions(output, columns, live?.functions);
  writeLocations(output, columns, live?.locations);
  writeMappings(output, columns, live?.mappings);
  writeSamples(output, columns);
  const unknown = columns.unknown?.of('sampleType');
  for (let row = columns.sampleTypes.length - 1; row >= 0; row--)
    writeValueType(output, columns, 0x0a, columns.sampleTypes[row]!, unknown, row);
  return output.bytes.subarray(output.at);
}

/** For when the encoded bytes are done with: the memory of a large one does not stay until the next. */
export function releaseOutput(): void {
  output.release();
}

/** What stands behind the string table. */
function writeTail(writer: BackWriter, columns: Columns): void {
  const { periodType, comments, unknown } = columns;
  writer.room(48 + 5 * comments.length + unknownBytes(unknown?.of('profile')));
  const { bytes } = writer;
  let at = putUnknown(bytes, writer.at, columns.source, unknown?.of('profile'), 0);
  at = putField(bytes, at, 0x78, columns.docUrl);
  at = putField(bytes, at, 0x70, columns.defaultSampleType);
  if (comments.length > 0) {
    const end = at;
    for (let place = comments.length - 1; place >= 0; place--) at = putNumber(bytes, at, comments.items[place]!);
    at = putHead(bytes, at, 0x6a, end);
  }
  writer.at = putBig(bytes, at, 0x60, columns.period);
  if (periodType) writeValueType(writer, columns, 0x5a, periodType, unknown?.of('periodType'), 0);
  writeTimes(writer, columns);
}

function writeTimes(writer: BackWriter, columns: Columns): void {
  writer.room(48);
  const { bytes } = writer;
  let at = putBig(bytes, writer.at, 0x50, columns.durationNanos);
  at = putBig(bytes, at, 0x48, columns.timeNanos);
  at = putField(bytes, at, 0x40, columns.keepFrames);
  writer.at = putField(bytes, at, 0x38, columns.dropFrames);
}

function putBig(bytes: Uint8Array, end: number, tag: number, value: bigint): number {
  return putField64(bytes, end, tag, Number(value & 0xffffffffn), Number((value >> 32n) & 0xffffffffn));
}

function writeValueType(
  writer: BackWriter,
  columns: Columns,
  tag: number,
  { type, unit }: ValueTypeRows,
  unknown: Ranges | undefined,
  row: number,
): void {
  writer.room(24 + unknownBytes(unknown));
  const { bytes } = writer;
  const end = writer.at;
  let at = putUnknown(bytes, end, columns.source, unknown, row);
  at = putField(bytes, at, 0x10, unit);
  at = putField(bytes, at, 0x08, type);
  writer.at = putHead(bytes, at, tag, end);
}

import type { Columns, ValueTypeRows } from '../../model/columns/columns.ts';
import type { Ranges } from '../../model/columns/unknown.ts';
import { BackWriter } from './back-writer.ts';
import { writeSamples } from './encode-samples.ts';
import { writeStrings } from './encode-strings.ts';
import { writeFunctions, writeLocations, writeMappings } from './encode-symbols.ts';
import { writeUnknown } from './encode-unknown.ts';
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

/** What stands behind the string table. */
function writeTail(writer: BackWriter, columns: Columns): void {
  writeUnknown(writer, columns.source, columns.unknown?.of('profile'), 0);
  writer.room(64 + 5 * columns.comments.length);
  writer.field(0x78, columns.docUrl);
  writer.field(0x70, columns.defaultSampleType);
  if (columns.comments.length > 0) {
    const before = writer.written;
    for (let at = columns.comments.length - 1; at >= 0; at--) writer.number(columns.comments.items[at]!);
    writer.head(0x6a, before);
  }
  writer.fieldBig(0x60, columns.period);
  const { periodType } = columns;
  if (periodType) writeValueType(writer, columns, 0x5a, periodType, columns.unknown?.of('periodType'), 0);
  writer.room(64);
  writer.fieldBig(0x50, columns.durationNanos);
  writer.fieldBig(0x48, columns.timeNanos);
  writer.field(0x40, columns.keepFrames);
  writer.field(0x38, columns.dropFrames);
}

function writeValueType(
  writer: BackWriter,
  columns: Columns,
  tag: number,
  { type, unit }: ValueTypeRows,
  unknown: Ranges | undefined,
  row: number,
): void {
  const before = writer.written;
  writeUnknown(writer, columns.source, unknown, row);
  writer.room(24);
  writer.field(0x10, unit);
  writer.field(0x08, type);
  writer.head(tag, before);
}

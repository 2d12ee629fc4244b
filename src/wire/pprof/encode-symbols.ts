import type { Columns } from '../../model/columns/columns.ts';
import type { Ids } from '../../model/columns/ids.ts';
import { type BackWriter, putField, putField64, putHead } from './back-writer.ts';
import { putUnknown, unknownBytes } from './encode-unknown.ts';

/** Mapping messages, last first. @param live which rows to write; all when undefined */
export function writeMappings(writer: BackWriter, columns: Columns, live: Uint8Array | undefined): void {
  const { mappings, source } = columns;
  const unknown = columns.unknown?.of('mapping');
  const room = 80 + unknownBytes(unknown);
  const start = mappings.start.halves;
  const limit = mappings.limit.halves;
  const offset = mappings.offset.halves;
  for (let row = mappings.count - 1; row > 0; row--) {
    if (live && live[row] === 0) continue;
    writer.room(room);
    const { bytes } = writer;
    const end = writer.at;
    let at = putUnknown(bytes, end, source, unknown, row);
    for (let flag = 3; flag >= 0; flag--) at = putField(bytes, at, (7 + flag) * 8, (mappings.flags[row]! >>> flag) & 1);
    at = putField(bytes, at, 0x30, mappings.buildId[row]!);
    at = putField(bytes, at, 0x28, mappings.file[row]!);
    at = putField64(bytes, at, 0x20, offset[2 * row]!, offset[2 * row + 1]!);
    at = putField64(bytes, at, 0x18, limit[2 * row]!, limit[2 * row + 1]!);
    at = putField64(bytes, at, 0x10, start[2 * row]!, start[2 * row + 1]!);
    at = putId(bytes, at, 0x08, mappings.ids, row);
    writer.at = putHead(bytes, at, 0x1a, end);
  }
}

/** Location messages with their lines, last first. */
export function writeLocations(writer: BackWriter, columns: Columns, live: Uint8Array | undefined): void {
  const { locations, mappings, source } = columns;
  const { lineStart, lineEnd } = locations;
  const unknown = columns.unknown?.of('location');
  const room = 48 + unknownBytes(unknown) + unknownBytes(columns.unknown?.of('line'));
  const { halves } = locations.address;
  for (let row = locations.count - 1; row > 0; row--) {
    if (live && live[row] === 0) continue;
    const first = lineStart[row]!;
    const last = lineEnd[row]!;
    writer.room(room + 40 * (last - first));
    const { bytes } = writer;
    const end = writer.at;
    let at = end;
    if (unknown) at = putUnknown(bytes, at, source, unknown, row);
    at = putField(bytes, at, 0x28, locations.folded[row]!);
    for (let line = last - 1; line >= first; line--) at = putLine(bytes, at, columns, line);
    at = putField64(bytes, at, 0x18, halves[2 * row]!, halves[2 * row + 1]!);
    at = putId(bytes, at, 0x10, mappings.ids, locations.mapping[row]!);
    at = putId(bytes, at, 0x08, locations.ids, row);
    writer.at = putHead(bytes, at, 0x22, end);
  }
}

function putLine(
  bytes: Uint8Array,
  end: number,
  { locations, functions, unknown, source }: Columns,
  row: number,
): number {
  const { lines } = locations;
  const line = lines.line.halves;
  const column = lines.column.halves;
  let at = end;
  if (unknown) at = putUnknown(bytes, at, source, unknown.of('line'), row);
  at = putField64(bytes, at, 0x18, column[2 * row]!, column[2 * row + 1]!);
  at = putField64(bytes, at, 0x10, line[2 * row]!, line[2 * row + 1]!);
  at = putId(bytes, at, 0x08, functions.ids, lines.function[row]!);
  return putHead(bytes, at, 0x22, end);
}

/** Function messages, last first. */
export function writeFunctions(writer: BackWriter, columns: Columns, live: Uint8Array | undefined): void {
  const { functions, source } = columns;
  const unknown = columns.unknown?.of('function');
  const room = 48 + unknownBytes(unknown);
  const { name, systemName, file, ids } = functions;
  const { halves } = functions.startLine;
  for (let row = functions.count - 1; row > 0; row--) {
    if (live && live[row] === 0) continue;
    writer.room(room);
    const { bytes } = writer;
    const end = writer.at;
    let at = end;
    if (unknown) at = putUnknown(bytes, at, source, unknown, row);
    at = putField64(bytes, at, 0x28, halves[2 * row]!, halves[2 * row + 1]!);
    at = putField(bytes, at, 0x20, file[row]!);
    at = putField(bytes, at, 0x18, systemName[row]!);
    at = putField(bytes, at, 0x10, name[row]!);
    at = putId(bytes, at, 0x08, ids, row);
    writer.at = putHead(bytes, at, 0x2a, end);
  }
}

/** The id of a row, left out for row 0. */
function putId(bytes: Uint8Array, end: number, tag: number, ids: Ids, row: number): number {
  if (ids.sequential || row === 0) return putField(bytes, end, tag, row);
  return putField64(bytes, end, tag, ids.lo(row), ids.hi(row));
}

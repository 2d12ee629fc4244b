import type { Columns } from '../../model/columns/columns.ts';
import type { BackWriter } from './back-writer.ts';
import { writeUnknown } from './encode-unknown.ts';

/** Mapping messages, last first. @param live which rows to write; all when undefined */
export function writeMappings(writer: BackWriter, columns: Columns, live: Uint8Array | undefined): void {
  const { mappings, source } = columns;
  const unknown = columns.unknown?.of('mapping');
  const start = mappings.start.halves;
  const limit = mappings.limit.halves;
  const offset = mappings.offset.halves;
  for (let row = mappings.count - 1; row > 0; row--) {
    if (live && live[row] === 0) continue;
    const before = writer.written;
    writeUnknown(writer, source, unknown, row);
    writer.room(80);
    for (let flag = 3; flag >= 0; flag--) writer.field((7 + flag) * 8, (mappings.flags[row]! >>> flag) & 1);
    writer.field(0x30, mappings.buildId[row]!);
    writer.field(0x28, mappings.file[row]!);
    writer.field64(0x20, offset[2 * row]!, offset[2 * row + 1]!);
    writer.field64(0x18, limit[2 * row]!, limit[2 * row + 1]!);
    writer.field64(0x10, start[2 * row]!, start[2 * row + 1]!);
    writer.field64(0x08, mappings.ids.lo(row), mappings.ids.hi(row));
    writer.head(0x1a, before);
  }
}

/** Location messages with their lines, last first. */
export function writeLocations(writer: BackWriter, columns: Columns, live: Uint8Array | undefined): void {
  const { locations, mappings, functions, source } = columns;
  const { lines } = locations;
  const unknown = columns.unknown?.of('location');
  const unknownInLine = columns.unknown?.of('line');
  const address = locations.address.halves;
  const number = lines.line.halves;
  const column = lines.column.halves;
  for (let row = locations.count - 1; row > 0; row--) {
    if (live && live[row] === 0) continue;
    const before = writer.written;
    if (unknown) writeUnknown(writer, source, unknown, row);
    writer.room(2);
    writer.field(0x28, locations.folded[row]!);
    const first = locations.lineStart[row]!;
    for (let line = locations.lineEnd[row]! - 1; line >= first; line--) {
      const behindLine = writer.written;
      if (unknownInLine) writeUnknown(writer, source, unknownInLine, line);
      writer.room(40);
      writer.field64(0x18, column[2 * line]!, column[2 * line + 1]!);
      writer.field64(0x10, number[2 * line]!, number[2 * line + 1]!);
      const fn = lines.function[line]!;
      if (fn !== 0) writer.field64(0x08, functions.ids.lo(fn), functions.ids.hi(fn));
      writer.head(0x22, behindLine);
    }
    writer.room(40);
    writer.field64(0x18, address[2 * row]!, address[2 * row + 1]!);
    const mapping = locations.mapping[row]!;
    if (mapping !== 0) writer.field64(0x10, mappings.ids.lo(mapping), mappings.ids.hi(mapping));
    writer.field64(0x08, locations.ids.lo(row), locations.ids.hi(row));
    writer.head(0x22, before);
  }
}

/** Function messages, last first. */
export function writeFunctions(writer: BackWriter, columns: Columns, live: Uint8Array | undefined): void {
  const { functions, source } = columns;
  const unknown = columns.unknown?.of('function');
  const { halves } = functions.startLine;
  for (let row = functions.count - 1; row > 0; row--) {
    if (live && live[row] === 0) continue;
    const before = writer.written;
    if (unknown) writeUnknown(writer, source, unknown, row);
    writer.room(48);
    writer.field64(0x28, halves[2 * row]!, halves[2 * row + 1]!);
    writer.field(0x20, functions.file[row]!);
    writer.field(0x18, functions.systemName[row]!);
    writer.field(0x10, functions.name[row]!);
    writer.field64(0x08, functions.ids.lo(row), functions.ids.hi(row));
    writer.head(0x2a, before);
  }
}

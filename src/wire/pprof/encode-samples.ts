import type { Columns } from '../../model/columns/columns.ts';
import { type BackWriter, putField, putField64, putHalves, putHead, putNumber } from './back-writer.ts';
import { putUnknown, unknownBytes } from './encode-unknown.ts';

/** Room for one label, and for one number of a stack or value, bytes. */
const LABEL_BYTES = 40;
const NUMBER_BYTES = 10;

/** Sample messages, last first. */
export function writeSamples(writer: BackWriter, columns: Columns): void {
  const { samples, labels, source } = columns;
  const unknown = columns.unknown?.of('sample');
  const unknownRoom = unknownBytes(unknown) + unknownBytes(columns.unknown?.of('label'));
  const { width, stackStart, stackEnd, firstLabel } = samples;
  const { sequential } = columns.locations.ids;
  /** Labels are linked from first to last, and written from last to first. */
  const chain: number[] = [];
  for (let row = samples.count - 1; row >= samples.from; row--) {
    let length = 0;
    for (let label = firstLabel[row]!; label !== 0; label = labels.next[label]!) chain[length++] = label;
    const frames = stackEnd[row]! - stackStart[row]!;
    writer.room(NUMBER_BYTES * (frames + width) + LABEL_BYTES * length + unknownRoom + 24);
    const { bytes } = writer;
    const end = writer.at;
    let at = end;
    if (unknown) at = putUnknown(bytes, at, source, unknown, row);
    while (length > 0) at = putLabel(bytes, at, columns, chain[--length]!);
    if (width > 0) {
      const behind = at;
      at = putValues(bytes, at, samples.values.halves, row * width, (row + 1) * width);
      at = putHead(bytes, at, 0x12, behind);
    }
    if (frames > 0) {
      const behind = at;
      at = sequential
        ? putRows(bytes, at, samples.stack, stackStart[row]!, stackEnd[row]!)
        : putIds(bytes, at, columns, stackStart[row]!, stackEnd[row]!);
      at = putHead(bytes, at, 0x0a, behind);
    }
    writer.at = putHead(bytes, at, 0x12, end);
  }
}

function putValues(bytes: Uint8Array, end: number, halves: Uint32Array, first: number, last: number): number {
  let at = end;
  for (let place = last - 1; place >= first; place--) {
    const lo = halves[2 * place]!;
    const hi = halves[2 * place + 1]!;
    at = hi === 0 ? putNumber(bytes, at, lo) : putHalves(bytes, at, lo, hi);
  }
  return at;
}

/** A stack whose ids are its rows: more than half the bytes of a typical profile. */
function putRows(bytes: Uint8Array, end: number, stack: Uint32Array, first: number, last: number): number {
  let at = end;
  for (let place = last - 1; place >= first; place--) {
    const id = stack[place]!;
    if (id < 0x80) bytes[--at] = id;
    else if (id < 0x4000) {
      bytes[--at] = id >>> 7;
      bytes[--at] = id | 0x80;
    } else at = putNumber(bytes, at, id);
  }
  return at;
}

function putIds(bytes: Uint8Array, end: number, { samples, locations }: Columns, first: number, last: number): number {
  const { halves } = locations.ids.wide;
  let at = end;
  for (let place = last - 1; place >= first; place--) {
    const location = samples.stack[place]!;
    at = putHalves(bytes, at, halves[2 * location]!, halves[2 * location + 1]!);
  }
  return at;
}

function putLabel(bytes: Uint8Array, end: number, columns: Columns, row: number): number {
  const { labels, unknown } = columns;
  const { halves } = labels.number;
  let at = end;
  if (unknown) at = putUnknown(bytes, at, columns.source, unknown.of('label'), row);
  at = putField(bytes, at, 0x20, labels.unit[row]!);
  at = putField64(bytes, at, 0x18, halves[2 * row]!, halves[2 * row + 1]!);
  at = putField(bytes, at, 0x10, labels.text[row]!);
  at = putField(bytes, at, 0x08, labels.key[row]!);
  return putHead(bytes, at, 0x1a, end);
}

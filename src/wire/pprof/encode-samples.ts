import type { Columns } from '../../model/columns/columns.ts';
import type { BackWriter } from './back-writer.ts';
import { writeUnknown } from './encode-unknown.ts';

/** Sample messages, last first. */
export function writeSamples(writer: BackWriter, columns: Columns): void {
  const { samples, source } = columns;
  const unknown = columns.unknown?.of('sample');
  const labels = new LabelWriter(columns);
  for (let row = samples.count - 1; row >= 0; row--) {
    const before = writer.written;
    if (unknown) writeUnknown(writer, source, unknown, row);
    const first = samples.firstLabel[row]!;
    if (first !== 0) labels.write(writer, first);
    const frames = samples.stackEnd[row]! - samples.stackStart[row]!;
    writer.room(10 * (frames + samples.width) + 24);
    writeValues(writer, columns, row);
    if (frames > 0) {
      const behindStack = writer.written;
      if (columns.locations.ids.sequential) writeRows(writer, columns, row);
      else writeIds(writer, columns, row);
      writer.head(0x0a, behindStack);
    }
    writer.head(0x12, before);
  }
}

function writeValues(writer: BackWriter, { samples }: Columns, row: number): void {
  const { width } = samples;
  const { halves } = samples.values;
  if (width === 0) return;
  const before = writer.written;
  for (let place = (row + 1) * width - 1; place >= row * width; place--) {
    const lo = halves[2 * place]!;
    const hi = halves[2 * place + 1]!;
    if (hi === 0) writer.number(lo);
    else writer.halves(lo, hi);
  }
  writer.head(0x12, before);
}

/** A stack whose ids are its rows: more than half the bytes of a typical profile. */
function writeRows(writer: BackWriter, { samples }: Columns, row: number): void {
  const { bytes } = writer;
  const { stack } = samples;
  const start = samples.stackStart[row]!;
  let at = writer.at;
  for (let place = samples.stackEnd[row]! - 1; place >= start; place--) {
    const id = stack[place]!;
    if (id < 0x80) bytes[--at] = id;
    else if (id < 0x4000) {
      bytes[--at] = id >>> 7;
      bytes[--at] = id | 0x80;
    } else {
      writer.at = at;
      writer.number(id);
      at = writer.at;
    }
  }
  writer.at = at;
}

function writeIds(writer: BackWriter, { samples, locations }: Columns, row: number): void {
  const { stack } = samples;
  const { halves } = locations.ids.wide;
  for (let place = samples.stackEnd[row]! - 1; place >= samples.stackStart[row]!; place--) {
    const location = stack[place]!;
    writer.halves(halves[2 * location]!, halves[2 * location + 1]!);
  }
}

/** Writes chains of labels, which are linked from first to last, from last to first. */
class LabelWriter {
  readonly #columns: Columns;
  readonly #chain: number[] = [];

  constructor(columns: Columns) {
    this.#columns = columns;
  }

  write(writer: BackWriter, first: number): void {
    const { labels, source } = this.#columns;
    const unknown = this.#columns.unknown?.of('label');
    const chain = this.#chain;
    let length = 0;
    for (let label = first; label !== 0; label = labels.next[label]!) chain[length++] = label;
    const { halves } = labels.number;
    while (length > 0) {
      const label = chain[--length]!;
      const before = writer.written;
      if (unknown) writeUnknown(writer, source, unknown, label);
      writer.room(40);
      writer.field(0x20, labels.unit[label]!);
      writer.field64(0x18, halves[2 * label]!, halves[2 * label + 1]!);
      writer.field(0x10, labels.text[label]!);
      writer.field(0x08, labels.key[label]!);
      writer.head(0x1a, before);
    }
  }
}

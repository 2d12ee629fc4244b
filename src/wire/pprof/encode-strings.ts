import type { Strings } from '../../model/columns/strings.ts';
import type { BackWriter } from './back-writer.ts';

/**
 * The string table, last first. Strings that stood one behind the other in the source, tag and length between them, are copied in one
 * run: most tables in one copy.
 * @param live which rows to write; others become '', since rows behind them must keep their numbers
 */
export function writeStrings(writer: BackWriter, strings: Strings, live: Uint8Array | undefined): void {
  const { ranges, source } = strings;
  let row = strings.count - 1;
  while (row >= 0) {
    if (live && live[row] === 0) {
      writer.head(0x32, writer.written);
      row--;
      continue;
    }
    // A run from `first` to `row`: each begins, with its tag, where the one before it ends.
    let first = row;
    if (row < strings.sourceCount)
      while (first > 0 && (!live || live[first - 1] === 1) && follows(ranges, source, first)) first--;
    if (first < row) writer.copy(source, ranges[2 * first + 1]!, ranges[2 * row + 1]!);
    const before = writer.written;
    const from = strings.offset(first);
    writer.copy(strings.memory(first), from, from + strings.byteLength(first));
    writer.head(0x32, before);
    row = first - 1;
  }
}

/** Whether only a string's tag and length stand between the string before it and the string. */
function follows(ranges: Uint32Array, source: Uint8Array, row: number): boolean {
  const before = ranges[2 * row - 1]!;
  const from = ranges[2 * row]!;
  const gap = from - before;
  if (gap < 2 || gap > 6 || source[before] !== 0x32) return false;
  const size = ranges[2 * row + 1]! - from;
  // The length must be all of the gap: a field of 1 byte between two strings also begins somewhere.
  let at = before + 1;
  let length = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = source[at++]!;
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  return at === from && length === size;
}

import type { Ranges } from '../../model/columns/unknown.ts';
import type { BackWriter } from './back-writer.ts';

/** The unknown fields of a row, as they came. */
export function writeUnknown(writer: BackWriter, source: Uint8Array, ranges: Ranges | undefined, row: number): void {
  if (!ranges) return;
  for (let at = ranges.first(row + 1) - 1; at >= 0 && ranges.rows.items[at] === row; at--)
    writer.copy(source, ranges.from.items[at]!, ranges.to.items[at]!);
}

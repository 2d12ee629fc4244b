import type { Ranges } from '../../model/columns/unknown.ts';
import { putBytes } from './back-writer.ts';

/** The unknown fields of a row, as they came. There is room for them. */
export function putUnknown(
  bytes: Uint8Array,
  end: number,
  source: Uint8Array,
  ranges: Ranges | undefined,
  row: number,
): number {
  if (!ranges) return end;
  let position = end;
  for (let at = ranges.first(row + 1) - 1; at >= 0 && ranges.rows.items[at] === row; at--)
    position = putBytes(bytes, position, source, ranges.from.items[at]!, ranges.to.items[at]!);
  return position;
}

/** What all of them take, bytes: room for this is room for those of any row. */
export function unknownBytes(ranges: Ranges | undefined): number {
  let sum = 0;
  if (ranges) for (let at = 0; at < ranges.length; at++) sum += ranges.to.items[at]! - ranges.from.items[at]!;
  return sum;
}

import type { Columns } from '../../model/columns/columns.ts';
import type { Losses } from '../convert/losses.ts';

/** Counts what columns say beside stacks, labels and values of one type. @param used by row of locations, 1 where a sample leads to it */
export function countUnwritten(columns: Columns, used: Uint8Array, losses: Losses): void {
  const { locations, comments, periodType } = columns;
  let symbols = 0;
  for (let row = 1; row < locations.count; row++) if (used[row] === 0 || saysMore(columns, row)) symbols++;
  losses.add('folded_symbol', symbols);
  losses.add('folded_sample_type', columns.sampleTypes.length - 1);
  const { timeNanos, durationNanos, period, dropFrames, keepFrames, defaultSampleType, docUrl } = columns;
  const numbers = timeNanos !== 0n || durationNanos !== 0n || period !== 0n || periodType !== undefined;
  const texts = comments.length + dropFrames + keepFrames + defaultSampleType + docUrl > 0;
  if (numbers || texts || columns.unknown) losses.add('folded_profile_field');
}

/** Whether a location is anything but one function of which only the name is known. */
function saysMore({ locations, functions }: Columns, row: number): boolean {
  const { lines, address } = locations;
  const line = locations.lineStart[row]!;
  if (locations.lineEnd[row] !== line + 1) return true;
  const { halves } = address;
  const place = locations.mapping[row]! | locations.folded[row]! | halves[2 * row]! | halves[2 * row + 1]!;
  const fn = lines.function[line]!;
  if (fn === 0 || place !== 0 || lines.line.at(line) !== 0n || lines.column.at(line) !== 0n) return true;
  const system = functions.systemName[fn]!;
  return (
    functions.file[fn] !== 0 || (system !== 0 && system !== functions.name[fn]) || functions.startLine.at(fn) !== 0n
  );
}

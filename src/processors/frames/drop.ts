import type { Columns } from '../../model/columns/columns.ts';
import type { LineMatcher } from './match.ts';

/**
 * Takes the frames that match out of all stacks. Of a location with inlined calls some lines may go. A stack that loses its last
 * frame gets one that is named `other`, so that its value stays where it can be seen.
 */
export function drop(columns: Columns, matches: LineMatcher, other: string): void {
  const { samples, locations } = columns;
  const gone = new Uint8Array(locations.count);
  let any = false;
  for (let row = 1; row < locations.count; row++) {
    gone[row] = dropLines(columns, row, matches) ? 1 : 0;
    any ||= gone[row] === 1;
  }
  if (!any) return;
  const { stack, stackStart, stackEnd } = samples;
  let otherRow = 0;
  for (let sample = 0; sample < samples.count; sample++) {
    const start = stackStart[sample]!;
    const end = stackEnd[sample]!;
    let at = start;
    for (let place = start; place < end; place++) if (gone[stack[place]!] === 0) stack[at++] = stack[place]!;
    if (at === end) continue;
    if (at === start) {
      if (otherRow === 0) otherRow = columns.addFrame(other);
      stack[at++] = otherRow;
    }
    stackEnd[sample] = at;
    columns.edited = true;
  }
}

/** Drops lines of a location; true when all that it says matches. */
function dropLines(columns: Columns, row: number, matches: LineMatcher): boolean {
  const { locations } = columns;
  const { lines } = locations;
  const start = locations.lineStart[row]!;
  const end = locations.lineEnd[row]!;
  if (start === end) return matches(row, -1);
  let kept = 0;
  for (let line = start; line < end; line++) if (!matches(row, line)) kept++;
  if (kept === 0) return true;
  if (kept === end - start) return false;
  // Into new rows, since unknown fields belong to the old ones.
  const from = lines.count;
  for (let line = start; line < end; line++) if (!matches(row, line)) lines.addCopy(line);
  locations.lineStart[row] = from;
  locations.lineEnd[row] = lines.count;
  columns.edited = true;
  return false;
}

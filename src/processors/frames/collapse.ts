import type { Columns } from '../../model/columns/columns.ts';
import type { LineMatcher } from './match.ts';

/** What begins or ends with a run, per location. */
const BEGINS = 1;
const ENDS = 2;
const ALL = 4;

/**
 * Makes one frame of each run of frames that match. A run may begin within a location with inlined calls and go on in the next ones:
 * runs within a location become one line first, then stacks skip the beginning of a location where the one before ended in a run.
 */
export function collapse(columns: Columns, matches: LineMatcher, name: string): void {
  const { samples, locations } = columns;
  const count = locations.count;
  const runs = new Uint8Array(count);
  let any = false;
  const run = new Run(columns, name);
  for (let row = 1; row < count; row++) {
    runs[row] = collapseLines(columns, row, matches, run);
    any ||= runs[row] !== 0;
  }
  if (!any) return;
  const { stack, stackStart, stackEnd } = samples;
  for (let sample = 0; sample < samples.count; sample++) {
    const end = stackEnd[sample]!;
    let at = stackStart[sample]!;
    let inRun = false;
    for (let place = at; place < end; place++) {
      const row = stack[place]!;
      const how = runs[row]!;
      if (how & ALL) {
        if (!inRun) stack[at++] = run.location;
        columns.edited = true;
      } else stack[at++] = inRun && how & BEGINS ? run.withoutFirst(row) : row;
      inRun = (how & (ENDS | ALL)) !== 0;
    }
    stackEnd[sample] = at;
  }
}

/** Makes one line of each run within a location. */
function collapseLines(columns: Columns, row: number, matches: LineMatcher, run: Run): number {
  const { locations } = columns;
  const { lines } = locations;
  const start = locations.lineStart[row]!;
  const end = locations.lineEnd[row]!;
  if (start === end) return matches(row, -1) ? ALL : 0;
  let matching = 0;
  for (let line = start; line < end; line++) if (matches(row, line)) matching++;
  if (matching === 0) return 0;
  if (matching === end - start) return ALL;
  // Asked for first, since it may add a line of its own.
  const fn = run.function;
  const from = lines.count;
  let inRun = false;
  for (let line = start; line < end; line++) {
    const is = matches(row, line);
    if (!is) lines.addCopy(line);
    else if (!inRun) lines.add(fn);
    inRun = is;
  }
  locations.lineStart[row] = from;
  locations.lineEnd[row] = lines.count;
  columns.edited = true;
  return (matches(row, start) ? BEGINS : 0) | (inRun ? ENDS : 0);
}

/** What stands for a run; made when it is first needed. */
class Run {
  readonly #columns: Columns;
  readonly #name: string;
  #location = 0;
  /** Copies of locations without the run that they begin with. */
  readonly #tails = new Map<number, number>();

  constructor(columns: Columns, name: string) {
    this.#columns = columns;
    this.#name = name;
  }

  get location(): number {
    if (this.#location === 0) this.#location = this.#columns.addFrame(this.#name);
    return this.#location;
  }

  get function(): number {
    const row = this.location;
    const { locations } = this.#columns;
    return locations.lines.function[locations.lineStart[row]!]!;
  }

  withoutFirst(row: number): number {
    const { locations } = this.#columns;
    let tail = this.#tails.get(row);
    if (tail === undefined) {
      tail = locations.add(locations.mapping[row]!);
      locations.address.copy(row, tail);
      locations.folded[tail] = locations.folded[row]!;
      locations.lineStart[tail] = locations.lineStart[row]! + 1;
      locations.lineEnd[tail] = locations.lineEnd[row]!;
      this.#columns.otlp?.inherit(row, tail);
      this.#tails.set(row, tail);
    }
    return tail;
  }
}

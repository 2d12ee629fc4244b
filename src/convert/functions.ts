import type { Columns } from '../model/columns/columns.ts';
import { Totals } from '../wire/pprof/total.ts';

/** A function by its name, whatever files and lines it has. */
export interface FunctionValues {
  readonly name: string;
  /** Of samples that it is the leaf of. */
  readonly self: bigint;
  /** Of samples whose stack it is in, each once however often it calls itself. */
  readonly total: bigint;
}

/** Where code has no name. */
const UNKNOWN = '<unknown>';

/** What functions take of one sample type, over any number of profiles. Exact. */
export class FunctionTotals {
  readonly #ids = new Map<string, number>();
  readonly #self = new Totals();
  readonly #total = new Totals();
  /** Of all samples. */
  readonly #all = new Totals();

  get all(): bigint {
    return this.#all.value(0);
  }

  add(columns: Columns, type: number): void {
    const { samples } = columns;
    const frames = framesOf(columns, name => this.#id(name));
    /** By function: the sample that counted it last, from 1. */
    const counted = new Uint32Array(this.#ids.size);
    const { halves } = samples.values;
    for (let sample = 0; sample < samples.count; sample++) {
      const at = 2 * (sample * samples.width + type);
      const lo = halves[at]!;
      const hi = halves[at + 1]!;
      this.#all.addHalves(0, lo, hi);
      const from = samples.stackStart[sample]!;
      const to = samples.stackEnd[sample]!;
      if (from < to) this.#self.addHalves(frames.ids[frames.starts[samples.stack[from]!]!]!, lo, hi);
      for (let place = from; place < to; place++) {
        const location = samples.stack[place]!;
        const end = frames.starts[location + 1]!;
        for (let frame = frames.starts[location]!; frame < end; frame++) {
          const id = frames.ids[frame]!;
          if (counted[id] === sample + 1) continue;
          counted[id] = sample + 1;
          this.#total.addHalves(id, lo, hi);
        }
      }
    }
  }

  values(): FunctionValues[] {
    return [...this.#ids].map(([name, id]) => ({ name, self: this.#self.value(id), total: this.#total.value(id) }));
  }

  #id(name: string): number {
    let id = this.#ids.get(name);
    if (id === undefined) {
      id = this.#ids.size;
      this.#ids.set(name, id);
    }
    return id;
  }
}

/** Names of all locations, innermost first; those of row n are `starts[n]` to `starts[n + 1]`. Each location has one at least. */
function framesOf(columns: Columns, idOf: (name: string) => number): { starts: Uint32Array; ids: number[] } {
  const { locations, functions, strings } = columns;
  const names = Array.from({ length: functions.count }, (_none, row) => {
    const name = row === 0 ? 0 : functions.name[row]! || functions.systemName[row]!;
    return strings.byteLength(name) > 0 ? idOf(strings.text(name)) : -1;
  });
  const starts = new Uint32Array(locations.count + 1);
  const ids: number[] = [];
  for (let row = 0; row < locations.count; row++) {
    starts[row] = ids.length;
    for (let line = locations.lineStart[row]!; row > 0 && line < locations.lineEnd[row]!; line++) {
      const id = names[locations.lines.function[line]!]!;
      ids.push(id < 0 ? idOf(binaryOf(columns, row)) : id);
    }
    if (ids.length === starts[row] && row > 0) ids.push(idOf(binaryOf(columns, row)));
  }
  starts[locations.count] = ids.length;
  return { starts, ids };
}

/** Where nobody knows the function, the file that the code is from is what pprof shows: addresses differ from run to run. */
function binaryOf({ locations, mappings, strings }: Columns, location: number): string {
  const mapping = locations.mapping[location]!;
  const file = mapping === 0 ? '' : strings.text(mappings.file[mapping]!);
  return file === '' ? UNKNOWN : `[${file.slice(file.lastIndexOf('/') + 1)}]`;
}

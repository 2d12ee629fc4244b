import type { Columns } from '../../model/columns/columns.ts';
import { Rows } from '../../model/columns/growth.ts';
import type { JsonText } from './json-text.ts';

const COMMA = 0x2c;
/** Of a location that was not met yet. */
const UNMET = 0xffffffff;

/** The frames of a file; those of the same name, file, line and column are one. */
export class FrameList {
  readonly #rows = new Map<string, number>();

  /** @param json what stands in `shared.frames` */
  row(json: string): number {
    let row = this.#rows.get(json);
    if (row === undefined) {
      row = this.#rows.size;
      this.#rows.set(json, row);
    }
    return row;
  }

  write(out: JsonText): void {
    let separator = '';
    for (const json of this.#rows.keys()) {
      out.text(separator);
      out.text(json);
      separator = ',';
    }
  }
}

/** Locations of one profile as frames of the file: callers of inlined calls first, and where there is no function, the address in hex. */
export class LocationFrames {
  /** Locations that say more than their frames do. */
  richer = 0;
  /** Those that no sample leads to. */
  unmet: number;
  readonly #columns: Columns;
  readonly #list: FrameList;
  /** Where the frames of a location begin and end in `#frames`. */
  readonly #start: Uint32Array;
  readonly #end: Uint32Array;
  readonly #frames = new Rows();

  constructor(columns: Columns, list: FrameList) {
    this.#columns = columns;
    this.#list = list;
    this.unmet = columns.locations.count - 1;
    this.#start = new Uint32Array(columns.locations.count).fill(UNMET);
    this.#end = new Uint32Array(columns.locations.count);
  }

  /** Writes the stack of a sample, root first, as an array of frames. */
  stack(out: JsonText, sample: number): void {
    const { stack, stackStart, stackEnd } = this.#columns.samples;
    const first = stackStart[sample]!;
    let separated = true;
    for (let at = stackEnd[sample]! - 1; at >= first; at--) {
      const location = stack[at]!;
      if (this.#start[location] === UNMET) this.#meet(location);
      const end = this.#end[location]!;
      for (let frame = this.#start[location]!; frame < end; frame++) {
        if (!separated) out.byte(COMMA);
        separated = false;
        out.number(this.#frames.items[frame]!);
      }
    }
  }

  #meet(location: number): void {
    const { locations, functions, strings } = this.#columns;
    const { lines } = locations;
    const first = locations.lineStart[location]!;
    const end = locations.lineEnd[location]!;
    const address = BigInt.asUintN(64, locations.address.at(location));
    let isRicher = address !== 0n || locations.mapping[location] !== 0 || locations.folded[location] === 1;
    isRicher ||= end - first !== 1;
    this.#start[location] = this.#frames.length;
    if (location !== 0) this.unmet--;
    for (let line = end - 1; line >= first; line--) {
      const fn = lines.function[line]!;
      const system = functions.systemName[fn]!;
      const named = functions.name[fn]! || system;
      const name = fn === 0 ? hex(address) : strings.text(named);
      const file = fn === 0 ? '' : strings.text(functions.file[fn]!);
      this.#add(name, file, lines.line.at(line), lines.column.at(line));
      if (fn === 0) isRicher = true;
      else
        isRicher ||= functions.startLine.at(fn) !== 0n || (system !== 0 && !strings.same(system, functions.name[fn]!));
    }
    if (end === first) this.#add(hex(address), '', 0n, 0n);
    this.#end[location] = this.#frames.length;
    if (isRicher) this.richer++;
  }

  #add(name: string, file: string, line: bigint, column: bigint): void {
    let json = `{"name":${JSON.stringify(name)}`;
    if (file !== '') json += `,"file":${JSON.stringify(file)}`;
    if (line !== 0n) json += `,"line":${line}`;
    if (column !== 0n) json += `,"col":${column}`;
    this.#frames.push(this.#list.row(`${json}}`));
  }
}

const hex = (address: bigint) => `0x${address.toString(16)}`;

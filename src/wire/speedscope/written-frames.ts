import type { Columns } from '../../model/columns/columns.ts';
import { Rows } from '../../model/columns/growth.ts';
import { DecodeError } from '../decode-error.ts';
import { MAX_IDS } from '../pprof/limits.ts';
import { type JsonText, MAX_FILE_BYTES } from './json-text.ts';

const COMMA = 0x2c;
/** Of a location that was not met yet. */
const UNMET = 0xffffffff;

interface Frame {
  /** Rows of the list's texts. */
  readonly name: number;
  readonly file: number;
  readonly line: bigint;
  readonly column: bigint;
}

/** The frames of a file; those of the same name, file, line and column are one. A text is held once, however many frames have it. */
export class FrameList {
  readonly #texts: string[] = [''];
  readonly #textRows = new Map<string, number>([['', 0]]);
  readonly #frames: Frame[] = [];
  readonly #rows = new Map<string, number>();
  /** What the texts of all frames will take in the file, at the least. */
  #bytes = 0;

  text(text: string): number {
    let row = this.#textRows.get(text);
    if (row === undefined) {
      row = this.#texts.push(text) - 1;
      this.#textRows.set(text, row);
    }
    return row;
  }

  /** @throws DecodeError too_large: what cannot become a file is not put together first */
  row(frame: Frame): number {
    const key = `${frame.name},${frame.file},${frame.line},${frame.column}`;
    let row = this.#rows.get(key);
    if (row === undefined) {
      this.#bytes += this.#texts[frame.name]!.length + this.#texts[frame.file]!.length;
      if (this.#bytes > MAX_FILE_BYTES || this.#frames.length === MAX_IDS)
        throw new DecodeError('too_large', `frames of more than ${MAX_FILE_BYTES} bytes, or more than ${MAX_IDS}`);
      row = this.#frames.push(frame) - 1;
      this.#rows.set(key, row);
    }
    return row;
  }

  write(out: JsonText): void {
    for (const [row, { name, file, line, column }] of this.#frames.entries()) {
      out.text(`${row === 0 ? '' : ','}{"name":${JSON.stringify(this.#texts[name])}`);
      if (file !== 0) out.text(`,"file":${JSON.stringify(this.#texts[file])}`);
      if (line !== 0n) out.text(`,"line":${line}`);
      if (column !== 0n) out.text(`,"col":${column}`);
      out.text('}');
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
  /** By row of strings: 1 + its row among the texts of the list, 0 for not met yet. */
  readonly #texts: Uint32Array;

  constructor(columns: Columns, list: FrameList) {
    this.#columns = columns;
    this.#list = list;
    this.unmet = columns.locations.count - 1;
    this.#start = new Uint32Array(columns.locations.count).fill(UNMET);
    this.#end = new Uint32Array(columns.locations.count);
    this.#texts = new Uint32Array(columns.strings.count);
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
      const name = fn === 0 ? this.#list.text(hex(address)) : this.#text(named);
      const file = fn === 0 ? 0 : this.#text(functions.file[fn]!);
      this.#add({ name, file, line: lines.line.at(line), column: lines.column.at(line) });
      if (fn === 0) isRicher = true;
      else
        isRicher ||= functions.startLine.at(fn) !== 0n || (system !== 0 && !strings.same(system, functions.name[fn]!));
    }
    if (end === first) this.#add({ name: this.#list.text(hex(address)), file: 0, line: 0n, column: 0n });
    this.#end[location] = this.#frames.length;
    if (isRicher) this.richer++;
  }

  #add(frame: Frame): void {
    this.#frames.push(this.#list.row(frame));
  }

  #text(string: number): number {
    if (this.#texts[string] === 0) this.#texts[string] = 1 + this.#list.text(this.#columns.strings.text(string));
    return this.#texts[string]! - 1;
  }
}

const hex = (address: bigint) => `0x${address.toString(16)}`;

import type { Columns } from '../../model/columns/columns.ts';
import { Rows } from '../../model/columns/growth.ts';
import type { Losses } from '../convert/losses.ts';
import { putField, putField64, putHead, putNumber } from '../pprof/back-writer.ts';
import { writeAnyValue } from './any-value.ts';
import { sourceAttribute } from './decode-attributes.ts';
import type { Dictionary } from './encode-dictionary.ts';
import type { LabelEncoder } from './encode-labels.ts';
import type { SourceAttributes } from './source-attributes.ts';
import {
  BUILD_ID_GNU,
  BUILD_ID_GO,
  buildIdOf,
  flagOf,
  IS_FOLDED,
  isFoldedKind,
  isTrue,
  kindOf,
  MAPPING_FLAGS,
  textStart,
} from './symbol-attributes.ts';

const TRUE = writeAnyValue(true);

/** Writes the stacks of columns, and the locations, functions and mappings that they lead to, into a dictionary. */
export class SymbolEncoder {
  readonly #columns: Columns;
  readonly #dictionary: Dictionary;
  readonly #labels: LabelEncoder;
  readonly #source: SourceAttributes | undefined;
  // Row + 1 in the dictionary, by row of columns.
  readonly #locations: Uint32Array;
  readonly #functions: Uint32Array;
  readonly #mappings: Uint32Array;
  readonly #named = new Rows();
  readonly #kept = new Rows();

  constructor(columns: Columns, dictionary: Dictionary, labels: LabelEncoder, source: SourceAttributes | undefined) {
    this.#columns = columns;
    this.#dictionary = dictionary;
    this.#labels = labels;
    this.#source = source;
    this.#locations = new Uint32Array(columns.locations.count);
    this.#functions = new Uint32Array(columns.functions.count);
    this.#mappings = new Uint32Array(columns.mappings.count);
  }

  /** Mappings keep their order, so that the main binary stays the first one. For before the first stack. */
  mappings(): void {
    const { samples, locations, mappings } = this.#columns;
    const live = new Uint8Array(mappings.count);
    for (let sample = 0; sample < samples.count; sample++) {
      const end = samples.stackEnd[sample]!;
      for (let place = samples.stackStart[sample]!; place < end; place++)
        live[locations.mapping[samples.stack[place]!]!] = 1;
    }
    for (let row = 1; row < mappings.count; row++) if (live[row] === 1) this.#mapping(row);
  }

  /** For after the last stack. */
  countUnreferenced(losses: Losses): void {
    const unreferenced = (rows: Uint32Array) => {
      let count = 0;
      for (let row = 1; row < rows.length; row++) if (rows[row] === 0) count++;
      return count;
    };
    losses.add('pprof_unreferenced', [this.#mappings, this.#functions, this.#locations].map(unreferenced).reduce(sum));
  }

  /** The row of a sample's stack. */
  stack(sample: number): number {
    const { samples } = this.#columns;
    const { stack } = samples;
    const start = samples.stackStart[sample]!;
    const end = samples.stackEnd[sample]!;
    if (start === end) return 0;
    for (let place = start; place < end; place++)
      if (this.#locations[stack[place]!] === 0) this.#location(stack[place]!);
    const { scratch, stacks } = this.#dictionary;
    scratch.clear(0);
    scratch.room(5 * (end - start) + 8);
    const { bytes } = scratch;
    let at = bytes.length;
    for (let place = end - 1; place >= start; place--) {
      const row = this.#locations[stack[place]!]! - 1;
      if (row < 0x80) bytes[--at] = row;
      else at = putNumber(bytes, at, row);
    }
    at = putHead(bytes, at, 0x0a, bytes.length);
    return stacks.intern(bytes, at, bytes.length);
  }

  #location(row: number): void {
    const { locations } = this.#columns;
    const { lines, lineStart, lineEnd } = locations;
    const start = lineStart[row]!;
    const end = lineEnd[row]!;
    for (let line = start; line < end; line++) this.#function(lines.function[line]!);
    const attributes = this.#locationAttributes(row);
    const { scratch } = this.#dictionary;
    scratch.clear(0);
    scratch.room(40 * (end - start) + 5 * attributes.length + 64);
    const { bytes } = scratch;
    let at = putPacked(bytes, bytes.length, 0x22, attributes);
    for (let line = end - 1; line >= start; line--) {
      const behind = at;
      at = putField64(bytes, at, 0x18, lines.column.halves[2 * line]!, lines.column.halves[2 * line + 1]!);
      at = putField64(bytes, at, 0x10, lines.line.halves[2 * line]!, lines.line.halves[2 * line + 1]!);
      const fn = lines.function[line]!;
      at = putField(bytes, at, 0x08, fn === 0 ? 0 : this.#functions[fn]! - 1);
      at = putHead(bytes, at, 0x1a, behind);
    }
    const { halves } = locations.address;
    at = putField64(bytes, at, 0x10, halves[2 * row]!, halves[2 * row + 1]!);
    const mapping = locations.mapping[row]!;
    at = putField(bytes, at, 0x08, mapping === 0 ? 0 : this.#mappings[mapping]! - 1);
    this.#locations[row] = this.#dictionary.locations.intern(bytes, at, bytes.length) + 1;
  }

  #locationAttributes(row: number): Rows {
    const { otlp, locations } = this.#columns;
    const kept = this.#kept;
    kept.length = 0;
    let due = locations.folded[row] === 1;
    const from = otlp?.locationRows[row] ?? 0;
    if (from !== 0 && this.#source) {
      const { source } = this.#source;
      this.#named.length = 0;
      this.#source.rowsOf(source.locations, from, 4, this.#named);
      for (let at = 0; at < this.#named.length; at++) {
        const attribute = this.#named.items[at]!;
        const kind = kindOf(source, attribute);
        if (isFoldedKind(kind)) {
          if (isTrue(kind) !== (locations.folded[row] === 1)) continue;
          due = false;
        }
        kept.push(this.#source.carry(attribute));
      }
    }
    if (due) kept.push(this.#flag(IS_FOLDED));
    return kept;
  }

  #flag(key: string): number {
    return this.#dictionary.attribute(this.#dictionary.string(key), TRUE, 0);
  }

  #function(row: number): void {
    if (row === 0 || this.#functions[row] !== 0) return;
    const { functions } = this.#columns;
    const name = this.#labels.string(functions.name[row]!);
    const systemName = this.#labels.string(functions.systemName[row]!);
    const file = this.#labels.string(functions.file[row]!);
    const { scratch } = this.#dictionary;
    scratch.clear(0);
    scratch.room(40);
    const { bytes } = scratch;
    const { halves } = functions.startLine;
    let at = putField64(bytes, bytes.length, 0x20, halves[2 * row]!, halves[2 * row + 1]!);
    at = putField(bytes, at, 0x18, file);
    at = putField(bytes, at, 0x10, systemName);
    at = putField(bytes, at, 0x08, name);
    this.#functions[row] = this.#dictionary.functions.intern(bytes, at, bytes.length) + 1;
  }

  #mapping(row: number): void {
    const { mappings } = this.#columns;
    const attributes = this.#mappingAttributes(row);
    const file = this.#labels.string(mappings.file[row]!);
    const { scratch } = this.#dictionary;
    scratch.clear(0);
    scratch.room(5 * attributes.length + 64);
    const { bytes } = scratch;
    let at = putPacked(bytes, bytes.length, 0x2a, attributes);
    at = putField(bytes, at, 0x20, file);
    for (const [tag, { halves }] of [
      [0x18, mappings.offset],
      [0x10, mappings.limit],
      [0x08, mappings.start],
    ] as const)
      at = putField64(bytes, at, tag, halves[2 * row]!, halves[2 * row + 1]!);
    this.#mappings[row] = this.#dictionary.mappings.intern(bytes, at, bytes.length) + 1;
  }

  #mappingAttributes(row: number): Rows {
    const { otlp, mappings, strings } = this.#columns;
    const kept = this.#kept;
    kept.length = 0;
    let dueFlags = mappings.flags[row]!;
    const buildId = mappings.buildId[row]!;
    let dueId = strings.byteLength(buildId) > 0;
    const from = otlp?.mappingRows[row] ?? 0;
    if (from !== 0 && this.#source) {
      const { source } = this.#source;
      this.#named.length = 0;
      this.#source.rowsOf(source.mappings, from, 5, this.#named);
      const isOwn = this.#hasBuildId(buildId);
      for (let at = 0; at < this.#named.length; at++) {
        const attribute = this.#named.items[at]!;
        const kind = kindOf(source, attribute);
        const flag = flagOf(kind);
        if (flag >= 0) {
          if (isTrue(kind) !== ((mappings.flags[row]! & (1 << flag)) !== 0)) continue;
          dueFlags &= ~(1 << flag);
        } else if (buildIdOf(kind) >= 0) {
          // A build id that was edited takes the others with it: they name the same file.
          if (!isOwn) continue;
          dueId = false;
        }
        kept.push(this.#source.carry(attribute));
      }
    }
    for (let flag = 0; flag < MAPPING_FLAGS.length; flag++)
      if (dueFlags & (1 << flag)) kept.push(this.#flag(MAPPING_FLAGS[flag]!));
    if (dueId) {
      const text = strings.text(buildId);
      const key = this.#dictionary.string(text.includes('/') ? BUILD_ID_GO : BUILD_ID_GNU);
      kept.push(this.#dictionary.attribute(key, writeAnyValue(text), 0));
    }
    return kept;
  }

  /** Whether one of the build ids that the source names for the mapping at hand is this one. */
  #hasBuildId(buildId: number): boolean {
    const { strings } = this.#columns;
    const { source } = this.#source!;
    for (let at = 0; at < this.#named.length; at++) {
      const attribute = this.#named.items[at]!;
      if (buildIdOf(kindOf(source, attribute)) < 0) continue;
      const { value } = sourceAttribute(source, attribute);
      const from = textStart(value);
      if (strings.holds(buildId, value, from, value.length - from)) return true;
    }
    return false;
  }
}

const sum = (one: number, other: number) => one + other;

/** Packed row numbers, nothing where there are none. There is room. */
export function putPacked(bytes: Uint8Array, end: number, tag: number, rows: Rows, from = 0, to = rows.length): number {
  if (from === to) return end;
  let at = end;
  for (let place = to - 1; place >= from; place--) at = putNumber(bytes, at, rows.items[place]!);
  return putHead(bytes, at, tag, end);
}

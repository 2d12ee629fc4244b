import type { ValueType } from '../summary.ts';
import { Columns } from './columns.ts';
import { takeRoom } from './growth.ts';

/** About what an entry of a look-up takes, bytes; that of a text as key is long. */
const ENTRY_BYTES = 40;
const TEXT_ENTRY_BYTES = 120;
/** Above every row of a table, so that two rows, or a row and a line, fit into one number. */
const ROWS = 2 ** 26;

/** A place in code, as rows of the tables; what is left out is none. */
export interface Place {
  readonly function: number;
  readonly line?: number;
  readonly column?: number;
  readonly mapping?: number;
  readonly address?: bigint;
}
/** A function, as rows of strings. */
export interface NamedFunction {
  readonly name: number;
  readonly file?: number;
  readonly systemName?: number;
  readonly startLine?: number;
}

/**
 * Fills columns from a form that repeats names where pprof has tables: equal strings, functions and places become one row. Samples are
 * added as they come and never combined. No object per sample; what was seen is looked up by numbers wherever it has only two of them.
 */
export class ColumnsBuilder {
  readonly columns: Columns;
  readonly #functions = new Map<number | string, number>();
  readonly #locations = new Map<number | string, number>();
  readonly #mappings = new Map<string, number>();
  #lastLabel = 0;

  /** @param source what ranges of strings lie in; it must stay as it is while the columns are in use */
  constructor(types: readonly ValueType[], source: Uint8Array = new Uint8Array(0), columns = new Columns()) {
    this.columns = columns;
    columns.clear(source);
    columns.strings.add(0, 0);
    for (const { type, unit } of types) this.addType(type, unit);
  }

  /** One more value per sample; before the first sample. */
  addType(type: string, unit: string): void {
    this.columns.sampleTypes.push({ type: this.string(type), unit: this.string(unit) });
    this.columns.samples.width = this.columns.sampleTypes.length;
  }

  period(type: string, unit: string, period: bigint): void {
    this.columns.periodType = { type: this.string(type), unit: this.string(unit) };
    this.columns.period = period;
  }

  /** The row of a text. */
  string(text: string): number {
    return this.columns.strings.intern(text);
  }

  /** The row of these bytes of the source. */
  stringAt(from: number, to: number): number {
    return this.columns.strings.internRange(from, to);
  }

  function({ name, file = 0, systemName = 0, startLine = 0 }: NamedFunction): number {
    const isPlain = systemName === 0 && startLine === 0;
    const key = isPlain ? name * ROWS + file : `${name},${file},${systemName},${startLine}`;
    let row = this.#functions.get(key);
    if (row === undefined) {
      const { functions } = this.columns;
      row = functions.add(name);
      functions.file[row] = file;
      functions.systemName[row] = systemName;
      functions.startLine.set(row, BigInt(startLine));
      takeRoom(isPlain ? ENTRY_BYTES : TEXT_ENTRY_BYTES);
      this.#functions.set(key, row);
    }
    return row;
  }

  /** The row of a location with one line, or with none where it has no function. */
  location({ function: fn, line = 0, column = 0, mapping = 0, address = 0n }: Place): number {
    const isPlain = column === 0 && mapping === 0 && address === 0n && line >= 0 && line < ROWS;
    const key = isPlain ? fn * ROWS + line : `${fn},${line},${column},${mapping},${address}`;
    let row = this.#locations.get(key);
    if (row === undefined) {
      const { locations } = this.columns;
      row = locations.add(mapping);
      locations.address.set(row, address);
      if (fn !== 0) {
        const { lines } = locations;
        const at = lines.add(fn);
        lines.line.set(at, BigInt(line));
        lines.column.set(at, BigInt(column));
        locations.lineEnd[row] = at + 1;
      }
      takeRoom(isPlain ? ENTRY_BYTES : TEXT_ENTRY_BYTES);
      this.#locations.set(key, row);
    }
    return row;
  }

  /** The row of a file that code was loaded from. */
  mapping(file: string, start = 0n, limit = 0n, offset = 0n, buildId = ''): number {
    const key = `${start},${limit},${offset},${buildId},${file}`;
    let row = this.#mappings.get(key);
    if (row === undefined) {
      const { mappings } = this.columns;
      row = mappings.ids.addFresh();
      mappings.ensure(row + 1);
      mappings.start.set(row, start);
      mappings.limit.set(row, limit);
      mappings.offset.set(row, offset);
      mappings.file[row] = this.string(file);
      mappings.buildId[row] = this.string(buildId);
      mappings.flags[row] = 0;
      takeRoom(TEXT_ENTRY_BYTES + key.length);
      this.#mappings.set(key, row);
    }
    return row;
  }

  /**
   * A new sample without labels; its row.
   * @param stack rows of locations, leaf first, of which the first `length` count
   * @param value of the first type; those of others are set by `value`
   */
  sample(stack: ArrayLike<number>, length: number, value: bigint): number {
    const { samples } = this.columns;
    const row = samples.count++;
    const from = samples.stackLength;
    samples.stackLength += length;
    samples.ensure(samples.count, samples.stackLength, samples.count * samples.width);
    for (let at = 0; at < length; at++) samples.stack[from + at] = stack[at]!;
    samples.stackStart[row] = from;
    samples.stackEnd[row] = samples.stackLength;
    samples.firstLabel[row] = 0;
    this.#lastLabel = 0;
    const { width, values } = samples;
    for (let at = 0; at < width; at++) values.set(row * width + at, 0n);
    if (width > 0) values.set(row * width, value);
    return row;
  }

  /** Gives a sample its value of another type than the first. */
  value(sample: number, type: number, value: bigint): void {
    const { samples } = this.columns;
    samples.values.set(sample * samples.width + type, value);
  }

  /** Adds to a value of a sample. False where the sum is beyond 64 bits; nothing is added then. */
  addTo(sample: number, type: number, value: bigint): boolean {
    const { samples } = this.columns;
    const at = sample * samples.width + type;
    const sum = samples.values.at(at) + value;
    if (BigInt.asIntN(64, sum) !== sum) return false;
    samples.values.set(at, sum);
    return true;
  }

  /** One more label of the sample that was added last; rows of strings. */
  label(key: number, text: number): void {
    this.#chain(this.columns.labels.add(key, text));
  }

  /** The same with a number. */
  numberLabel(key: number, number: bigint, unit = 0): void {
    const { labels } = this.columns;
    const row = labels.add(key, 0);
    labels.number.set(row, number);
    labels.unit[row] = unit;
    this.#chain(row);
  }

  #chain(row: number): void {
    const { labels, samples } = this.columns;
    if (this.#lastLabel === 0) samples.firstLabel[samples.count - 1] = row;
    else labels.next[this.#lastLabel] = row;
    this.#lastLabel = row;
  }
}

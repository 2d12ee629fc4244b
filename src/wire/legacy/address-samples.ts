import { ColumnsBuilder } from '../../model/columns/builder.ts';
import type { Columns } from '../../model/columns/columns.ts';
import { takeRoom } from '../../model/columns/growth.ts';
import { HAS_FILENAMES, HAS_FUNCTIONS, HAS_LINE_NUMBERS } from '../../model/columns/mappings.ts';
import { DecodeError } from '../decode-error.ts';
import { MAX_ELEMENTS, MAX_IDS } from '../pprof/limits.ts';
import { type Mapped, RangeIndex } from './memory-map.ts';

/** What an address is called. */
export interface AddressName {
  readonly name: string;
  readonly file: string;
  readonly line: bigint;
}

/** About what an address costs in the tables here, bytes. */
const ADDRESS_BYTES = 160;
const NONE = { start: 0n, limit: 2n ** 64n - 1n, offset: 0n, file: '', buildId: '' };

/**
 * Samples whose frames are addresses. What an address is called, and which file it is in, may be said behind the samples; so a stack holds
 * numbers of addresses until `finish` makes locations of them.
 */
export class AddressSamples {
  readonly builder: ColumnsBuilder;
  readonly #numbers = new Map<bigint, number>();
  readonly #addresses: bigint[] = [];
  readonly #symbols = new Map<bigint, readonly AddressName[]>();
  readonly #stack: number[] = [];

  constructor(types: readonly (readonly [type: string, unit: string])[]) {
    this.builder = new ColumnsBuilder(types.map(([type, unit]) => ({ type, unit })));
  }

  get columns(): Columns {
    return this.builder.columns;
  }

  /** A new sample; its row. @param addresses leaf first */
  add(addresses: readonly bigint[], ...values: bigint[]): number {
    if (this.columns.samples.count >= MAX_ELEMENTS)
      throw new DecodeError('too_many_elements', `there are more than ${MAX_ELEMENTS} samples`);
    for (const [at, address] of addresses.entries()) this.#stack[at] = this.#number(address);
    const row = this.builder.sample(this.#stack, addresses.length, values[0] ?? 0n);
    for (let type = 1; type < values.length; type++) this.builder.value(row, type, values[type]!);
    return row;
  }

  /** Says what an address is called; of several the innermost comes first. Where it is said again, the first time counts. */
  symbol(address: bigint, symbols: readonly AddressName[]): void {
    if (this.#symbols.has(address)) return;
    takeRoom(ADDRESS_BYTES);
    this.#symbols.set(address, symbols);
  }

  /** Whether an address occurs in a sample. */
  has(address: bigint): boolean {
    return this.#numbers.has(address);
  }

  /** The address of a frame of a sample that was added; undefined behind its root. */
  addressAt(sample: number, frame: number): bigint | undefined {
    const { stackStart, stackEnd, stack } = this.columns.samples;
    const at = stackStart[sample]! + frame;
    return at < stackEnd[sample]! ? this.#addresses[stack[at]!] : undefined;
  }

  /** Takes a frame out of a sample. */
  remove(sample: number, frame: number): void {
    const { stackStart, stackEnd, stack } = this.columns.samples;
    const at = stackStart[sample]! + frame;
    stack.copyWithin(at, at + 1, stackEnd[sample]!);
    stackEnd[sample]!--;
  }

  /**
   * The columns, of which the mappings are what the memory map says, or one of everything and no name where an address is in none of them.
   * @param keepAddress whether addresses say anything once names are known; those of Java are numbers of frames
   */
  finish(map: readonly Mapped[], keepAddress = true): Columns {
    const { builder, columns } = this;
    const { samples, locations, mappings } = columns;
    const rows = new Uint32Array(this.#addresses.length);
    for (let sample = 0; sample < samples.count; sample++)
      for (let at = samples.stackStart[sample]!; at < samples.stackEnd[sample]!; at++) {
        const number = samples.stack[at]!;
        if (rows[number] === 0) rows[number] = this.#locate(this.#addresses[number]!, keepAddress);
        samples.stack[at] = rows[number]!;
      }
    const table = map.map(entry => ({ ...entry }));
    const within = new RangeIndex(table.map(({ start, limit }) => [start, limit]));
    // The first part of a file that was split into ranges: some handlers say the second only.
    const before = new RangeIndex(table.map(({ start, offset }) => [offset > start ? start : start - offset, start]));
    const found = new Int32Array(locations.count);
    for (let row = 1; row < locations.count; row++) {
      const address = BigInt.asUintN(64, locations.address.at(row));
      if (address === 0n) continue;
      let at = within.find(address);
      if (at < 0) {
        at = before.find(address);
        const entry = table[at];
        if (entry) {
          entry.start -= entry.offset;
          entry.offset = 0n;
        }
      }
      found[row] = at < 0 ? -1 : at + 1;
    }
    const mapped = table.map(({ file, start, limit, offset, buildId }) =>
      builder.mapping(file, start, limit, offset, buildId),
    );
    for (let row = 1; row < locations.count; row++) {
      const at = found[row]!;
      if (at === 0) continue;
      const mapping = at > 0 ? mapped[at - 1]! : builder.mapping(NONE.file, NONE.start, NONE.limit);
      locations.mapping[row] = mapping;
      mappings.flags[mapping]! |= this.#flagsOf(row);
      if (!keepAddress) locations.address.set(row, 0n);
    }
    return columns;
  }

  /** What the names of a location say of its mapping. */
  #flagsOf(row: number): number {
    const { lines, lineStart, lineEnd } = this.columns.locations;
    const from = lineStart[row]!;
    if (lineEnd[row] === from) return 0;
    const hasFile = this.columns.functions.file[lines.function[from]!] !== 0;
    return HAS_FUNCTIONS | (hasFile ? HAS_FILENAMES : 0) | (lines.line.at(from) > 0n ? HAS_LINE_NUMBERS : 0);
  }

  #number(address: bigint): number {
    let number = this.#numbers.get(address);
    if (number === undefined) {
      number = this.#addresses.length;
      if (number >= MAX_IDS) throw new DecodeError('too_many_elements', `there are more than ${MAX_IDS} addresses`);
      takeRoom(ADDRESS_BYTES);
      this.#addresses.push(address);
      this.#numbers.set(address, number);
    }
    return number;
  }

  #locate(address: bigint, keepAddress: boolean): number {
    const { builder } = this;
    const { locations } = this.columns;
    const { lines } = locations;
    const symbols = this.#symbols.get(address) ?? [];
    const row = locations.add(0);
    locations.address.set(row, symbols.length > 0 && !keepAddress ? 0n : address);
    locations.lineStart[row] = lines.count;
    for (const { name, file, line } of symbols) {
      const text = builder.string(name);
      const at = lines.add(builder.function({ name: text, systemName: text, file: builder.string(file) }));
      lines.line.set(at, line);
    }
    locations.lineEnd[row] = lines.count;
    return row;
  }
}

import type { Columns } from '../../model/columns/columns.ts';
import { grown, Rows } from '../../model/columns/growth.ts';
import type { OtlpFields } from '../../model/columns/otlp-fields.ts';
import { DecodeError } from '../decode-error.ts';
import { MAX_DETAILS, MAX_IDS } from '../pprof/limits.ts';
import type { AttributeDecoder } from './decode-attributes.ts';
import { checkRow, type SourceDictionary } from './decode-dictionary.ts';
import { buildIdOf, flagOf, isFoldedKind, isTrue, kindOf, ORDINARY } from './symbol-attributes.ts';

/** Takes the locations, functions and mappings that stacks lead to out of the dictionary. */
export class SymbolDecoder {
  readonly #columns: Columns;
  readonly #otlp: OtlpFields;
  readonly #source: SourceDictionary;
  readonly #attributes: AttributeDecoder;
  /** Rows of the dictionary, in the order in which locations name them. */
  readonly #mappings = new Rows();

  constructor(columns: Columns, otlp: OtlpFields, source: SourceDictionary, attributes: AttributeDecoder) {
    this.#columns = columns;
    this.#otlp = otlp;
    this.#source = source;
    this.#attributes = attributes;
  }

  /** Turns the stacks, which hold rows of the dictionary, into rows of columns. @throws DecodeError */
  resolve(): void {
    const { samples, locations } = this.#columns;
    const { stack, stackLength } = samples;
    const { locations: table } = this.#source;
    for (let place = 0; place < stackLength; place++) {
      const row = stack[place]!;
      stack[place] = table.known(row) || this.#location(row);
    }
    // In the order of the dictionary, so that the main binary stays the first one.
    const order = this.#mappings.items.subarray(0, this.#mappings.length).sort();
    for (const row of order) this.#mapping(row);
    const { mappings } = this.#source;
    for (let row = 1; row < locations.count; row++)
      if (locations.mapping[row] !== 0) locations.mapping[row] = mappings.known(locations.mapping[row]!);
  }

  #location(row: number): number {
    const { locations } = this.#columns;
    const { cursor, locations: table } = this.#source;
    if (locations.count > MAX_IDS) throw tooMany('locations');
    const became = locations.add(0);
    table.set(row, became);
    // Row 0 is a location that says nothing, even where there is none.
    const end = row === 0 ? 0 : table.ends.items[row]!;
    for (let at = row === 0 ? 0 : table.starts.items[row]!; at < end; ) {
      const from = at;
      at = cursor.readNumber(at, end);
      switch (cursor.small) {
        case 0x08:
          at = cursor.readNumber(at, end);
          locations.mapping[became] = this.#noteMapping(cursor.small);
          break;
        case 0x10: {
          at = cursor.readNumber(at, end);
          const { halves } = locations.address;
          halves[2 * became] = cursor.lo;
          halves[2 * became + 1] = cursor.hi;
          break;
        }
        case 0x1a:
          at = cursor.readLength(at, end);
          this.#line(at - cursor.lo, at);
          break;
        case 0x20:
          at = cursor.readNumber(at, end);
          this.#locationAttribute(became, row, cursor.small);
          break;
        case 0x22: {
          const stop = cursor.readLength(at, end);
          for (at = stop - cursor.lo; at < stop; ) {
            at = cursor.readNumber(at, stop);
            this.#locationAttribute(became, row, cursor.small);
          }
          break;
        }
        default:
          at = this.#unknown(from, end, 4);
      }
    }
    locations.lineEnd[became] = locations.lines.count;
    return became;
  }

  #locationAttribute(location: number, row: number, attribute: number): void {
    if (attribute === 0) return;
    const kind = kindOf(this.#source, attribute);
    if (isFoldedKind(kind)) this.#columns.locations.folded[location] = Number(isTrue(kind));
    else this.#otlp.locationAttributes++;
    this.#otlp.locationRows = noted(this.#otlp.locationRows, location, row);
  }

  #line(start: number, end: number): void {
    const { lines } = this.#columns.locations;
    const { cursor } = this.#source;
    if (lines.count === MAX_DETAILS) throw tooMany('lines');
    const row = lines.add(0);
    for (let at = start; at < end; ) {
      const from = at;
      at = cursor.readNumber(at, end);
      const tag = cursor.small;
      if (tag !== 0x08 && tag !== 0x10 && tag !== 0x18) {
        at = this.#unknown(from, end, 3);
        continue;
      }
      at = cursor.readNumber(at, end);
      if (tag === 0x08) lines.function[row] = this.#function(cursor.small);
      else {
        const { halves } = tag === 0x10 ? lines.line : lines.column;
        halves[2 * row] = cursor.lo;
        halves[2 * row + 1] = cursor.hi;
      }
    }
  }

  #function(row: number): number {
    if (row === 0) return 0;
    const { cursor, functions: table } = this.#source;
    const { functions } = this.#columns;
    checkRow(row, table, 'a function');
    const known = table.known(row);
    if (known !== 0) return known;
    if (functions.count > MAX_IDS) throw tooMany('functions');
    const became = functions.add(0);
    table.set(row, became);
    const end = table.ends.items[row]!;
    for (let at = table.starts.items[row]!; at < end; ) {
      const from = at;
      at = cursor.readNumber(at, end);
      const tag = cursor.small;
      if (tag < 0x08 || tag > 0x20 || (tag & 7) !== 0) {
        at = this.#unknown(from, end, 4);
        continue;
      }
      at = cursor.readNumber(at, end);
      if (tag === 0x08) functions.name[became] = this.#attributes.string(cursor.small);
      else if (tag === 0x10) functions.systemName[became] = this.#attributes.string(cursor.small);
      else if (tag === 0x18) functions.file[became] = this.#attributes.string(cursor.small);
      else {
        const { halves } = functions.startLine;
        halves[2 * became] = cursor.lo;
        halves[2 * became + 1] = cursor.hi;
      }
    }
    return became;
  }

  /** Returns the row itself: it is resolved when all are known. */
  #noteMapping(row: number): number {
    const { mappings: table } = this.#source;
    checkRow(row, table, 'a mapping');
    if (row !== 0 && table.known(row) === 0) {
      if (this.#mappings.length > MAX_IDS) throw tooMany('mappings');
      this.#mappings.push(row);
      // Any number, until it has its row.
      table.set(row, 1);
    }
    return row;
  }

  #mapping(row: number): void {
    const { mappings } = this.#columns;
    const { cursor, mappings: table } = this.#source;
    const became = mappings.ids.addFresh();
    mappings.ensure(became + 1);
    mappings.file[became] = mappings.buildId[became] = mappings.flags[became] = 0;
    const numbers = [mappings.start.halves, mappings.limit.halves, mappings.offset.halves];
    for (const halves of numbers) halves[2 * became] = halves[2 * became + 1] = 0;
    table.set(row, became);
    this.#bestId = Number.POSITIVE_INFINITY;
    this.#ids = 0;
    const end = table.ends.items[row]!;
    for (let at = table.starts.items[row]!; at < end; ) {
      const from = at;
      at = cursor.readNumber(at, end);
      const tag = cursor.small;
      if (tag === 0x2a) {
        const stop = cursor.readLength(at, end);
        for (at = stop - cursor.lo; at < stop; ) {
          at = cursor.readNumber(at, stop);
          this.#mappingAttribute(became, row, cursor.small);
        }
        continue;
      }
      if (tag < 0x08 || tag > 0x28 || (tag & 7) !== 0) {
        at = this.#unknown(from, end, 5);
        continue;
      }
      at = cursor.readNumber(at, end);
      if (tag === 0x20) mappings.file[became] = this.#attributes.string(cursor.small);
      else if (tag === 0x28) this.#mappingAttribute(became, row, cursor.small);
      else {
        const halves = numbers[(tag >>> 3) - 1]!;
        halves[2 * became] = cursor.lo;
        halves[2 * became + 1] = cursor.hi;
      }
    }
    if (this.#ids > 1) this.#otlp.mappingAttributes += this.#ids - 1;
  }

  /** Of the mapping at hand: rank of the build id that it has, and how many it has. */
  #bestId = Number.POSITIVE_INFINITY;
  #ids = 0;

  #mappingAttribute(mapping: number, row: number, attribute: number): void {
    if (attribute === 0) return;
    const { mappings, labels } = this.#columns;
    const kind = kindOf(this.#source, attribute);
    const flag = flagOf(kind);
    const id = buildIdOf(kind);
    if (id >= 0) {
      this.#ids++;
      if (id < this.#bestId) {
        this.#bestId = id;
        // First of all, since it may add a label.
        const label = this.#attributes.attribute(attribute);
        mappings.buildId[mapping] = labels.text[label]!;
      }
    } else if (flag >= 0) {
      if (isTrue(kind)) mappings.flags[mapping]! |= 1 << flag;
    } else if (kind === ORDINARY || isFoldedKind(kind)) this.#otlp.mappingAttributes++;
    this.#otlp.mappingRows = noted(this.#otlp.mappingRows, mapping, row);
  }

  #unknown(from: number, end: number, lastKnown: number): number {
    this.#otlp.unknownFields++;
    return this.#source.cursor.skip(from, end, lastKnown);
  }
}

function noted(rows: Uint32Array, row: number, source: number): Uint32Array {
  const longer = grown(rows, row + 1);
  longer[row] = source;
  return longer;
}

const tooMany = (what: string) => new DecodeError('too_many_elements', `a profile has more than ${MAX_IDS} ${what}`);

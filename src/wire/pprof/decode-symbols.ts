import type { Columns } from '../../model/columns/columns.ts';
import type { Ids } from '../../model/columns/ids.ts';
import { type Holder, UnknownFields } from '../../model/columns/unknown.ts';
import { DecodeError } from '../decode-error.ts';
import { type Cursor, shortBytes, shortField } from './cursor.ts';
import { MAX_DETAILS, MAX_IDS } from './limits.ts';
import { References } from './references.ts';

const LAST_LOCATION_FIELD = 5;
const LAST_LINE_FIELD = 3;
const LAST_FUNCTION_FIELD = 5;
const LAST_MAPPING_FIELD = 10;

/** Reads Location, Function and Mapping messages. */
export class SymbolDecoder {
  /** Highest string row that one of them names. */
  maxString = 0;
  readonly functions = new References();
  readonly mappings = new References();
  readonly #columns: Columns;
  readonly #cursor: Cursor;

  constructor(columns: Columns, cursor: Cursor) {
    this.#columns = columns;
    this.#cursor = cursor;
  }

  /** @throws DecodeError bad_protobuf, bad_reference, duplicate_id, too_many_elements */
  location(start: number, end: number): void {
    const { locations } = this.#columns;
    const cursor = this.#cursor;
    const { bytes } = cursor;
    const row = locations.count;
    locations.ensure(row + 1);
    const { halves } = locations.address;
    locations.lineStart[row] = locations.lines.count;
    let idLo = 0;
    let idHi = 0;
    let mappingLo = 0;
    let mappingHi = 0;
    let folded = 0;
    halves[2 * row] = 0;
    halves[2 * row + 1] = 0;
    let at = start;
    if (end <= cursor.roomyEnd) {
      // As in `function`.
      const id = shortField(bytes, at, end, 0x08);
      if (id >= 0) {
        idLo = id;
        at += 1 + shortBytes(id);
      }
      const mapping = shortField(bytes, at, end, 0x10);
      if (mapping >= 0) {
        mappingLo = mapping;
        at += 1 + shortBytes(mapping);
      }
      if (at > end) at = start;
    }
    while (at < end) {
      const from = at;
      let tag = bytes[at++]!;
      if (tag > 0x7f) {
        at = cursor.readNumber(from, end);
        tag = cursor.small;
      }
      switch (tag) {
        case 0x08:
          at = cursor.readNumber(at, end);
          idLo = cursor.lo;
          idHi = cursor.hi;
          break;
        case 0x10:
          at = cursor.readNumber(at, end);
          mappingLo = cursor.lo;
          mappingHi = cursor.hi;
          break;
        case 0x18:
          at = cursor.readNumber(at, end);
          halves[2 * row] = cursor.lo;
          halves[2 * row + 1] = cursor.hi;
          break;
        case 0x22: {
          const stop = cursor.readLength(at, end);
          this.#line(stop - cursor.lo, stop);
          at = stop;
          break;
        }
        case 0x28:
          at = cursor.readNumber(at, end);
          folded = (cursor.lo | cursor.hi) === 0 ? 0 : 1;
          break;
        default:
          at = this.#unknown('location', row, from, end, LAST_LOCATION_FIELD);
      }
    }
    locations.mapping[row] = mappingLo;
    this.mappings.note(row, mappingLo, mappingHi);
    locations.folded[row] = folded;
    locations.lineEnd[row] = locations.lines.count;
    addId(locations.ids, idLo, idHi, 'location');
  }

  #line(start: number, end: number): void {
    const { lines } = this.#columns.locations;
    const cursor = this.#cursor;
    const { bytes } = cursor;
    const row = lines.count;
    if (row === MAX_DETAILS) throw new DecodeError('too_many_elements', `more than ${MAX_DETAILS} lines`);
    lines.ensure(row + 1);
    let fnLo = 0;
    let fnHi = 0;
    let lineLo = 0;
    let lineHi = 0;
    let columnLo = 0;
    let columnHi = 0;
    let at = start;
    if (end <= cursor.roomyEnd) {
      // As in `function`.
      const fn = shortField(bytes, at, end, 0x08);
      if (fn >= 0) {
        fnLo = fn;
        at += 1 + shortBytes(fn);
      }
      const line = shortField(bytes, at, end, 0x10);
      if (line >= 0) {
        lineLo = line;
        at += 1 + shortBytes(line);
      }
      if (at > end) at = start;
    }
    while (at < end) {
      const from = at;
      let tag = bytes[at++]!;
      if (tag > 0x7f) {
        at = cursor.readNumber(from, end);
        tag = cursor.small;
      }
      if (tag === 0x08) {
        at = cursor.readNumber(at, end);
        fnLo = cursor.lo;
        fnHi = cursor.hi;
      } else if (tag === 0x10) {
        at = cursor.readNumber(at, end);
        lineLo = cursor.lo;
        lineHi = cursor.hi;
      } else if (tag === 0x18) {
        at = cursor.readNumber(at, end);
        columnLo = cursor.lo;
        columnHi = cursor.hi;
      } else at = this.#unknown('line', row, from, end, LAST_LINE_FIELD);
    }
    lines.function[row] = fnLo;
    this.functions.note(row, fnLo, fnHi);
    const line = lines.line.halves;
    const column = lines.column.halves;
    line[2 * row] = lineLo;
    line[2 * row + 1] = lineHi;
    column[2 * row] = columnLo;
    column[2 * row + 1] = columnHi;
    lines.count = row + 1;
  }

  /** @throws DecodeError as `location` */
  function(start: number, end: number): void {
    const { functions } = this.#columns;
    const cursor = this.#cursor;
    const { bytes } = cursor;
    const row = functions.count;
    functions.ensure(row + 1);
    const { name, systemName, file } = functions;
    const { halves } = functions.startLine;
    name[row] = systemName[row] = file[row] = 0;
    halves[2 * row] = 0;
    halves[2 * row + 1] = 0;
    let idLo = 0;
    let idHi = 0;
    let at = start;
    if (end <= cursor.roomyEnd) {
      // As producers write it. What is not so, the loop reads, from where this ends or, when that is out of bounds, again.
      let max = this.maxString;
      const id = shortField(bytes, at, end, 0x08);
      if (id >= 0) {
        idLo = id;
        at += 1 + shortBytes(id);
      }
      const nameRow = shortField(bytes, at, end, 0x10);
      if (nameRow >= 0) {
        name[row] = nameRow;
        if (nameRow > max) max = nameRow;
        at += 1 + shortBytes(nameRow);
      }
      const systemRow = shortField(bytes, at, end, 0x18);
      if (systemRow >= 0) {
        systemName[row] = systemRow;
        if (systemRow > max) max = systemRow;
        at += 1 + shortBytes(systemRow);
      }
      const fileRow = shortField(bytes, at, end, 0x20);
      if (fileRow >= 0) {
        file[row] = fileRow;
        if (fileRow > max) max = fileRow;
        at += 1 + shortBytes(fileRow);
      }
      this.maxString = max;
      if (at > end) at = start;
    }
    while (at < end) {
      const from = at;
      let tag = bytes[at++]!;
      if (tag > 0x7f) {
        at = cursor.readNumber(from, end);
        tag = cursor.small;
      }
      switch (tag) {
        case 0x08:
          at = cursor.readNumber(at, end);
          idLo = cursor.lo;
          idHi = cursor.hi;
          break;
        case 0x10:
          at = this.#string(at, end);
          name[row] = cursor.lo;
          break;
        case 0x18:
          at = this.#string(at, end);
          systemName[row] = cursor.lo;
          break;
        case 0x20:
          at = this.#string(at, end);
          file[row] = cursor.lo;
          break;
        case 0x28:
          at = cursor.readNumber(at, end);
          halves[2 * row] = cursor.lo;
          halves[2 * row + 1] = cursor.hi;
          break;
        default:
          at = this.#unknown('function', row, from, end, LAST_FUNCTION_FIELD);
      }
    }
    addId(functions.ids, idLo, idHi, 'function');
  }

  /** @throws DecodeError as `location` */
  mapping(start: number, end: number): void {
    const { mappings } = this.#columns;
    const cursor = this.#cursor;
    const row = mappings.count;
    mappings.ensure(row + 1);
    mappings.file[row] = mappings.buildId[row] = mappings.flags[row] = 0;
    const addresses = [mappings.start, mappings.limit, mappings.offset];
    for (const { halves } of addresses) halves[2 * row] = halves[2 * row + 1] = 0;
    let idLo = 0;
    let idHi = 0;
    let at = start;
    while (at < end) {
      const from = at;
      at = cursor.readNumber(from, end);
      const tag = cursor.small;
      const field = tag >>> 3;
      // Field 1 to 10, all of them numbers: other tags up to 0x50 have the wrong wire type.
      if (tag < 0x08 || tag > 0x50 || (tag & 7) !== 0) {
        at = this.#unknown('mapping', row, from, end, LAST_MAPPING_FIELD);
        continue;
      }
      at = field === 5 || field === 6 ? this.#string(at, end) : cursor.readNumber(at, end);
      if (field === 1) {
        idLo = cursor.lo;
        idHi = cursor.hi;
      } else if (field <= 4) {
        const { halves } = addresses[field - 2]!;
        halves[2 * row] = cursor.lo;
        halves[2 * row + 1] = cursor.hi;
      } else if (field === 5) mappings.file[row] = cursor.lo;
      else if (field === 6) mappings.buildId[row] = cursor.lo;
      else {
        const flag = 1 << (field - 7);
        if ((cursor.lo | cursor.hi) === 0) mappings.flags[row]! &= ~flag;
        else mappings.flags[row]! |= flag;
      }
    }
    addId(mappings.ids, idLo, idHi, 'mapping');
  }

  #string(at: number, end: number): number {
    const next = this.#cursor.readNumber(at, end);
    const row = this.#cursor.small;
    if (row > this.maxString) this.maxString = row;
    return next;
  }

  #unknown(holder: Holder, row: number, from: number, end: number, lastKnown: number): number {
    const next = this.#cursor.skip(from, end, lastKnown);
    this.#columns.unknown ??= new UnknownFields();
    this.#columns.unknown.add(holder, row, from, next);
    return next;
  }
}

function addId(ids: Ids, lo: number, hi: number, what: string): void {
  if (lo === 0 && hi === 0) throw new DecodeError('bad_reference', `a ${what} has the reserved id 0`);
  if (ids.count > MAX_IDS) throw new DecodeError('too_many_elements', `more than ${MAX_IDS} ${what}s`);
  if (!ids.add(lo, hi)) throw new DecodeError('duplicate_id', `two ${what}s have the same id`);
}

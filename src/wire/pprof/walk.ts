// The walk over an inflated pprof. Tags and short numbers are read in place, without a call and without an object; the rest goes
// through a Cursor. Every read is checked against the end of its message, and no message reaches beyond the one that holds it.
import { isUtf8 } from 'node:buffer';
import { DecodeError } from '../decode-error.ts';
import { int64, numberCut, VARINT } from '../protobuf.ts';
import { AsciiCheck } from './ascii.ts';
import { Cursor, short, shortBytes } from './cursor.ts';
import { IdSet } from './id-set.ts';
import { MAX_DETAILS, MAX_ELEMENTS, MAX_IDS, MAX_SAMPLE_TYPES } from './limits.ts';
import { Totals } from './total.ts';

// Tags of perftools.profiles.Profile: field number × 8 + wire type.
const SAMPLE_TYPE = 0x0a;
const SAMPLE = 0x12;
const MAPPING = 0x1a;
const LOCATION = 0x22;
const FUNCTION = 0x2a;
const STRING_TABLE = 0x32;
const DROP_FRAMES = 0x38;
const KEEP_FRAMES = 0x40;
const TIME_NANOS = 0x48;
const DURATION_NANOS = 0x50;
const PERIOD_TYPE = 0x5a;
const PERIOD = 0x60;
const COMMENT = 0x68;
const COMMENTS = 0x6a;
const DEFAULT_SAMPLE_TYPE = 0x70;
const DOC_URL = 0x78;
const LAST_FIELD = 15;

// Messages of numbers: which fields name a string (one bit per field number), and the last field that the schema has.
interface Numbers {
  readonly strings: number;
  readonly last: number;
}
const VALUE_TYPE: Numbers = { strings: 0b110, last: 2 };
const LABEL: Numbers = { strings: 0b10110, last: 4 };
const FUNCTION_FIELDS: Numbers = { strings: 0b11100, last: 5 };
const MAPPING_FIELDS: Numbers = { strings: 0b1100000, last: 10 };

const reference = (message: string) => new DecodeError('bad_reference', message);
const tooMany = (max: number, what: string) => new DecodeError('too_many_elements', `more than ${max} ${what}`);

/** String indexes of a value type; HUGE when they are above every table. */
export interface ValueTypeAt {
  type: number;
  unit: number;
}

/**
 * One walk notes everything: ids, sums, and the highest id and string index that anything refers to. Where ids turn out to be
 * exactly 1…n, which is what producers write, the highest one settles all references; otherwise a second walk looks each up.
 */
export class Walk {
  readonly locations = new IdSet();
  readonly functions = new IdSet();
  readonly mappings = new IdSet();
  readonly types: ValueTypeAt[] = [];
  readonly totals = new Totals();
  periodType: ValueTypeAt | undefined;
  period = 0n;
  startNs = 0n;
  durationNs = 0n;
  samples = 0;
  strings = 0;
  /** Where the first string's field begins. */
  stringsAt = 0;
  /** Values per sample; -1 without samples. */
  values = -1;
  /** The highest that anything refers to; HUGE for all from 2^31 on. */
  maxString = 0;
  maxLocation = 0;
  maxFunction = 0;
  maxMapping = 0;

  readonly #bytes: Uint8Array;
  readonly #cursor: Cursor;
  readonly #ascii: AsciiCheck;
  #labels = 0;
  #lines = 0;
  #comments = 0;
  /** Second walk: look references up. */
  #exact = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#cursor = new Cursor(bytes);
    this.#ascii = new AsciiCheck(bytes);
  }

  /** @throws DecodeError bad_protobuf, bad_reference, bad_string, duplicate_id, string_table, too_many_elements, value_count */
  run(): void {
    const bytes = this.#bytes;
    const cursor = this.#cursor;
    const end = bytes.length;
    let at = 0;
    while (at < end) {
      const from = at;
      let tag = bytes[at++]!;
      if (tag > 0x7f) {
        at = cursor.readNumber(from, end);
        tag = cursor.small;
      }
      switch (tag) {
        case SAMPLE:
          if (++this.samples > MAX_ELEMENTS) throw tooMany(MAX_ELEMENTS, 'samples');
          at = cursor.readLength(at, end);
          this.#sample(at - cursor.lo, at);
          break;
        case LOCATION:
          at = cursor.readLength(at, end);
          this.#location(at - cursor.lo, at);
          this.#addId(this.locations, 'location');
          break;
        case FUNCTION:
          at = cursor.readLength(at, end);
          this.#numbers(at - cursor.lo, at, FUNCTION_FIELDS);
          this.#addId(this.functions, 'function');
          break;
        case MAPPING:
          at = cursor.readLength(at, end);
          this.#numbers(at - cursor.lo, at, MAPPING_FIELDS);
          this.#addId(this.mappings, 'mapping');
          break;
        case STRING_TABLE:
          if (this.strings === 0) this.stringsAt = from;
          at = cursor.readLength(at, end);
          this.#string(at - cursor.lo, at);
          break;
        default:
          at = this.#rare(tag, from, at, end);
      }
    }
  }

  /** Looks up every id that samples, locations and lines name. Only after `run`. @throws DecodeError bad_reference */
  checkReferences(): void {
    this.#exact = true;
    this.#labels = this.#lines = 0;
    const bytes = this.#bytes;
    const cursor = this.#cursor;
    const end = bytes.length;
    for (let at = 0; at < end; ) {
      const from = at;
      at = cursor.readNumber(at, end);
      const tag = cursor.small;
      if (tag !== SAMPLE && tag !== LOCATION) {
        at = cursor.skip(from, end, 0);
        continue;
      }
      at = cursor.readLength(at, end);
      if (tag === SAMPLE) this.#sample(at - cursor.lo, at);
      else this.#location(at - cursor.lo, at);
    }
  }

  #rare(tag: number, from: number, start: number, end: number): number {
    const cursor = this.#cursor;
    let at = start;
    switch (tag) {
      case SAMPLE_TYPE:
      case PERIOD_TYPE: {
        at = cursor.readLength(at, end);
        const valueType = this.#valueType(at - cursor.lo, at);
        if (tag === PERIOD_TYPE) this.periodType = valueType;
        else if (this.types.push(valueType) > MAX_SAMPLE_TYPES) throw tooMany(MAX_SAMPLE_TYPES, 'sample types');
        return at;
      }
      case TIME_NANOS:
        at = cursor.readNumber(at, end);
        this.startNs = int64(cursor.lo >>> 0, cursor.hi);
        return at;
      case DURATION_NANOS:
        at = cursor.readNumber(at, end);
        this.durationNs = int64(cursor.lo >>> 0, cursor.hi);
        return at;
      case PERIOD:
        at = cursor.readNumber(at, end);
        this.period = int64(cursor.lo >>> 0, cursor.hi);
        return at;
      case DROP_FRAMES:
      case KEEP_FRAMES:
      case DEFAULT_SAMPLE_TYPE:
      case DOC_URL:
        at = cursor.readNumber(at, end);
        this.#noteString(cursor.small);
        return at;
      case COMMENT:
        return this.#comment(at, end);
      case COMMENTS: {
        const stop = cursor.readLength(at, end);
        for (at = stop - cursor.lo; at < stop; ) at = this.#comment(at, stop);
        return stop;
      }
      default:
        return cursor.skip(from, end, LAST_FIELD);
    }
  }

  #comment(at: number, end: number): number {
    if (++this.#comments > MAX_DETAILS) throw tooMany(MAX_DETAILS, 'comments');
    const next = this.#cursor.readNumber(at, end);
    this.#noteString(this.#cursor.small);
    return next;
  }

  #sample(start: number, end: number): void {
    const bytes = this.#bytes;
    const cursor = this.#cursor;
    let values = 0;
    let at = start;
    while (at < end) {
      const from = at;
      let tag = bytes[at++]!;
      if (tag > 0x7f) {
        at = cursor.readNumber(from, end);
        tag = cursor.small;
      }
      switch (tag) {
        case 0x0a: {
          const stop = cursor.readLength(at, end);
          this.#locationIds(stop - cursor.lo, stop);
          at = stop;
          break;
        }
        case 0x12: {
          const stop = cursor.readLength(at, end);
          at = stop - cursor.lo;
          while (at < stop) at = this.#value(at, stop, values++);
          break;
        }
        case 0x1a: {
          if (++this.#labels > MAX_DETAILS) throw tooMany(MAX_DETAILS, 'labels');
          const stop = cursor.readLength(at, end);
          this.#numbers(stop - cursor.lo, stop, LABEL);
          at = stop;
          break;
        }
        case 0x08:
          at = cursor.readNumber(at, end);
          this.#noteLocation();
          break;
        case 0x10:
          at = this.#value(at, end, values++);
          break;
        default:
          at = cursor.skip(from, end, 3);
      }
    }
    if (this.values < 0) this.values = values;
    else if (this.values !== values)
      throw new DecodeError('value_count', `one sample has ${this.values} values, another ${values}`);
  }

  /** A packed list: more than half the bytes of a typical profile. */
  #locationIds(start: number, end: number): void {
    const bytes = this.#bytes;
    const cursor = this.#cursor;
    const roomy = this.#exact ? start : Math.min(end, cursor.roomyEnd);
    let max = this.maxLocation;
    let at = start;
    while (at < roomy) {
      const id = short(bytes, at);
      if (id > 0) {
        if (id > max) max = id;
        at += shortBytes(id);
        continue;
      }
      at = cursor.readNumber(at, end);
      this.#noteLocation();
    }
    if (max > this.maxLocation) this.maxLocation = max;
    if (at > end) throw numberCut();
    while (at < end) {
      at = cursor.readNumber(at, end);
      this.#noteLocation();
    }
  }

  #noteLocation(): void {
    const { lo, hi, small } = this.#cursor;
    if (small === 0) throw reference('a sample names location 0');
    if (small > this.maxLocation) this.maxLocation = small;
    if (this.#exact && !this.locations.has(lo >>> 0, hi >>> 0))
      throw reference('a sample names a location that does not exist');
  }

  /** Adds the number at `at` to its column; returns where it ends. */
  #value(at: number, end: number, column: number): number {
    const cursor = this.#cursor;
    const next = cursor.readNumber(at, end);
    if (column >= MAX_SAMPLE_TYPES)
      throw new DecodeError('value_count', `a sample has more than ${MAX_SAMPLE_TYPES} values`);
    if (!this.#exact) {
      if (cursor.hi === 0 && cursor.lo >= 0) this.totals.add(column, cursor.lo);
      else this.totals.addHalves(column, cursor.lo >>> 0, cursor.hi >>> 0);
    }
    return next;
  }

  /** Leaves the id as the last number. */
  #location(start: number, end: number): void {
    const bytes = this.#bytes;
    const cursor = this.#cursor;
    let lo = 0;
    let hi = 0;
    let mappingLo = 0;
    let mappingHi = 0;
    let at = start;
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
          lo = cursor.lo;
          hi = cursor.hi;
          break;
        case 0x10:
          at = cursor.readNumber(at, end);
          mappingLo = cursor.lo;
          mappingHi = cursor.hi;
          break;
        case 0x18:
        case 0x28:
          at = cursor.readNumber(at, end);
          break;
        case 0x22: {
          if (++this.#lines > MAX_DETAILS) throw tooMany(MAX_DETAILS, 'lines');
          const stop = cursor.readLength(at, end);
          this.#line(stop - cursor.lo, stop);
          at = stop;
          break;
        }
        default:
          at = cursor.skip(from, end, 5);
      }
    }
    // Of a field that comes twice the last one counts. 0 means: no mapping.
    cursor.lo = mappingLo;
    cursor.hi = mappingHi;
    if (cursor.small > this.maxMapping) this.maxMapping = cursor.small;
    if (this.#exact && cursor.small !== 0 && !this.mappings.has(mappingLo >>> 0, mappingHi >>> 0))
      throw reference('a location names a mapping that does not exist');
    cursor.lo = lo;
    cursor.hi = hi;
  }

  #line(start: number, end: number): void {
    const bytes = this.#bytes;
    const cursor = this.#cursor;
    let lo = 0;
    let hi = 0;
    let at = start;
    while (at < end) {
      const from = at;
      let tag = bytes[at++]!;
      if (tag > 0x7f) {
        at = cursor.readNumber(from, end);
        tag = cursor.small;
      }
      if (tag === 0x08) {
        at = cursor.readNumber(at, end);
        lo = cursor.lo;
        hi = cursor.hi;
      } else if (tag === 0x10 || tag === 0x18) at = cursor.readNumber(at, end);
      else at = cursor.skip(from, end, 3);
    }
    // As above. 0 means: no function.
    cursor.lo = lo;
    cursor.hi = hi;
    if (cursor.small > this.maxFunction) this.maxFunction = cursor.small;
    if (this.#exact && cursor.small !== 0 && !this.functions.has(lo >>> 0, hi >>> 0))
      throw reference('a line names a function that does not exist');
  }

  /** A message of numbers only, some of which name strings. Leaves field 1 as the last number: the id, where there is one. */
  #numbers(start: number, end: number, { strings, last }: Numbers): void {
    const bytes = this.#bytes;
    const cursor = this.#cursor;
    const roomy = end <= cursor.roomyEnd;
    let lo = 0;
    let hi = 0;
    let at = start;
    while (at < end) {
      const from = at;
      let tag = bytes[at++]!;
      if (tag > 0x7f) {
        at = cursor.readNumber(from, end);
        tag = cursor.small;
      }
      if (tag < 8 || tag > 0x7f || (tag & 7) !== VARINT) {
        at = cursor.skip(from, end, last);
        continue;
      }
      let value = roomy ? short(bytes, at) : -1;
      if (value >= 0) {
        at += shortBytes(value);
        if (tag === 0x08) {
          lo = value;
          hi = 0;
        }
      } else {
        at = cursor.readNumber(at, end);
        value = cursor.small;
        if (tag === 0x08) {
          lo = cursor.lo;
          hi = cursor.hi;
        }
      }
      if (strings & (1 << (tag >>> 3))) this.#noteString(value);
    }
    if (at > end) throw numberCut();
    cursor.lo = lo;
    cursor.hi = hi;
  }

  #valueType(start: number, end: number): ValueTypeAt {
    const cursor = this.#cursor;
    const valueType = { type: 0, unit: 0 };
    this.#numbers(start, end, VALUE_TYPE);
    for (let at = start; at < end; ) {
      const from = at;
      at = cursor.readNumber(at, end);
      const tag = cursor.small;
      if (tag !== 0x08 && tag !== 0x10) at = cursor.skip(from, end, 0);
      else {
        at = cursor.readNumber(at, end);
        valueType[tag === 0x08 ? 'type' : 'unit'] = cursor.small;
      }
    }
    return valueType;
  }

  #noteString(row: number): void {
    if (row > this.maxString) this.maxString = row;
  }

  #addId(ids: IdSet, what: string): void {
    const lo = this.#cursor.lo >>> 0;
    const hi = this.#cursor.hi >>> 0;
    if (lo === 0 && hi === 0) throw reference(`a ${what} has the reserved id 0`);
    if (!ids.add(lo, hi)) throw new DecodeError('duplicate_id', `two ${what}s have the same id`);
    if (ids.size > MAX_IDS) throw tooMany(MAX_IDS, `${what}s`);
  }

  #string(start: number, end: number): void {
    if (this.strings === 0 && end !== start) throw new DecodeError('string_table', 'the first string is not empty');
    if (++this.strings > MAX_ELEMENTS) throw tooMany(MAX_ELEMENTS, 'strings');
    if (!this.#ascii.holds(start, end) && !isUtf8(this.#bytes.subarray(start, end)))
      throw new DecodeError('bad_string', 'a string is not valid UTF-8');
  }
}

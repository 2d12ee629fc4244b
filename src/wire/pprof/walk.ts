// The walk over an inflated pprof. Tags and short numbers are read in place, without a call and without an object; what is rare
// (numbers of more than 4 bytes, unknown fields, long tags) goes through a Reader. Every read is checked against the end of its
// message, and no message reaches beyond the one that holds it.
import { isUtf8 } from 'node:buffer';
import { DecodeError } from '../decode-error.ts';
import { BYTES, fieldTooLong, numberCut, Reader, VARINT } from '../protobuf.ts';
import { AsciiCheck } from './ascii.ts';
import { IdSet } from './id-set.ts';
import { Totals } from './total.ts';

/** Samples, or strings. The largest real profiles have some 100 000. */
const MAX_ELEMENTS = 4_000_000;
/** Locations, functions, or mappings. Fewer, since an id that is neither small nor in order costs up to 32 bytes here. */
const MAX_IDS = 1_000_000;
/** Columns of values. Real profiles have up to 8. */
export const MAX_SAMPLE_TYPES = 256;

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
const LAST_FIELD = 14;

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

/** String indexes of a value type; above every table when they are negative. */
export interface ValueTypeAt {
  type: number;
  unit: number;
}

/** A signed 64-bit number: low and high half. */
type Halves = readonly [number, number];

/**
 * One walk notes everything: ids, sums, and the highest id and string index that anything refers to. Where ids turn out to be
 * exactly 1…n, which is what producers write, the highest one settles all references; otherwise a second walk looks each up.
 */
export class Walk {
  readonly locations = new IdSet();
  readonly functions = new IdSet();
  readonly mappings = new IdSet();
  readonly types: ValueTypeAt[] = [];
  readonly totals = new Totals(MAX_SAMPLE_TYPES);
  periodType: ValueTypeAt | undefined;
  period: Halves = [0, 0];
  startNs: Halves = [0, 0];
  durationNs: Halves = [0, 0];
  samples = 0;
  strings = 0;
  /** Where the first string's field begins. */
  stringsAt = 0;
  /** Values per sample; undefined without samples. */
  values: number | undefined;
  maxString = 0;
  maxLocation = 0;
  maxFunction = 0;
  maxMapping = 0;

  readonly #bytes: Uint8Array;
  readonly #reader: Reader;
  readonly #ascii: AsciiCheck;
  /** Up to here 4 bytes can be read without looking at the end of the buffer. */
  readonly #roomy: number;
  /** The last number: as a double, rounded above 2^53, and its halves. */
  #number = 0;
  #lo = 0;
  #hi = 0;
  /** Second walk: look references up. */
  #exact = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#reader = new Reader(bytes);
    this.#ascii = new AsciiCheck(bytes);
    this.#roomy = bytes.length - 3;
  }

  /** @throws DecodeError bad_protobuf, bad_reference, bad_string, duplicate_id, string_table, too_many_elements, value_count */
  run(): void {
    const bytes = this.#bytes;
    const end = bytes.length;
    let at = 0;
    while (at < end) {
      const from = at;
      let tag = bytes[at++]!;
      if (tag > 0x7f) {
        at = this.#readNumber(from, end);
        tag = this.#number;
      }
      switch (tag) {
        case SAMPLE:
          if (++this.samples > MAX_ELEMENTS) throw tooMany(MAX_ELEMENTS, 'samples');
          at = this.#readLength(at, end);
          this.#sample(at - this.#number, at);
          break;
        case LOCATION:
          at = this.#readLength(at, end);
          this.#location(at - this.#number, at);
          this.#addId(this.locations, 'location');
          break;
        case FUNCTION:
          at = this.#readLength(at, end);
          this.#numbers(at - this.#number, at, FUNCTION_FIELDS);
          this.#addId(this.functions, 'function');
          break;
        case MAPPING:
          at = this.#readLength(at, end);
          this.#numbers(at - this.#number, at, MAPPING_FIELDS);
          this.#addId(this.mappings, 'mapping');
          break;
        case STRING_TABLE:
          if (this.strings === 0) this.stringsAt = from;
          at = this.#readLength(at, end);
          this.#string(at - this.#number, at);
          break;
        default:
          at = this.#rare(tag, at, end);
      }
    }
  }

  /** Looks up every id that samples, locations and lines name. Only after `run`. @throws DecodeError bad_reference */
  checkReferences(): void {
    this.#exact = true;
    const reader = new Reader(this.#bytes);
    while (reader.next()) {
      const { field } = reader;
      if (field !== 2 && field !== 4) {
        reader.skip();
        continue;
      }
      const length = reader.length();
      if (field === 2) this.#sample(reader.at, reader.at + length);
      else this.#location(reader.at, reader.at + length);
      reader.at += length;
    }
  }

  #rare(tag: number, start: number, end: number): number {
    let at = start;
    switch (tag) {
      case SAMPLE_TYPE:
      case PERIOD_TYPE: {
        at = this.#readLength(at, end);
        const valueType = this.#valueType(at - this.#number, at);
        if (tag === PERIOD_TYPE) this.periodType = valueType;
        else if (this.types.push(valueType) > MAX_SAMPLE_TYPES) throw tooMany(MAX_SAMPLE_TYPES, 'sample types');
        return at;
      }
      case TIME_NANOS:
        at = this.#readNumber(at, end);
        this.startNs = [this.#lo, this.#hi];
        return at;
      case DURATION_NANOS:
        at = this.#readNumber(at, end);
        this.durationNs = [this.#lo, this.#hi];
        return at;
      case PERIOD:
        at = this.#readNumber(at, end);
        this.period = [this.#lo, this.#hi];
        return at;
      case DROP_FRAMES:
      case KEEP_FRAMES:
      case DEFAULT_SAMPLE_TYPE:
      case COMMENT:
        at = this.#readNumber(at, end);
        this.#noteString();
        return at;
      case COMMENTS: {
        const stop = this.#readLength(at, end);
        for (at = stop - this.#number; at < stop; this.#noteString()) at = this.#readNumber(at, stop);
        return stop;
      }
      default:
        return this.#skip(tag, at, end, LAST_FIELD);
    }
  }

  #sample(start: number, end: number): void {
    const bytes = this.#bytes;
    let values = 0;
    let at = start;
    while (at < end) {
      let tag = bytes[at++]!;
      if (tag > 0x7f) {
        at = this.#readNumber(at - 1, end);
        tag = this.#number;
      }
      switch (tag) {
        case 0x0a: {
          const stop = this.#readLength(at, end);
          this.#locationIds(stop - this.#number, stop);
          at = stop;
          break;
        }
        case 0x12: {
          const stop = this.#readLength(at, end);
          at = stop - this.#number;
          while (at < stop) at = this.#value(at, stop, values++);
          break;
        }
        case 0x1a: {
          const stop = this.#readLength(at, end);
          this.#numbers(stop - this.#number, stop, LABEL);
          at = stop;
          break;
        }
        case 0x08:
          at = this.#readNumber(at, end);
          this.#noteLocation();
          break;
        case 0x10:
          at = this.#value(at, end, values++);
          break;
        default:
          at = this.#skip(tag, at, end, 3);
      }
    }
    if (this.values === undefined) this.values = values;
    else if (this.values !== values)
      throw new DecodeError('value_count', `one sample has ${this.values} values, another ${values}`);
  }

  /** A packed list: more than half the bytes of a typical profile. */
  #locationIds(start: number, end: number): void {
    const bytes = this.#bytes;
    const roomy = this.#exact ? start : Math.min(end, this.#roomy);
    let max = this.maxLocation;
    let at = start;
    while (at < roomy) {
      let id = bytes[at]!;
      let size = 1;
      if (id > 0x7f) {
        const second = bytes[at + 1]!;
        id = (id & 0x7f) | ((second & 0x7f) << 7);
        size = 2;
        if (second > 0x7f) {
          const third = bytes[at + 2]!;
          id |= (third & 0x7f) << 14;
          size = 3;
          if (third > 0x7f) {
            at = this.#readNumber(at, end);
            this.#noteLocation();
            continue;
          }
        }
      }
      if (id === 0) throw reference('a sample names location 0');
      if (id > max) max = id;
      at += size;
    }
    if (max > this.maxLocation) this.maxLocation = max;
    if (at > end) throw numberCut();
    while (at < end) {
      at = this.#readNumber(at, end);
      this.#noteLocation();
    }
  }

  #noteLocation(): void {
    if (this.#number === 0) throw reference('a sample names location 0');
    if (this.#number > this.maxLocation) this.maxLocation = this.#number;
    if (this.#exact && !this.locations.has(this.#lo, this.#hi))
      throw reference('a sample names a location that does not exist');
  }

  /** Adds the number at `at` to its column; returns where it ends. */
  #value(at: number, end: number, column: number): number {
    const next = this.#readNumber(at, end);
    if (column >= MAX_SAMPLE_TYPES)
      throw new DecodeError('value_count', `a sample has more than ${MAX_SAMPLE_TYPES} values`);
    if (!this.#exact) {
      if (this.#hi === 0) this.totals.add(column, this.#lo);
      else this.totals.addHalves(column, this.#lo, this.#hi);
    }
    return next;
  }

  /** Leaves the id as the last number. */
  #location(start: number, end: number): void {
    let lo = 0;
    let hi = 0;
    let at = start;
    while (at < end) {
      let tag = this.#bytes[at++]!;
      if (tag > 0x7f) {
        at = this.#readNumber(at - 1, end);
        tag = this.#number;
      }
      switch (tag) {
        case 0x08:
          at = this.#readNumber(at, end);
          lo = this.#lo;
          hi = this.#hi;
          break;
        case 0x10:
          at = this.#readNumber(at, end);
          if (this.#number > this.maxMapping) this.maxMapping = this.#number;
          // 0 means: no mapping.
          if (this.#exact && this.#number !== 0 && !this.mappings.has(this.#lo, this.#hi))
            throw reference('a location names a mapping that does not exist');
          break;
        case 0x18:
        case 0x28:
          at = this.#readNumber(at, end);
          break;
        case 0x22: {
          const stop = this.#readLength(at, end);
          this.#line(stop - this.#number, stop);
          at = stop;
          break;
        }
        default:
          at = this.#skip(tag, at, end, 5);
      }
    }
    this.#lo = lo;
    this.#hi = hi;
  }

  #line(start: number, end: number): void {
    let at = start;
    while (at < end) {
      let tag = this.#bytes[at++]!;
      if (tag > 0x7f) {
        at = this.#readNumber(at - 1, end);
        tag = this.#number;
      }
      if (tag === 0x08) {
        at = this.#readNumber(at, end);
        if (this.#number > this.maxFunction) this.maxFunction = this.#number;
        // 0 means: no function.
        if (this.#exact && this.#number !== 0 && !this.functions.has(this.#lo, this.#hi))
          throw reference('a line names a function that does not exist');
      } else if (tag === 0x10 || tag === 0x18) at = this.#readNumber(at, end);
      else at = this.#skip(tag, at, end, 3);
    }
  }

  /** A message of numbers only, some of which name strings. Leaves field 1 as the last number: the id, where there is one. */
  #numbers(start: number, end: number, { strings, last }: Numbers): void {
    let lo = 0;
    let hi = 0;
    let at = start;
    while (at < end) {
      let tag = this.#bytes[at++]!;
      if (tag > 0x7f) {
        at = this.#readNumber(at - 1, end);
        tag = this.#number;
      }
      if (tag < 8 || tag > 0x7f || (tag & 7) !== VARINT) {
        at = this.#skip(tag, at, end, last);
        continue;
      }
      at = this.#readNumber(at, end);
      if (tag === 0x08) {
        lo = this.#lo;
        hi = this.#hi;
      }
      if (strings & (1 << (tag >>> 3))) this.#noteString();
    }
    this.#lo = lo;
    this.#hi = hi;
  }

  #valueType(start: number, end: number): ValueTypeAt {
    this.#numbers(start, end, VALUE_TYPE);
    const valueType = { type: 0, unit: 0 };
    const reader = new Reader(this.#bytes, start, end);
    while (reader.next()) {
      if (reader.field > 2) {
        reader.skip();
        continue;
      }
      reader.varint();
      valueType[reader.field === 1 ? 'type' : 'unit'] = reader.hi === 0 ? reader.lo : Number.POSITIVE_INFINITY;
    }
    return valueType;
  }

  #noteString(): void {
    if (this.#number > this.maxString) this.maxString = this.#number;
  }

  #addId(ids: IdSet, what: string): void {
    if (this.#lo === 0 && this.#hi === 0) throw reference(`a ${what} has the reserved id 0`);
    if (!ids.add(this.#lo, this.#hi)) throw new DecodeError('duplicate_id', `two ${what}s have the same id`);
    if (ids.size > MAX_IDS) throw tooMany(MAX_IDS, `${what}s`);
  }

  #string(start: number, end: number): void {
    if (this.strings === 0 && end !== start) throw new DecodeError('string_table', 'the first string is not empty');
    if (++this.strings > MAX_ELEMENTS) throw tooMany(MAX_ELEMENTS, 'strings');
    if (!this.#ascii.holds(start, end) && !isUtf8(this.#bytes.subarray(start, end)))
      throw new DecodeError('bad_string', 'a string is not valid UTF-8');
  }

  /** Reads a length into the last number and returns the end of what it spans. */
  #readLength(at: number, end: number): number {
    const next = this.#readNumber(at, end);
    if (this.#number > end - next) throw fieldTooLong();
    return next + this.#number;
  }

  /** Reads a varint into the last number and returns where it ends. */
  #readNumber(at: number, end: number): number {
    if (at < end) {
      const bytes = this.#bytes;
      const first = bytes[at]!;
      if (first < 0x80) {
        this.#number = this.#lo = first;
        this.#hi = 0;
        return at + 1;
      }
      if (at + 4 <= end) {
        const second = bytes[at + 1]!;
        let value = (first & 0x7f) | ((second & 0x7f) << 7);
        let size = 2;
        if (second > 0x7f) {
          const third = bytes[at + 2]!;
          value |= (third & 0x7f) << 14;
          size = 3;
          if (third > 0x7f) {
            const fourth = bytes[at + 3]!;
            if (fourth > 0x7f) return this.#readLong(at, end);
            value |= fourth << 21;
            size = 4;
          }
        }
        this.#number = this.#lo = value;
        this.#hi = 0;
        return at + size;
      }
    }
    return this.#readLong(at, end);
  }

  #readLong(at: number, end: number): number {
    const reader = this.#reader;
    reader.at = at;
    reader.end = end;
    reader.varint();
    this.#lo = reader.lo;
    this.#hi = reader.hi;
    this.#number = reader.hi * 4294967296 + reader.lo;
    return reader.at;
  }

  /** Passes over a field that nobody asked for; known fields up to `lastKnown` only come here with the wrong wire type. */
  #skip(tag: number, at: number, end: number, lastKnown: number): number {
    const reader = this.#reader;
    reader.at = at;
    reader.end = end;
    reader.setTag(tag);
    if (reader.field <= lastKnown) reader.expect(reader.type === BYTES ? VARINT : BYTES);
    reader.skip();
    return reader.at;
  }
}

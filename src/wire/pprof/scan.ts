// One look at an inflated pprof (profile.proto of google/pprof): is it sound, and what does it say of itself. No object per
// sample, location or string. Two passes over the top level, since fields come in any order: first what others refer to
// (strings, locations, functions, mappings, types), then what refers.
import { isUtf8 } from 'node:buffer';
import type { Summary, ValueType } from '../../model/summary.ts';
import { DecodeError } from '../decode-error.ts';
import { BYTES, int64, Reader, VARINT } from '../protobuf.ts';
import { IdSet } from './id-set.ts';
import { Total } from './total.ts';

/** Elements of one kind in one profile. The largest real ones have some 100 000; each costs us bytes beside its own. */
const MAX_ELEMENTS = 4_000_000;
/** Columns of values. Real profiles have up to 8. */
const MAX_SAMPLE_TYPES = 256;

// Fields of perftools.profiles.Profile.
const SAMPLE_TYPE = 1;
const SAMPLE = 2;
const MAPPING = 3;
const LOCATION = 4;
const FUNCTION = 5;
const STRING_TABLE = 6;
const DROP_FRAMES = 7;
const KEEP_FRAMES = 8;
const TIME_NANOS = 9;
const DURATION_NANOS = 10;
const PERIOD_TYPE = 11;
const PERIOD = 12;
const COMMENT = 13;
const DEFAULT_SAMPLE_TYPE = 14;

const reference = (message: string) => new DecodeError('bad_reference', message);

/**
 * Checks an inflated pprof and sums it up; about 1 GB/s.
 * @throws DecodeError empty_body, bad_protobuf, bad_reference, duplicate_id, value_count, string_table, bad_string,
 * no_sample_type, too_many_elements
 */
export function scanPprof(raw: Uint8Array): Summary {
  if (raw.length === 0) throw new DecodeError('empty_body', 'the profile is empty');
  return new Scan(raw).run();
}

class Scan {
  readonly #top: Reader;
  readonly #in: Reader;
  readonly #locations = new IdSet();
  readonly #functions = new IdSet();
  readonly #mappings = new IdSet();
  readonly #types: { typeAt: number; unitAt: number }[] = [];
  #strings = 0;
  #samples = 0;
  /** Where the strings of value types begin, by index; a second look finds those that are wanted. */
  readonly #wanted = new Map<number, string>();

  constructor(raw: Uint8Array) {
    this.#top = new Reader(raw);
    this.#in = new Reader(raw, 0, 0);
  }

  run(): Summary {
    let periodType: { typeAt: number; unitAt: number } | undefined;
    let startNs = 0n;
    let durationNs = 0n;
    let period = 0n;
    const top = this.#top;
    while (top.next()) {
      switch (top.field) {
        case SAMPLE_TYPE:
          this.#types.push(this.#valueType());
          if (this.#types.length > MAX_SAMPLE_TYPES)
            throw new DecodeError('too_many_elements', `more than ${MAX_SAMPLE_TYPES} sample types`);
          break;
        case MAPPING:
          this.#id(this.#mappings, 'mapping');
          break;
        case LOCATION:
          this.#id(this.#locations, 'location');
          break;
        case FUNCTION:
          this.#id(this.#functions, 'function');
          break;
        case STRING_TABLE:
          this.#string();
          break;
        case TIME_NANOS:
          startNs = this.#int(top);
          break;
        case DURATION_NANOS:
          durationNs = this.#int(top);
          break;
        case PERIOD:
          period = this.#int(top);
          break;
        case PERIOD_TYPE:
          periodType = this.#valueType();
          break;
        case SAMPLE:
          top.expect(BYTES);
          if (++this.#samples > MAX_ELEMENTS)
            throw new DecodeError('too_many_elements', `more than ${MAX_ELEMENTS} samples`);
          top.skip();
          break;
        default:
          top.skip();
      }
    }
    if (this.#strings === 0) throw new DecodeError('string_table', 'the string table is missing');
    if (this.#types.length === 0) throw new DecodeError('no_sample_type', 'the profile has no sample type');
    const totals = this.#types.map(() => new Total());
    this.#references(totals);
    for (const { typeAt, unitAt } of periodType ? [...this.#types, periodType] : this.#types) {
      this.#wanted.set(typeAt, '');
      this.#wanted.set(unitAt, '');
    }
    this.#readWanted();
    const named = ({ typeAt, unitAt }: { typeAt: number; unitAt: number }): ValueType => ({
      type: this.#wanted.get(typeAt)!,
      unit: this.#wanted.get(unitAt)!,
    });
    return {
      types: this.#types.map((type, n) => ({ ...named(type), total: totals[n]!.value })),
      ...(periodType && { periodType: named(periodType) }),
      period,
      startNs,
      durationNs,
      samples: this.#samples,
      locations: this.#locations.size,
      functions: this.#functions.size,
    };
  }

  #int(reader: Reader): bigint {
    reader.expect(VARINT);
    reader.varint();
    return int64(reader.lo, reader.hi);
  }

  /** Sets `#in` on the message at the cursor and moves the cursor behind it. */
  #enter(): Reader {
    const top = this.#top;
    top.expect(BYTES);
    const length = top.length();
    this.#in.at = top.at;
    top.at += length;
    this.#in.end = top.at;
    return this.#in;
  }

  #valueType(): { typeAt: number; unitAt: number } {
    const type = { typeAt: 0, unitAt: 0 };
    const reader = this.#enter();
    while (reader.next()) {
      if (reader.field > 2) {
        reader.skip();
        continue;
      }
      reader.expect(VARINT);
      reader.varint();
      // Checked against the table when all of it was seen; what does not fit 32 bits never will.
      const index = reader.hi === 0 ? reader.lo : Number.POSITIVE_INFINITY;
      if (reader.field === 1) type.typeAt = index;
      else type.unitAt = index;
    }
    return type;
  }

  #id(ids: IdSet, what: string): void {
    const reader = this.#enter();
    let lo = 0;
    let hi = 0;
    while (reader.next()) {
      if (reader.field === 1) {
        reader.expect(VARINT);
        reader.varint();
        ({ lo, hi } = reader);
      } else reader.skip();
    }
    if (lo === 0 && hi === 0) throw reference(`a ${what} has the reserved id 0`);
    if (!ids.add(lo, hi)) throw new DecodeError('duplicate_id', `two ${what}s have the same id`);
    if (ids.size > MAX_ELEMENTS) throw new DecodeError('too_many_elements', `more than ${MAX_ELEMENTS} ${what}s`);
  }

  #string(): void {
    const top = this.#top;
    top.expect(BYTES);
    const length = top.length();
    const { bytes, at } = top;
    const end = at + length;
    if (this.#strings === 0 && length !== 0) throw new DecodeError('string_table', 'the first string is not empty');
    if (++this.#strings > MAX_ELEMENTS) throw new DecodeError('too_many_elements', `more than ${MAX_ELEMENTS} strings`);
    // Nearly all strings are ASCII; only the others are worth a native call.
    for (let n = at; n < end; n++) {
      if (bytes[n]! < 0x80) continue;
      if (!isUtf8(bytes.subarray(at, end))) throw new DecodeError('bad_string', 'a string is not valid UTF-8');
      break;
    }
    top.at = end;
  }

  #checkString(lo: number, hi: number, what: string): void {
    if (hi !== 0 || lo >= this.#strings) throw reference(`${what} names a string outside the table`);
  }

  #references(totals: readonly Total[]): void {
    for (const { typeAt, unitAt } of this.#types) this.#checkValueType(typeAt, unitAt, 'a sample type');
    const top = this.#top;
    top.at = 0;
    while (top.next()) {
      switch (top.field) {
        case SAMPLE:
          this.#sample(this.#enter(), totals);
          break;
        case LOCATION:
          this.#location(this.#enter());
          break;
        case FUNCTION:
          this.#stringFields(this.#enter(), 2, 4, 'a function');
          break;
        case MAPPING:
          this.#stringFields(this.#enter(), 5, 6, 'a mapping');
          break;
        case PERIOD_TYPE: {
          const { typeAt, unitAt } = this.#valueType();
          this.#checkValueType(typeAt, unitAt, 'the period type');
          break;
        }
        case DROP_FRAMES:
        case KEEP_FRAMES:
        case DEFAULT_SAMPLE_TYPE:
          top.expect(VARINT);
          top.varint();
          this.#checkString(top.lo, top.hi, `field ${top.field}`);
          break;
        case COMMENT:
          this.#numbers(top, (lo, hi) => this.#checkString(lo, hi, 'a comment'));
          break;
        default:
          top.skip();
      }
    }
  }

  #checkValueType(typeAt: number, unitAt: number, what: string): void {
    if (typeAt >= this.#strings || unitAt >= this.#strings) throw reference(`${what} names a string outside the table`);
  }

  /** A repeated number, packed or not. */
  #numbers(reader: Reader, each: (lo: number, hi: number) => void): void {
    if (reader.type === VARINT) {
      reader.varint();
      each(reader.lo, reader.hi);
      return;
    }
    reader.expect(BYTES);
    const length = reader.length();
    const end = reader.at + length;
    const outer = reader.end;
    reader.end = end;
    while (reader.at < end) {
      reader.varint();
      each(reader.lo, reader.hi);
    }
    reader.end = outer;
  }

  #sample(reader: Reader, totals: readonly Total[]): void {
    let values = 0;
    while (reader.next()) {
      if (reader.field === 1 || reader.field === 2) {
        const isValue = reader.field === 2;
        const packed = reader.type === BYTES;
        if (!packed) reader.expect(VARINT);
        const outer = reader.end;
        if (packed) {
          const length = reader.length();
          reader.end = reader.at + length;
        }
        do {
          if (packed && reader.at >= reader.end) break;
          reader.varint();
          if (isValue) totals[values++]?.add(reader.lo, reader.hi);
          else if (!this.#locations.has(reader.lo, reader.hi))
            throw reference('a sample names a location that does not exist');
        } while (packed);
        reader.end = outer;
      } else if (reader.field === 3) this.#label(reader);
      else reader.skip();
    }
    if (values !== totals.length)
      throw new DecodeError('value_count', `a sample has ${values} values for ${totals.length} sample types`);
  }

  #label(reader: Reader): void {
    reader.expect(BYTES);
    const length = reader.length();
    const outer = reader.end;
    reader.end = reader.at + length;
    while (reader.next()) {
      if (reader.field === 1 || reader.field === 2 || reader.field === 4) {
        reader.expect(VARINT);
        reader.varint();
        this.#checkString(reader.lo, reader.hi, 'a label');
      } else reader.skip();
    }
    reader.end = outer;
  }

  #location(reader: Reader): void {
    while (reader.next()) {
      if (reader.field === 2) {
        reader.expect(VARINT);
        reader.varint();
        // 0 means: no mapping.
        if ((reader.lo !== 0 || reader.hi !== 0) && !this.#mappings.has(reader.lo, reader.hi))
          throw reference('a location names a mapping that does not exist');
      } else if (reader.field === 4) {
        this.#line(reader);
      } else reader.skip();
    }
  }

  #line(reader: Reader): void {
    reader.expect(BYTES);
    const length = reader.length();
    const outer = reader.end;
    reader.end = reader.at + length;
    while (reader.next()) {
      if (reader.field === 1) {
        reader.expect(VARINT);
        reader.varint();
        if ((reader.lo !== 0 || reader.hi !== 0) && !this.#functions.has(reader.lo, reader.hi))
          throw reference('a line names a function that does not exist');
      } else reader.skip();
    }
    reader.end = outer;
  }

  #stringFields(reader: Reader, first: number, last: number, what: string): void {
    while (reader.next()) {
      if (reader.field >= first && reader.field <= last) {
        reader.expect(VARINT);
        reader.varint();
        this.#checkString(reader.lo, reader.hi, what);
      } else reader.skip();
    }
  }

  #readWanted(): void {
    const top = this.#top;
    top.at = 0;
    let index = -1;
    let left = this.#wanted.size;
    while (left > 0 && top.next()) {
      if (top.field !== STRING_TABLE || !this.#wanted.has(++index)) top.skip();
      else {
        this.#wanted.set(index, top.string());
        left--;
      }
    }
  }
}

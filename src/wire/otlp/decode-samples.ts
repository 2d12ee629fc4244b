import type { Columns } from '../../model/columns/columns.ts';
import { Rows } from '../../model/columns/growth.ts';
import { Int64s } from '../../model/columns/int64.ts';
import { LINK_BYTES, SPAN_ID_BYTES, TRACE_ID_BYTES } from '../../model/columns/links.ts';
import { BOTH, Observations, PLAIN, TIMES, VALUE, VALUES } from '../../model/columns/observations.ts';
import type { OtlpFields } from '../../model/columns/otlp-fields.ts';
import { DecodeError } from '../decode-error.ts';
import { MAX_ELEMENTS } from '../pprof/limits.ts';
import { fieldTooLong } from '../protobuf.ts';
import type { AttributeDecoder } from './decode-attributes.ts';
import { checkRow, type SourceDictionary } from './decode-dictionary.ts';
import { ascending, Identities } from './identities.ts';
import { addInt64s } from './sum.ts';

/**
 * Reads the samples of Profiles, one type after the other, and joins those of equal stack, attributes and link: the n-th of one type
 * with the n-th of the next. Stacks hold rows of the dictionary for the time being.
 */
export class SampleDecoder {
  readonly #columns: Columns;
  readonly #otlp: OtlpFields;
  readonly #source: SourceDictionary;
  readonly #attributes: AttributeDecoder;
  readonly #observations = new Observations();
  /** Only where there is something to join. */
  readonly #identities: Identities | undefined;
  /** By identity: its first sample, its last one, both + 1, and the next that a sample of the type at hand would join, 0 for a new one. */
  readonly #first = new Rows();
  readonly #last = new Rows();
  readonly #due = new Rows();
  /** By identity: the type that `due` is about. */
  readonly #dueType = new Rows();
  /** By sample: the next one of its identity, + 1. */
  readonly #twin = new Rows();
  // The sample at hand.
  #stack = 0;
  #link = 0;
  readonly #rows = new Rows();
  readonly #values = new Int64s();
  #valueCount = 0;
  readonly #times = new Int64s();
  #timeCount = 0;

  constructor(columns: Columns, otlp: OtlpFields, source: SourceDictionary, attributes: AttributeDecoder) {
    this.#columns = columns;
    this.#otlp = otlp;
    this.#source = source;
    this.#attributes = attributes;
    otlp.observations = this.#observations;
    this.#identities = columns.samples.width > 1 ? new Identities() : undefined;
  }

  /** Reads a Sample message of the Profile that is `type`. @throws DecodeError */
  read(start: number, end: number, type: number): void {
    this.#parse(start, end);
    const sample = this.#identities ? this.#joined(this.#identities, type) : this.#add();
    this.#cell(sample, type);
  }

  #parse(start: number, end: number): void {
    const { cursor } = this.#source;
    this.#stack = this.#link = this.#rows.length = this.#valueCount = this.#timeCount = 0;
    for (let at = start; at < end; ) {
      const from = at;
      at = cursor.readNumber(at, end);
      switch (cursor.small) {
        case 0x08:
          at = cursor.readNumber(at, end);
          this.#stack = cursor.small;
          break;
        case 0x18:
          at = cursor.readNumber(at, end);
          this.#link = cursor.small;
          break;
        case 0x10:
          at = cursor.readNumber(at, end);
          this.#attribute(cursor.small);
          break;
        case 0x12: {
          const stop = cursor.readLength(at, end);
          for (at = stop - cursor.lo; at < stop; ) {
            at = cursor.readNumber(at, stop);
            this.#attribute(cursor.small);
          }
          break;
        }
        case 0x20:
          at = this.#value(at, end);
          break;
        case 0x22: {
          const stop = cursor.readLength(at, end);
          for (at = stop - cursor.lo; at < stop; ) at = this.#value(at, stop);
          break;
        }
        case 0x29:
          at = this.#time(at, end);
          break;
        case 0x2a: {
          const stop = cursor.readLength(at, end);
          for (at = stop - cursor.lo; at < stop; ) at = this.#time(at, stop);
          break;
        }
        default:
          at = cursor.skip(from, end, 5);
          this.#otlp.unknownFields++;
      }
    }
    checkRow(this.#stack, this.#source.stacks, 'a stack');
    checkRow(this.#link, this.#source.links, 'a link');
  }

  #attribute(row: number): void {
    if (row === 0) return;
    checkRow(row, this.#source.attributes, 'an attribute');
    this.#rows.push(row);
  }

  #value(at: number, end: number): number {
    const { cursor } = this.#source;
    const next = cursor.readNumber(at, end);
    const place = this.#valueCount++;
    this.#values.ensure(place + 1);
    this.#values.halves[2 * place] = cursor.lo;
    this.#values.halves[2 * place + 1] = cursor.hi;
    return next;
  }

  #time(at: number, end: number): number {
    if (at + 8 > end) throw fieldTooLong();
    const { bytes } = this.#source;
    const place = this.#timeCount++;
    this.#times.ensure(place + 1);
    const { halves } = this.#times;
    halves[2 * place] = (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
    halves[2 * place + 1] =
      (bytes[at + 4]! | (bytes[at + 5]! << 8) | (bytes[at + 6]! << 16) | (bytes[at + 7]! << 24)) >>> 0;
    return at + 8;
  }

  /** The sample to which the one at hand belongs. */
  #joined(identities: Identities, type: number): number {
    const { items, length } = this.#rows;
    const sorted = this.#sorted;
    while (sorted.length < length) sorted.push(0);
    for (let at = 0; at < length; at++) sorted.items[at] = items[at]!;
    ascending(sorted.items, 0, length);
    const before = identities.count;
    const number = identities.numberOf(this.#stack, this.#link, sorted.items, 0, length);
    if (number === before) {
      const sample = this.#add();
      this.#first.push(sample + 1);
      this.#last.push(sample + 1);
      this.#due.push(0);
      this.#dueType.push(type);
      return sample;
    }
    if (this.#dueType.items[number] !== type) {
      this.#dueType.items[number] = type;
      this.#due.items[number] = this.#first.items[number]!;
    }
    const due = this.#due.items[number]!;
    if (due !== 0) {
      this.#due.items[number] = this.#twin.items[due - 1]!;
      return due - 1;
    }
    const sample = this.#add();
    this.#twin.items[this.#last.items[number]! - 1] = sample + 1;
    this.#last.items[number] = sample + 1;
    return sample;
  }

  readonly #sorted = new Rows();

  /** A new sample that is 0 in all types. */
  #add(): number {
    const columns = this.#columns;
    const { samples } = columns;
    const row = samples.count;
    if (row === MAX_ELEMENTS) throw new DecodeError('too_many_elements', `more than ${MAX_ELEMENTS} samples`);
    const { width } = samples;
    samples.ensure(row + 1, samples.stackLength, (row + 1) * width);
    samples.values.halves.fill(0, 2 * row * width, 2 * (row + 1) * width);
    const otlp = this.#otlp;
    otlp.ensureSamples(row + 1);
    this.#observations.ensureCells((row + 1) * width);
    this.#observations.kind.fill(PLAIN, row * width, (row + 1) * width);
    otlp.link[row] = this.#linkRow(this.#link);
    samples.firstLabel[row] = 0;
    let last = 0;
    for (let at = 0; at < this.#rows.length; at++)
      last = this.#attributes.copy(this.#attributes.attribute(this.#rows.items[at]!), last, row);
    this.#takeStack(row);
    samples.count = row + 1;
    if (this.#identities) this.#twin.push(0);
    return row;
  }

  #takeStack(row: number): void {
    const { samples } = this.#columns;
    const { stacks, locations, cursor } = this.#source;
    const stack = this.#stack;
    samples.stackStart[row] = samples.stackLength;
    const known = stack === 0 ? 0 : stacks.known(stack);
    if (known !== 0) {
      const from = samples.stackStart[known - 1]!;
      const to = samples.stackEnd[known - 1]!;
      samples.ensure(row + 1, samples.stackLength + to - from, 0);
      samples.stack.copyWithin(samples.stackLength, from, to);
      samples.stackLength += to - from;
    } else if (stack !== 0) {
      const end = stacks.ends.items[stack]!;
      const start = stacks.starts.items[stack]!;
      samples.ensure(row + 1, samples.stackLength + end - start, 0);
      const take = () => {
        checkRow(cursor.small, locations, 'a location');
        samples.stack[samples.stackLength++] = cursor.small;
      };
      for (let at = start; at < end; ) {
        const from = at;
        at = cursor.readNumber(at, end);
        if (cursor.small === 0x08) {
          at = cursor.readNumber(at, end);
          take();
        } else if (cursor.small === 0x0a) {
          const stop = cursor.readLength(at, end);
          for (at = stop - cursor.lo; at < stop; ) {
            at = cursor.readNumber(at, stop);
            take();
          }
        } else {
          at = cursor.skip(from, end, 1);
          this.#otlp.unknownFields++;
        }
      }
      stacks.set(stack, row + 1);
    }
    samples.stackEnd[row] = samples.stackLength;
  }

  #linkRow(row: number): number {
    if (row === 0) return 0;
    const { cursor, links: table, bytes } = this.#source;
    const known = table.known(row);
    if (known !== 0) return known;
    const { links } = this.#otlp;
    const became = links.add();
    const end = table.ends.items[row]!;
    for (let at = table.starts.items[row]!; at < end; ) {
      const from = at;
      at = cursor.readNumber(at, end);
      const tag = cursor.small;
      if (tag !== 0x0a && tag !== 0x12) {
        at = cursor.skip(from, end, 2);
        this.#otlp.unknownFields++;
        continue;
      }
      at = cursor.readLength(at, end);
      const length = cursor.lo;
      if (length !== 0 && length !== (tag === 0x0a ? TRACE_ID_BYTES : SPAN_ID_BYTES))
        throw new DecodeError('bad_link', 'a link has an id of the wrong length: 16 bytes for a trace, 8 for a span');
      const place = became * LINK_BYTES + (tag === 0x0a ? 0 : TRACE_ID_BYTES);
      for (let n = 0; n < length; n++) links.ids[place + n] = bytes[at - length + n]!;
    }
    table.set(row, became);
    return became;
  }

  /** What the sample at hand says of this type. */
  #cell(sample: number, type: number): void {
    const { samples } = this.#columns;
    const observations = this.#observations;
    const cell = sample * samples.width + type;
    const values = this.#valueCount;
    const times = this.#timeCount;
    if (values > 0 && times > 0 && values !== times)
      throw new DecodeError('value_count', `a sample has ${values} values and ${times} timestamps`);
    const { halves } = samples.values;
    if (values === 0) {
      halves[2 * cell] = times;
      halves[2 * cell + 1] = 0;
    } else if (!addInt64s(this.#values.halves, 0, values, halves, cell))
      throw new DecodeError('value_overflow', 'the values of a sample add up to more than 64 bits');
    if (values === 1 && times === 0) {
      observations.kind[cell] = (halves[2 * cell]! | halves[2 * cell + 1]!) === 0 ? VALUE : PLAIN;
      return;
    }
    observations.kind[cell] = times === 0 ? VALUES : values === 0 ? TIMES : BOTH;
    const from = observations.count;
    const count = Math.max(values, times);
    observations.ensure(from + count);
    observations.start[cell] = from;
    observations.count = observations.end[cell] = from + count;
    if (values > 0) observations.values.halves.set(this.#values.halves.subarray(0, 2 * count), 2 * from);
    if (times > 0) observations.times.halves.set(this.#times.halves.subarray(0, 2 * count), 2 * from);
  }
}

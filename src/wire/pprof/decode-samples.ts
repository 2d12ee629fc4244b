import type { Columns } from '../../model/columns/columns.ts';
import { UnknownFields } from '../../model/columns/unknown.ts';
import { DecodeError } from '../decode-error.ts';
import { numberCut } from '../protobuf.ts';
import { type Cursor, short, shortBytes } from './cursor.ts';
import { MAX_DETAILS, MAX_ELEMENTS, MAX_SAMPLE_TYPES } from './limits.ts';
import { References } from './references.ts';

const LAST_SAMPLE_FIELD = 3;
const LAST_LABEL_FIELD = 4;

/** Reads Sample messages into `samples` and `labels`. */
export class SampleDecoder {
  /** Highest string row that a label names. */
  maxString = 0;
  readonly locations = new References();
  readonly #columns: Columns;
  readonly #cursor: Cursor;
  /** Up to here 3 bytes can be read without looking at the end of the buffer. */
  readonly #roomy: number = 0;
  /** Values read, of all samples. */
  #values = 0;
  /** Last label of the sample at hand. */
  #lastLabel = 0;

  constructor(columns: Columns, cursor: Cursor) {
    this.#columns = columns;
    this.#cursor = cursor;
    this.#roomy = cursor.bytes.length - 2;
  }

  /** @throws DecodeError bad_protobuf, bad_reference, too_many_elements, value_count */
  read(start: number, end: number): void {
    const { samples } = this.#columns;
    const cursor = this.#cursor;
    const { bytes } = cursor;
    const row = samples.count;
    if (row === MAX_ELEMENTS) throw new DecodeError('too_many_elements', `more than ${MAX_ELEMENTS} samples`);
    samples.ensure(row + 1, samples.stackLength + (end - start), this.#values + MAX_SAMPLE_TYPES);
    samples.stackStart[row] = samples.stackLength;
    samples.firstLabel[row] = 0;
    this.#lastLabel = 0;
    const before = this.#values;
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
          this.#packedValues(stop - cursor.lo, stop, before);
          at = stop;
          break;
        }
        case 0x1a: {
          const stop = cursor.readLength(at, end);
          this.#label(stop - cursor.lo, stop, row);
          at = stop;
          break;
        }
        case 0x08:
          at = cursor.readNumber(at, end);
          this.#locationId();
          break;
        case 0x10:
          at = this.#value(at, end, before);
          break;
        default:
          at = cursor.skip(from, end, LAST_SAMPLE_FIELD);
          this.#columns.unknown ??= new UnknownFields();
          this.#columns.unknown.add('sample', row, from, at);
      }
    }
    samples.stackEnd[row] = samples.stackLength;
    const width = this.#values - before;
    if (row === 0) samples.width = width;
    else if (samples.width !== width)
      throw new DecodeError('value_count', `one sample has ${samples.width} values, another ${width}`);
    samples.count = row + 1;
  }

  /** A packed list: more than half the bytes of a typical profile. */
  #locationIds(start: number, end: number): void {
    const { bytes } = this.#cursor;
    const { samples } = this.#columns;
    const { stack } = samples;
    const roomy = Math.min(end, this.#roomy);
    let length = samples.stackLength;
    let max = this.locations.max;
    let at = start;
    while (at < roomy) {
      let id = bytes[at]!;
      if (id > 0x7f) {
        const second = bytes[at + 1]!;
        if (second > 0x7f) {
          at = this.#longerId(at, end, length++);
          continue;
        }
        id = (id & 0x7f) | (second << 7);
        at++;
      }
      at++;
      if (id === 0) throw at > end ? numberCut() : noLocation();
      if (id > max) max = id;
      stack[length++] = id;
    }
    if (max > this.locations.max) this.locations.max = max;
    if (at > end) throw numberCut();
    samples.stackLength = length;
    while (at < end) {
      at = this.#cursor.readNumber(at, end);
      this.#locationId();
    }
  }

  /** Reads an id of three bytes or more to a place in the stack; returns where it ends. */
  #longerId(at: number, end: number, place: number): number {
    const next = this.#cursor.readNumber(at, end);
    this.#columns.samples.stackLength = place;
    this.#locationId();
    return next;
  }

  /** Takes the last number as the next location of the stack. */
  #locationId(): void {
    const { lo, hi } = this.#cursor;
    if (lo === 0 && hi === 0) throw noLocation();
    const { samples } = this.#columns;
    this.locations.note(samples.stackLength, lo, hi);
    samples.stack[samples.stackLength++] = lo;
  }

  #packedValues(start: number, end: number, before: number): void {
    const { bytes } = this.#cursor;
    const { halves } = this.#columns.samples.values;
    // As many as there is room for can be read straight; the last ones and long ones go the other way.
    const roomy = Math.min(end, this.#roomy);
    let at = start;
    while (at < end) {
      const value = at < roomy ? short(bytes, at) : -1;
      if (value < 0 || this.#values - before >= MAX_SAMPLE_TYPES) at = this.#value(at, end, before);
      else {
        const place = this.#values++;
        halves[2 * place] = value;
        halves[2 * place + 1] = 0;
        at += shortBytes(value);
      }
    }
    if (at > end) throw numberCut();
  }

  /** Reads a value; returns where it ends. */
  #value(at: number, end: number, before: number): number {
    const cursor = this.#cursor;
    const next = cursor.readNumber(at, end);
    const place = this.#values++;
    if (place - before >= MAX_SAMPLE_TYPES)
      throw new DecodeError('value_count', `a sample has more than ${MAX_SAMPLE_TYPES} values`);
    const { halves } = this.#columns.samples.values;
    halves[2 * place] = cursor.lo;
    halves[2 * place + 1] = cursor.hi;
    return next;
  }

  #label(start: number, end: number, sample: number): void {
    const { labels, samples } = this.#columns;
    const cursor = this.#cursor;
    const { bytes } = cursor;
    const row = labels.count;
    if (row > MAX_DETAILS) throw new DecodeError('too_many_elements', `more than ${MAX_DETAILS} labels`);
    labels.ensure(row + 1);
    let key = 0;
    let text = 0;
    let unit = 0;
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
      if (tag === 0x08 || tag === 0x10 || tag === 0x20) {
        at = cursor.readNumber(at, end);
        const string = cursor.small;
        if (string > this.maxString) this.maxString = string;
        if (tag === 0x08) key = string;
        else if (tag === 0x10) text = string;
        else unit = string;
      } else if (tag === 0x18) {
        at = cursor.readNumber(at, end);
        lo = cursor.lo;
        hi = cursor.hi;
      } else {
        at = cursor.skip(from, end, LAST_LABEL_FIELD);
        this.#columns.unknown ??= new UnknownFields();
        this.#columns.unknown.add('label', row, from, at);
      }
    }
    labels.key[row] = key;
    labels.text[row] = text;
    labels.unit[row] = unit;
    labels.next[row] = 0;
    labels.number.halves[2 * row] = lo;
    labels.number.halves[2 * row + 1] = hi;
    if (this.#lastLabel === 0) samples.firstLabel[sample] = row;
    else labels.next[this.#lastLabel] = row;
    this.#lastLabel = row;
    labels.count = row + 1;
  }
}

const noLocation = () => new DecodeError('bad_reference', 'a sample names location 0');

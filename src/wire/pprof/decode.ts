import { isUtf8 } from 'node:buffer';
import { Columns, type ValueTypeRows } from '../../model/columns/columns.ts';
import { type Holder, UnknownFields } from '../../model/columns/unknown.ts';
import { DecodeError } from '../decode-error.ts';
import { fillWithin } from '../fill-within.ts';
import { int64 } from '../protobuf.ts';
import { AsciiCheck } from './ascii.ts';
import { Cursor } from './cursor.ts';
import { SampleDecoder } from './decode-samples.ts';
import { SymbolDecoder } from './decode-symbols.ts';
import { MAX_DECODED_BYTES, MAX_DETAILS, MAX_ELEMENTS, MAX_SAMPLE_TYPES } from './limits.ts';

const LAST_FIELD = 15;
const LAST_VALUE_TYPE_FIELD = 2;

/**
 * An inflated pprof (profile.proto of google/pprof) as columns. One pass, checked like `scanPprof`; a second one over references
 * where ids are not 1…n. Strings and unknown fields stay in `raw`, which must not change while the columns are in use.
 * @param raw may lie in shared memory
 * @param into columns to fill instead of new ones: what they held is gone, their arrays are used again, which saves a third of the time
 * @param maxBytes what the columns may take, together with what they hold already
 * @throws DecodeError empty_body, bad_protobuf, bad_reference, duplicate_id, value_count, string_table, bad_string,
 * no_sample_type, too_many_elements; `into` then holds nothing of use
 */
export function decodePprof(raw: Uint8Array, into = new Columns(), maxBytes = MAX_DECODED_BYTES): Columns {
  if (raw.length === 0) throw new DecodeError('empty_body', 'the profile is empty');
  into.clear(raw);
  fillWithin(maxBytes, into.heldBytes, () => {
    const decoder = new Decoder(raw, into);
    decoder.run();
    decoder.check();
  });
  return into;
}

class Decoder {
  readonly #bytes: Uint8Array;
  readonly #columns: Columns;
  readonly #cursor: Cursor;
  readonly #samples: SampleDecoder;
  readonly #symbols: SymbolDecoder;
  readonly #ascii: AsciiCheck;
  #maxString = 0;

  constructor(bytes: Uint8Array, columns: Columns) {
    this.#bytes = bytes;
    this.#columns = columns;
    this.#cursor = new Cursor(bytes);
    this.#samples = new SampleDecoder(columns, this.#cursor);
    this.#symbols = new SymbolDecoder(columns, this.#cursor);
    this.#ascii = new AsciiCheck(bytes);
  }

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
        case 0x12:
          at = cursor.readLength(at, end);
          this.#samples.read(at - cursor.lo, at);
          break;
        case 0x1a:
          at = cursor.readLength(at, end);
          this.#symbols.mapping(at - cursor.lo, at);
          break;
        case 0x22:
          at = cursor.readLength(at, end);
          this.#symbols.location(at - cursor.lo, at);
          break;
        case 0x2a:
          at = cursor.readLength(at, end);
          this.#symbols.function(at - cursor.lo, at);
          break;
        case 0x32:
          at = cursor.readLength(at, end);
          this.#string(at - cursor.lo, at);
          break;
        default:
          at = this.#rare(tag, from, at, end);
      }
    }
  }

  /** What can only be said once all was seen, since fields come in any order. */
  check(): void {
    const { strings, sampleTypes, samples, locations, functions, mappings } = this.#columns;
    if (strings.count === 0) throw new DecodeError('string_table', 'the string table is missing');
    if (sampleTypes.length === 0) throw new DecodeError('no_sample_type', 'the profile has no sample type');
    if (Math.max(this.#maxString, this.#samples.maxString, this.#symbols.maxString) >= strings.count)
      throw new DecodeError('bad_reference', 'an index is outside the string table');
    if (samples.count === 0) samples.width = sampleTypes.length;
    if (samples.width !== sampleTypes.length)
      throw new DecodeError(
        'value_count',
        `a sample has ${samples.width} values for ${sampleTypes.length} sample types`,
      );
    this.#samples.locations.resolve(samples.stack, 0, samples.stackLength, locations.ids, 'a sample names a location');
    this.#symbols.functions.resolve(
      locations.lines.function,
      0,
      locations.lines.count,
      functions.ids,
      'a line names a function',
    );
    this.#symbols.mappings.resolve(locations.mapping, 1, locations.count, mappings.ids, 'a location names a mapping');
  }

  #string(start: number, end: number): void {
    const { strings } = this.#columns;
    if (strings.count === 0 && end !== start) throw new DecodeError('string_table', 'the first string is not empty');
    if (strings.count === MAX_ELEMENTS) throw new DecodeError('too_many_elements', `more than ${MAX_ELEMENTS} strings`);
    if (!this.#ascii.holds(start, end) && !isUtf8(this.#bytes.subarray(start, end)))
      throw new DecodeError('bad_string', 'a string is not valid UTF-8');
    strings.add(start, end);
  }

  #rare(tag: number, from: number, start: number, end: number): number {
    const columns = this.#columns;
    const cursor = this.#cursor;
    let at = start;
    switch (tag) {
      case 0x0a: {
        at = cursor.readLength(at, end);
        const row = columns.sampleTypes.length;
        columns.sampleTypes.push(this.#valueType(at - cursor.lo, at, 'sampleType', row));
        if (row === MAX_SAMPLE_TYPES)
          throw new DecodeError('too_many_elements', `more than ${MAX_SAMPLE_TYPES} sample types`);
        return at;
      }
      case 0x5a:
        at = cursor.readLength(at, end);
        columns.periodType = this.#valueType(at - cursor.lo, at, 'periodType', 0);
        return at;
      case 0x38:
        at = this.#stringRow(at, end);
        columns.dropFrames = cursor.lo;
        return at;
      case 0x40:
        at = this.#stringRow(at, end);
        columns.keepFrames = cursor.lo;
        return at;
      case 0x70:
        at = this.#stringRow(at, end);
        columns.defaultSampleType = cursor.lo;
        return at;
      case 0x78:
        at = this.#stringRow(at, end);
        columns.docUrl = cursor.lo;
        return at;
      case 0x48:
        at = cursor.readNumber(at, end);
        columns.timeNanos = int64(cursor.lo >>> 0, cursor.hi);
        return at;
      case 0x50:
        at = cursor.readNumber(at, end);
        columns.durationNanos = int64(cursor.lo >>> 0, cursor.hi);
        return at;
      case 0x60:
        at = cursor.readNumber(at, end);
        columns.period = int64(cursor.lo >>> 0, cursor.hi);
        return at;
      case 0x68:
        return this.#comment(at, end);
      case 0x6a: {
        const stop = cursor.readLength(at, end);
        at = stop - cursor.lo;
        while (at < stop) at = this.#comment(at, stop);
        return stop;
      }
      default:
        return this.#unknown('profile', 0, from, end, LAST_FIELD);
    }
  }

  #valueType(start: number, end: number, holder: Holder, row: number): ValueTypeRows {
    const cursor = this.#cursor;
    const valueType = { type: 0, unit: 0 };
    let at = start;
    while (at < end) {
      const from = at;
      at = cursor.readNumber(from, end);
      const tag = cursor.small;
      if (tag !== 0x08 && tag !== 0x10) {
        at = this.#unknown(holder, row, from, end, LAST_VALUE_TYPE_FIELD);
        continue;
      }
      at = this.#stringRow(at, end);
      valueType[tag === 0x08 ? 'type' : 'unit'] = cursor.lo;
    }
    return valueType;
  }

  #comment(at: number, end: number): number {
    const { comments } = this.#columns;
    if (comments.length === MAX_DETAILS)
      throw new DecodeError('too_many_elements', `more than ${MAX_DETAILS} comments`);
    const next = this.#stringRow(at, end);
    comments.push(this.#cursor.lo);
    return next;
  }

  /** Reads a row of the string table into the last number. */
  #stringRow(at: number, end: number): number {
    const next = this.#cursor.readNumber(at, end);
    const row = this.#cursor.small;
    if (row > this.#maxString) this.#maxString = row;
    return next;
  }

  #unknown(holder: Holder, row: number, from: number, end: number, lastKnown: number): number {
    const next = this.#cursor.skip(from, end, lastKnown);
    this.#columns.unknown ??= new UnknownFields();
    this.#columns.unknown.add(holder, row, from, next);
    return next;
  }
}

import { ColumnsBuilder } from '../../model/columns/builder.ts';
import { bounded } from '../bounded.ts';
import { DecodeError } from '../decode-error.ts';
import { JsonCursor } from '../json-cursor.ts';
import { MAX_ELEMENTS } from '../pprof/limits.ts';
import { CallTree } from './call-tree.ts';
import { Decimals } from './decimal.ts';
import { frameNumber } from './frames.ts';
import { OWN_MEMBER, UNITS } from './units.ts';

/** Members that may stand in a profile once. */
const MEMBERS = new Set(['type', 'name', 'unit', 'startValue', 'endValue', 'samples', 'weights', 'events', OWN_MEMBER]);

/** What `OWN_MEMBER` says. */
export interface OwnType {
  /** Which of the profiles that we wrote into the file. */
  readonly source: number;
  readonly name: string;
  readonly type: string;
  readonly unit: string;
}

/** An array of numbers that depend on the unit, which may come behind them. */
interface Measured {
  readonly from: number;
  readonly to: number;
  /** As which they were read; undefined where they were passed over. */
  readonly digits: number | undefined;
}

/** One element of `profiles`. Its stacks hold frame numbers until the file is known, since `shared` may come last. */
export class ProfileReader {
  readonly builder = new ColumnsBuilder([]);
  name = '';
  unit = '';
  own: OwnType | undefined;
  /** Numbers that were not whole. */
  rounded = 0;
  readonly #raw: Uint8Array;
  readonly #seen = new Set<string>();
  #type = '';
  #start = '0';
  #end = '0';
  #weights: Measured | undefined;
  #weightCount = 0;
  #events: Measured | undefined;
  #tree: CallTree | undefined;

  /** @param raw the file */
  constructor(raw: Uint8Array) {
    this.#raw = raw;
  }

  /**
   * @param cursor at the profile
   * @throws DecodeError bad_json, bad_string, too_deep, bad_value, bad_reference, bad_events, value_count, value_overflow, missing_field,
   * duplicate_field, too_many_elements
   */
  read(cursor: JsonCursor): void {
    cursor.object(member => this.#member(cursor, member));
    this.#check();
    const { columns } = this.builder;
    const measure = UNITS.get(this.unit)!;
    this.builder.addType(this.own?.type ?? measure.type, this.own?.unit ?? measure.unit);
    if (this.#type === 'evented') this.#tree!.fill(columns.samples);
    else columns.samples.count = this.#weightCount;
    if (!this.own && measure.unit === 'nanoseconds') columns.durationNanos = this.#duration(measure.digits);
  }

  #member(cursor: JsonCursor, member: string): void {
    if (MEMBERS.has(member)) {
      if (this.#seen.has(member)) throw new DecodeError('duplicate_field', 'a member of a profile comes twice');
      this.#seen.add(member);
    }
    switch (member) {
      case 'type':
        this.#type = cursor.string();
        return;
      case 'name':
        if (!cursor.takeNull()) this.name = cursor.string();
        return;
      case 'unit':
        this.unit = cursor.string();
        return;
      case 'startValue':
        this.#start = cursor.numberText();
        return;
      case 'endValue':
        this.#end = cursor.numberText();
        return;
      case 'samples':
        this.#readStacks(cursor);
        return;
      case 'weights':
        this.#weights = this.#measured(cursor, digits => this.#readWeights(cursor, digits));
        return;
      case 'events':
        this.#events = this.#measured(cursor, digits => this.#readEvents(cursor, digits));
        return;
      case OWN_MEMBER:
        this.own = ownType(cursor);
        return;
      default:
        cursor.skip();
    }
  }

  /** Decimal places that numbers move, where it is known already. */
  get #digits(): number | undefined {
    return this.own ? 0 : UNITS.get(this.unit)?.digits;
  }

  #measured(cursor: JsonCursor, read: (digits: number) => void): Measured {
    const from = cursor.at;
    const digits = this.#digits;
    if (digits === undefined) cursor.skip();
    else read(digits);
    return { from, to: cursor.at, digits };
  }

  #check(): void {
    const missing = (what: string) => new DecodeError('missing_field', `a profile has no ${what}`);
    const isEvented = this.#type === 'evented';
    if (!this.#seen.has('type')) throw missing('type');
    if (!isEvented && this.#type !== 'sampled')
      throw new DecodeError('bad_value', 'the type of a profile is neither sampled nor evented');
    if (!this.#seen.has('unit')) throw missing('unit');
    if (!UNITS.has(this.unit)) throw new DecodeError('bad_value', 'the unit of a profile is none of the schema');
    for (const member of isEvented ? ['events'] : ['samples', 'weights'])
      if (!this.#seen.has(member)) throw missing(member);
    if (isEvented ? this.#seen.has('samples') || this.#seen.has('weights') : this.#seen.has('events'))
      throw new DecodeError('bad_value', 'a profile has samples and events');
    this.#readAgain(this.#weights, (cursor, digits) => this.#readWeights(cursor, digits));
    this.#readAgain(this.#events, (cursor, digits) => this.#readEvents(cursor, digits));
    const { count } = this.builder.columns.samples;
    if (!isEvented && count !== this.#weightCount)
      throw new DecodeError('value_count', `a profile has ${count} samples and ${this.#weightCount} weights`);
  }

  /** Numbers that came before what says how to read them. */
  #readAgain(numbers: Measured | undefined, read: (cursor: JsonCursor, digits: number) => void): void {
    const digits = this.#digits!;
    if (numbers && numbers.digits !== digits)
      read(new JsonCursor(this.#raw.subarray(numbers.from, numbers.to)), digits);
  }

  #readStacks(cursor: JsonCursor): void {
    const { samples } = this.builder.columns;
    const push = () => {
      const at = samples.stackLength++;
      if (at >= samples.stack.length) samples.ensure(samples.count, at + 1, 0);
      samples.stack[at] = frameNumber(cursor);
    };
    cursor.list(() => {
      const row = samples.count++;
      if (row === MAX_ELEMENTS) throw new DecodeError('too_many_elements', `more than ${MAX_ELEMENTS} samples`);
      const from = samples.stackLength;
      cursor.list(push);
      samples.ensure(row + 1, 0, 0);
      samples.stackStart[row] = from;
      samples.stackEnd[row] = samples.stackLength;
      samples.firstLabel[row] = 0;
      samples.stack.subarray(from, samples.stackLength).reverse();
    });
  }

  #readWeights(cursor: JsonCursor, digits: number): void {
    const { values } = this.builder.columns.samples;
    const decimals = new Decimals(digits);
    let row = 0;
    cursor.list(() => {
      const weight = decimals.read(cursor);
      if (weight < 0n) throw new DecodeError('bad_value', 'a weight is negative');
      if (row === MAX_ELEMENTS) throw new DecodeError('too_many_elements', `more than ${MAX_ELEMENTS} weights`);
      values.ensure(row + 1);
      values.set(row++, weight);
    });
    this.#weightCount = row;
    this.rounded = decimals.rounded;
  }

  #readEvents(cursor: JsonCursor, digits: number): void {
    const tree = new CallTree();
    const decimals = new Decimals(digits);
    let type = '';
    let frame = -1;
    let at: bigint | undefined;
    const member = (name: string) => {
      if (name === 'type') type = cursor.string();
      else if (name === 'frame') frame = frameNumber(cursor);
      else if (name === 'at') at = decimals.read(cursor);
      else cursor.skip();
    };
    cursor.list(() => {
      type = '';
      frame = -1;
      at = undefined;
      cursor.object(member);
      if (type === '' || frame < 0 || at === undefined)
        throw new DecodeError('missing_field', 'an event has no type, frame or time');
      if (type === 'O') tree.enter(frame, at);
      else if (type === 'C') tree.leave(frame, at);
      else throw new DecodeError('bad_value', 'an event neither opens nor closes a frame');
    });
    this.#tree = tree;
    this.rounded = decimals.rounded;
  }

  /** 0 for one that ends before it starts, as some do that were cut. */
  #duration(digits: number): bigint {
    const decimals = new Decimals(digits);
    const duration = bounded(decimals.parse(this.#end) - decimals.parse(this.#start), 'the duration of a profile');
    return duration < 0n ? 0n : duration;
  }
}

function ownType(cursor: JsonCursor): OwnType {
  let source = -1;
  const texts = new Map<string, string>();
  cursor.object(member => {
    if (member === 'source') source = cursor.smallNumber();
    if (member === 'source' && source >= 0) return;
    if (member === 'name' || member === 'type' || member === 'unit') texts.set(member, cursor.string());
    else cursor.skip();
  });
  const name = texts.get('name');
  const type = texts.get('type');
  const unit = texts.get('unit');
  if (source < 0 || name === undefined || type === undefined || unit === undefined)
    throw new DecodeError('missing_field', `what ${OWN_MEMBER} wrote of a sample type is not whole`);
  return { source, name, type, unit };
}

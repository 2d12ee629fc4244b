import { ColumnsBuilder } from '../../model/columns/builder.ts';
import type { Columns } from '../../model/columns/columns.ts';
import { takeRoom } from '../../model/columns/growth.ts';
import { DecodeError } from '../decode-error.ts';
import { MAX_ELEMENTS } from '../pprof/limits.ts';
import { utf8 } from '../text-lines.ts';
import { Frames } from './frames.ts';
import { type Header, nanosOf } from './header.ts';

/** Events that count nanoseconds of the CPU, whatever follows the name. */
const CLOCK = /^(?:cpu-clock|task-clock)(?![-_a-z0-9])/;
/** Above every row of locations, so that a row and a stack fit into one number. */
const ROWS = 2 ** 26;
/** About what a frame of a stack, and a sample, cost in the tables here, bytes. */
const ENTRY_BYTES = 48;
const MAX_PERIOD_DIGITS = 20;

const overflow = () => new DecodeError('value_overflow', 'a sum is beyond 64 bits');

/** The samples of one event, those of equal stack and labels combined. */
export class EventSamples {
  readonly frames: Frames;
  readonly #builder: ColumnsBuilder;
  readonly #hasPeriod: boolean;
  /** Stacks as a tree of numbers, leaf first: (the stack up to here, location) → the stack. */
  readonly #stacks = new Map<number, number>();
  readonly #tasks = new Map<string, number>();
  readonly #rows = new Map<number, number>();
  readonly #stack: number[] = [];
  #first: bigint | undefined;
  #last: bigint | undefined;

  /** @param header of the first sample: it tells whether periods are printed */
  constructor(header: Header) {
    const event = utf8(header.event);
    const isClock = CLOCK.test(event);
    this.#hasPeriod = header.period !== undefined || !isClock;
    this.#builder = new ColumnsBuilder([{ type: 'samples', unit: 'count' }]);
    // Without a period nobody knows how long a sample of a clock stands for.
    if (this.#hasPeriod) this.#builder.addType(isClock ? 'cpu' : event, isClock ? 'nanoseconds' : 'count');
    this.frames = new Frames(this.#builder);
  }

  /** Adds a sample of the locations that `push` gave, leaf first. @throws DecodeError value_overflow, too_many_elements */
  add(header: Header, length: number): void {
    const builder = this.#builder;
    let stack = 0;
    for (let frame = 0; frame < length; frame++) stack = numbered(this.#stacks, stack * ROWS + this.#stack[frame]!);
    // A command has no NUL in it.
    const task = numbered(this.#tasks, `${header.comm}\0${header.first}/${header.second ?? ''}`);
    const key = stack * ROWS + task;
    let row = this.#rows.get(key);
    if (row === undefined) {
      if (builder.columns.samples.count >= MAX_ELEMENTS)
        throw new DecodeError('too_many_elements', `there are more than ${MAX_ELEMENTS} samples`);
      takeRoom(ENTRY_BYTES);
      row = builder.sample(this.#stack, length, 0n);
      this.#rows.set(key, row);
      this.#label(header);
    }
    const period = periodOf(header);
    if (!builder.addTo(row, 0, 1n)) throw overflow();
    if (this.#hasPeriod && !builder.addTo(row, 1, period)) throw overflow();
    const at = nanosOf(header.time);
    if (at === undefined) return;
    if (this.#first === undefined || at < this.#first) this.#first = at;
    if (this.#last === undefined || at > this.#last) this.#last = at;
  }

  /** Puts a location at a place of the stack of the next sample. */
  push(place: number, location: number): void {
    this.#stack[place] = location;
  }

  /** The columns; the duration is from the first sample to the last. */
  finish(): Columns {
    const { columns } = this.#builder;
    const lasts = (this.#last ?? 0n) - (this.#first ?? 0n);
    columns.durationNanos = BigInt.asIntN(64, lasts) === lasts ? lasts : 0n;
    return columns;
  }

  #label({ comm, first, second }: Header): void {
    const builder = this.#builder;
    builder.label(builder.string('comm'), builder.string(utf8(comm)));
    if (second !== undefined) builder.numberLabel(builder.string('pid'), idOf(first));
    builder.numberLabel(builder.string('tid'), idOf(second ?? first));
  }
}

/** The number of a key, from 1 on. */
function numbered<K extends number | string>(numbers: Map<K, number>, key: K): number {
  let number = numbers.get(key);
  if (number === undefined) {
    number = numbers.size + 1;
    if (number >= ROWS) throw new DecodeError('too_many_elements', 'there are too many stacks');
    takeRoom(ENTRY_BYTES + (typeof key === 'string' ? key.length : 0));
    numbers.set(key, number);
  }
  return number;
}

function periodOf({ period }: Header): bigint {
  if (period === undefined) return 1n;
  if (period.length > MAX_PERIOD_DIGITS) throw overflow();
  return BigInt(period);
}

/** Process ids have 32 bits; what is longer is none. */
const idOf = (digits: string): bigint => BigInt.asIntN(64, BigInt(digits.slice(0, 20)));

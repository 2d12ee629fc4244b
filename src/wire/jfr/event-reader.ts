import type { Losses } from '../convert/losses.ts';
import type { Chunk } from './chunk.ts';
import { ChunkStacks } from './chunk-stacks.ts';
import type { Correlations } from './correlations.ts';
import { IdTable } from './id-table.ts';
import { bad, type Input } from './input.ts';
import {
  CORRELATION,
  CPU,
  EVENT_FIELDS,
  EXECUTION_SAMPLE,
  type Kind,
  RULES,
  type Rule,
  SAMPLES,
  STACK,
  STATE,
  WALL,
  WALL_CLOCK_SAMPLE,
} from './kinds.ts';
import type { Layout } from './layout.ts';
import type { JfrType } from './metadata.ts';
import type { Pools } from './pools.ts';
import type { Stacks } from './stacks.ts';
import type { Texts } from './texts.ts';

const NANOS_PER_SECOND = 1_000_000_000n;
const SLEEPING = 'STATE_SLEEPING';
const RUNNABLE = 'STATE_RUNNABLE';

/** Takes a sample: the first value, and halves of the second. */
export type Sink = (kind: Kind, stack: number, set: number, first: number, lo: number, hi: number) => void;

/** What a recording has once, for the events of all its chunks. */
export interface Shared {
  readonly input: Input;
  readonly texts: Texts;
  readonly stacks: Stacks;
  readonly correlations: Correlations;
  readonly losses: Losses | undefined;
  /** Whether execution samples are of the wall clock too: async-profiler up to 3 has no other event for it. */
  readonly isWall: boolean;
  readonly sink: Sink;
}

/** An event's type, compiled. */
interface Reading {
  readonly name: string;
  readonly layout: Layout;
  readonly rule: Rule | undefined;
  readonly stacks: ChunkStacks | undefined;
  /** Whether events of the type say what they belong to. */
  readonly isCorrelated: boolean;
  /** By key of a state: row of its name. */
  readonly states: IdTable;
  /** Halves of the fields of the last event; those that the type does not have stay 0. */
  readonly lo: Uint32Array;
  readonly hi: Uint32Array;
}

/** Reads the events of one chunk that become samples. */
export class EventReader {
  readonly #shared: Shared;
  readonly #chunk: Chunk;
  readonly #pools: Pools;
  readonly #readings = new Map<number, Reading>();
  /** By type of their stack traces. */
  readonly #stacks = new Map<number, ChunkStacks>();

  constructor(shared: Shared, chunk: Chunk, pools: Pools) {
    this.#shared = shared;
    this.#chunk = chunk;
    this.#pools = pools;
  }

  /** @param at where the fields of an event of this type begin. @throws DecodeError bad_jfr, value_overflow, too_many_elements */
  read(type: JfrType, at: number, end: number): void {
    let reading = this.#readings.get(type.id);
    if (!reading) {
      reading = this.#reading(type);
      this.#readings.set(type.id, reading);
    }
    const { lo, hi } = reading;
    this.#pools.layouts.read(reading.layout, at, end, lo, hi);
    const { losses, correlations } = this.#shared;
    const stack = reading.stacks ? reading.stacks.find(lo[STACK]!, hi[STACK]!) : -1;
    if (stack < 0) {
      losses?.add('jfr_no_stack');
      return;
    }
    if ((stack & 1) === 1) losses?.add('jfr_truncated');
    const set = reading.isCorrelated ? correlations.row(lo, hi, CORRELATION) : 0;
    const row = stack >>> 1;
    if (reading.rule) this.#simple(reading, reading.rule, row, set);
    else if (reading.name === EXECUTION_SAMPLE) this.#execution(reading, row, set);
    else this.#wallClock(reading, row, set);
  }

  /** Tells what the stacks of the chunk lost. */
  finish(): void {
    for (const { lostFrames } of this.#stacks.values()) this.#shared.losses?.add('jfr_frame', lostFrames);
  }

  #simple(reading: Reading, { kind, value, isTicks }: Rule, stack: number, set: number): void {
    let lo = value === undefined ? 0 : reading.lo[value]!;
    let hi = value === undefined ? 0 : reading.hi[value]!;
    const { ticksPerSecond } = this.#chunk;
    if (isTicks && ticksPerSecond !== NANOS_PER_SECOND) {
      const ticks = BigInt.asIntN(64, (BigInt(hi) << 32n) | BigInt(lo));
      const nanos = BigInt.asUintN(64, (ticks * NANOS_PER_SECOND) / ticksPerSecond);
      lo = Number(nanos & 0xffffffffn);
      hi = Number(nanos >> 32n);
    }
    this.#shared.sink(kind, stack, set, 1, lo, hi);
  }

  #execution(reading: Reading, stack: number, set: number): void {
    const { isWall, sink, losses } = this.#shared;
    const isAsleep = this.#state(reading) === SLEEPING;
    if (!isAsleep) sink(CPU, stack, set, 1, 0, 0);
    if (isWall) sink(WALL, stack, set, 1, 0, 0);
    else if (isAsleep) losses?.add('jfr_event_unused');
  }

  #wallClock(reading: Reading, stack: number, set: number): void {
    const { isWall, sink } = this.#shared;
    const samples = reading.layout.types[SAMPLES]! < 0 ? 1 : reading.lo[SAMPLES]! | 0;
    if (samples < 0) throw bad('an event stands for less than no sample');
    if (isWall && this.#state(reading) === RUNNABLE) sink(CPU, stack, set, samples, 0, 0);
    sink(WALL, stack, set, samples, 0, 0);
  }

  #state({ layout, states, lo: los, hi: his }: Reading): string {
    const type = layout.types[STATE]!;
    const lo = los[STATE]!;
    const hi = his[STATE]!;
    if (type < 0) return '';
    let row = states.get(lo, hi);
    if (row < 0) {
      row = layout.kind(STATE) === 'string' ? this.#pools.string(lo) : this.#pools.symbol(type, lo, hi);
      if (layout.kind(STATE) !== 'string') states.set(lo, hi, row);
    }
    return this.#shared.texts.text(row);
  }

  #reading(type: JfrType): Reading {
    const layout = this.#pools.layouts.layout(type, EVENT_FIELDS);
    const stackType = layout.types[STACK]!;
    return {
      name: type.name,
      layout,
      rule: RULES.get(type.name),
      stacks: stackType < 0 ? undefined : this.#chunkStacks(stackType),
      isCorrelated: layout.types.subarray(CORRELATION, STACK).some(type => type >= 0),
      states: new IdTable(),
      lo: new Uint32Array(EVENT_FIELDS.length),
      hi: new Uint32Array(EVENT_FIELDS.length),
    };
  }

  #chunkStacks(type: number): ChunkStacks {
    let stacks = this.#stacks.get(type);
    if (!stacks) {
      const { input, stacks: all } = this.#shared;
      stacks = new ChunkStacks(input, this.#chunk.end, this.#pools, all, type);
      this.#stacks.set(type, stacks);
    }
    return stacks;
  }
}

/** Whether events of this name become samples. */
export function isSample(name: string): boolean {
  return RULES.has(name) || name === EXECUTION_SAMPLE || name === WALL_CLOCK_SAMPLE;
}

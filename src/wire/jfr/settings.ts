import { bad } from './input.ts';
import { EXECUTION_SAMPLE } from './kinds.ts';
import type { Layout } from './layout.ts';
import type { JfrType } from './metadata.ts';
import type { Pools } from './pools.ts';
import type { Texts } from './texts.ts';

const FIELDS = ['id', 'name', 'value'];
const ID = 0;
const NAME = 1;
const VALUE = 2;
const DEFAULT_NANOS = 10_000_000n;
/** What async-profiler takes for wall clock where nothing is said, since it samples more threads (async-profiler: wallClock.cpp). */
const DEFAULT_WALL_NANOS = 50_000_000n;
/** Events of async-profiler whose interval is time; others count cycles, misses, or bytes. */
const TIMED_EVENTS: ReadonlySet<string> = new Set(['cpu', 'itimer', 'ctimer', 'wall']);
const NANOS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
};

/** What the settings in a recording say of its samples: those of async-profiler, and the JDK's period of execution samples. */
export class Settings {
  /** Of async-profiler; '' where it does not say. */
  event = '';
  #interval: bigint | undefined;
  #wall: bigint | undefined;
  #jdkPeriod: bigint | undefined;
  readonly #texts: Texts;

  constructor(texts: Texts) {
    this.#texts = texts;
  }

  /** A reader of the ActiveSetting events of a chunk: begin and end of the fields of each. @throws DecodeError bad_jfr */
  reader(type: JfrType, pools: Pools): (at: number, end: number) => void {
    const layout = pools.layouts.layout(type, FIELDS);
    const los = new Uint32Array(FIELDS.length);
    const his = new Uint32Array(FIELDS.length);
    const text = (slot: number) => this.#texts.text(textRow(layout, slot, los, his, pools));
    return (at, end) => {
      los.fill(0);
      his.fill(0);
      pools.layouts.read(layout, at, end, los, his);
      const name = text(NAME);
      if (name === 'event') this.event = text(VALUE);
      else if (name === 'interval') this.#interval = whole(text(VALUE));
      else if (name === 'wall') this.#wall = whole(text(VALUE));
      else if (name === 'period' && his[ID] === 0 && pools.types.get(los[ID]!)?.name === EXECUTION_SAMPLE)
        this.#jdkPeriod = duration(text(VALUE)) ?? this.#jdkPeriod;
    };
  }

  /** What an execution sample stands for, ns. */
  get cpuNanos(): bigint {
    if (this.event === 'wall') return this.wallNanos;
    if (this.#isTimed) return this.#interval || DEFAULT_NANOS;
    return this.#jdkPeriod ?? DEFAULT_NANOS;
  }

  /** What a sample of the wall clock stands for, ns. */
  get wallNanos(): bigint {
    if (this.#wall !== undefined) return this.#wall || DEFAULT_WALL_NANOS;
    return this.#isTimed ? this.#interval || DEFAULT_WALL_NANOS : DEFAULT_NANOS;
  }

  get #isTimed(): boolean {
    return this.#interval !== undefined && TIMED_EVENTS.has(this.event);
  }
}

function textRow(layout: Layout, slot: number, los: Uint32Array, his: Uint32Array, pools: Pools): number {
  const type = layout.types[slot]!;
  if (type < 0) throw bad('a setting has no name or no value');
  return layout.kind(slot) === 'string' ? pools.string(los[slot]!) : pools.symbol(type, los[slot]!, his[slot]!);
}

/** Nanoseconds; 0 for those of the default, undefined for none. */
function whole(text: string): bigint | undefined {
  return /^\d{1,15}$/.test(text) ? BigInt(text) : undefined;
}

/** A duration as the JDK writes it, `20 ms`, ns; undefined for `everyChunk` and what else is none. */
function duration(text: string): bigint | undefined {
  const match = /^(\d{1,9}) ?(ns|us|ms|s|m)$/.exec(text);
  const nanos = match ? BigInt(match[1]!) * NANOS[match[2]!]! : 0n;
  return nanos > 0n ? nanos : undefined;
}

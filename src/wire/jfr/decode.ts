import type { Columns } from '../../model/columns/columns.ts';
import { Rows, takeRoom } from '../../model/columns/growth.ts';
import type { Losses } from '../convert/losses.ts';
import { fillWithin } from '../fill-within.ts';
import { MAX_DECODED_BYTES } from '../pprof/limits.ts';
import { type Chunk, chunkAt, eachEvent, isJfr } from './chunk.ts';
import { Correlations } from './correlations.ts';
import { EventReader, isSample } from './event-reader.ts';
import { bad, Input } from './input.ts';
import { ACTIVE_SETTING, KINDS, type Kind, UNUSED, WALL } from './kinds.ts';
import { labelsSnapshot } from './labels-snapshot.ts';
import { eventAt } from './metadata.ts';
import { Pools } from './pools.ts';
import { ProfileFiller } from './profile-filler.ts';
import { Settings } from './settings.ts';
import { Stacks } from './stacks.ts';
import { Texts } from './texts.ts';

export { isJfr };

export interface JfrProfile {
  /** Pyroscope's name for it: process_cpu, wall, memory, mutex, block. Several profiles may have the same. */
  readonly name: string;
  readonly columns: Columns;
}

export interface JfrRecording {
  /** One per kind of event that the recording has with a stack. */
  readonly profiles: readonly JfrProfile[];
  /** The event that async-profiler was set to, '' when it does not say. */
  readonly event: string;
  /** All events, without descriptions of types and constants. */
  readonly events: number;
  /** By name of the type; those of types that are not described are not in it. */
  readonly eventCounts: ReadonlyMap<string, number>;
}

export interface JfrOptions {
  /** Samples per second for cpu and wall where the sender says it; else what the recording's settings say, else 100. */
  readonly sampleRate?: number;
  /** Pyroscope's LabelsSnapshot, inflated protobuf. */
  readonly labels?: Uint8Array;
  /** What all profiles may take together, bytes. */
  readonly maxBytes?: number;
}

const NANOS_PER_SECOND = 1e9;
/** What a chunk takes on the heap beside its tables, bytes, roughly. */
const CHUNK_BYTES = 4096;

interface Opened {
  readonly chunk: Chunk;
  readonly pools: Pools;
  /** Where its samples begin. */
  readonly samples: Rows;
}

/**
 * A recording of JDK 9 or later, or of async-profiler, as profiles. Types are read by what each chunk says of them, and fields by name, so
 * that events and fields nobody knows cost next to nothing. Constants are resolved where a sample leads to them.
 * @param raw inflated; may lie in shared memory
 * @throws DecodeError bad_jfr, unsupported_version, bad_labels, value_overflow, too_many_elements
 */
export function decodeJfr(raw: Uint8Array, options: JfrOptions = {}, losses?: Losses): JfrRecording {
  return fillWithin(options.maxBytes ?? MAX_DECODED_BYTES, 0, () => new Recording(raw, options, losses).read());
}

class Recording {
  readonly #input: Input;
  readonly #sampleRate: number;
  readonly #losses: Losses | undefined;
  readonly #texts = new Texts();
  readonly #stacks = new Stacks(this.#texts);
  readonly #settings = new Settings(this.#texts);
  readonly #correlations: Correlations;
  readonly #fillers = new Map<Kind, ProfileFiller>();
  readonly #counts = new Map<string, number>();
  #events = 0;

  constructor(raw: Uint8Array, { sampleRate = 0, labels }: JfrOptions, losses: Losses | undefined) {
    this.#input = new Input(raw);
    this.#sampleRate = sampleRate;
    this.#losses = losses;
    this.#correlations = new Correlations(labels && labelsSnapshot(labels), losses);
  }

  read(): JfrRecording {
    // Settings may stand behind the samples that they are about, in a later chunk even.
    const opened = this.#open();
    for (const one of opened) this.#readSamples(one);
    const settings = this.#settings;
    const [time, duration] = timeOf(opened.map(({ chunk }) => chunk));
    const profiles = KINDS.flatMap(kind => {
      const filler = this.#fillers.get(kind);
      if (!filler) return [];
      const period = this.#period(kind === WALL ? settings.wallNanos : settings.cpuNanos);
      return [{ name: kind.name, columns: filler.finish(time, duration, period) }];
    });
    return { profiles, event: settings.event, events: this.#events, eventCounts: this.#counts };
  }

  #open(): Opened[] {
    const input = this.#input;
    const opened: Opened[] = [];
    let at = 0;
    do {
      takeRoom(CHUNK_BYTES);
      const chunk = chunkAt(input, at);
      const pools = new Pools(input, chunk, this.#texts);
      const samples = this.#scan(chunk, pools);
      opened.push({ chunk, pools, samples });
      at = chunk.end;
    } while (at < input.bytes.length);
    return opened;
  }

  /** Counts the events of a chunk, and reads its settings. */
  #scan(chunk: Chunk, pools: Pools): Rows {
    const input = this.#input;
    const samples = new Rows();
    const settings = new Map<number, (at: number, end: number) => void>();
    const sampleTypes = new Set<number>();
    for (const type of chunk.metadata.types.values()) {
      if (type.name === ACTIVE_SETTING) settings.set(type.id, this.#settings.reader(type, pools));
      else if (isSample(type.name)) sampleTypes.add(type.id);
    }
    this.#events += eachEvent(input, chunk, (type, from, at, end) => {
      if (sampleTypes.has(type)) samples.push(from);
      else settings.get(type)?.(at, end);
    });
    for (const { name, count } of chunk.metadata.types.values()) {
      if (count === 0) continue;
      this.#counts.set(name, (this.#counts.get(name) ?? 0) + count);
      if (UNUSED.has(name)) this.#losses?.add('jfr_event_unused', count);
    }
    return samples;
  }

  #readSamples({ chunk, pools, samples }: Opened): void {
    const input = this.#input;
    input.compressed = chunk.compressed;
    const reader = new EventReader(
      {
        input,
        texts: this.#texts,
        stacks: this.#stacks,
        correlations: this.#correlations,
        losses: this.#losses,
        isWall: this.#settings.event === 'wall',
        sink: (kind, stack, set, first, lo, hi) => this.#filler(kind).add(stack, set, first, lo, hi),
      },
      chunk,
      pools,
    );
    for (let sample = 0; sample < samples.length; sample++) {
      const event = eventAt(input, samples.items[sample]!, chunk.end);
      reader.read(chunk.metadata.types.get(event.type)!, event.at, event.end);
    }
    reader.finish();
  }

  #filler(kind: Kind): ProfileFiller {
    let filler = this.#fillers.get(kind);
    if (!filler) {
      filler = new ProfileFiller(kind, this.#stacks, this.#correlations);
      this.#fillers.set(kind, filler);
    }
    return filler;
  }

  /** The sender's word counts more than the recording's. */
  #period(nanos: bigint): bigint {
    return this.#sampleRate > 0 ? BigInt(Math.trunc(NANOS_PER_SECOND / this.#sampleRate)) : nanos;
  }
}

/** When the chunks begin, and how long it is until all have ended, ns. */
function timeOf(chunks: readonly Chunk[]): [time: bigint, duration: bigint] {
  let [{ startNanos: start }] = chunks as [Chunk];
  let end = start;
  for (const { startNanos, durationNanos } of chunks) {
    if (startNanos < start) start = startNanos;
    if (startNanos + durationNanos > end) end = startNanos + durationNanos;
  }
  const duration = end - start;
  if (BigInt.asIntN(64, duration) !== duration) throw bad('the recording takes longer than 64 bits of nanoseconds');
  return [start, duration];
}

// Before a batch is sent: profiles in a form that the store does not take, or beyond its limits, are made what it takes.
import type { Logger, Takes } from '../../api/index.ts';
import { withSaid } from '../../model/attributes.ts';
import { type Profile, type ProfileBatch, sizeOfProfiles } from '../../model/batch.ts';
import type { Memory } from '../../model/memory.ts';
import { convertedOf, type Form, type Payload } from '../../model/payload.ts';
import type { ConvertReport, ConvertTask } from '../../workers/convert.ts';
import type { Examiner } from '../../workers/examine.ts';
import type { Pool } from '../../workers/pool.ts';
import { inflatedSizeOf } from '../../workers/sizes.ts';
import { chunksOf, madeBytes, roomFor } from './convert-sizes.ts';

/** Converted profiles that one exporter may have on the heap at a time, bytes; one batch alone always may. */
const MAX_CONVERTED_BYTES = 64 * 1024 * 1024;
/** Bytes that a sample takes in a pprof at the least: below limit × this no profile can have too many, and none is looked at. */
const LEAST_SAMPLE_BYTES = 4;

export interface ConverterParts {
  readonly takes: Takes;
  readonly pool: Pool;
  readonly memory: Pick<Memory, 'reserve' | 'charge'>;
  readonly examiner: Pick<Examiner, 'summary'>;
  readonly log: Logger;
  /** What the form could not carry, told once the store took the profiles. */
  readonly lost: (reason: string, items: number) => void;
  /** Counts what went no further. */
  readonly dropped: (items: number, reason: string) => void;
}

/** A profile that cannot be converted, and why. */
export interface Failed {
  readonly profile: Profile;
  readonly message: string;
}
/** A batch as it can be sent. */
export interface Ready {
  readonly batch: ProfileBatch;
  /** What cannot be converted: the same bytes never can. */
  readonly failed: readonly Failed[];
  readonly losses: ConvertReport['losses'];
  /** To be called when the try has ended: what was converted for it is not counted any more. */
  readonly leave: () => void;
}
const NOTHING = () => {};

/** One task, and the profiles that it converts. */
interface Part {
  readonly task: ConvertTask;
  readonly profiles: readonly Profile[];
  readonly bytes: number;
}
interface Outcomes {
  /** What each profile became. */
  readonly slots: Map<Profile, readonly Profile[]>;
  readonly failed: Failed[];
  readonly losses: ConvertReport['losses'][number][];
}

export class Converter {
  readonly #of: ConverterParts;
  #aliveBytes = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(parts: ConverterParts) {
    this.#of = parts;
  }

  /** Tells what was lost on the way, once for a delivery. */
  told(losses: ConvertReport['losses']): void {
    for (const { reason, items } of losses) this.#of.lost(reason, items);
  }

  /** Counts what failed, where no answer has a place for it. */
  dropped(failed: readonly Failed[]): void {
    if (failed.length > 0) this.#of.dropped(failed.length, 'conversion_failed');
  }

  /**
   * The batch itself where the store takes all of it, which costs a look at each envelope. Results lie on the heap: they live as long as one
   * try. An Error when it could not be tried now.
   */
  async ready(batch: ProfileBatch, abort: AbortSignal): Promise<Ready | Error> {
    const wanted: Profile[] = [];
    for (const profile of batch.profiles) if (await this.#must(profile)) wanted.push(profile);
    if (wanted.length === 0 && !this.#mixed(batch.profiles)) return { batch, failed: [], losses: [], leave: NOTHING };
    while (this.#aliveBytes >= MAX_CONVERTED_BYTES && !abort.aborted)
      await new Promise<void>(resolve => this.#waiting.push(resolve));
    // Counted by what it may become before anything is awaited: who waits beside it sees that the room is taken.
    const room = roomFor(batch.profiles);
    this.#aliveBytes += room;
    let done: (() => void) | undefined;
    try {
      // For as long as it runs: what a thread inflates and decodes takes its turn like any other work on payloads.
      done = await this.#of.memory.reserve(room, true);
      const converted = await this.#converted(batch, wanted, abort);
      const ready = converted instanceof Error ? converted : await this.#gathered(converted, abort);
      return ready instanceof Error ? ready : { ...ready, leave: this.#enter(madeBytes(ready.batch, batch)) };
    } finally {
      done?.();
      this.#left(room);
    }
  }

  #enter(made: number): () => void {
    this.#aliveBytes += made;
    this.#of.memory.charge(made);
    return () => {
      this.#of.memory.charge(-made);
      this.#left(made);
    };
  }

  #left(bytes: number): void {
    this.#aliveBytes -= bytes;
    for (const next of this.#waiting.splice(0)) next();
  }

  async #converted(batch: ProfileBatch, wanted: readonly Profile[], abort: AbortSignal): Promise<Ready | Error> {
    const slots = new Map<Profile, readonly Profile[]>();
    const failed: Failed[] = [];
    const losses: ConvertReport['losses'][number][] = [];
    for (const part of this.#tasks(wanted, batch.receivedMs)) {
      const stopped = await this.#run(part, 'first try', { slots, failed, losses }, batch.receivedMs, abort);
      if (stopped) return stopped;
    }
    if (failed.length > 0)
      this.#of.log.error('profiles cannot be converted', { failed: failed.length, why: failed[0]!.message });
    return { batch: replaced(batch, slots), failed, losses, leave: NOTHING };
  }

  /** A task that took its thread with it is tried once more, each of its profiles alone, as stages are. An Error where nobody can wait. */
  async #run(
    { task, profiles, bytes }: Part,
    turn: 'first try' | 'again',
    into: Outcomes,
    receivedMs: number,
    abort: AbortSignal,
  ): Promise<Error | undefined> {
    // What is here was acknowledged: it goes before what is not.
    const of = { bytes, abort, first: true, fresh: turn === 'again' };
    const outcome = await this.#of.pool.run('convert', task, of);
    if (outcome.kind === 'done') {
      into.losses.push(...outcome.value.losses);
      this.#place(profiles, outcome.value, task.to === 'one' ? 'otlp' : task.to, into.slots, into.failed);
      return undefined;
    }
    if (outcome.kind !== 'failed' || abort.aborted) return new Error('the conversion was called off');
    if (turn === 'again') {
      for (const profile of profiles) into.slots.set(profile, []);
      const message = `the conversion ended without a result: ${outcome.message}`;
      into.failed.push(...profiles.map(profile => ({ profile, message })));
      return undefined;
    }
    for (const profile of profiles)
      for (const alone of this.#tasks([profile], receivedMs)) {
        const stopped = await this.#run(alone, 'again', into, receivedMs, abort);
        if (stopped) return stopped;
      }
    return undefined;
  }

  /** What is OTLP in a batch leaves as one request, also where stages edited some of its parts or pprof stands among them. */
  async #gathered(ready: Ready, abort: AbortSignal): Promise<Ready | Error> {
    if (!this.#mixed(ready.batch.profiles)) return ready;
    const parts = ready.batch.profiles.filter(({ payload }) => payload.form === 'otlp');
    const requests = [...Map.groupBy(parts, ({ payload }) => payload)];
    const of = requests.map(([{ bytes }, own]) => ({ request: bytes, parts: own.map(({ part }) => part) }));
    const outcome = await this.#of.pool.run(
      'convert',
      { to: 'one', of },
      { bytes: sizeOfProfiles(parts), abort, first: true },
    );
    if (outcome.kind === 'full' || outcome.kind === 'gone') return new Error('the conversion was called off');
    // Nothing is lost where it fails: they go out as the requests that they are.
    if (outcome.kind === 'failed' || !outcome.value.request) return ready;
    const slots = new Map<Profile, readonly Profile[]>();
    const order = requests.flatMap(([, own]) => own);
    this.#place(order, outcome.value, 'otlp', slots, []);
    const others = ready.batch.profiles.filter(({ payload }) => payload.form !== 'otlp');
    return { ...ready, batch: replaced({ ...ready.batch, profiles: [...order, ...others] }, slots) };
  }

  /** Whether profiles lie in more than one OTLP request. */
  #mixed(profiles: readonly Profile[]): boolean {
    let first: Payload | undefined;
    for (const { payload } of profiles) {
      if (payload.form !== 'otlp' || payload === first) continue;
      if (first) return this.#of.takes.forms.includes('otlp');
      first = payload;
    }
    return false;
  }

  async #must(profile: Profile): Promise<boolean> {
    const { forms, limits, asItCame } = this.#of.takes;
    const { form } = profile.payload;
    if (!forms.includes(form)) return !asItCame?.(profile) && intoOf(forms) !== undefined;
    if (!limits || form !== 'pprof') return false;
    const size = inflatedSizeOf(profile.payload);
    if (size > limits.bytes) return true;
    if (size <= limits.samples * LEAST_SAMPLE_BYTES) return false;
    return ((await this.#of.examiner.summary(profile))?.samples ?? 0) > limits.samples;
  }

  /** Tasks of bounded size: one that is too long would be ended, and a thread is others' too. */
  *#tasks(wanted: readonly Profile[], receivedMs: number): Generator<Part> {
    const { forms, limits } = this.#of.takes;
    const into = intoOf(forms);
    const to = into === undefined || into === 'otlp' ? 'pprof' : into;
    const isToOtlp = ({ payload: { form } }: Profile) => !forms.includes(form) && into === 'otlp';
    for (const { profiles, bytes } of chunksOf(wanted.filter(isToOtlp))) {
      const sources = profiles.map(({ attributes, payload: { form, encoding, bytes }, origin }) => ({
        attributes,
        payload: { form, encoding, bytes },
        ...(origin && { origin }),
      }));
      yield { task: { to: 'otlp', profiles: sources, receivedMs }, profiles, bytes };
    }
    const others = wanted.filter(profile => !isToOtlp(profile));
    for (const [payload, all] of Map.groupBy(others, one => one.payload))
      for (const { profiles, bytes } of chunksOf(all)) {
        const { form, encoding } = payload;
        const parts = profiles.map(({ part, attributes }) => ({ part, attributes }));
        const from = { form, encoding, bytes: payload.bytes };
        const { origin } = profiles[0]!;
        const about = { receivedMs, ...(origin && { origin }), ...(limits && { limits }) };
        yield { task: { to, payload: from, parts, ...about }, profiles, bytes };
      }
  }

  #place(
    given: readonly Profile[],
    { request, outcomes }: ConvertReport,
    form: Form,
    slots: Map<Profile, readonly Profile[]>,
    failed: Failed[],
  ): void {
    const shared: Payload | undefined = request && { form: 'otlp', encoding: 'identity', bytes: request };
    for (const [at, profile] of given.entries()) {
      const { parts, profiles, failure } = outcomes[at]!;
      const became = (payload: Payload, part: number, said: ReadonlyMap<string, string> = NOTHING_SAID): Profile => ({
        ...profile,
        attributes: withSaid(profile.attributes, said),
        payload,
        part,
        // What only changed its size is still what its sender's query speaks of.
        ...(profile.origin && payload.form !== profile.payload.form && { origin: convertedOf(profile.origin) }),
      });
      if (failure !== undefined) {
        failed.push({ profile, message: failure });
        slots.set(profile, []);
      } else if (parts && shared)
        slots.set(
          profile,
          parts.map(({ part, attributes }) => became(shared, part, attributes)),
        );
      else
        slots.set(
          profile,
          (profiles ?? []).map(({ bytes, attributes }) => became({ form, encoding: 'identity', bytes }, 0, attributes)),
        );
    }
  }
}

function replaced(batch: ProfileBatch, slots: ReadonlyMap<Profile, readonly Profile[]>): ProfileBatch {
  const profiles = batch.profiles.flatMap(profile => slots.get(profile) ?? [profile]);
  return { ...batch, profiles, sizeBytes: sizeOfProfiles(profiles) };
}

/** In the order of how much they keep. */
const WRITTEN = ['pprof', 'otlp', 'speedscope', 'groups'] as const;

/** What other forms are made for a store of these; undefined where it takes none that can be written. */
function intoOf(forms: Takes['forms']): (typeof WRITTEN)[number] | undefined {
  return WRITTEN.find(one => forms.includes(one));
}

const NOTHING_SAID: ReadonlyMap<string, string> = new Map();

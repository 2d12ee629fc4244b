// The worker's side of stages: inflate once, decode once, let each stage edit the columns, encode and compress once.
import type { Stage, Verdict } from '../../api/stage.ts';
import { type Attributes, type Plain, withSaid } from '../../model/attributes.ts';
import { hashOf } from '../../model/batch.ts';
import type { Columns } from '../../model/columns/columns.ts';
import { growingWithin } from '../../model/columns/growth.ts';
import type { Origin } from '../../model/payload.ts';
import { Losses } from '../../wire/convert/losses.ts';
import { readProfiles } from '../../wire/convert/read.ts';
import { writePprof } from '../../wire/convert/write.ts';
import { DecodeError } from '../../wire/decode-error.ts';
import { compressHere, MAX_INFLATED_BYTES } from '../../wire/gzip.ts';
import { inflate } from '../../wire/inflate.ts';
import { decodeOtlp } from '../../wire/otlp/decode.ts';
import { encodeOtlp, releaseOtlpOutput } from '../../wire/otlp/encode.ts';
import { encodePprof, releaseOutput } from '../../wire/pprof/encode.ts';
import { MAX_EDITED_BYTES } from '../../wire/pprof/limits.ts';
import { decodeToScratch, releaseScratch } from '../../wire/pprof/scratch.ts';
import {
  type Edited,
  progressOf,
  roomOf,
  type StageGroup,
  type StageOutcome,
  type StageReport,
  type StageTask,
  specsOf,
} from './task.ts';
import { checked } from './verdict.ts';

/** Groups that a worker keeps ready. A reload brings new ones; a pipeline has a few. */
const MAX_GROUPS = 64;
/** How much of an error's text goes into a dead letter, characters. */
const MAX_MESSAGE = 300;

type Run = ReturnType<Stage<unknown, Plain>>;
interface Ready {
  readonly id: string;
  readonly run: Run;
}

const groups = new Map<string, Promise<readonly Ready[]>>();

/** A sentence when a module of the group cannot be loaded, or is no stage. */
export async function prepareStages(group: StageGroup): Promise<string | undefined> {
  try {
    await ready(group);
    return undefined;
  } catch (error) {
    groups.delete(group.key);
    return messageOf(error);
  }
}

export async function runStages(task: StageTask): Promise<StageReport> {
  const stages = await ready(task.group);
  const work = new Work(stages, task);
  return work.report();
}

function ready(group: StageGroup): Promise<readonly Ready[]> {
  let made = groups.get(group.key);
  if (!made) {
    made = load(group);
    groups.set(group.key, made);
    if (groups.size > MAX_GROUPS) groups.delete(groups.keys().next().value!);
  }
  return made;
}

async function load(group: StageGroup): Promise<readonly Ready[]> {
  return Promise.all(
    specsOf(group).map(async ({ id, module, config }) => {
      const { default: stage } = (await import(module)) as { default?: Stage<unknown, Plain> };
      if (typeof stage !== 'function') throw new Error(`${id}: ${module} has no function as its default export`);
      const run = stage(config);
      if (typeof run !== 'function') throw new Error(`${id}: ${module} made no function of its configuration`);
      return { id, run };
    }),
  );
}

/** What stages made of one profile: its columns, or why it goes no further. */
interface Ran {
  readonly failed?: StageOutcome;
  readonly dropped?: StageOutcome;
  readonly kept?: readonly Columns[];
  readonly envelope?: Attributes;
  readonly edited?: boolean;
  /** Groups of profiles that a stage dropped from a part of which others stay. */
  readonly partly?: readonly { readonly stage: number; readonly reason: string }[];
  readonly notes: readonly { readonly stage: number; readonly note: Plain }[];
}

/** One task. Notes and edits of a profile count only once all stages are through with it. */
class Work {
  readonly #stages: readonly Ready[];
  readonly #task: StageTask;
  readonly #progress: Int32Array;
  readonly #room: number;
  readonly #runMs: number[];
  readonly #notes: { stage: number; note: Plain }[] = [];
  readonly #losses = new Losses();
  #used = 0;
  #editedAny = false;
  /** Since when the work of this moment is none of a stage's. */
  #sinceMs = 0;
  /** Time for inflating, decoding, encoding and compressing, ms. */
  #others = 0;

  constructor(stages: readonly Ready[], task: StageTask) {
    this.#stages = stages;
    this.#task = task;
    this.#progress = progressOf(task.out);
    this.#room = roomOf(task.out);
    this.#runMs = stages.map(() => 0);
  }

  async report(): Promise<StageReport> {
    const outcomes: StageOutcome[] = [];
    for (const profile of this.#task.profiles) outcomes.push(await this.#profile(profile));
    this.#progress[0] = 0;
    const { recipe } = this.#task;
    return {
      outcomes,
      notes: this.#notes,
      runMs: [...this.#runMs, this.#others],
      losses: this.#losses.list(),
      ...(recipe && (this.#editedAny || this.#notes.length > 0) && { id: hashOf(recipe) }),
    };
  }

  async #profile({ attributes, payload, part, origin }: StageTask['profiles'][number]): Promise<StageOutcome> {
    Atomics.store(this.#progress, 0, 0);
    this.#sinceMs = performance.now();
    try {
      if (payload.form === 'otlp') return this.#part(attributes, payload.bytes, part);
      return await inflate(payload, MAX_INFLATED_BYTES, { worker: true }, raw => {
        if (payload.form !== 'pprof') return this.#inside(attributes, payload, raw, origin);
        const columns = decodeToScratch(raw);
        return this.#settled(attributes, this.#edit(attributes, [columns]), () =>
          compressHere(encodePprof(columns), payload.encoding),
        );
      });
    } catch (error) {
      if (error instanceof DecodeError) return { kind: 'undecodable', message: error.message };
      throw error;
    } finally {
      releaseScratch();
      releaseOutput();
      releaseOtlpOutput();
    }
  }

  /** A part of an OTLP request that is edited becomes a request of its own. */
  #part(attributes: Attributes, request: Uint8Array, part: number): StageOutcome {
    const groups = decodeOtlp(request, part);
    const ran = this.#edit(attributes, groups);
    return this.#settled(attributes, ran, envelope =>
      encodeOtlp([{ attributes: envelope, columns: ran.kept ?? [] }], this.#losses),
    );
  }

  /** The profiles in a form that cannot be written become a pprof each, where one was edited. */
  #inside(
    attributes: Attributes,
    { form, encoding }: StageTask['profiles'][number]['payload'],
    raw: Uint8Array,
    origin: Origin | undefined,
  ): StageOutcome {
    const losses = new Losses();
    const read = readProfiles(form, raw, { origin, receivedMs: this.#task.receivedMs }, losses);
    const rans = read.map(one => {
      const said = withSaid(attributes, one.attributes);
      return { said, ran: this.#edit(said, [one.columns]) };
    });
    const failed = rans.find(({ ran }) => ran.failed)?.ran.failed;
    if (failed) return failed;
    const kept = rans.filter(({ ran }) => !ran.dropped);
    const dropped = rans.flatMap(({ ran }) => (ran.dropped?.kind === 'dropped' ? [ran.dropped] : []));
    if (kept.length === 0 && dropped.length > 0) return dropped[0]!;
    for (const { ran } of kept) this.#notes.push(...ran.notes);
    const isSame = kept.every(({ said, ran }) => !ran.edited && (ran.envelope ?? said) === said);
    if (isSame && dropped.length === 0 && !this.#task.rewrite) return { kind: 'kept' };
    for (const { reason, items } of losses.list()) this.#losses.add(reason, items);
    const pieces = kept.map(({ said, ran }) => {
      const bytes = compressHere(writePprof(ran.kept![0]!, this.#losses), encoding);
      return { attributes: new Map(ran.envelope ?? said), edited: this.#place(bytes) };
    });
    this.#editedAny = true;
    this.#others += performance.now() - this.#sinceMs;
    return { kind: 'kept', pieces, ...(dropped.length > 0 && { partly: dropped }) };
  }

  /** Lets every stage edit the columns of a profile: one of a pprof, one for each group of profiles of an OTLP part. */
  #edit(attributes: Attributes, all: readonly Columns[]): Ran {
    const notes: Ran['notes'][number][] = [];
    const kept: Columns[] = [];
    const partly: { stage: number; reason: string }[] = [];
    let envelope = attributes;
    let dropped: Ran['dropped'];
    this.#others += performance.now() - this.#sinceMs;
    for (const columns of all) {
      const beside: typeof notes = [];
      // Each group sees the envelope as it came: an edit is made once, however many groups say it.
      const outcome = this.#stagesOver(attributes, columns, beside);
      if ('kind' in outcome && outcome.kind === 'failed') return { failed: outcome, notes: [] };
      if ('kind' in outcome) {
        dropped = outcome;
        partly.push({ stage: outcome.stage, reason: outcome.kind === 'dropped' ? outcome.reason : 'stage' });
      } else {
        if (outcome.set.size > 0) envelope = edited(envelope, outcome.set);
        kept.push(columns);
        notes.push(...beside);
      }
    }
    this.#sinceMs = performance.now();
    if (kept.length === 0 && dropped) return { dropped, notes: [] };
    const changed = partly.length > 0 || kept.some(columns => columns.edited);
    return { kept, envelope, edited: changed, notes, partly };
  }

  #stagesOver(
    attributes: Attributes,
    columns: Columns,
    notes: { stage: number; note: Plain }[],
  ): Extract<StageOutcome, { kind: 'failed' | 'dropped' }> | { readonly set: Attributes } {
    let envelope = attributes;
    const set = new Map<string, Plain>();
    let beforeMs = performance.now();
    for (const [stage, { run }] of this.#stages.entries()) {
      Atomics.store(this.#progress, 0, stage + 1);
      let verdict: Verdict<Plain>;
      try {
        verdict = checked(
          growingWithin(MAX_EDITED_BYTES - columns.heldBytes, () => run({ attributes: envelope }, columns)),
        );
      } catch (error) {
        return { kind: 'failed', stage, message: messageOf(error) };
      }
      const nowMs = performance.now();
      this.#runMs[stage]! += nowMs - beforeMs;
      beforeMs = nowMs;
      if (!verdict.keep) return { kind: 'dropped', stage, reason: verdict.reason ?? 'stage' };
      if (verdict.set && verdict.set.size > 0) {
        envelope = edited(envelope, verdict.set);
        for (const [key, value] of verdict.set) set.set(key, value);
      }
      for (const note of verdict.notes ?? []) notes.push({ stage, note });
    }
    return { set };
  }

  #settled(attributes: Attributes, ran: Ran, encode: (envelope: Attributes) => Uint8Array): StageOutcome {
    const { failed, dropped, envelope = attributes, edited } = ran;
    if (failed ?? dropped) return (failed ?? dropped)!;
    const outcome: StageOutcome = {
      kind: 'kept',
      ...(envelope !== attributes && { set: envelope }),
      ...(edited && { edited: this.#place(encode(envelope)) }),
      ...(ran.partly?.length && { partly: ran.partly }),
    };
    this.#editedAny ||= edited === true;
    this.#notes.push(...ran.notes);
    this.#others += performance.now() - this.#sinceMs;
    return outcome;
  }

  #place(bytes: Uint8Array): Edited {
    const at = this.#used;
    // What encoding returns may be scratch memory, so a copy is sent.
    if (at + bytes.length > this.#room) return new Uint8Array(bytes);
    this.#task.out.set(bytes, at);
    this.#used += bytes.length;
    return { at, length: bytes.length };
  }
}

function edited(attributes: Attributes, set: Attributes): Attributes {
  const next = new Map(attributes);
  for (const [key, value] of set)
    if (value === null) next.delete(key);
    else next.set(key, value);
  return next;
}

function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.slice(0, MAX_MESSAGE);
}

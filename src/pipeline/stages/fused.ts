import { ACCEPTED, type Clock, type Component, type Logger, type NoteOwner, type Result } from '../../api/index.ts';
import type { Plain } from '../../model/attributes.ts';
import { itemsOf, type Profile, type ProfileBatch, sizeOfProfiles } from '../../model/batch.ts';
import type { Memory } from '../../model/memory.ts';
import { convertedOf } from '../../model/payload.ts';
import type { Pool } from '../../workers/pool.ts';
import { groupOf, type StageGroup, type StageSpec } from '../../workers/stages/task.ts';
import type { Link, Node } from '../link.ts';
import type { Observer } from '../observed.ts';
import type { Recent } from '../outbox/disk/recent.ts';
import type { Store } from '../outbox/store.ts';
import { type Crossed, Crossing } from './crossing.ts';
import { Drops } from './drops.ts';
import type { StageCount, StageMeter } from './meter.ts';

/** How long a sender should wait when the workers have enough to do: some hundred tasks. */
const BUSY_RETRY_AFTER_MS = 1_000;

/** One stage as the graph built it. */
export interface FusedStage {
  readonly id: string;
  readonly spec: StageSpec;
  /** Whether it is there to hide something. */
  readonly hides: boolean;
  readonly observer: Observer;
  readonly meter: StageMeter;
  readonly log: Logger;
  readonly owner?: NoteOwner<Plain>;
  /** Name under which profiles are kept that it failed on. */
  readonly deadQueue: string;
  /** Batches whose notes its owner has heard; a second try of one tells nothing. */
  readonly noted: Recent;
}

export interface FusedParts {
  /** Unique for the specs: workers know the group by it. */
  readonly key: string;
  readonly stages: readonly FusedStage[];
  readonly next: Link;
  readonly pool: Pool;
  readonly memory: Memory;
  readonly clock: Clock;
}

interface Failed {
  readonly stage: FusedStage;
  readonly profile: Profile;
  readonly message: string;
}
/** A batch on its way through, sorted by what the stages said. */
interface Sorted {
  readonly kept: Profile[];
  /** Of how many profiles of the batch they are: one may become several. */
  keptOf: number;
  readonly failed: Failed[];
  readonly drops: Drops;
  /** What is wrong with the bytes of profiles that are none. */
  readonly bad: string[];
}

/** Consecutive stages of a pipeline as one node: one crossing to a worker, one decoding, one encoding, none when nothing changed. */
export class FusedStages implements Node, Component {
  /** Where what a stage failed on is kept: the durable store of the pipeline, if it has one. */
  deadLetters: Store | undefined;
  readonly #of: FusedParts;
  readonly #group: StageGroup;
  #inFlight = 0;
  #idle: (() => void) | undefined;

  constructor(parts: FusedParts) {
    this.#of = parts;
    const specs = parts.stages.map(({ spec }) => spec);
    this.#group = groupOf(parts.key, specs);
  }

  /** @throws Error when a module of the group cannot be loaded */
  async start(): Promise<void> {
    const outcome = await this.#of.pool.run('prepare', this.#group, { bytes: 0, first: true });
    if (outcome.kind === 'failed') throw new Error(outcome.message);
    if (outcome.kind === 'done' && outcome.value !== undefined) throw new Error(outcome.value);
  }

  /** Resolves when nothing is on its way through; at the deadline it leaves without. */
  async stop(deadline: AbortSignal): Promise<void> {
    if (this.#inFlight === 0 || deadline.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#idle = resolve;
    deadline.addEventListener('abort', () => resolve(), { once: true });
    await promise;
  }

  async consume(batch: ProfileBatch, abort: AbortSignal): Promise<Result> {
    const { pool, memory, stages } = this.#of;
    const startedMs = performance.now();
    this.#inFlight++;
    const rewrite = stages.some(({ hides }) => hides);
    const crossing = new Crossing({ pool, memory, group: this.#group, receivedMs: batch.receivedMs, rewrite }, abort);
    let result: Result;
    try {
      result = await this.#through(batch, crossing, abort);
    } catch (thrown) {
      result = stages[0]!.observer.bug(thrown);
    } finally {
      crossing.release();
      if (--this.#inFlight === 0) this.#idle?.();
    }
    for (const { observer } of stages) observer.settle(batch, result, startedMs);
    return result;
  }

  async #through(batch: ProfileBatch, crossing: Crossing, abort: AbortSignal): Promise<Result> {
    const { stages } = this.#of;
    const { profiles } = batch;
    const { recipe } = batch.id;
    if (profiles.length > 0) await crossing.run(profiles, typeof recipe === 'string' ? undefined : recipe);
    this.#measure(crossing, profiles);
    if (crossing.refused !== undefined)
      return { kind: 'refused', reason: crossing.refused, retryAfterMs: BUSY_RETRY_AFTER_MS };
    const sorted = this.#sort(batch, crossing.outcomes);
    const { kept, keptOf, failed, drops, bad } = sorted;
    if (kept.length > 0) {
      const next = leaving(batch, kept, crossing.id);
      const result = await this.#of.next.consume(next, abort);
      // Nothing was taken: what was dropped, failed or noted counts when the sender tries again.
      if (result.kind === 'refused' || result.kind === 'retryable') return result;
      if (result.kind === 'accepted') {
        for (const { items, reason, message } of result.drops ?? []) drops.add(items, reason, message);
        this.#tell(next, crossing);
      } else if (keptOf === itemsOf(batch)) return result;
      else drops.add(keptOf, 'rejected', result.error.message);
    }
    // Last: it cannot be undone, and a second try would do it again.
    let lost = 0;
    for (const one of failed) {
      const buried = await this.#bury(batch, one);
      if (buried instanceof Error)
        return { kind: 'refused', reason: buried.message, retryAfterMs: BUSY_RETRY_AFTER_MS };
      drops.add(1, 'stage_failed', `${one.stage.id}: ${one.message}`);
      if (!buried) lost++;
    }
    if (bad.length === itemsOf(batch)) return { kind: 'permanent', error: new Error(bad[0]), fault: 'sender' };
    if (lost === itemsOf(batch))
      return { kind: 'permanent', error: new Error(`${failed[0]!.stage.id}: ${failed[0]!.message}`), fault: 'gateway' };
    this.#count(crossing.outcomes);
    for (const { reason, items } of crossing.losses) stages[0]!.meter.lost(reason, items);
    return drops.items > 0 ? { kind: 'accepted', drops: drops.list() } : ACCEPTED;
  }

  #sort(batch: ProfileBatch, outcomes: readonly Crossed[]): Sorted {
    const sorted: Sorted = { kept: [], keptOf: 0, failed: [], drops: new Drops(), bad: [] };
    for (const [at, profile] of batch.profiles.entries()) {
      const outcome = outcomes[at]!;
      if (outcome.kind === 'kept') {
        sorted.kept.push(...leftBy(profile, outcome));
        sorted.keptOf++;
        for (const { stage, reason } of outcome.partly ?? [])
          sorted.drops.add(1, reason, `a part of it dropped by ${this.#of.stages[stage]!.id}`);
      } else if (outcome.kind === 'dropped')
        sorted.drops.add(1, outcome.reason, `dropped by ${this.#of.stages[outcome.stage]!.id}`);
      else if (outcome.kind === 'undecodable') {
        sorted.bad.push(outcome.message);
        sorted.drops.add(1, 'bad_profile', outcome.message);
      } else {
        // A thread that was lost before any stage ran was lost to decoding: the first stage stands for all.
        const stage = this.#of.stages[Math.max(0, outcome.stage)]!;
        sorted.failed.push({ stage, profile, message: outcome.message });
      }
    }
    return sorted;
  }

  /** False when there is no place for it; an Error when the place cannot be written. */
  async #bury(batch: ProfileBatch, { stage, profile, message }: Failed): Promise<boolean | Error> {
    stage.log.error('stage failed on a profile', { error: message, kept: this.deadLetters !== undefined });
    if (!this.deadLetters) return false;
    const alone: ProfileBatch = { ...batch, profiles: [profile], sizeBytes: sizeOfProfiles([profile]) };
    try {
      return await this.deadLetters.bury(stage.deadQueue, alone, 'stage_failed', `${stage.id}: ${message}`);
    } catch (error) {
      return error as Error;
    }
  }

  /** Hands the notes to their owners, once for each batch however often its sender tries. */
  #tell(next: ProfileBatch, { notes, id }: Crossing): void {
    if (notes.length === 0) return;
    const nowMs = this.#of.clock.now();
    const hex = id ?? next.id.hex;
    for (const [at, told] of Map.groupBy(notes, ({ stage }) => stage)) {
      const { owner, observer, noted } = this.#of.stages[at]!;
      if (!owner || noted.has(hex, nowMs)) continue;
      noted.add(hex, nowMs);
      const plain = told.map(({ note }) => note);
      try {
        owner.note(plain, next);
      } catch (thrown) {
        // The batch is accepted all the same: another answer would make its sender send it twice.
        observer.bug(thrown);
      }
    }
  }

  #measure(crossing: Crossing, profiles: readonly Profile[]): void {
    const bytes = sizeOfProfiles(profiles);
    for (const [n, { meter }] of this.#of.stages.entries()) {
      for (const { runMs, waitMs } of crossing.timings) meter.task(waitMs, runMs[n]!);
      meter.bytes(bytes);
    }
    for (const stage of crossing.lost) this.#of.stages[Math.max(0, stage)]!.meter.restart();
  }

  #count(outcomes: readonly Crossed[]): void {
    for (const [n, { meter }] of this.#of.stages.entries()) {
      for (const outcome of outcomes) {
        const count = countOf(outcome, n);
        if (count) meter.profile(count);
      }
    }
  }
}

/** What counts for stage `n`; undefined when the profile never reached it. */
function countOf(outcome: Crossed, n: number): StageCount | undefined {
  if (outcome.kind === 'undecodable') return 'undecodable';
  if (outcome.kind === 'kept') return outcome.bytes || outcome.set || outcome.pieces ? 'edited' : 'kept';
  if (n > outcome.stage) return undefined;
  return n === outcome.stage ? outcome.kind : 'kept';
}

function leftBy(profile: Profile, { set, bytes, pieces }: Extract<Crossed, { kind: 'kept' }>): Profile[] {
  const { form, encoding } = profile.payload;
  if (pieces) {
    const origin = profile.origin && convertedOf(profile.origin);
    return pieces.map(piece => ({
      ...profile,
      attributes: piece.attributes,
      payload: { form: 'pprof', encoding, bytes: piece.bytes },
      part: 0,
      ...(origin && { origin }),
    }));
  }
  if (!set && !bytes) return [profile];
  const left: Profile = {
    ...profile,
    ...(set && { attributes: set }),
    // The summary was of the bytes before.
    // What was one part of a request is a request of its own now.
    ...(bytes && { payload: { form, encoding, bytes }, part: 0 }),
  };
  return [left];
}

/** The batch as it goes on. Its id stays that of what was received, and is known by now if what was received is no longer in it. */
function leaving(batch: ProfileBatch, profiles: Profile[], id: string | undefined): ProfileBatch {
  const same = profiles.length === batch.profiles.length && profiles.every((one, n) => one === batch.profiles[n]);
  if (same) return batch;
  batch.id.learn(id ?? batch.id.hex);
  return { ...batch, profiles, sizeBytes: sizeOfProfiles(profiles) };
}

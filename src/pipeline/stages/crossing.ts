import type { Plain } from '../../model/attributes.ts';
import type { Profile } from '../../model/batch.ts';
import type { Memory } from '../../model/memory.ts';
import type { Pool } from '../../workers/pool.ts';
import { sizeAlone } from '../../workers/sizes.ts';
import {
  type Edited,
  type Loss,
  outBytes,
  progressOf,
  type StageGroup,
  type StageOutcome,
  type StageReport,
  type StageTask,
} from '../../workers/stages/task.ts';

/** Compressed bytes of one task: more would keep a thread from others for long, less would cost more crossings. */
const TASK_BYTES = 256 * 1024;

/** A profile that stood in a payload with others. */
export interface Piece {
  readonly attributes: ReadonlyMap<string, Plain>;
  readonly bytes: Uint8Array;
}

/** What became of one profile, with the bytes that an edit left; stages by their place in the group. */
export type Crossed =
  | Exclude<StageOutcome, { kind: 'kept' }>
  | {
      readonly kind: 'kept';
      readonly set?: ReadonlyMap<string, Plain>;
      readonly bytes?: Uint8Array;
      readonly pieces?: readonly Piece[];
      readonly partly?: readonly { readonly stage: number; readonly reason: string }[];
    };

export interface CrossingParts {
  readonly pool: Pool;
  readonly memory: Memory;
  readonly group: StageGroup;
  readonly receivedMs: number;
  readonly rewrite: boolean;
}

interface Item {
  /** Place of its outcome. */
  readonly at: number;
  readonly profile: Profile;
}
type Done = Extract<Awaited<ReturnType<Pool['run']>>, { kind: 'done' }>;

/**
 * The way of one batch's profiles through a group of stages on the workers and back. A task that takes its thread with it is tried
 * once more, each of its profiles alone, so that one bad profile costs only itself.
 */
export class Crossing {
  /** As long as the profiles that were given; whole only when nothing was `refused`. */
  readonly outcomes: Crossed[] = [];
  readonly notes: { readonly stage: number; readonly note: Plain }[] = [];
  /** What edited profiles lost as they were encoded. */
  readonly losses: Loss[] = [];
  /** Of each task that was done, ms. */
  readonly timings: { readonly runMs: readonly number[]; readonly waitMs: number }[] = [];
  /** The stage that ran when a thread was lost, once for each; −1 when none did. */
  readonly lost: number[] = [];
  /** The batch's id, if a recipe was given and the first task edited or noted something. */
  id: string | undefined;
  /** Why nothing was done: no memory, no room in front of the threads, nobody waits. */
  refused: string | undefined;
  readonly #of: CrossingParts;
  readonly #abort: AbortSignal;
  /** Slabs that edited payloads lie in. */
  readonly #held: Uint8Array[] = [];

  constructor(of: CrossingParts, abort: AbortSignal) {
    this.#of = of;
    this.#abort = abort;
  }

  async run(profiles: readonly Profile[], recipe: StageTask['recipe']): Promise<void> {
    const items = profiles.map((profile, at): Item => ({ at, profile }));
    await Promise.all(tasksOf(items).map((task, n) => this.#task(task, n === 0 ? recipe : undefined, 'first try')));
  }

  /** Gives the edited bytes back; once the batch that they are part of was answered. */
  release(): void {
    for (const bytes of this.#held.splice(0)) this.#of.memory.release(bytes);
  }

  async #task(items: readonly Item[], recipe: StageTask['recipe'], turn: 'first try' | 'again'): Promise<void> {
    const { pool, memory, group } = this.#of;
    const slab = memory.lease(outBytes(items.map(({ profile }) => sizeAlone(profile))));
    if (!slab) {
      this.refused = 'memory limit reached';
      return;
    }
    const out = slab.bytes;
    const progress = progressOf(out);
    progress[0] = 0;
    const task: StageTask = {
      group,
      out,
      profiles: items.map(({ profile: { attributes, payload, part, origin } }) => ({
        attributes,
        payload: { form: payload.form, encoding: payload.encoding, bytes: payload.bytes },
        part,
        // Of pprof and OTLP nobody asks how it came.
        ...(origin && payload.form !== 'pprof' && payload.form !== 'otlp' && { origin }),
      })),
      receivedMs: this.#of.receivedMs,
      rewrite: this.#of.rewrite,
      ...(recipe && { recipe }),
    };
    let bytes = 0;
    for (const { profile } of items) bytes += sizeAlone(profile);
    const outcome = await pool.run('stages', task, { bytes, abort: this.#abort, fresh: turn === 'again' });
    if (outcome.kind === 'done') {
      this.#held.push(out);
      this.#done(items, outcome, out);
      return;
    }
    const stage = progress[0]! - 1;
    if (outcome.kind === 'failed') memory.retire(out);
    memory.release(out);
    if (outcome.kind !== 'failed') {
      this.refused = outcome.kind === 'full' ? 'the workers have enough to do' : 'the sender left';
      return;
    }
    this.lost.push(stage);
    if (turn === 'first try') await Promise.all(items.map(item => this.#task([item], recipe, 'again')));
    else this.outcomes[items[0]!.at] = { kind: 'failed', stage, message: outcome.message };
  }

  #done(items: readonly Item[], { value, waitMs }: Done, out: Uint8Array): void {
    const { outcomes, notes, losses, runMs, id } = value as StageReport;
    this.timings.push({ runMs, waitMs });
    this.notes.push(...notes);
    this.losses.push(...losses);
    this.id ??= id;
    for (const [n, outcome] of outcomes.entries()) {
      const { at } = items[n]!;
      if (outcome.kind !== 'kept') {
        this.outcomes[at] = outcome;
        continue;
      }
      const { edited, pieces, ...rest } = outcome;
      const bytes = edited && this.#bytesOf(edited, out);
      const held = pieces?.map(piece => ({ attributes: piece.attributes, bytes: this.#bytesOf(piece.edited, out) }));
      // Where there was no room, `refused` says so.
      if ((edited && !bytes) || held?.some(one => !one.bytes)) continue;
      this.outcomes[at] = { ...rest, ...(bytes && { bytes }), ...(held && { pieces: held as Piece[] }) };
    }
  }

  #bytesOf(edited: Edited, out: Uint8Array): Uint8Array | undefined {
    return edited instanceof Uint8Array ? this.#adopt(edited) : out.subarray(edited.at, edited.at + edited.length);
  }

  /** Bytes that did not fit into the slab of the task. */
  #adopt(bytes: Uint8Array): Uint8Array | undefined {
    const slab = this.#of.memory.lease(bytes.length);
    if (!slab) {
      this.refused = 'memory limit reached';
      return undefined;
    }
    this.#held.push(slab.bytes);
    slab.bytes.set(bytes);
    return slab.bytes.subarray(0, bytes.length);
  }
}

function tasksOf(items: readonly Item[]): Item[][] {
  const tasks: Item[][] = [];
  let bytes = TASK_BYTES;
  for (const item of items) {
    if (bytes >= TASK_BYTES) {
      tasks.push([]);
      bytes = 0;
    }
    tasks.at(-1)!.push(item);
    bytes += sizeAlone(item.profile);
  }
  return tasks;
}

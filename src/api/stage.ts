import type { Attributes, Plain } from '../model/attributes.ts';
import type { Columns } from '../model/columns/columns.ts';

/**
 * Work on samples: the default export of `stage.ts` beside the factory. Its module is loaded by workers only, its config arrives there
 * as a structured clone. Consecutive stages of a pipeline share one decoding: `columns` are what the stage before left, yours to
 * edit in place until you return. No state may outlive a call: a worker can end at any time, and tasks run on any of them.
 */
export type Stage<C = unknown, N extends Plain = never> = (
  config: C,
) => (profile: StageProfile, columns: Columns) => Verdict<N>;

/** The envelope of the profile, as the stage before left it. */
export interface StageProfile {
  readonly attributes: Attributes;
}

/** What a stage says of one profile. */
export interface Verdict<N extends Plain = never> {
  /** False: the profile goes no further, and `reason` (snake_case, from a small set) is the label of the drop counter. */
  readonly keep: boolean;
  readonly reason?: string;
  /** Attributes to set on the envelope; null removes one. */
  readonly set?: Attributes;
  /** For the owner on the main thread, which gets them once the batch was accepted: retries never count twice. */
  readonly notes?: readonly N[];
}

export const KEEP: Verdict = Object.freeze({ keep: true });

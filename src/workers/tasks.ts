import type { Encoding } from '../model/payload.ts';
import type { Examined } from '../model/summary.ts';
import { DecodeError } from '../wire/decode-error.ts';
import { examinePprof } from '../wire/pprof/payload.ts';
import { prepareStages, runStages } from './stages/run.ts';
import type { StageGroup, StageReport, StageTask } from './stages/task.ts';

export interface ExamineTask {
  readonly encoding: Encoding;
  readonly bytes: Uint8Array;
  /** What it may inflate to. */
  readonly maxBytes: number;
}
export type ExamineReport =
  | ({ readonly kind: 'sound' } & Examined)
  | { readonly kind: 'unsound'; readonly reason: string; readonly message: string };

/** The task table: work on payload bytes, by name. Pure: bytes in shared memory and plain values in, plain values out. */
export const tasks = {
  /** Inflates a pprof and looks at all of it. */
  async examine({ encoding, bytes, maxBytes }: ExamineTask): Promise<ExamineReport> {
    try {
      return { kind: 'sound', ...(await examinePprof({ encoding, bytes }, maxBytes, { worker: true })) };
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      return { kind: 'unsound', reason: error.reason, message: error.message };
    }
  },
  /** Runs the stages of one group over profiles; the result of an edit is written into `out`. */
  stages: (task: StageTask): Promise<StageReport> => runStages(task),
  /** Loads the modules of a group; a sentence when one cannot be used. */
  prepare: (group: StageGroup): Promise<string | undefined> => prepareStages(group),
};

export type Tasks = typeof tasks;
export type TaskName = keyof Tasks;
export type TaskInput<K extends TaskName> = Parameters<Tasks[K]>[0];
export type TaskOutput<K extends TaskName> = Awaited<ReturnType<Tasks[K]>>;

import type { Room } from '../model/memory.ts';
import type { Payload } from '../model/payload.ts';
import type { Summary } from '../model/summary.ts';
import { DecodeError } from '../wire/decode-error.ts';
import { summarizePprof } from '../wire/pprof/payload.ts';
import { prepareStages, runStages } from './stages/run.ts';
import type { StageGroup, StageReport, StageTask } from './stages/task.ts';

/** The task table: work on payload bytes, by name. Pure: bytes in shared memory and plain values in, plain values out. */
export const tasks = {
  /** What a profile says of itself; undefined for a form that has no decoder and for bytes that do not parse. `room` is the main thread's. */
  async summary(payload: Payload, room?: Room): Promise<Summary | undefined> {
    if (payload.form !== 'pprof') return undefined;
    try {
      // Acknowledged already: it waits for its turn, and is not refused.
      return await summarizePprof(payload, undefined, { room, must: true });
    } catch (error) {
      if (error instanceof DecodeError) return undefined;
      throw error;
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

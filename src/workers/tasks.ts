import type { OtlpAsked, OtlpReceived } from '../model/otlp.ts';
import type { Encoding, Form } from '../model/payload.ts';
import type { Examined } from '../model/summary.ts';
import { examineProfile } from '../wire/convert/examine.ts';
import type { About } from '../wire/convert/read.ts';
import { DecodeError } from '../wire/decode-error.ts';
import { receiveOtlp } from '../wire/otlp/receive.ts';
import { convert } from './convert.ts';
import { prepareStages, runStages } from './stages/run.ts';
import type { StageGroup, StageReport, StageTask } from './stages/task.ts';

export interface ExamineTask {
  readonly form: Form;
  readonly encoding: Encoding;
  readonly bytes: Uint8Array;
  /** What it may inflate to. */
  readonly maxBytes: number;
  readonly about: About;
}
type Unsound = { readonly kind: 'unsound'; readonly reason: string; readonly message: string };
export type ExamineReport = ({ readonly kind: 'sound' } & Examined) | Unsound;
export interface OtlpTask {
  readonly bytes: Uint8Array;
  readonly asked: OtlpAsked;
}
export type OtlpReport = ({ readonly kind: 'sound' } & OtlpReceived) | Unsound;

/** The task table: work on payload bytes, by name. Pure: bytes in shared memory and plain values in, plain values out. */
export const tasks = {
  /** Inflates a profile of any form but OTLP and looks at all of it. */
  async examine({ form, encoding, bytes, maxBytes, about }: ExamineTask): Promise<ExamineReport> {
    try {
      return { kind: 'sound', ...(await examineProfile({ form, encoding, bytes }, maxBytes, about, { worker: true })) };
    } catch (error) {
      return unsound(error);
    }
  },
  /** Makes of an OTLP request what travels inside, and looks at all of it. */
  async otlp({ bytes, asked }: OtlpTask): Promise<OtlpReport> {
    try {
      return { kind: 'sound', ...receiveOtlp(bytes, asked) };
    } catch (error) {
      return unsound(error);
    }
  },
  /** Makes of profiles what an exporter's store takes. */
  convert,
  /** Runs the stages of one group over profiles; the result of an edit is written into `out`. */
  stages: (task: StageTask): Promise<StageReport> => runStages(task),
  /** Loads the modules of a group; a sentence when one cannot be used. */
  prepare: (group: StageGroup): Promise<string | undefined> => prepareStages(group),
};

export type Tasks = typeof tasks;
export type TaskName = keyof Tasks;
export type TaskInput<K extends TaskName> = Parameters<Tasks[K]>[0];
export type TaskOutput<K extends TaskName> = Awaited<ReturnType<Tasks[K]>>;

/** An error's class would be lost on the way. */
function unsound(error: unknown): Unsound {
  if (!(error instanceof DecodeError)) throw error;
  return { kind: 'unsound', reason: error.reason, message: error.message };
}

// What the main thread and a worker say to each other of stages. Everything here is a structured clone or lies in shared memory.
import { deserialize, serialize } from 'node:v8';
import type { Plain } from '../../model/attributes.ts';
import type { Origin, Payload } from '../../model/payload.ts';
import type { Loss } from '../../wire/convert/losses.ts';

export type { Loss } from '../../wire/convert/losses.ts';

/** One stage of a pipeline. */
export interface StageSpec {
  /** As in the configuration; for messages. */
  readonly id: string;
  /** URL of the module whose default export is the stage. */
  readonly module: string;
  readonly config: unknown;
}

/** Consecutive stages of a pipeline. A worker reads `definition` once and knows the group by its key from then on. */
export interface StageGroup {
  readonly key: string;
  /** Serialized `StageSpec[]`, in shared memory, so that a task costs a reference and not a copy of its configuration. */
  readonly definition: Uint8Array;
}

export function groupOf(key: string, specs: readonly StageSpec[]): StageGroup {
  const bytes = serialize(specs);
  const definition = new Uint8Array(new SharedArrayBuffer(bytes.length));
  definition.set(bytes);
  return { key, definition };
}

export function specsOf({ definition }: StageGroup): StageSpec[] {
  return deserialize(definition.slice()) as StageSpec[];
}

export interface StageTask {
  readonly group: StageGroup;
  readonly profiles: readonly {
    readonly attributes: ReadonlyMap<string, Plain>;
    readonly payload: Pick<Payload, 'form' | 'encoding' | 'bytes'>;
    readonly part: number;
    readonly origin?: Origin;
  }[];
  /** Unix milliseconds. */
  readonly receivedMs: number;
  /** Whether forms that hold more than columns say are written anew though no stage edited them: what is to be hidden may stand there. */
  readonly rewrite: boolean;
  /** Where edited payloads go, one after another, up to the progress word at its end. */
  readonly out: Uint8Array;
  /** What the batch's id is made of, when it is not known: its bytes will be gone once the edited ones are on their way. */
  readonly recipe?: readonly (string | Uint8Array)[];
}

/** What became of one profile. Stages are named by their place in the group. */
export type StageOutcome =
  | {
      readonly kind: 'kept';
      readonly set?: ReadonlyMap<string, Plain>;
      readonly edited?: Edited;
      /** Of a form that cannot be written: the profiles in it, each as a pprof with the envelope that it has now. */
      readonly pieces?: readonly { readonly attributes: ReadonlyMap<string, Plain>; readonly edited: Edited }[];
      /** Of an OTLP part: groups of profiles that a stage dropped while others stay. */
      readonly partly?: readonly { readonly stage: number; readonly reason: string }[];
    }
  | { readonly kind: 'dropped'; readonly stage: number; readonly reason: string }
  /** The bytes are no profile. */
  | { readonly kind: 'undecodable'; readonly message: string }
  /** The stage threw. */
  | { readonly kind: 'failed'; readonly stage: number; readonly message: string };
/** A run of `out`, or the bytes themselves where they did not fit. */
export type Edited = { readonly at: number; readonly length: number } | Uint8Array;

export interface StageReport {
  readonly outcomes: readonly StageOutcome[];
  /** Of kept profiles only. */
  readonly notes: readonly { readonly stage: number; readonly note: Plain }[];
  /** Time in each stage, ms; the last one is decoding, encoding and compression. */
  readonly runMs: readonly number[];
  /** What encoding took from profiles that were edited. */
  readonly losses: readonly Loss[];
  /** The batch's id, when a recipe was given and something was edited or noted. */
  readonly id?: string;
}

/** Bytes at the end of `out` in which the worker says which stage runs, so that a hang has a name. */
const PROGRESS_BYTES = 4;

/** The progress word: 0 before the first stage, n + 1 while stage n runs. */
export function progressOf(out: Uint8Array): Int32Array {
  const end = (out.byteOffset + out.length) & ~3;
  return new Int32Array(out.buffer, end - PROGRESS_BYTES, 1);
}

/** Bytes of `out` that edited payloads may fill. */
export function roomOf(out: Uint8Array): number {
  return progressOf(out).byteOffset - out.byteOffset;
}

/** A size for `out` that holds the edited payloads of nearly every task: stages add little, and what does not fit is sent. */
export function outBytes(sizes: readonly number[]): number {
  let bytes = 64;
  for (const size of sizes) bytes += Math.ceil(size * 1.25) + 1024;
  return bytes;
}

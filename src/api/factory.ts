import type { Plain } from '../model/attributes.ts';
import type { Profile, ProfileBatch, Signal } from '../model/batch.ts';
import type { Form } from '../model/payload.ts';
import type { Component, Consumer, Sender } from './component.ts';
import type { Host } from './host.ts';
import type { Schema } from './schema.ts';

interface Base<C> {
  /** As in YAML; the name of the folder. */
  readonly type: string;
  /** One sentence for lists and docs. */
  readonly summary: string;
  readonly stability: 'alpha' | 'beta' | 'stable';
  /** `import.meta.url` of the factory. */
  readonly home: string;
  readonly config: Schema<C>;
}

// `create` is pure: no socket, timer or file. Effects live in `start`, so that `validate` builds the whole graph and throws it away.

// biome-ignore lint/suspicious/noExplicitAny: a list of factories forgets what each one's config is; the config room has checked it
type Any = any;

export interface ReceiverFactory<C = Any, O extends Signal = Any> extends Base<C> {
  readonly kind: 'receiver';
  readonly emits: readonly O[];
  create(config: C, host: Host, next: Consumer<O>): Component;
}
/** One instance per pipeline; written under `connectors:` (it then ends one pipeline and begins another), one per id. */
export interface ProcessorFactory<C = Any, I extends Signal = Any, O extends Signal = Any> extends Base<C> {
  readonly kind: 'processor';
  readonly accepts: readonly I[];
  readonly emits: readonly O[];
  /**
   * It answers late, once what it held went on (merge, tail sampling): the pipeline puts a queue in front, so that no sender waits
   * and nothing acknowledged is lost. On `stop` it lets go of all it holds.
   */
  readonly holds?: true;
  create(config: C, host: Host, next: Consumer<O>): Component & Consumer<I>;
}
/** What structured cloning keeps whole: a stage's configuration goes to workers. */
export type Cloneable =
  | null
  | undefined
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly Cloneable[]
  | { readonly [key: string]: Cloneable };
/** Hears what a stage noted, on the main thread, once for each batch that was accepted. */
export interface NoteOwner<N extends Plain> extends Component {
  /** `from` is as it left the stages; its bytes are borrowed until this returns. */
  note(notes: readonly N[], from: ProfileBatch): void;
}
/**
 * Work on samples, written under `processors:`. The work itself is the default export of `stage.ts` beside the factory (see `Stage`);
 * only workers load it, and consecutive stages share one decoding.
 */
export interface StageFactory<C = Any, N extends Plain = Any> extends Base<C> {
  readonly kind: 'stage';
  /**
   * Whether it is there to hide something. Then no profile leaves in a form that holds more than the stage can see (JFR: all other events):
   * it goes on as pprof, though nothing was edited.
   */
  readonly hides?: (config: C) => boolean;
  /** One per pipeline, like the stage itself. */
  owner?(config: C, host: Host): NoteOwner<N>;
}
/** What a store takes. The pipeline converts, splits and shrinks on a worker before `send`. */
export interface Takes {
  readonly forms: readonly Form[];
  /** Of one pprof. */
  readonly limits?: { readonly bytes: number; readonly samples: number };
  /** Whether a profile in a form that is not among `forms` goes out as it came all the same. */
  readonly asItCame?: (profile: Profile) => boolean;
}
/** Writes `send` only; the pipeline wraps it: observed → outbox (queue → retry → timeout) → send. */
export interface ExporterFactory<C = Any, I extends Signal = Any> extends Base<C> {
  readonly kind: 'exporter';
  readonly accepts: readonly I[];
  /** Forms of profiles that `send` is given, and their limits; every form as it came where it is left out. */
  readonly takes?: (config: C) => Takes;
  /** What to set before it can take this signal of `accepts`; undefined when nothing is missing. A pipeline of that signal is else an error. */
  readonly lacks?: (config: C, signal: I) => string | undefined;
  create(config: C, host: Host): Component & Sender<I>;
}
/** Something of the process that components find by id: storage, authentication. */
export interface ExtensionFactory<C = Any> extends Base<C> {
  readonly kind: 'extension';
  /** What others may name it for. `storage`: it is a `QueueStorage`, for `sending_queue.storage`. */
  readonly provides?: readonly 'storage'[];
  create(config: C, host: Host): Component;
}
export type Factory = ReceiverFactory | ProcessorFactory | StageFactory | ExporterFactory | ExtensionFactory;
export type Kind = Factory['kind'];

export const receiver = <C, O extends Signal>(factory: Omit<ReceiverFactory<C, O>, 'kind'>): ReceiverFactory<C, O> => ({
  kind: 'receiver',
  ...factory,
});
export const processor = <C, I extends Signal, O extends Signal>(
  factory: Omit<ProcessorFactory<C, I, O>, 'kind'>,
): ProcessorFactory<C, I, O> => ({ kind: 'processor', ...factory });
export const stage = <C extends Cloneable, N extends Plain>(
  factory: Omit<StageFactory<C, N>, 'kind'>,
): StageFactory<C, N> => ({ kind: 'stage', ...factory });
export const exporter = <C, I extends Signal>(factory: Omit<ExporterFactory<C, I>, 'kind'>): ExporterFactory<C, I> => ({
  kind: 'exporter',
  ...factory,
});
export const extension = <C>(factory: Omit<ExtensionFactory<C>, 'kind'>): ExtensionFactory<C> => ({
  kind: 'extension',
  ...factory,
});

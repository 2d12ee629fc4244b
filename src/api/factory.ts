import type { Signal } from '../model/batch.ts';
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
  create(config: C, host: Host, next: Consumer<O>): Component & Consumer<I>;
}
/** Writes `send` only; the pipeline wraps it: observed → outbox (queue → retry → timeout) → send. */
export interface ExporterFactory<C = Any, I extends Signal = Any> extends Base<C> {
  readonly kind: 'exporter';
  readonly accepts: readonly I[];
  create(config: C, host: Host): Component & Sender<I>;
}
/** Something of the process that components find by id: storage, authentication. */
export interface ExtensionFactory<C = Any> extends Base<C> {
  readonly kind: 'extension';
  /** What others may name it for. `storage`: it is a `QueueStorage`, for `sending_queue.storage`. */
  readonly provides?: readonly 'storage'[];
  create(config: C, host: Host): Component;
}
export type Factory = ReceiverFactory | ProcessorFactory | ExporterFactory | ExtensionFactory;
export type Kind = Factory['kind'];

export const receiver = <C, O extends Signal>(factory: Omit<ReceiverFactory<C, O>, 'kind'>): ReceiverFactory<C, O> => ({
  kind: 'receiver',
  ...factory,
});
export const processor = <C, I extends Signal, O extends Signal>(
  factory: Omit<ProcessorFactory<C, I, O>, 'kind'>,
): ProcessorFactory<C, I, O> => ({ kind: 'processor', ...factory });
export const exporter = <C, I extends Signal>(factory: Omit<ExporterFactory<C, I>, 'kind'>): ExporterFactory<C, I> => ({
  kind: 'exporter',
  ...factory,
});
export const extension = <C>(factory: Omit<ExtensionFactory<C>, 'kind'>): ExtensionFactory<C> => ({
  kind: 'extension',
  ...factory,
});

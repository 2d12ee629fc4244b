// What a configuration comes to: pure data, checked in full, from which the pipeline builds a graph. Nothing here runs.
import type { Factory, Listen, OutboxConfig, Secret, Signal } from '../api/index.ts';
import type { Finding } from './finding.ts';

export type { Finding } from './finding.ts';

export interface ComponentPlan {
  /** `type` or `type/name`. */
  readonly id: string;
  readonly factory: Factory;
  /** As the factory's schema parsed it. */
  readonly config: unknown;
  /** Equal for equal configurations of one factory: a reload keeps what did not change. A digest, so that it holds no secret. */
  readonly fingerprint: string;
  /** Of exporters, and of processors that hold. */
  readonly outbox?: OutboxConfig;
}

export interface PipelinePlan {
  /** `signal` or `signal/name`. */
  readonly id: string;
  readonly signal: Signal;
  /** Ids of receivers and of connectors that end other pipelines; no id twice. */
  readonly receivers: readonly string[];
  readonly processors: readonly string[];
  /** Ids of exporters and of connectors that begin other pipelines; no id twice. */
  readonly exporters: readonly string[];
}

export type Section = 'receivers' | 'processors' | 'exporters' | 'connectors' | 'extensions';

export interface Plan {
  /** Only what a pipeline, or `service.extensions`, uses. A processor that emits another signal than it accepts is a connector, wherever it is written. */
  readonly components: Readonly<Record<Section, ReadonlyMap<string, ComponentPlan>>>;
  readonly pipelines: readonly PipelinePlan[];
  /** In the order in which they start. */
  readonly extensions: readonly string[];
  readonly telemetry: {
    readonly admin: Listen & { readonly token?: Secret | undefined };
    readonly logs: { readonly level: 'debug' | 'info' | 'warn' | 'error' };
  };
  readonly workers: {
    /** Unset: one for each core. */
    readonly threads: number | undefined;
    readonly taskTimeoutMs: number;
    readonly memoryBytes: number;
    readonly queueBytes: number;
  };
  /** Longest time that shutdown waits for queues. */
  readonly drainTimeoutMs: number;
  readonly warnings: readonly Finding[];
}

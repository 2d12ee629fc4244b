import type { Health } from '../api/index.ts';
import type { PipelinePlan } from '../config/plan.ts';
import type { MemoryUsage } from '../model/memory.ts';

export interface ReloadStatus {
  readonly atMs: number;
  readonly ok: boolean;
  readonly error?: string;
}

export interface QueueStatus {
  readonly batches: number;
  readonly bytes: number;
  /** In units of `sizer`. */
  readonly capacity: number;
  readonly sizer: 'bytes' | 'requests';
  readonly inFlight: number;
  /** When the oldest batch was stored, unix ms. */
  readonly oldestMs?: number;
  /** The store counts as down: no request before `untilMs` but a probe. */
  readonly paused?: { readonly untilMs: number; readonly error: string };
}

export interface ComponentStatus {
  readonly id: string;
  readonly kind: string;
  readonly type: string;
  readonly health: Health;
  readonly why?: string;
  readonly sinceMs: number;
  /** Profiles by outcome since the component started. */
  readonly counts: Readonly<Record<'accepted' | 'refused' | 'retryable' | 'permanent' | 'dropped', number>>;
  readonly lastError?: { readonly atMs: number; readonly message: string };
  readonly queue?: QueueStatus;
}

/** What `/api/v1/status` serves. Times are unix ms. */
export interface Status {
  readonly version: string;
  readonly startedMs: number;
  readonly state: 'starting' | 'running' | 'draining' | 'stopped';
  /** All listeners are open. A store that is down does not change it. */
  readonly ready: boolean;
  readonly config: { readonly files: readonly string[]; readonly lastReload?: ReloadStatus };
  readonly listeners: readonly {
    readonly endpoint: string;
    readonly address: string;
    readonly protocols: readonly string[];
  }[];
  readonly pipelines: readonly PipelinePlan[];
  readonly components: readonly ComponentStatus[];
  readonly drops: readonly { readonly id: string; readonly reason: string; readonly items: number }[];
  readonly memory: MemoryUsage & { readonly rssBytes: number };
}

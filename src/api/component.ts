import type { Batches, Signal } from '../model/batch.ts';
import type { Result } from './result.ts';

export interface Component {
  /** Fail fast, return soon. Background work that it starts is its own to stop. */
  start?(): Promise<void>;
  /** Safe before start and safe twice; drains until `deadline` fires, then leaves nothing running. */
  stop?(deadline: AbortSignal): Promise<void>;
}

export interface Consumer<S extends Signal> {
  /** Bytes of the batch are borrowed until this answers. `abort` fires when nobody waits for the answer any more. */
  consume(batch: Batches[S], abort: AbortSignal): Promise<Result>;
}

export interface Sender<S extends Signal> {
  /** One try. Queue, retry and timeout are the pipeline's; `abort` fires at the timeout and at shutdown. */
  send(batch: Batches[S], abort: AbortSignal): Promise<Result<Batches[S]>>;
}

/** An extension that says where queues lie on disk; the pipeline opens the file. */
export interface QueueStorage extends Component {
  readonly queueFile: {
    /** Path of the file; two extensions that name one file share it. */
    readonly file: string;
    /** `full`: what was acknowledged survives a power failure; `normal`: the end of the process only. */
    readonly sync: 'full' | 'normal';
    readonly deadLetters: { readonly maxAgeMs: number; readonly maxBytes: number };
  };
}

// piscina, behind one file: threads for work on payload bytes, each task with a limit on its time and memory.
import { Piscina } from 'piscina';
import type { Instrument, Logger, Meter } from '../api/index.ts';
import type { TaskInput, TaskName, TaskOutput } from './tasks.ts';
import type { Answer } from './worker.ts';

/** How often running tasks are looked at, ms: what a task may exceed its limits by. */
const WATCH_MS = 100;
/** When to ask a thread again that has not answered, ms. */
const ASK_AGAIN_MS = 500;
/** Longest start of a thread, ms: about 100 ms on an idle machine. */
const START_MS = 30_000;
/** An idle thread ends after this, ms: starting one takes about 100 ms, keeping one about 10 MiB. */
const IDLE_MS = 60_000;
const MIB = 1024 * 1024;

export interface PoolSettings {
  readonly threads: number;
  /** Longest run of one task, ms. */
  readonly taskTimeoutMs: number;
  /** Most that one thread may hold, bytes: heap and array buffers; payloads in shared memory do not count. */
  readonly memoryBytes: number;
  /** Payload bytes that may wait for a thread. */
  readonly queueBytes: number;
}

/** What became of a task. Never thrown. */
export type TaskOutcome<R> =
  | { readonly kind: 'done'; readonly value: R; readonly waitMs: number; readonly runMs: number }
  /** Too much waits already. */
  | { readonly kind: 'full' }
  /** Nobody waits for the answer any more. */
  | { readonly kind: 'gone' }
  /** `bug` is an exception of the task itself; the others took the thread with them. */
  | { readonly kind: 'failed'; readonly reason: 'crashed' | 'hung' | 'memory' | 'bug'; readonly message: string };

interface Waiting {
  readonly task: TaskName;
  readonly input: unknown;
  readonly bytes: number;
  readonly abort: AbortSignal | undefined;
  readonly fresh: boolean;
  readonly sinceMs: number;
  readonly resolve: (outcome: TaskOutcome<never>) => void;
}
interface Running {
  readonly handedMs: number;
  /** Set by the thread once it begins; a new one takes a while to start. */
  readonly began: Int32Array;
  /** When it was first seen to have begun. */
  beganMs: number | undefined;
  readonly cut: AbortController;
  readonly threads: Piscina;
}

export interface PoolParts {
  readonly settings: PoolSettings;
  /** URL of a module that each thread loads first. */
  readonly preload: string;
  readonly log: Logger;
  readonly meter: Meter;
}

/**
 * No thread starts before the first task. A task is handed over when a thread is free, so that its time limit counts from when it
 * runs; what waits is bounded in bytes.
 */
export class Pool {
  readonly #of: PoolParts;
  #settings: PoolSettings;
  #threads: Piscina | undefined;
  /** Threads for second tries; each ends with its task. */
  #fresh: Piscina | undefined;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  readonly #running = new Set<Running>();
  readonly #flags: Int32Array[] = [];
  /** When threads were asked for their memory that have not answered. */
  readonly #askedMs = new WeakMap<object, number>();
  readonly #memoryCut = new WeakSet<object>();
  /** Threads that were ended for their memory, and whose task has not failed yet. */
  #memoryCuts = 0;
  #watch: NodeJS.Timeout | undefined;
  #stopped = false;
  #idle: (() => void) | undefined;
  readonly #restarts: Instrument;

  constructor(parts: PoolParts) {
    this.#of = parts;
    this.#settings = parts.settings;
    this.#restarts = parts.meter.counter('flamegate_worker_restarts_total', {
      help: 'Worker threads that a task took with it, by reason.',
      labels: ['reason'],
    });
  }

  get usage(): { running: number; waiting: number; waitingBytes: number; threads: number } {
    const threads = this.#threads?.threads.length ?? 0;
    return { running: this.#running.size, waiting: this.#waiting.length, waitingBytes: this.#waitingBytes, threads };
  }

  /** Other settings, from the next task on; running ones end under the old ones. */
  configure(settings: PoolSettings): void {
    const same = (Object.keys(settings) as (keyof PoolSettings)[]).every(key => settings[key] === this.#settings[key]);
    if (same) return;
    this.#settings = settings;
    const old = [this.#threads, this.#fresh];
    this.#threads = this.#fresh = undefined;
    for (const threads of old) if (threads) this.#end(threads);
  }

  /**
   * @param of.bytes payload bytes that wait with it
   * @param of.first before all that waits
   * @param of.fresh on a thread that has served nobody else: the last one was lost with this task
   */
  run<K extends TaskName>(
    task: K,
    input: TaskInput<K>,
    of: { readonly bytes: number; readonly abort?: AbortSignal; readonly first?: boolean; readonly fresh?: boolean },
  ): Promise<TaskOutcome<TaskOutput<K>>> {
    const { bytes, abort, fresh = false, first = fresh } = of;
    const free = this.#running.size < this.#settings.threads;
    if (this.#stopped) return Promise.resolve({ kind: 'gone' });
    if (!free && !first && this.#waitingBytes + bytes > this.#settings.queueBytes)
      return Promise.resolve({ kind: 'full' });
    return new Promise(resolve => {
      const waiting = { task, input, bytes, abort, fresh, sinceMs: performance.now(), resolve } as Waiting;
      if (free) {
        void this.#start(waiting);
        return;
      }
      this.#waitingBytes += bytes;
      if (first) this.#waiting.unshift(waiting);
      else this.#waiting.push(waiting);
    });
  }

  /** What waits is told that nobody will come; running tasks end, or are ended at the deadline. */
  async stop(deadline: AbortSignal): Promise<void> {
    this.#stopped = true;
    for (const { resolve } of this.#waiting.splice(0)) resolve({ kind: 'gone' });
    this.#waitingBytes = 0;
    const cut = () => {
      for (const { cut } of this.#running) cut.abort();
    };
    if (deadline.aborted) cut();
    else deadline.addEventListener('abort', cut, { once: true });
    if (this.#running.size > 0) await new Promise<void>(resolve => (this.#idle = resolve));
    deadline.removeEventListener('abort', cut);
    const all = [this.#threads, this.#fresh];
    this.#threads = this.#fresh = undefined;
    await Promise.all(all.map(threads => threads?.destroy()));
  }

  async #start(waiting: Waiting): Promise<void> {
    const { task, input, fresh, sinceMs, resolve } = waiting;
    const threads = fresh ? this.#freshPool() : this.#pool();
    const began = this.#flags.pop() ?? new Int32Array(new SharedArrayBuffer(4));
    began[0] = 0;
    const running: Running = {
      handedMs: performance.now(),
      began,
      beganMs: undefined,
      cut: new AbortController(),
      threads,
    };
    this.#running.add(running);
    this.#watch ??= setInterval(() => this.#look(), WATCH_MS).unref();
    try {
      const answer = (await threads.run({ task, input, began }, { signal: running.cut.signal })) as Answer;
      const runMs = performance.now() - running.handedMs;
      if (fresh) await endThread(threads, answer.threadId);
      else if (answer.heldBytes > this.#settings.memoryBytes) await this.#endFull(threads, answer.threadId);
      if (answer.ok) resolve({ kind: 'done', value: answer.value as never, waitMs: running.handedMs - sinceMs, runMs });
      else {
        this.#of.log.error('task threw, this is a bug', { task, error: answer.message });
        resolve({ kind: 'failed', reason: 'bug', message: answer.message });
      }
    } catch (error) {
      resolve(this.#failed(running, error as Error));
    } finally {
      this.#running.delete(running);
      // A thread that was ended may still begin: then the flag is not used again.
      if (!running.cut.signal.aborted) this.#flags.push(began);
      if (threads !== this.#threads && threads !== this.#fresh) this.#end(threads);
      this.#next();
    }
  }

  #failed(running: Running, error: Error): TaskOutcome<never> {
    const failure = this.#reasonOf(running, error);
    this.#restarts.record(1, { reason: failure.reason });
    this.#of.log.error('worker ended with its task', failure);
    return { kind: 'failed', ...failure };
  }

  #reasonOf(running: Running, error: Error): { reason: 'crashed' | 'hung' | 'memory'; message: string } {
    if (running.cut.signal.aborted)
      return { reason: 'hung', message: `did not end within ${this.#settings.taskTimeoutMs} ms` };
    const limit = Math.round(this.#settings.memoryBytes / MIB);
    const outOfHeap = (error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY';
    if (!outOfHeap && this.#memoryCuts > 0) this.#memoryCuts--;
    else if (!outOfHeap) return { reason: 'crashed', message: error.message || 'the worker ended' };
    return { reason: 'memory', message: `used more than ${limit} MiB` };
  }

  #next(): void {
    while (this.#running.size < this.#settings.threads) {
      const waiting = this.#waiting.shift();
      if (!waiting) break;
      this.#waitingBytes -= waiting.bytes;
      if (waiting.abort?.aborted) waiting.resolve({ kind: 'gone' });
      else void this.#start(waiting);
    }
    if (this.#running.size > 0) return;
    clearInterval(this.#watch);
    this.#watch = undefined;
    this.#idle?.();
  }

  /** Ends threads that get no more tasks, once they have none. */
  #end(threads: Piscina): void {
    for (const running of this.#running) if (running.threads === threads) return;
    void threads.destroy();
  }

  /** Ends what runs too long or holds too much. V8's own limit does not count array buffers, so they are asked for. */
  #look(): void {
    const nowMs = performance.now();
    let busy = false;
    for (const running of this.#running) {
      if (Atomics.load(running.began, 0) === 1) running.beganMs ??= nowMs;
      const { beganMs, handedMs, cut } = running;
      const late = beganMs === undefined ? handedMs + START_MS : beganMs + this.#settings.taskTimeoutMs;
      if (nowMs > late) cut.abort();
      else if (nowMs - handedMs > WATCH_MS) busy = true;
    }
    if (!busy) return;
    for (const thread of new Set([...this.#running].flatMap(({ threads }) => threads.threads))) {
      // A thread without a task sleeps and answers when it gets one; one that only starts may never answer.
      if (nowMs - (this.#askedMs.get(thread) ?? Number.NEGATIVE_INFINITY) < ASK_AGAIN_MS) continue;
      this.#askedMs.set(thread, nowMs);
      void thread.getHeapStatistics().then(
        ({ used_heap_size, external_memory }) => {
          this.#askedMs.delete(thread);
          if (used_heap_size + external_memory <= this.#settings.memoryBytes || this.#memoryCut.has(thread)) return;
          this.#memoryCut.add(thread);
          this.#memoryCuts++;
          void thread.terminate();
        },
        // It ended meanwhile.
        () => undefined,
      );
    }
  }

  /** A thread that has done its task but kept too much: it ends before it gets another. */
  async #endFull(threads: Piscina, threadId: number): Promise<void> {
    this.#restarts.record(1, { reason: 'memory' });
    this.#of.log.warn('worker ended between tasks, it kept too much memory', {
      limitBytes: this.#settings.memoryBytes,
    });
    await endThread(threads, threadId);
  }

  #pool(): Piscina {
    this.#threads ??= this.#threadsOf(this.#settings.threads);
    return this.#threads;
  }

  #freshPool(): Piscina {
    this.#fresh ??= this.#threadsOf(this.#settings.threads);
    return this.#fresh;
  }

  #threadsOf(count: number): Piscina {
    const { memoryBytes } = this.#settings;
    // Sources run as they are, the package runs what tsc made of them.
    const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
    const threads = new Piscina({
      filename: new URL(`./worker${extension}`, import.meta.url).href,
      minThreads: 0,
      maxThreads: count,
      idleTimeout: IDLE_MS,
      concurrentTasksPerWorker: 1,
      resourceLimits: { maxOldGenerationSizeMb: Math.ceil(memoryBytes / MIB) },
      workerData: { preload: this.#of.preload },
      recordTiming: false,
    });
    // A thread that fails without a task has nobody else to tell.
    threads.on('error', error => {
      this.#restarts.record(1, { reason: 'crashed' });
      this.#of.log.error('worker ended', { error });
    });
    return threads;
  }
}

/** Resolves when it has ended. */
async function endThread(threads: Piscina, threadId: number): Promise<void> {
  await threads.threads.find(thread => thread.threadId === threadId)?.terminate();
}

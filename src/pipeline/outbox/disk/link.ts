import { Worker } from 'node:worker_threads';
import { QueueProblem } from '../operations.ts';
import type { Answers, Ask } from './ask.ts';
import { type DiskSettings, type FromThread, type Op, packGroup, type ToThread } from './messages.ts';

/** A group of steps that could not be written is tried again after this, ms. */
const RETRY_MS = 1000;
/** Steps at a time while the file takes no writes, so that what they need of a disk that is nearly full is little. */
const STEPS_IN_TROUBLE = 64;

type Opened = Extract<FromThread, { kind: 'opened' }>;

/** Who hears what nobody asked for. */
export interface Told {
  /** The file takes no writes; with nothing: it does again. */
  trouble(error: Error | undefined): void;
  /** Another file has taken the place of a damaged one; it holds the entries `kept`, and will hold those of `unwritten`. */
  replaced(kept: ReadonlySet<number>, unwritten: ReadonlySet<number>, warnings: readonly string[]): void;
  /** A module that the thread of the file loads first: tests put faults under SQLite with it. */
  readonly preload?: URL | undefined;
}

/** The file cannot be read now; what is in it is not lost. */
export class NotYet extends Error {}

/** One step and whoever waits for it. */
interface Pending {
  readonly op: Op;
  committed?(repeated: readonly number[]): void;
  failed?(error: Error): void;
}

/**
 * The way to the thread of a queue file. Group commit: what comes while one transaction is written goes into the next, so that a
 * commit to the disk is shared by all who wait. Steps without a waiter are kept and tried again until they are written.
 */
export class ThreadLink {
  readonly #settings: DiskSettings;
  #worker: Worker | undefined;
  #pending: Pending[] = [];
  #flight: Pending[] | undefined;
  #scheduled = false;
  /** Who waits for an answer, by number. */
  readonly #calls = new Map<number, { resolve(answer: never): void; reject(error: Error): void }>();
  #call = 0;
  /** Who waits until a step is written, or cannot be. */
  #behind: { readonly last: Pending; readonly resolve: () => void }[] = [];
  #opened = Promise.withResolvers<Opened>();
  #ended = Promise.withResolvers<void>();
  #broken: Error | undefined;
  #retry: NodeJS.Timeout | undefined;
  #idle: (() => void) | undefined;
  #closing = false;
  /** Why the last group was not written, while that is so. */
  trouble: Error | undefined;
  readonly #told: Told;

  constructor(settings: DiskSettings, told: Told) {
    this.#settings = settings;
    this.#told = told;
  }

  /** @throws Error with a sentence when the file cannot be used */
  open(): Promise<Opened> {
    // Sources run as they are, the package runs what tsc made of them.
    const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
    const worker = new Worker(new URL(`./thread${extension}`, import.meta.url), {
      workerData: this.#settings,
      ...(this.#told.preload && { execArgv: ['--import', this.#told.preload.href] }),
    });
    this.#worker = worker;
    worker.on('message', (message: FromThread) => this.#hear(message));
    worker.on('error', error => this.#break(error as Error));
    worker.on('exit', () => {
      this.#break(new Error('the thread of the queue file ended'));
      this.#ended.resolve();
    });
    return this.#opened.promise;
  }

  /** Steps that belong into one transaction; resolves with the entries that were not stored because they repeat a batch. */
  write(op: Op): Promise<readonly number[]> {
    return new Promise((committed, failed) => this.#queue({ op, committed, failed }));
  }

  /** A step that nobody waits for. */
  post(op: Op): void {
    this.#queue({ op });
  }

  /** The same, told when it is written. */
  postThen(op: Op, committed: () => void): void {
    this.#queue({ op, committed });
  }

  read(payload: number, into: Uint8Array): Promise<{ id: string; meta: string }> {
    return this.#called(call => ({ kind: 'read', call, payload, into }));
  }

  /** A question of the operator, who knows of everything that was posted before. @throws QueueProblem, or Error when the file cannot be read or written */
  async ask<K extends Ask['what']>(ask: Extract<Ask, { what: K }>): Promise<Answers[K]> {
    const last = this.#pending.at(-1);
    // While the file takes no writes there is nothing to wait for: deleting may be what helps.
    if (last && !this.trouble) await new Promise<void>(resolve => this.#behind.push({ last, resolve }));
    return this.#called(call => ({ kind: 'ask', call, ask }));
  }

  #called<T>(message: (call: number) => ToThread): Promise<T> {
    if (this.#broken) return Promise.reject(this.#broken);
    return new Promise((resolve, reject) => {
      const call = ++this.#call;
      this.#calls.set(call, { resolve, reject });
      this.#say(message(call));
    });
  }

  /** Writes what is left and closes the file. */
  async close(): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#retry);
    await new Promise<void>(resolve => {
      this.#idle = resolve;
      this.#flush();
      this.#settled();
    });
    this.#say({ kind: 'close' });
    await this.#ended.promise;
  }

  #say(message: ToThread): void {
    this.#worker?.postMessage(message);
  }

  #queue(pending: Pending): void {
    if (this.#broken) {
      pending.failed?.(this.#broken);
      return;
    }
    // A file that takes no writes is tried now and then, and not by what nobody has been promised yet.
    if (this.trouble && pending.failed) {
      pending.failed(this.trouble);
      return;
    }
    this.#pending.push(pending);
    if (this.#scheduled || this.#flight || this.trouble) return;
    this.#scheduled = true;
    // After everything that the present turn of the event loop brings.
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#scheduled = false;
    if (this.#flight || this.#broken) return;
    // With nothing to write, an empty group asks whether the file takes writes again.
    if (this.#pending.length === 0 && !this.trouble) return;
    this.#flight = this.#pending.splice(0, this.trouble ? STEPS_IN_TROUBLE : this.#pending.length);
    const fresh = this.#flight.some(({ failed }) => failed);
    this.#say(
      packGroup(
        this.#flight.map(({ op }) => op),
        fresh,
      ),
    );
  }

  #hear(message: FromThread): void {
    switch (message.kind) {
      case 'opened':
        this.#opened.resolve(message);
        return;
      case 'replaced':
        this.#told.replaced(new Set(message.kept), this.#unwritten(), message.warnings);
        return;
      case 'unusable':
        this.#opened.reject(new Error(message.message));
        return;
      case 'committed':
        this.#committed(message.repeated);
        return;
      case 'failed':
        this.#failed(new Error(`the queue file cannot be written: ${message.message}`));
        return;
      case 'read':
        this.#answered(message.call)?.resolve(message as never);
        return;
      case 'answer':
        this.#answered(message.call)?.resolve(message.answer as never);
        return;
      case 'unanswered': {
        const { problem, later, message: why } = message;
        const error = problem ? new QueueProblem(problem, why) : later ? new NotYet(why) : new Error(why);
        this.#answered(message.call)?.reject(error);
        return;
      }
      case 'closed':
        return;
      default:
        message satisfies never;
    }
  }

  /** Entries of steps that are not written yet. */
  #unwritten(): ReadonlySet<number> {
    const steps = [...(this.#flight ?? []), ...this.#pending];
    return new Set(steps.flatMap(({ op }) => (op.kind === 'put' ? op.entries.map(({ id }) => id) : [])));
  }

  #answered(call: number) {
    const waiting = this.#calls.get(call);
    this.#calls.delete(call);
    return waiting;
  }

  #committed(repeated: readonly (readonly [number, number])[]): void {
    const flight = this.#flight ?? [];
    this.#flight = undefined;
    const byOp = repeated.length > 0 ? Map.groupBy(repeated, ([op]) => op) : undefined;
    for (let n = 0; n < flight.length; n++) flight[n]!.committed?.(byOp?.get(n)?.map(([, entry]) => entry) ?? []);
    // What had to be noted is, in trouble too; whether there is room for more the empty group tells.
    if (flight.length === 0 || !this.trouble) this.#clear();
    const written = new Set(flight);
    this.#letOn(({ last }) => written.has(last));
    this.#flush();
    this.#settled();
  }

  #failed(error: Error): void {
    const flight = this.#flight ?? [];
    this.#flight = undefined;
    // Who waits is told at once and can say no to its sender; deliveries that were made must not be forgotten.
    const steps = [...flight, ...this.#pending];
    this.#pending = steps.filter(({ failed }) => !failed);
    if (!this.trouble) this.#told.trouble(error);
    this.trouble = error;
    for (const { failed } of steps) failed?.(error);
    this.#letOn(() => true);
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#flush(), RETRY_MS);
    this.#retry.unref();
    this.#settled();
  }

  #letOn(which: (waiting: { readonly last: Pending }) => boolean): void {
    if (this.#behind.length === 0) return;
    const { true: free = [], false: still = [] } = Object.groupBy(this.#behind, one => (which(one) ? 'true' : 'false'));
    this.#behind = still;
    for (const { resolve } of free) resolve();
  }

  /** Tells who closes that nothing more can be written. */
  #settled(): void {
    if (!this.#flight && (this.#pending.length === 0 || this.trouble || this.#broken)) this.#idle?.();
  }

  #clear(): void {
    if (!this.trouble) return;
    this.trouble = undefined;
    this.#told.trouble(undefined);
  }

  #break(error: Error): void {
    if (this.#broken) return;
    this.#broken = error;
    this.#opened.reject(error);
    for (const { failed } of [...(this.#flight ?? []), ...this.#pending]) failed?.(error);
    this.#flight = undefined;
    this.#pending = [];
    for (const { reject } of this.#calls.values()) reject(error);
    this.#calls.clear();
    this.#letOn(() => true);
    this.#settled();
    if (!this.#closing) this.#told.trouble(error);
  }
}

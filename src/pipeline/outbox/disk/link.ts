import { Worker } from 'node:worker_threads';
import { QueueProblem } from '../operations.ts';
import { type Answers, type Ask, STEP_ENTRIES } from './ask.ts';
import { type DiskSettings, type FromThread, type Op, packGroup, type StoredEntry, type ToThread } from './messages.ts';

/** A group of steps that could not be written is tried again after this, ms; and a thread that ended is started again. */
const RETRY_MS = 1000;
/** Steps at a time while the file takes no writes, so that what they need of a disk that is nearly full is little. */
const STEPS_IN_TROUBLE = 64;

type Opened = Extract<FromThread, { kind: 'opened' }>;

/** Who hears what nobody asked for. */
export interface Told {
  /** The file takes no writes; with nothing: it does again. */
  trouble(error: Error | undefined): void;
  /**
   * Another file has taken the place of a damaged one, or another thread has the file; it holds the entries `kept`, and will hold those
   * of `unwritten`. `found` were written although whoever waited was told that they were not.
   */
  replaced(
    kept: ReadonlySet<number>,
    unwritten: ReadonlySet<number>,
    warnings: readonly string[],
    found: readonly StoredEntry[],
  ): void;
  /** A module that the thread of the file loads first: tests put faults under SQLite with it. */
  readonly preload?: URL | undefined;
}

/** The file cannot be read now, or the thread is gone and another one will find what it has: nothing is lost. */
export class NotYet extends Error {}

/** One step and whoever waits for it. */
interface Pending {
  readonly op: Op;
  committed?(repeated: readonly number[]): void;
  failed?(error: Error): void;
  /** There is no thread that could write it; another one will. */
  ended?(error: Error): void;
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
  readonly #calls = new Map<number, { message: ToThread; resolve(answer: never): void; reject(error: Error): void }>();
  #call = 0;
  /** Who waits until a step is written, or cannot be. */
  #behind: { readonly last: Pending; readonly resolve: () => void }[] = [];
  #opened = Promise.withResolvers<Opened>();
  #ended = Promise.withResolvers<void>();
  /** Whether the thread has the file. */
  #ready = false;
  #started = false;
  /** Why a thread that was started again could not have the file. */
  #unusable: string | undefined;
  /** Entries of steps and replays that a thread had when it ended, and whose waiters were told that they failed. */
  readonly #unsure = new Set<number>();
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
    this.#spawn();
    return this.#opened.promise;
  }

  #spawn(): void {
    // Sources run as they are, the package runs what tsc made of them.
    const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
    const worker = new Worker(new URL(`./thread${extension}`, import.meta.url), {
      workerData: this.#settings,
      ...(this.#told.preload && { execArgv: ['--import', this.#told.preload.href] }),
    });
    this.#worker = worker;
    worker.on('message', (message: FromThread) => this.#hear(message));
    worker.on('error', error => {
      this.#unusable ??= (error as Error).message;
    });
    worker.on('exit', () => this.#lost());
  }

  /** Steps that belong into one transaction; resolves with the entries that were not stored because they repeat a batch. */
  write(op: Op): Promise<readonly number[]> {
    return new Promise((committed, failed) => this.#queue({ op, committed, failed }));
  }

  /** A step that nobody waits for. */
  post(op: Op): void {
    this.#queue({ op });
  }

  /** The same, told when it is written, and when that has to wait for another thread. */
  postThen(op: Op, committed: () => void, ended: (error: Error) => void = () => {}): void {
    this.#queue({ op, committed, ended });
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
    if (!this.#ready) return Promise.reject(this.trouble ?? new NotYet('the queue file is closed'));
    return new Promise((resolve, reject) => {
      const call = ++this.#call;
      const said = message(call);
      this.#calls.set(call, { message: said, resolve, reject });
      this.#say(said);
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
    clearTimeout(this.#retry);
    if (!this.#worker) return;
    this.#say({ kind: 'close' });
    await this.#ended.promise;
  }

  #say(message: ToThread): void {
    this.#worker?.postMessage(message);
  }

  #queue(pending: Pending): void {
    // A file that takes no writes is tried now and then, and not by what nobody has been promised yet.
    if (this.trouble && pending.failed) {
      pending.failed(this.trouble);
      return;
    }
    this.#pending.push(pending);
    if (!this.#ready && this.trouble) pending.ended?.(this.trouble);
    if (this.#scheduled || this.#flight || this.trouble) return;
    this.#scheduled = true;
    // After everything that the present turn of the event loop brings.
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#scheduled = false;
    if (this.#flight || !this.#ready) return;
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
        this.#ready = true;
        if (this.#started) this.#reopened(message);
        this.#started = true;
        this.#opened.resolve(message);
        return;
      case 'replaced':
        this.#told.replaced(new Set(message.kept), this.#unwritten(), message.warnings, []);
        return;
      case 'unusable':
        // Its thread ends by itself.
        this.#unusable = message.message;
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
    this.#refuse(error);
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#flush(), RETRY_MS);
    this.#retry.unref();
    this.#settled();
  }

  #refuse(error: Error): void {
    const flight = this.#flight ?? [];
    this.#flight = undefined;
    // Who waits is told at once and can say no to its sender; deliveries that were made must not be forgotten.
    const steps = [...flight, ...this.#pending];
    this.#pending = steps.filter(({ failed }) => !failed);
    if (!this.trouble && !this.#closing) this.#told.trouble(error);
    this.trouble = error;
    for (const { failed } of steps) failed?.(error);
    this.#letOn(() => true);
  }

  #letOn(which: (waiting: { readonly last: Pending }) => boolean): void {
    if (this.#behind.length === 0) return;
    const { true: free = [], false: still = [] } = Object.groupBy(this.#behind, one => (which(one) ? 'true' : 'false'));
    this.#behind = still;
    for (const { resolve } of free) resolve();
  }

  /** Tells who closes that nothing more can be written. */
  #settled(): void {
    if (!this.#flight && (this.#pending.length === 0 || this.trouble)) this.#idle?.();
  }

  #clear(): void {
    if (!this.trouble) return;
    this.trouble = undefined;
    this.#told.trouble(undefined);
  }

  /** The thread ended. What nobody waits for is kept for the next one. */
  #lost(): void {
    const why = this.#unusable ?? 'its thread ended unexpectedly';
    this.#unusable = undefined;
    this.#worker = undefined;
    this.#ready = false;
    this.#ended.resolve();
    if (!this.#started) {
      this.#opened.reject(new Error(why));
      return;
    }
    const error = new NotYet(`the queue file cannot be used: ${why}; a thread for it is started again`);
    // Nobody knows whether what it had was written.
    this.#flight = this.#flight?.map(pending => {
      const { op } = pending;
      if (op.kind !== 'put') return pending;
      if (pending.failed) for (const { id } of op.entries) this.#unsure.add(id);
      return { ...pending, op: { ...op, again: true } };
    });
    this.#refuse(error);
    for (const { ended } of this.#pending) ended?.(error);
    for (const { message, reject } of this.#calls.values()) {
      if (message.kind === 'ask' && message.ask.what === 'replay')
        for (let n = 0; n < STEP_ENTRIES; n++) this.#unsure.add(message.ask.firstId + n);
      reject(error);
    }
    this.#calls.clear();
    clearTimeout(this.#retry);
    if (!this.#closing) {
      this.#retry = setTimeout(() => {
        this.#ended = Promise.withResolvers();
        this.#spawn();
      }, RETRY_MS);
      this.#retry.unref();
    }
    this.#settled();
  }

  /** Another thread has the file: what we believe that it owes is compared with what it does. */
  #reopened({ entries, warnings }: Opened): void {
    const kept = new Set(entries.map(({ id }) => id));
    const found = entries.filter(({ id }) => this.#unsure.has(id));
    this.#unsure.clear();
    this.#told.replaced(kept, this.#unwritten(), warnings, found);
    this.#flush();
    this.#settled();
  }
}

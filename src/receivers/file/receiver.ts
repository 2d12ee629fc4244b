import type { Component, Consumer, Host } from '../../api/index.ts';
import type { Config } from './config.ts';
import { Delivery, type Outcome } from './delivery.ts';
import { Journal } from './journal.ts';
import { type Found, holdLedger, type Ledger, MAX_FILES, type Strangers } from './ledger.ts';
import { exclusion, PathPattern } from './pattern.ts';
import { Walk } from './walk.ts';
import { lookAt } from './whole-file.ts';

/** Delay before a file is tried again, ms: this, then twice as long each time, at most the other. */
const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 60_000;

/** Looks into folders at an interval and hands on what is new and whole. */
export class FileReceiver implements Component {
  readonly #config: Config;
  readonly #host: Host;
  readonly #delivery: Delivery;
  readonly #patterns: readonly PathPattern[];
  readonly #excludes: readonly PathPattern[];
  #stopping: AbortController | undefined;
  /** Ends a wait for the pipeline's answer; fires at the deadline of `stop`. */
  #giveUp = new AbortController();
  #loop: Promise<void> | undefined;
  #journal: Journal | undefined;
  /** What is to be read, the next one last; claimed when its turn comes. */
  #waiting: Found[] = [];
  readonly #reading = new Set<Promise<void>>();
  /** Files that cannot be read now, by path. */
  readonly #unreadable = new Map<string, Error>();
  /** Why the journal cannot be written. */
  #forgetful: Error | undefined;
  #reported: string | undefined;
  #counts = { read: 0, rejected: 0 };

  constructor(config: Config, host: Host, next: Consumer<'profiles'>) {
    this.#config = config;
    this.#host = host;
    this.#patterns = config.include.map(text => new PathPattern(text));
    this.#delivery = new Delivery(config, this.#patterns, host, next);
    this.#excludes = config.exclude.map(exclusion);
  }

  /** @throws Error when `storage` names no extension, or what is in it cannot be read */
  async start(): Promise<void> {
    const { storage } = this.#config;
    this.#journal = storage === undefined ? undefined : Journal.beside(storage, this.#host);
    const before = await this.#journal?.load();
    const { ledger, isNew, leave } = holdLedger(this.#host.memory, this.#host.id);
    const nowMs = this.#host.clock.now();
    // A file that was read again, as it had grown, has a line for each time: the last one is what it is.
    for (const file of new Map((before ?? []).map(one => [one.key, one])).values()) ledger.restore(file, nowMs);
    // Who was here before has seen what there was.
    const isFirst = isNew && before === undefined;
    this.#giveUp = new AbortController();
    this.#stopping = new AbortController();
    this.#counts = { read: 0, rejected: 0 };
    this.#loop = this.#run(ledger, isFirst, this.#stopping.signal).finally(leave);
  }

  async stop(deadline: AbortSignal): Promise<void> {
    this.#stopping?.abort();
    const giveUp = this.#giveUp;
    const late = () => giveUp.abort();
    if (deadline.aborted) late();
    deadline.addEventListener('abort', late, { once: true });
    await this.#loop;
    deadline.removeEventListener('abort', late);
    this.#loop = undefined;
  }

  async #run(ledger: Ledger, isFirst: boolean, stopping: AbortSignal): Promise<void> {
    const { mode, start_at, poll_interval } = this.#config;
    try {
      let strangers: Strangers = isFirst && start_at === 'end' ? 'pass over' : 'read';
      for (let isOver = false; !isOver && !stopping.aborted; ) {
        await this.#look(ledger, strangers, stopping);
        if (strangers === 'pass over' || isFirst)
          await this.#remember(() => this.#journal?.rewrite(() => ledger.settled()));
        isFirst = false;
        strangers = mode === 'once' ? 'ignore' : 'read';
        isOver = mode === 'once' && ledger.open === 0;
        if (!isOver) await this.#host.clock.sleep(poll_interval, stopping);
      }
      if (!stopping.aborted) this.#host.log.info('all files are read', this.#counts);
    } catch (thrown) {
      this.#host.log.error('reading files ended', { error: thrown as Error });
      this.#host.report('degraded', thrown as Error);
    } finally {
      this.#waiting = [];
      while (this.#reading.size > 0) await Promise.all(this.#reading);
    }
  }

  async #look(ledger: Ledger, strangers: Strangers, stopping: AbortSignal): Promise<void> {
    const walk = new Walk(this.#excludes, MAX_FILES);
    for (const pattern of this.#patterns) await walk.go(pattern);
    const all = await lookAt(walk.paths, (path, error) => walk.problems.set(path, error));
    const nowMs = this.#host.clock.now();
    const { exclude_older_than } = this.#config;
    const oldestNs = exclude_older_than > 0 ? BigInt(Math.floor(nowMs - exclude_older_than)) * 1_000_000n : undefined;
    const found = oldestNs === undefined ? all : all.filter(({ modifiedNs }) => modifiedNs >= oldestNs);
    const isComplete = walk.problems.size === 0 && !walk.overflowed;
    const due = ledger.look(found, nowMs, strangers, isComplete);
    this.#report(walk);
    // While a reload goes on, no pipeline may name it yet, or any more.
    if (stopping.aborted || !this.#host.wanted('profiles')) return;
    this.#waiting = due.reverse();
    this.#readOn(ledger, stopping);
  }

  #readOn(ledger: Ledger, stopping: AbortSignal): void {
    while (this.#reading.size < this.#config.max_concurrent_files && !stopping.aborted) {
      const file = this.#waiting.pop();
      if (!file) return;
      const tries = ledger.claim(file);
      if (tries === undefined) continue;
      const reading = this.#read(file, tries, ledger).finally(() => {
        this.#reading.delete(reading);
        this.#readOn(ledger, stopping);
      });
      this.#reading.add(reading);
    }
  }

  async #read(file: Found, tries: number, ledger: Ledger): Promise<void> {
    let outcome: Outcome;
    try {
      outcome = await this.#delivery.take(file, tries, this.#giveUp.signal);
    } catch (error) {
      // A bug: once is enough.
      this.#host.log.error('reading a file failed', { path: file.path, error: error as Error });
      outcome = { kind: 'rejected' };
    }
    this.#unreadable.delete(file.path);
    switch (outcome.kind) {
      case 'gone':
        ledger.gone(file);
        return;
      case 'changed':
        ledger.again(file, () => 0, 0);
        return;
      case 'later': {
        const { delayMs = 0, why } = outcome;
        if (why) this.#unreadable.set(file.path, why);
        const backoff = (tries: number) => Math.max(delayMs, Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** tries));
        ledger.again(file, backoff, this.#host.clock.now());
        return;
      }
      default:
        this.#counts[outcome.kind === 'accepted' ? 'read' : 'rejected']++;
        if (outcome.kind === 'accepted' && outcome.deleted) {
          ledger.gone(file);
          return;
        }
        ledger.done(file);
        await this.#remember(() => this.#journal?.add(file, () => ledger.settled()));
    }
  }

  /** What is not remembered is read again by the next process; that is no reason to stop. */
  async #remember(write: () => Promise<void> | undefined): Promise<void> {
    try {
      await write();
      this.#forgetful = undefined;
    } catch (thrown) {
      this.#forgetful = new Error(`what was read cannot be remembered: ${(thrown as Error).message}`);
    }
  }

  /** Says what is wrong when that changes. */
  #report({ paths, problems, overflowed }: Walk): void {
    for (const path of this.#unreadable.keys()) if (!paths.has(path)) this.#unreadable.delete(path);
    const all = [...problems.values(), ...this.#unreadable.values(), ...(this.#forgetful ? [this.#forgetful] : [])];
    let why = all[0] && `${all[0].message}${all.length > 1 ? `, and ${all.length - 1} more` : ''}`;
    if (overflowed)
      why ??= `more than ${MAX_FILES} files fit: the others wait until some are gone; delete or exclude what was read`;
    if (why === this.#reported) return;
    this.#reported = why;
    if (why === undefined) {
      this.#host.report('ok');
      return;
    }
    this.#host.log.warn('files cannot be read', { why });
    this.#host.report('degraded', new Error(why));
  }
}

// Crowds of clients that mean no good, in a thread of their own: a normal client beside them must not wait for this process.
import { Worker } from 'node:worker_threads';
import type { FromCrowd, Manner, ToCrowd } from './crowd.ts';

export class Crowd {
  readonly size: number;
  /** Connections that the gateway closed so far. */
  closed = 0;
  /** What it said before, by status code, with how often. */
  readonly statuses = new Map<string, number>();
  readonly #gone = Promise.withResolvers<void>();

  constructor(size: number) {
    this.size = size;
  }

  leaves(status: string): void {
    this.closed++;
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
    if (this.closed === this.size) this.#gone.resolve();
  }

  /** Resolves when the gateway has closed all; rejects when it has not within this time. */
  async shownOut(what: string, withinMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const say = () => reject(new Error(`${what}: ${this.closed} of ${this.size} closed within ${withinMs} ms`));
      timer = setTimeout(say, withinMs);
    });
    await Promise.race([this.#gone.promise, late]).finally(() => clearTimeout(timer));
  }
}

/** The thread that all crowds of a test live in. */
export class Crowds {
  readonly #worker: Worker;
  readonly #crowds: Crowd[] = [];
  #connected: (() => void) | undefined;

  constructor(port: number) {
    this.#worker = new Worker(new URL('./crowd.ts', import.meta.url), { workerData: port });
    this.#worker.unref();
    this.#worker.on('message', (message: FromCrowd) => {
      if (message.kind === 'connected') this.#connected?.();
      else this.#crowds[message.crowd]!.leaves(message.status);
    });
  }

  /** Opens this many connections of one manner; resolves once all are connected. One call at a time. */
  async come(manner: Manner, size: number): Promise<Crowd> {
    const crowd = new Crowd(size);
    const connected = new Promise<void>(resolve => {
      this.#connected = resolve;
    });
    const failed = new Promise<never>((_, reject) => this.#worker.once('error', reject));
    this.#worker.postMessage({ crowd: this.#crowds.push(crowd) - 1, manner, size } satisfies ToCrowd);
    await Promise.race([connected, failed]);
    return crowd;
  }

  async leave(): Promise<void> {
    await this.#worker.terminate();
  }
}

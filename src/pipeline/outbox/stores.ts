import { isDeepStrictEqual } from 'node:util';
import { type Clock, counters, type Logger, type Meter, type QueueStorage } from '../../api/index.ts';
import type { Memory } from '../../model/memory.ts';
import { DiskStore } from './disk/disk-store.ts';
import { MemoryStore } from './memory-store.ts';
import type { QueueOperations } from './operations.ts';
import type { Store } from './store.ts';

export interface StoresParts {
  readonly memory: Memory;
  /** By which entries are due and old; one that never jumps, or a wall clock set back would stop all retries. */
  readonly clock: Clock;
  readonly log: Logger;
  meter(id: string): Meter;
}

type QueueFile = QueueStorage['queueFile'];
interface OpenFile {
  readonly settings: QueueFile;
  readonly store: DiskStore;
  started: boolean;
  health: ((error: Error | undefined) => void) | undefined;
}

/** The stores of the process: one in memory, and one for each queue file. They outlive a reload, so that queues stay full. */
export class Stores {
  readonly memory: MemoryStore;
  readonly #of: StoresParts;
  readonly #files = new Map<string, OpenFile>();

  constructor(parts: StoresParts) {
    this.#of = parts;
    this.memory = new MemoryStore(parts);
  }

  /** The clock of all queues. */
  get clock(): Clock {
    return this.#of.clock;
  }

  /**
   * The store of this file. Has no effect yet: `start` opens it.
   * @throws Error when the file is named with other settings than it is open with
   */
  file(settings: QueueFile): Store {
    const known = this.#files.get(settings.file);
    if (known) {
      if (!isDeepStrictEqual(known.settings, settings))
        throw new Error(
          `${settings.file} is open with other settings; the settings of a queue file change with a restart`,
        );
      return known.store;
    }
    const { memory, clock, log } = this.#of;
    const open: OpenFile = {
      settings,
      started: false,
      health: undefined,
      store: new DiskStore({
        settings,
        memory,
        clock,
        log,
        lost: (queue, items, reason) => this.#lost(queue, items, reason),
        health: error => {
          if (error) log.error('queue file takes no writes', { file: settings.file, error });
          else log.info('queue file takes writes again', { file: settings.file });
          open.health?.(error);
        },
      }),
    };
    this.#files.set(settings.file, open);
    return open.store;
  }

  /** What an operator may do with each file that is open. */
  get operations(): QueueOperations[] {
    return [...this.#files.values()].filter(({ started }) => started).map(({ store }) => store.operations);
  }

  /** Who is told when a file cannot be written, and when it can again. */
  watch(file: string, health: (error: Error | undefined) => void): void {
    const open = this.#files.get(file);
    if (open) open.health = health;
  }

  /** Opens the files that are not open yet. @throws Error with a sentence when one cannot be used */
  async start(): Promise<void> {
    for (const [name, open] of this.#files) {
      if (open.started) continue;
      try {
        await open.store.start();
        open.started = true;
      } catch (error) {
        this.#files.delete(name);
        throw error;
      }
    }
  }

  /** Says which queues of the files nobody reads: an exporter was renamed or removed, and its batches wait for it. */
  warnOfUnread(): void {
    for (const [file, { store }] of this.#files)
      for (const [queue, batches] of store.unopened)
        this.#of.log.warn('no exporter reads this queue, its batches wait', { file, queue, batches });
  }

  /** Closes every file. What is in the queues stays there. */
  async stop(): Promise<void> {
    for (const { store, started } of this.#files.values()) if (started) await store.stop();
    this.#files.clear();
  }

  #lost(queue: string, items: number, reason: string): void {
    counters.dropped(this.#of.meter(queue)).record(items, { reason });
  }
}

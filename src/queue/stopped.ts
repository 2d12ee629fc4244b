import { answer } from '../pipeline/outbox/disk/ask.ts';
import type { QueueDatabase } from '../pipeline/outbox/disk/database.ts';
import { isDamage } from '../pipeline/outbox/disk/schema.ts';
import { Tallies } from '../pipeline/outbox/disk/tallies.ts';
import {
  type EntriesPage,
  type PurgePage,
  type QueueOperations,
  QueueProblem,
  type QueueTally,
  type ReplayPage,
  type Selection,
  type VerifyPage,
} from '../pipeline/outbox/operations.ts';
import type { QueueFile } from './files.ts';

/** Operations on a file that no gateway has. */
export class StoppedOperations implements QueueOperations {
  readonly file: string;
  readonly #database: QueueDatabase;
  readonly #readers: QueueFile['readers'];

  constructor(database: QueueDatabase, { settings, readers }: QueueFile) {
    this.file = settings.file;
    this.#database = database;
    this.#readers = readers;
  }

  async tally(): Promise<readonly QueueTally[]> {
    const tallies = new Tallies();
    for (let after: number | undefined = 0; after !== undefined; ) {
      const page = this.#database.tally(after);
      for (const row of page.rows) tallies.add(row);
      after = page.next;
    }
    for (const queue of this.#readers.keys()) tallies.reads(queue);
    return tallies.list();
  }

  async entries(selection: Selection, after: number, limit: number): Promise<EntriesPage> {
    return answer<'entries'>(this.#database, { what: 'entries', selection, after, limit });
  }

  async payload(entry: number): Promise<Uint8Array | undefined> {
    try {
      return answer<'payload'>(this.#database, { what: 'payload', entry });
    } catch (error) {
      // Nobody repairs the file here; what else is in it may be sound.
      throw isDamage(error) ? new QueueProblem('damaged', (error as Error).message) : error;
    }
  }

  async replay(selection: Selection, to: string, keep: boolean, after: number): Promise<ReplayPage> {
    const limits = this.#readers.get(to);
    if (!limits) throw new QueueProblem('no_such_queue', `no exporter reads a queue \`${to}\` in ${this.file}`);
    const { sizer, capacity } = limits;
    const waiting = (await this.tally()).find(({ queue }) => queue === to)?.pending;
    const used = (sizer === 'bytes' ? waiting?.bytes : waiting?.batches) ?? 0;
    const firstId = this.#database.maxId() + 1;
    const ask = { what: 'replay', selection, after, to, keep, sizer, firstId, nowMs: Date.now() } as const;
    const { entries, ...page } = answer<'replay'>(this.#database, { ...ask, room: Math.max(0, capacity - used) });
    return { ...page, replayed: entries.length, items: entries.reduce((sum, { items }) => sum + items, 0) };
  }

  async purge(selection: Selection, after: number): Promise<PurgePage> {
    return { ...answer<'purge'>(this.#database, { what: 'purge', selection, after }), left: 0 };
  }

  async verify(after: number): Promise<VerifyPage> {
    return answer<'verify'>(this.#database, { what: 'verify', after });
  }

  /** Gives back the room of what was deleted, when nothing is left, and lets others have the file. */
  close(): void {
    this.#database.shrink();
    this.#database.close();
  }
}

import type { Clock } from '../../../api/index.ts';
import {
  type EntriesPage,
  type PurgePage,
  type QueueOperations,
  QueueProblem,
  type QueueTally,
  type ReplayPage,
  type Selection,
  type VerifyPage,
} from '../operations.ts';
import type { Schedule } from '../schedule.ts';
import { STEP_ENTRIES, STEP_ROOM_BYTES } from './ask.ts';
import type { Held } from './held.ts';
import type { ThreadLink } from './link.ts';
import type { StoredEntry } from './messages.ts';
import { Tallies } from './tallies.ts';

/** What the operations need of a running store. */
export interface Insides {
  readonly file: string;
  readonly link: ThreadLink;
  readonly clock: Clock;
  readonly queues: ReadonlyMap<string, Schedule<Held>>;
  /** Entries of queues that nobody has opened. */
  readonly unopened: ReadonlyMap<string, readonly Held[]>;
  /** The first of so many ids that nobody else uses. */
  ids(count: number): number;
  /** Takes up an entry that the file has already. */
  adopt(entry: StoredEntry): void;
  /** Forgets entries that nobody delivers; resolves when the file has forgotten them too. */
  discard(queue: string, chosen: readonly Held[]): Promise<void>;
}

/** Operations on the file of a running gateway: the thread has the file, this side has the order of what is to be delivered. */
export class RunningOperations implements QueueOperations {
  readonly file: string;
  readonly #of: Insides;

  constructor(insides: Insides) {
    this.#of = insides;
    this.file = insides.file;
  }

  async tally(): Promise<readonly QueueTally[]> {
    const { link, queues, unopened } = this.#of;
    const tallies = new Tallies();
    for (let after: number | undefined = 0; after !== undefined; ) {
      const page: Awaited<ReturnType<typeof link.ask<'tally'>>> = await link.ask({ what: 'tally', after });
      // What waits is known better here: the file hears a little later of what was delivered.
      for (const row of page.rows) if (row.reason !== null) tallies.add(row);
      after = page.next;
    }
    for (const [queue, { depth }] of queues) {
      const { batches, bytes, oldestMs, inFlight } = depth;
      tallies.add({ queue, reason: null, batches, bytes, ...(oldestMs !== undefined && { oldestMs }) });
      tallies.reads(queue, inFlight);
    }
    for (const [queue, waiting] of unopened)
      for (const { bytes, storedMs } of waiting)
        tallies.add({ queue, reason: null, batches: 1, bytes, oldestMs: storedMs });
    return tallies.list();
  }

  async entries(selection: Selection, after: number, limit: number): Promise<EntriesPage> {
    const page = await this.#of.link.ask({ what: 'entries', selection, after, limit });
    const taken = new Set([...this.#of.queues.values()].flatMap(queue => [...queue.taken].map(({ key }) => key)));
    if (taken.size === 0) return page;
    const entries = page.entries.map(entry =>
      taken.has(entry.id) ? { ...entry, state: 'delivering' as const } : entry,
    );
    return { ...page, entries };
  }

  payload(entry: number): Promise<Uint8Array | undefined> {
    return this.#of.link.ask({ what: 'payload', entry });
  }

  async replay(selection: Selection, to: string, keep: boolean, after: number): Promise<ReplayPage> {
    const { link, clock, queues, ids, adopt } = this.#of;
    const queue = queues.get(to);
    if (!queue) throw new QueueProblem('no_such_queue', `no running exporter reads a queue \`${to}\` in ${this.file}`);
    const { sizer } = queue.limits;
    const room = queue.free;
    // Promised until the file has said what came: nobody else may fill it, and nobody shall find the queue full because of more.
    const size = Math.min(room, sizer === 'bytes' ? STEP_ROOM_BYTES : STEP_ENTRIES);
    const promised = { size, bytes: 0, storedMs: 0, dueMs: 0 } as Held;
    queue.promise(promised);
    const ask = { what: 'replay', selection, after, to, keep, room, sizer, nowMs: clock.now() } as const;
    const answer = await link
      .ask<'replay'>({ ...ask, firstId: ids(STEP_ENTRIES) })
      .finally(() => queue.forget(promised));
    const { entries, ...page } = answer;
    for (const entry of entries) adopt(entry);
    const items = entries.reduce((sum, entry) => sum + entry.items, 0);
    return { replayed: entries.length, items, ...page };
  }

  async purge(selection: Selection, after: number): Promise<PurgePage> {
    const { link, queues } = this.#of;
    const names = (all: Iterable<string>) => [...all].filter(name => name === (selection.queue ?? name));
    const inFlight = names(queues.keys()).reduce((sum, name) => sum + queues.get(name)!.taken.size, 0);
    const left = selection.state === 'dead' ? 0 : inFlight;
    if (selection.state !== 'dead' && after === 0) {
      const purged = await this.#purgePending(selection, names);
      // The same question again, until nothing that waits is left.
      if (purged.purged > 0) return { ...purged, left, next: 0 };
    }
    if (selection.state === 'pending') return { purged: 0, bytes: 0, left };
    return { ...(await link.ask({ what: 'purge', selection: { ...selection, state: 'dead' }, after })), left };
  }

  verify(after: number): Promise<VerifyPage> {
    return this.#of.link.ask({ what: 'verify', after });
  }

  async #purgePending(
    { sinceMs = 0, untilMs = Number.POSITIVE_INFINITY }: Selection,
    names: (all: Iterable<string>) => string[],
  ): Promise<{ purged: number; bytes: number }> {
    const { queues, unopened, discard } = this.#of;
    const chosen: [queue: string, held: Held[]][] = [];
    let room = STEP_ENTRIES;
    const choose = (name: string, waiting: Iterable<Held>, taken?: ReadonlySet<Held>) => {
      const held: Held[] = [];
      for (const one of waiting) {
        if (room === 0) break;
        if (one.storedMs < sinceMs || one.storedMs >= untilMs || taken?.has(one)) continue;
        held.push(one);
        room--;
      }
      if (held.length > 0) chosen.push([name, held]);
    };
    for (const name of names(queues.keys())) choose(name, queues.get(name)!.entries(), queues.get(name)!.taken);
    for (const name of names(unopened.keys())) choose(name, unopened.get(name)!);
    await Promise.all(chosen.map(([name, held]) => discard(name, held)));
    const all = chosen.flatMap(([, held]) => held);
    return { purged: all.length, bytes: all.reduce((sum, { bytes }) => sum + bytes, 0) };
  }
}

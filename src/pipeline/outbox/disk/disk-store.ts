import type { Clock, Logger } from '../../../api/index.ts';
import { itemsOf } from '../../../model/batch.ts';
import type { Memory } from '../../../model/memory.ts';
import type { QueueOperations } from '../operations.ts';
import { MAX_ASKED_MS } from '../retry.ts';
import { Schedule } from '../schedule.ts';
import {
  type AnyBatch,
  type DeadReason,
  type Depth,
  type Entry,
  type Evicted,
  fullQueue,
  type Outcome,
  type PutResult,
  type QueueLimits,
  type Reservation,
  type Row,
  type Store,
  sizeIn,
} from '../store.ts';
import { BatchCache } from './cache.ts';
import { encodeBatch } from './codec.ts';
import { entryOf, type Held, heldOf, Stored, type Taken, takenOf } from './held.ts';
import { ThreadLink, type Told } from './link.ts';
import type { DiskSettings, StoredEntry } from './messages.ts';
import { reconcile } from './reconcile.ts';
import { RunningOperations } from './running.ts';

/** When there is no memory to read a batch into, or no file, it is tried again after this, ms. */
const NOT_NOW_MS = 500;

export interface DiskStoreParts {
  readonly settings: DiskSettings;
  readonly memory: Memory;
  readonly clock: Clock;
  readonly log: Logger;
  /** Counts what goes no further: the file is damaged, or an operator deleted it. */
  readonly lost: (queue: string, items: number, reason: 'damaged' | 'purged') => void;
  /** Told when the file cannot be written, and with nothing when it can again. */
  readonly health: (error: Error | undefined) => void;
  /** For tests: a module that the thread of the file loads first. */
  readonly preload?: URL | undefined;
}

/** Where a batch is about to be, and what makes room for it there. */
interface Place {
  readonly name: string;
  readonly queue: Schedule<Held>;
  readonly held: Held;
  readonly victims: readonly Held[];
}

/**
 * Queues in a file. What is in which order lives here, some 200 bytes an entry; the batches are in the file, and in memory too while
 * there is room. `put` resolves after the commit that holds the batch.
 */
export class DiskStore implements Store {
  readonly durable = true;
  readonly #of: DiskStoreParts;
  readonly #link: ThreadLink;
  readonly #cache: BatchCache;
  /** What an operator may do with it. */
  readonly operations: QueueOperations;
  readonly #queues = new Map<string, Schedule<Held>>();
  /** Entries of queues that nobody has opened, by queue. */
  readonly #unopened = new Map<string, Held[]>();
  #nextId = 1;
  /** How many files have taken the place of damaged ones. */
  #files = 0;

  constructor(parts: DiskStoreParts) {
    this.#of = parts;
    this.#link = new ThreadLink(parts.settings, {
      trouble: parts.health,
      replaced: (...told) => this.#replaced(...told),
      preload: parts.preload,
    });
    this.#cache = new BatchCache(parts.memory, this.#link);
    this.operations = new RunningOperations({
      file: parts.settings.file,
      link: this.#link,
      clock: parts.clock,
      queues: this.#queues,
      unopened: this.#unopened,
      ids: count => {
        this.#nextId += count;
        return this.#nextId - count;
      },
      adopt: entry => this.#adopt(entry),
      discard: (name, chosen) => this.#discard(name, chosen),
    });
  }

  /** Opens the file and reads what it owes. @throws Error with a sentence when the file cannot be used */
  async start(): Promise<void> {
    const { entries, sizes, nextId, warnings, lost } = await this.#link.open();
    for (const warning of warnings) this.#of.log.error('queue file was damaged', { detail: warning });
    for (const { queue, items } of lost) this.#of.lost(queue, items, 'damaged');
    this.#nextId = nextId;
    // A time beyond it was set under a clock that was ahead, or is damage.
    const latestMs = this.#of.clock.now() + MAX_ASKED_MS;
    const stored = new Map(sizes.map(([id, bytes]) => [id, new Stored(id, bytes)]));
    for (const entry of entries) {
      const payload = stored.get(entry.payload);
      if (!payload) {
        this.#of.log.error('batch is lost, its bytes are not in the file', { queue: entry.queue });
        this.#of.lost(entry.queue, entry.items, 'damaged');
        this.#link.post({ kind: 'done', entry: entry.id, payload: entry.payload, last: false });
        continue;
      }
      payload.wanted++;
      const held = heldOf(entry, payload);
      held.dueMs = Math.min(held.dueMs, latestMs);
      const queue = this.#unopened.get(entry.queue);
      if (queue) queue.push(held);
      else this.#unopened.set(entry.queue, [held]);
    }
    if (entries.length > 0)
      this.#of.log.info('queue file opened', { file: this.#of.settings.file, batches: entries.length });
  }

  /** Writes what is left and closes the file. */
  async stop(): Promise<void> {
    await this.#link.close();
    for (const name of [...this.#queues.keys()]) this.close(name);
  }

  /** Queues in the file that no exporter reads: how many batches each holds. */
  get unopened(): ReadonlyMap<string, number> {
    return new Map([...this.#unopened].map(([name, held]) => [name, held.length]));
  }

  open(name: string, limits: QueueLimits): void {
    const open = this.#queues.get(name);
    if (open) {
      open.relimit(limits, ({ bytes }) => sizeIn(limits, bytes));
      return;
    }
    const queue = new Schedule<Held>(limits, this.#of.clock);
    this.#queues.set(name, queue);
    for (const held of this.#unopened.get(name) ?? []) {
      held.size = sizeIn(limits, held.bytes);
      queue.reserve(held);
      queue.add(held);
    }
    this.#unopened.delete(name);
  }

  reserve(rows: readonly Row[]): Reservation | string {
    // At once, before anything has to go for what cannot be written.
    if (this.#link.trouble) return this.#link.trouble.message;
    const { batch } = rows[0]!;
    const stored = new Stored(this.#nextId++, batch.sizeBytes);
    const [items, bytes] = [itemsOf(batch), batch.sizeBytes];
    const places: Place[] = [];
    const evicted: Evicted[] = [];
    for (const { queue: name, storedMs } of rows) {
      const queue = this.#queue(name);
      const size = sizeIn(queue.limits, bytes);
      const drops = queue.limits.onFull === 'drop_oldest';
      const victims = drops ? queue.choose(size) : [];
      if (!drops && !queue.fits(size)) {
        this.#giveBack(places);
        return fullQueue(name);
      }
      if (!victims) {
        // Everything that is left is in flight: the new batch itself is what goes.
        evicted.push({ queue: name, items, storedMs });
        continue;
      }
      const key = this.#nextId++;
      const held = { key, stored, items, size, bytes, storedMs, attempts: 0, firstTryMs: undefined, dueMs: 0 };
      queue.promise(held);
      places.push({ name, queue, held, victims });
    }
    const put = async () => {
      const own = places.splice(0);
      return own.length === 0 ? { evicted } : this.#put(batch, stored, own, evicted);
    };
    return { put, giveBack: () => this.#giveBack(places.splice(0)) };
  }

  async put(rows: readonly Row[]): Promise<PutResult> {
    const room = this.reserve(rows);
    if (typeof room === 'string') throw new Error(room);
    return room.put();
  }

  async #put(batch: AnyBatch, stored: Stored, places: readonly Place[], evicted: Evicted[]): Promise<PutResult> {
    this.#cache.keep(stored, batch);
    const files = this.#files;
    let refused: readonly number[];
    try {
      const { meta, bodies } = encodeBatch(batch);
      const entries = places.map(({ held, name }) => entryOf(held, name));
      const evict = places.flatMap(({ held, victims }) =>
        victims.map(({ key, stored: { id } }) => ({ for: held.key, entry: key, payload: id })),
      );
      const put = { kind: 'put', payload: stored.id, batch: batch.id.recipe, meta, bodies, entries } as const;
      refused = await this.#link.write({ ...put, ...(evict.length > 0 && { evict }) });
    } catch (error) {
      this.#giveBack(places);
      this.#cache.drop(stored);
      throw error;
    }
    const repeated = places.filter(({ held }) => refused.includes(held.key));
    this.#giveBack(repeated);
    for (const place of places) {
      if (repeated.includes(place)) continue;
      const { name, queue, held, victims } = place;
      for (const victim of victims) {
        if (!queue.left(victim)) continue;
        evicted.push({ queue: name, items: victim.items, storedMs: victim.storedMs });
        // Another file has taken the place of the one that forgot it, and may have got it again.
        if (files !== this.#files) this.#unwant(victim);
        else {
          victim.stored.wanted--;
          this.#cache.trim(victim.stored);
        }
      }
      stored.wanted++;
      if (this.#queues.get(name) === queue) queue.keep(held);
      // Its exporter has left meanwhile; the file has the entry, and whoever opened the queue since, or opens it next, finds it.
      else this.#restore(name, held);
    }
    this.#cache.trim(stored);
    return { evicted, ...(repeated.length > 0 && { repeated: repeated.map(({ name }) => name) }) };
  }

  /** Nothing came: who was to make room stays. */
  #giveBack(places: readonly Place[]): void {
    for (const { name, queue, held, victims } of places) {
      queue.forget(held);
      for (const victim of victims.toReversed()) {
        if (this.#queues.get(name) === queue) queue.stay(victim);
        else if (queue.left(victim)) this.#restore(name, victim);
      }
    }
  }

  /** Takes up an entry that the file has, in a queue that may be open or not. */
  #restore(name: string, held: Held): void {
    const queue = this.#queues.get(name);
    if (!queue) {
      this.#unopened.set(
        name,
        [...(this.#unopened.get(name) ?? []), held].sort((a, b) => a.key - b.key),
      );
      return;
    }
    held.size = sizeIn(queue.limits, held.bytes);
    queue.reserve(held);
    queue.add(held);
  }

  async take(name: string, abort: AbortSignal): Promise<Entry | undefined> {
    const queue = this.#queue(name);
    for (;;) {
      const held = await queue.take(abort);
      if (!held) return undefined;
      const { stored } = held;
      stored.users++;
      const batch = stored.batch ?? (await this.#cache.load(stored));
      if (typeof batch === 'object' && 'signal' in batch) return takenOf(held, batch);
      stored.users--;
      // The queue may have been closed while the file was read.
      if (!queue.untake(held)) return undefined;
      if (batch === 'not now') {
        held.dueMs = this.#of.clock.now() + NOT_NOW_MS;
        queue.add(held);
        continue;
      }
      this.#of.log.error('batch is lost, it cannot be read back', { queue: name, error: batch });
      this.#of.lost(name, held.items, 'damaged');
      this.#finish(queue, held);
    }
  }

  settle(name: string, entry: Entry, outcome: Outcome): void {
    const queue = this.#queues.get(name);
    const { held } = entry as Taken;
    if (!queue?.untake(held)) {
      // Its queue was closed: the file still has the entry, as it was.
      if (--held.stored.users === 0) this.#cache.drop(held.stored);
      return;
    }
    switch (outcome.kind) {
      case 'done':
        held.stored.users--;
        this.#finish(queue, held);
        return;
      case 'back':
        this.#cache.let(held.stored);
        queue.putBack(held);
        return;
      case 'later':
        held.attempts++;
        held.firstTryMs = outcome.firstTryMs;
        held.dueMs = outcome.dueMs;
        if (outcome.rest) {
          this.#replace(name, queue, held, outcome.rest, undefined);
          return;
        }
        this.#cache.let(held.stored);
        this.#link.post({
          kind: 'later',
          entry: held.key,
          attempts: held.attempts,
          firstTryMs: outcome.firstTryMs,
          dueMs: outcome.dueMs,
        });
        queue.add(held);
        return;
      case 'dead':
        held.attempts++;
        if (outcome.rest) {
          this.#replace(name, queue, held, outcome.rest, outcome);
          return;
        }
        held.stored.users--;
        this.#bury(queue, held, outcome);
        return;
      default:
        outcome satisfies never;
    }
  }

  async bury(name: string, batch: AnyBatch, reason: DeadReason, message: string): Promise<boolean> {
    const nowMs = this.#of.clock.now();
    const stored = new Stored(this.#nextId++, batch.sizeBytes);
    const [items, bytes] = [itemsOf(batch), batch.sizeBytes];
    const times = { storedMs: nowMs, attempts: 0, firstTryMs: undefined, dueMs: 0 };
    const entry = entryOf({ key: this.#nextId++, stored, items, bytes, size: bytes, ...times }, name);
    const { meta, bodies } = encodeBatch(batch);
    const dead = { atMs: nowMs, reason, message };
    // Whoever buries may hold the bytes no longer than its own sender waits.
    for (const one of bodies) this.#of.memory.retain(one);
    try {
      const { recipe } = batch.id;
      await this.#link.write({ kind: 'put', payload: stored.id, batch: recipe, meta, bodies, entries: [entry], dead });
      return true;
    } finally {
      for (const one of bodies) this.#of.memory.release(one);
    }
  }

  expedite(name: string): void {
    this.#queue(name).expedite();
  }

  depth(name: string): Depth {
    return this.#queues.get(name)?.depth ?? { batches: 0, bytes: 0, inFlight: 0, oldestMs: undefined };
  }

  /** The file keeps what is in the queue for whoever opens it next. */
  close(name: string): void {
    const queue = this.#queues.get(name);
    if (!queue) return;
    this.#queues.delete(name);
    const left = [...queue.entries()].sort((a, b) => a.key - b.key);
    if (left.length > 0) this.#unopened.set(name, left);
    queue.close();
    for (const { stored } of left) if (stored.users === 0) this.#cache.drop(stored);
  }

  #queue(name: string): Schedule<Held> {
    const queue = this.#queues.get(name);
    if (!queue) throw new Error(`queue ${name} is not open`);
    return queue;
  }

  /** Takes up an entry that the file got by a replay. Its payload may be known already by another object; the file counts for itself. */
  #adopt(entry: StoredEntry): void {
    const stored = new Stored(entry.payload, entry.bytes);
    stored.wanted = 1;
    this.#restore(entry.queue, heldOf(entry, stored));
  }

  /** An operator deletes entries that nobody has taken; resolves when the file has forgotten them too. @throws Error when it cannot yet */
  async #discard(name: string, chosen: readonly Held[]): Promise<void> {
    this.#remove(name, chosen, 'purged');
    await Promise.all(chosen.map(held => new Promise<void>((written, ended) => this.#unwant(held, written, ended))));
  }

  /** Takes entries that nobody has taken out of their queue, and counts them. */
  #remove(name: string, chosen: readonly Held[], reason: 'damaged' | 'purged'): void {
    const queue = this.#queues.get(name);
    for (const held of chosen) {
      queue?.pull(held);
      queue?.forget(held);
      this.#of.lost(name, held.items, reason);
    }
    if (queue) return;
    const gone = new Set(chosen);
    const left = (this.#unopened.get(name) ?? []).filter(held => !gone.has(held));
    if (left.length > 0) this.#unopened.set(name, left);
    else this.#unopened.delete(name);
  }

  /** The entry is not owed any more. */
  #finish(queue: Schedule<Held>, held: Held): void {
    queue.forget(held);
    this.#unwant(held);
  }

  /** The file forgets the entry. */
  #unwant({ key, stored }: Held, written = () => {}, ended: (error: Error) => void = () => {}): void {
    stored.wanted--;
    const done = { kind: 'done', entry: key, payload: stored.id, last: stored.wanted === 0 } as const;
    this.#link.postThen(done, written, ended);
    this.#cache.trim(stored);
  }

  /** The entry becomes a dead letter: it stays in the file, and its payload with it. */
  #bury(queue: Schedule<Held>, held: Held, { reason, message }: Extract<Outcome, { kind: 'dead' }>): void {
    const { stored } = held;
    queue.forget(held);
    stored.wanted--;
    this.#link.post({
      kind: 'dead',
      entry: held.key,
      bytes: held.bytes,
      atMs: this.#of.clock.now(),
      attempts: held.attempts,
      reason,
      message,
    });
    this.#cache.trim(stored);
  }

  /** Another file has taken the place of a damaged one, or another thread has it: what it lacks is written again, or is lost. */
  #replaced(...[kept, unwritten, warnings, found]: Parameters<Told['replaced']>): void {
    this.#files++;
    // Its sender heard that it was not taken and tries again, which the file will know for a repeat: it is delivered.
    for (const entry of found) this.#adopt(entry);
    for (const warning of warnings) this.#of.log.error('queue file was damaged', { detail: warning });
    const safe = (key: number) => kept.has(key) || unwritten.has(key);
    const { lost, again } = reconcile(safe, this.#queues, this.#unopened);
    for (const [name, chosen] of Map.groupBy(lost, ([queue]) => queue))
      this.#remove(
        name,
        chosen.map(([, held]) => held),
        'damaged',
      );
    for (const [stored, entries] of again) {
      const { meta, bodies } = encodeBatch(stored.batch!);
      const put = { kind: 'put', payload: stored.id, batch: stored.batch!.id.recipe, meta, bodies, entries } as const;
      stored.users++;
      this.#link.postThen({ ...put, again: true }, () => this.#cache.let(stored));
    }
  }

  /** Only a part is still owed: it is stored as a batch of its own, in the same transaction that forgets the whole one. */
  #replace(
    name: string,
    queue: Schedule<Held>,
    old: Held,
    rest: AnyBatch,
    dead: Extract<Outcome, { kind: 'dead' }> | undefined,
  ): void {
    const stored = new Stored(this.#nextId++, rest.sizeBytes);
    const { sizeBytes: bytes } = rest;
    const size = sizeIn(queue.limits, bytes);
    const held: Held = { ...old, key: this.#nextId++, stored, items: itemsOf(rest), size, bytes };
    stored.wanted = 1;
    stored.users = 1;
    const { meta, bodies } = encodeBatch(rest);
    const batch = `${rest.id.hex} ${stored.id}`;
    this.#cache.keep(stored, rest);
    queue.reserve(held);
    // The bytes are held by `users` until the step is written, however often that has to be tried.
    const entries = [entryOf(held, name)];
    this.#link.postThen({ kind: 'put', payload: stored.id, batch, meta, bodies, entries }, () =>
      this.#cache.let(stored),
    );
    old.stored.users--;
    this.#finish(queue, old);
    if (dead) this.#bury(queue, held, dead);
    else queue.add(held);
  }
}

// The thread that owns a queue file. SQLite is synchronous and a commit waits for the disk: neither may hold up the data path.
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { crc32 } from 'node:zlib';
import { hashOf } from '../../../model/batch.ts';
import { QueueProblem } from '../operations.ts';
import { type Ask, answer } from './ask.ts';
import type { QueueDatabase } from './database.ts';
import {
  type DiskSettings,
  type FromThread,
  type Op,
  type StoredEntry,
  type ToThread,
  unpackGroup,
} from './messages.ts';
import { type Key, Recent } from './recent.ts';
import { packTook, unpackTook } from './recent-rows.ts';
import { type Opened, openQueueFile, setAside } from './recover.ts';
import { isDamage } from './schema.ts';

/** How often dead letters are counted and the old ones deleted, ms; */
const PRUNE_MS = 60_000;
/** and after this share of what may be kept has died, so that a store which refuses everything does not fill the disk meanwhile. */
const PRUNE_SHARE = 1 / 8;

/** When a damaged file could not be replaced it is tried again after this, ms: each try reads all of it. */
const AGAIN_MS = 3_000;

const port = parentPort as MessagePort;
const settings = workerData as DiskSettings;
const say = (message: FromThread) => port.postMessage(message);

function bytesIn(ops: readonly Op[]): number {
  let bytes = 0;
  for (const op of ops) if (op.kind === 'put') for (const body of op.bodies) bytes += body.length;
  return bytes;
}

class QueueThread {
  #database: QueueDatabase;
  readonly #recent = new Recent();
  /** Why the place of a damaged file is still empty, and since when. */
  #owed: { readonly error: unknown; readonly atMs: number } | undefined;
  #prunedMs = 0;
  /** What died since. */
  #diedBytes = 0;
  /** By the clock of those who put. */
  #nowMs = 0;
  #joined = Buffer.alloc(0);

  constructor(database: QueueDatabase) {
    this.#database = database;
    for (const { keys: row, storedMs } of database.recent())
      for (const { queues, keys } of unpackTook(row)) for (const key of keys) this.#recent.note(key, queues, storedMs);
  }

  group(ops: readonly Op[], fresh: boolean): void {
    const repeated: [number, number][] = [];
    let taken: Taken;
    try {
      taken = this.#certainly(() => {
        repeated.length = 0;
        // An empty group asks for all.
        if (fresh || ops.length === 0) this.#database.requireRoom(bytesIn(ops));
        return this.#attempt(ops, repeated);
      });
    } catch (error) {
      say({ kind: 'failed', message: (error as Error).message });
      return;
    }
    for (const { key, queues } of taken.values()) this.#recent.note(key, queues, this.#nowMs);
    say({ kind: 'committed', repeated });
    for (const op of ops) this.#diedBytes += bytesDead(op);
    this.#prune();
  }

  /** Tries again where that may help: after the log was moved into the file, or on another file when this one is damaged. */
  #certainly<T>(step: () => T): T {
    try {
      if (!this.#database.isOpen) this.#reopen();
      return step();
    } catch (error) {
      if (isDamage(error)) {
        this.#replace((error as Error).message);
        return step();
      }
      if ((error as { errcode?: number }).errcode === undefined) throw error;
      try {
        // Deleting needs room too.
        this.#database.checkpoint();
        return step();
      } catch {
        throw error;
      }
    }
  }

  /** The file was damaged under us: another one takes its place, with what can be read. */
  #replace(why: string): void {
    try {
      this.#database.close();
    } catch {
      // It is closed all the same.
    }
    this.#take(() => setAside(settings.file, settings.sync, Date.now(), why));
  }

  /** It could not be replaced at once: the damaged file is still in its place, or a finished one. */
  #reopen(): void {
    if (this.#owed && performance.now() - this.#owed.atMs < AGAIN_MS) throw this.#owed.error;
    this.#take(() => openQueueFile(settings.file, settings.sync, Date.now()));
  }

  #take(open: () => Opened): void {
    try {
      const { database, warnings } = open();
      this.#database = database;
      this.#owed = undefined;
      say({ kind: 'replaced', kept: database.entries().map(({ id }) => id), warnings });
      forgetReport(database);
    } catch (error) {
      this.#owed = { error, atMs: performance.now() };
      throw error;
    }
  }

  /** @returns which queues took which batches: what to remember once it is committed */
  #attempt(ops: readonly Op[], repeated: [number, number][]): Taken {
    const taken: Taken = new Map();
    this.#database.transaction(() => {
      for (const [at, op] of ops.entries()) {
        if (op.kind !== 'put') {
          this.#database.apply(op);
          continue;
        }
        const batch = typeof op.batch === 'string' ? op.batch : hashOf(op.batch);
        const entries = op.again ? op.entries : this.#fresh(at, op, batch, taken, repeated);
        for (const { for: key, entry, payload } of op.evict ?? [])
          if (entries.some(({ id: taken }) => taken === key))
            // `last`, whatever else wanted the payload when it was chosen: nobody may by now.
            this.#database.apply({ kind: 'done', entry, payload, last: true });
        if (entries.length > 0) this.#database.put(op.payload, batch, op.meta, this.#join(op.bodies), entries, op);
      }
      if (taken.size > 0) {
        const sets = Map.groupBy(taken.values(), ({ queues }) => queues.join('\n'));
        const rows = [...sets.values()].map(all =>
          packTook({ queues: all[0]!.queues, keys: all.map(({ key }) => key) }),
        );
        this.#database.remember(rows, this.#nowMs);
      }
      if (ops.length === 0) this.#database.probe(Date.now());
    });
    return taken;
  }

  /** The entries whose queue has not had the batch lately. */
  #fresh(
    at: number,
    { meta, bodies, entries, dead }: Extract<Op, { kind: 'put' }>,
    batch: string,
    taken: Taken,
    repeated: [number, number][],
  ): readonly StoredEntry[] {
    // Profiles of one batch may fail in a stage one by one, and have the id of the batch: their bytes tell them apart.
    const id = `${batch} ${envelopeOf(meta)}${dead ? ` ${bodies.map(body => crc32(body))}` : ''}`;
    const own = taken.get(id);
    const key = own?.key ?? Recent.key(id);
    this.#nowMs = entries[0]!.storedMs;
    const had = this.#recent.queues(key, this.#nowMs);
    const queues: string[] = [];
    const fresh = entries.filter(({ id: entry, queue }) => {
      // What failed is not what is to be delivered.
      const name = dead ? `dead ${queue}` : queue;
      const isRepeat = had.has(name) || own?.queues.includes(name);
      if (isRepeat) repeated.push([at, entry]);
      else queues.push(name);
      return !isRepeat;
    });
    if (own) own.queues.push(...queues);
    else if (queues.length > 0) taken.set(id, { key, queues });
    return fresh;
  }

  read(call: number, payload: number, into: Uint8Array): void {
    try {
      const { batch, meta, body } = this.#certainly(() => this.#database.read(payload));
      if (body.length > into.length) throw new Error(`payload ${payload} is longer than its entry says`);
      into.set(body);
      say({ kind: 'read', call, id: batch, meta });
    } catch (error) {
      // While a damaged file is not replaced yet, nothing of it is lost.
      if (this.#database.isOpen) this.#unanswered(call, error);
      else say({ kind: 'unanswered', call, message: (error as Error).message, later: true });
    }
  }

  ask(call: number, ask: Ask): void {
    try {
      const reply = this.#certainly(() => answer(this.#database, ask));
      // Bytes of a payload go over as they are, nothing else of the answer is large.
      const moved = reply instanceof Uint8Array ? [reply.buffer as ArrayBuffer] : [];
      port.postMessage({ kind: 'answer', call, answer: reply } satisfies FromThread, moved);
    } catch (error) {
      this.#unanswered(call, error);
    }
  }

  #unanswered(call: number, error: unknown): void {
    const { message } = error as Error;
    say({ kind: 'unanswered', call, message, ...(error instanceof QueueProblem && { problem: error.code }) });
  }

  close(): void {
    try {
      this.#database.shrink();
      this.#database.checkpoint();
    } catch {
      // The next start reads the log just as well; what matters is in it.
    }
    if (this.#database.isOpen) this.#database.close();
    say({ kind: 'closed' });
    port.close();
  }

  /** One run of bytes, in a buffer that is used again. */
  #join(bodies: readonly Uint8Array[]): Uint8Array {
    if (bodies.length === 1) return bodies[0]!;
    let length = 0;
    for (const body of bodies) length += body.length;
    if (this.#joined.length < length) this.#joined = Buffer.allocUnsafeSlow(length);
    let at = 0;
    for (const body of bodies) {
      this.#joined.set(body, at);
      at += body.length;
    }
    return this.#joined.subarray(0, length);
  }

  #prune(): void {
    const nowMs = Date.now();
    const { maxAgeMs, maxBytes } = settings.deadLetters;
    if (nowMs - this.#prunedMs < PRUNE_MS && this.#diedBytes < maxBytes * PRUNE_SHARE) return;
    this.#prunedMs = nowMs;
    this.#diedBytes = 0;
    try {
      this.#certainly(() =>
        this.#database.transaction(() => {
          this.#database.pruneDead(nowMs - maxAgeMs, maxBytes);
          this.#database.forget(this.#recent.sinceMs(this.#nowMs));
        }),
      );
    } catch {
      // Comes again in a minute; a disk that takes no writes is reported by the groups.
    }
  }
}

/** By batch and envelope, what queues take in a transaction. */
type Taken = Map<string, { readonly key: Key; readonly queues: string[] }>;

/** Payload bytes that a step turns into dead letters. */
function bytesDead(op: Op): number {
  if (op.kind === 'dead') return op.bytes;
  return op.kind === 'put' && op.dead ? op.entries.reduce((sum, { bytes }) => sum + bytes, 0) : 0;
}

/**
 * A batch that two pipelines sent to one exporter has one id and two envelopes, and is two batches. A checksum of what describes
 * it, but for when it came: about 1 µs.
 */
function envelopeOf(meta: string): string {
  return crc32(meta.replace(/"receivedMs":\d+/, '')).toString(36);
}

/** Told: the next start need not. */
function forgetReport(database: QueueDatabase): void {
  try {
    database.told();
  } catch {
    // A full disk: then it is told twice.
  }
}

try {
  mkdirSync(dirname(settings.file), { recursive: true });
  const { database, warnings, lost } = openQueueFile(settings.file, settings.sync, Date.now());
  database.dropOrphans();
  const thread = new QueueThread(database);
  const sizes = database.sizes();
  say({ kind: 'opened', entries: database.entries(), sizes, nextId: database.maxId() + 1, warnings, lost });
  forgetReport(database);
  port.on('message', (message: ToThread) => {
    if (message.kind === 'group') thread.group(unpackGroup(message), message.fresh);
    else if (message.kind === 'read') thread.read(message.call, message.payload, message.into);
    else if (message.kind === 'ask') thread.ask(message.call, message.ask);
    else thread.close();
  });
} catch (error) {
  say({ kind: 'unusable', message: (error as Error).message });
  port.close();
}

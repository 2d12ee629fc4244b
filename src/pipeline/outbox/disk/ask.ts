// What the operations on queues ask of a file: each question is one bounded step.
import {
  type EntriesPage,
  isStageQueue,
  type Page,
  QueueProblem,
  type Selection,
  type Tally,
  type VerifyPage,
} from '../operations.ts';
import { describeBatch } from './codec.ts';
import type { QueueDatabase } from './database.ts';
import type { StoredEntry } from './messages.ts';
import { isDamage } from './schema.ts';
import { viewOf } from './view.ts';

/** Entries that one step changes: a transaction of some milliseconds. */
export const STEP_ENTRIES = 500;
/** Payload bytes that one step of a replay queues, unless a single batch is larger. */
export const STEP_ROOM_BYTES = 8 * 1024 * 1024;
/** Descriptions that one answer carries, characters. */
const STEP_CHARACTERS = 1024 * 1024;
/** Payload bytes that one step of `verify` reads: some milliseconds. */
const STEP_BYTES = 8 * 1024 * 1024;

export type Ask =
  | { readonly what: 'tally'; readonly after: number }
  | { readonly what: 'entries'; readonly selection: Selection; readonly after: number; readonly limit: number }
  | { readonly what: 'payload'; readonly entry: number }
  | {
      readonly what: 'replay';
      readonly selection: Selection;
      readonly after: number;
      readonly to: string;
      /** Dead letters stay where they are. */
      readonly keep: boolean;
      /** The first of `STEP_ENTRIES` ids that nobody else uses. */
      readonly firstId: number;
      /** What the queue takes, in its units. */
      readonly room: number;
      readonly sizer: 'bytes' | 'requests';
      readonly nowMs: number;
    }
  | { readonly what: 'purge'; readonly selection: Selection; readonly after: number }
  | { readonly what: 'verify'; readonly after: number };

export interface Answers {
  tally: Page & { readonly rows: readonly (Tally & { readonly queue: string; readonly reason: string | null })[] };
  entries: EntriesPage;
  payload: Uint8Array | undefined;
  replay: Page & {
    /** What is new in the queue. */
    readonly entries: readonly StoredEntry[];
    readonly already: number;
    readonly missing: number;
    readonly unstaged: number;
    readonly full: boolean;
  };
  purge: Page & { readonly purged: number; readonly bytes: number };
  verify: VerifyPage;
}

/** @throws QueueProblem, and what SQLite throws; nothing is changed then */
export function answer<K extends Ask['what']>(database: QueueDatabase, ask: Extract<Ask, { what: K }>): Answers[K];
export function answer(database: QueueDatabase, ask: Ask): Answers[keyof Answers] {
  switch (ask.what) {
    case 'tally':
      return database.tally(ask.after);
    case 'entries':
      return entries(database, ask);
    case 'payload': {
      const entry = database.entry(ask.entry);
      if (!entry) return undefined;
      try {
        return database.read(entry.payload).body;
      } catch (error) {
        // A damaged payload is one thing, a damaged file another.
        throw isDamage(error) ? error : new QueueProblem('damaged', (error as Error).message);
      }
    }
    case 'replay':
      return replay(database, ask);
    case 'purge':
      return purge(database, ask);
    case 'verify':
      return verify(database, ask);
    default:
      return ask satisfies never;
  }
}

type Of<K extends Ask['what']> = Extract<Ask, { what: K }>;

function entries(database: QueueDatabase, { selection, after, limit }: Of<'entries'>): EntriesPage {
  const { rows, next } = database.page(selection, after, limit);
  const views: EntriesPage['entries'][number][] = [];
  let characters = 0;
  for (const row of rows) {
    const payload = database.describe(row.payload);
    views.push(viewOf(row, payload));
    characters += payload?.meta.length ?? 0;
    if (characters > STEP_CHARACTERS && row !== rows.at(-1)) return { entries: views, next: row.id };
  }
  return { entries: views, next };
}

function replay(database: QueueDatabase, ask: Of<'replay'>): Answers['replay'] {
  const { selection, to, keep, sizer, nowMs } = ask;
  const { rows, next } = database.page(selection, ask.after, STEP_ENTRIES);
  const added: StoredEntry[] = [];
  let [already, missing, unstaged, addedBytes, addedUnits] = [0, 0, 0, 0, 0];
  let stopped: { full: boolean; next: number | undefined } | undefined;
  let before = ask.after;
  database.transaction(() => {
    for (const { id, payload, queue, bytes, items, deadMs } of rows) {
      const dead = deadMs !== null;
      if (!dead && queue === to) continue;
      if (isStageQueue(queue) && selection.queue !== queue) unstaged++;
      else if (!database.describe(payload)) missing++;
      else {
        if (database.waits(payload, to)) already++;
        else {
          const units = sizer === 'bytes' ? Math.max(1, bytes) : 1;
          if (addedUnits + units > ask.room) stopped = { full: true, next: undefined };
          else if (addedBytes > 0 && addedBytes + bytes > STEP_ROOM_BYTES) stopped = { full: false, next: before };
          if (stopped) return;
          addedUnits += units;
          addedBytes += bytes;
          // As if it had just come: neither its age nor its tries may count against it.
          const fresh = { storedMs: nowMs, attempts: 0, firstTryMs: null, dueMs: 0 };
          const entry = { id: ask.firstId + added.length, payload, queue: to, bytes, items, ...fresh };
          database.insert(entry);
          added.push(entry);
        }
        if (dead && !keep) database.apply({ kind: 'done', entry: id, payload, last: false });
      }
      before = id;
    }
  });
  return { entries: added, already, missing, unstaged, ...(stopped ?? { full: false, next }) };
}

function purge(database: QueueDatabase, { selection, after }: Of<'purge'>): Answers['purge'] {
  const { rows, next } = database.page(selection, after, STEP_ENTRIES);
  let freed = 0;
  database.transaction(() => {
    for (const { id, payload, bytes } of rows) {
      database.apply({ kind: 'done', entry: id, payload, last: true });
      freed += bytes;
    }
  });
  return { purged: rows.length, bytes: freed, next };
}

function verify(database: QueueDatabase, { after }: Of<'verify'>): VerifyPage {
  const { rows, next } = database.page({}, after, STEP_ENTRIES);
  const damaged: VerifyPage['damaged'][number][] = [];
  /** Entries of one payload are neighbours: it is read once. */
  const known = new Map<number, string | undefined>();
  let [entries, bytes] = [0, 0];
  for (const { id, payload, queue } of rows) {
    if (!known.has(payload)) {
      try {
        const { meta, body } = database.read(payload);
        bytes += body.length;
        const described = describeBatch(meta).bytes;
        known.set(payload, described === body.length ? undefined : `has ${body.length} bytes instead of ${described}`);
      } catch (error) {
        known.set(payload, (error as Error).message);
      }
    }
    entries++;
    const message = known.get(payload);
    if (message !== undefined) damaged.push({ id, queue, message });
    if (bytes > STEP_BYTES && id !== rows.at(-1)!.id)
      return { entries, payloads: known.size, bytes, damaged, next: id };
  }
  return { entries, payloads: known.size, bytes, damaged, next };
}

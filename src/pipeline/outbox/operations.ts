// What an operator may do with the queues of a file. A running gateway does it in the thread that has the file, the command line
// on a file that nobody has: the same questions, the same answers, page by page, so that none of them holds up deliveries for long.

/** Which entries are meant; what is absent does not matter. */
export interface Selection {
  readonly queue?: string;
  readonly state?: 'pending' | 'dead';
  /** When the gateway stored them, unix ms, from `sinceMs` until before `untilMs`. */
  readonly sinceMs?: number;
  readonly untilMs?: number;
}

/** Begins the name of a queue of what failed in a stage, so that the stage and those behind it have not run on it. */
const STAGE_QUEUE = 'stage:';

export function isStageQueue(queue: string): boolean {
  return queue.startsWith(STAGE_QUEUE);
}

export interface Tally {
  readonly batches: number;
  readonly bytes: number;
  /** When the oldest was stored, unix ms. */
  readonly oldestMs?: number;
}
export interface QueueTally {
  readonly queue: string;
  /** Whether an exporter reads it. */
  readonly read: boolean;
  readonly pending: Tally;
  /** Of these, being delivered. */
  readonly inFlight: number;
  readonly dead: readonly (Tally & { readonly reason: string })[];
}

export interface ProfileView {
  readonly labels: Readonly<Record<string, string>>;
  readonly form: string;
  readonly encoding: string;
  /** Which profile of a payload that several share. */
  readonly part: number;
  /** Where its payload lies in the bytes of the entry. */
  readonly at: number;
  readonly bytes: number;
  /** How it came: door, query, content type, sample id, and where other parts of the request lie. */
  readonly origin?: Readonly<Record<string, unknown>>;
}
export interface EntryView {
  readonly id: number;
  readonly queue: string;
  readonly state: 'pending' | 'delivering' | 'dead';
  /** Id of the batch: equal for two tries of one request. */
  readonly batch: string;
  readonly bytes: number;
  readonly storedMs: number;
  readonly attempts: number;
  /** Not before this, unix ms; of a batch that failed. */
  readonly dueMs?: number;
  readonly deadMs?: number;
  readonly reason?: string;
  /** What the store said. */
  readonly message?: string;
  readonly signal: string;
  readonly tenant: string;
  readonly dialect: string;
  readonly receivedMs?: number;
  readonly profiles: readonly ProfileView[];
  /** Why nothing more is known of it. */
  readonly problem?: string;
}

/** A part of a long answer. */
export interface Page {
  /** What to give as `after` for the rest; absent when this was all. */
  readonly next?: number | undefined;
}
export interface EntriesPage extends Page {
  readonly entries: readonly EntryView[];
}
export interface ReplayPage extends Page {
  /** Batches that were queued, and profiles in them. */
  readonly replayed: number;
  readonly items: number;
  /** Batches that wait in that queue anyway. */
  readonly already: number;
  /** Batches whose payload is gone. */
  readonly missing: number;
  /** Batches that failed in a stage and were left, since their queue was not named. */
  readonly unstaged: number;
  /** The queue had no room for more. */
  readonly full: boolean;
}
export interface PurgePage extends Page {
  readonly purged: number;
  readonly bytes: number;
  /** Entries that are being delivered and so were left. */
  readonly left: number;
}
export interface VerifyPage extends Page {
  readonly entries: number;
  readonly payloads: number;
  readonly bytes: number;
  readonly damaged: readonly { readonly id: number; readonly queue: string; readonly message: string }[];
}

export interface QueueOperations {
  readonly file: string;
  tally(): Promise<readonly QueueTally[]>;
  /** Oldest first. */
  entries(selection: Selection, after: number, limit: number): Promise<EntriesPage>;
  /** The bytes of an entry; undefined when it is not there any more. @throws QueueProblem when they are damaged */
  payload(entry: number): Promise<Uint8Array | undefined>;
  /**
   * Enqueues what is selected for the exporter `to`, in one transaction; dead letters go from where they were, unless `keep`.
   * What failed in a stage would go around it, unredacted where it redacts: only when its queue is named.
   * @throws QueueProblem when no exporter reads a queue of this name here
   */
  replay(selection: Selection, to: string, keep: boolean, after: number): Promise<ReplayPage>;
  /** Deletes what is selected and not being delivered. */
  purge(selection: Selection, after: number): Promise<PurgePage>;
  /** Reads payloads and says which are damaged. */
  verify(after: number): Promise<VerifyPage>;
}

/** A request that cannot be fulfilled as it is; `message` is a sentence for the operator. */
export class QueueProblem extends Error {
  readonly code: 'no_such_queue' | 'damaged';
  constructor(code: QueueProblem['code'], message: string) {
    super(message);
    this.code = code;
  }
}

// `flamegate queue …`: finds the files of the configuration, and does one thing with what is in them.
import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { didYouMean } from '../config/nearest.ts';
import type { Plan } from '../config/plan.ts';
import {
  type EntryView,
  isStageQueue,
  type Page,
  QueueProblem,
  type QueueTally,
  type Selection,
} from '../pipeline/outbox/operations.ts';
import { writeEntry } from './export.ts';
import { type QueueFile, queueFiles } from './files.ts';
import { bytesText, entryText, tallyTable } from './print.ts';
import { type Reached, reach } from './reach.ts';

export type QueueVerb = 'ls' | 'peek' | 'export' | 'replay' | 'purge' | 'verify';

export interface QueueOptions {
  readonly queue: string | undefined;
  readonly format: string;
  readonly dead: boolean;
  readonly all: boolean;
  readonly keep: boolean;
  readonly yes: boolean;
  readonly to: string | undefined;
  readonly limit: number | undefined;
  readonly sinceMs: number | undefined;
  readonly untilMs: number | undefined;
}

export interface Speaker {
  out(text: string): void;
  err(text: string): void;
  /** Asks the person at the terminal; undefined when there is none. */
  readonly confirm: ((question: string) => Promise<boolean>) | undefined;
}

/** Exit codes: as those of cli.ts. */
const DONE = 0;
const FAILED = 1;
const MISUSED = 2;

/** Entries that `peek` shows unless told otherwise. */
const PEEK_ENTRIES = 20;
/** Entries that are asked for at a time. */
const PAGE_ENTRIES = 200;
/** Entries of other files that are counted before it says `or more`: reading them takes time. */
const MAX_COUNT = 1000;

/** Does one verb; resolves with the exit code. */
export async function queueCommand(verb: QueueVerb, plan: Plan, options: QueueOptions, say: Speaker): Promise<number> {
  const files = queueFiles(plan);
  const reached: Reached[] = [];
  try {
    if (files.length === 0)
      throw new Error(
        'this configuration keeps no queue on disk (sending_queue.storage of an exporter); queues in memory are on the status page',
      );
    for (const file of files) {
      const way = reach(file, plan);
      say.err(way ? `${way.said}\n` : `${file.settings.file}: does not exist, nothing was queued there yet\n`);
      if (way) reached.push(way);
    }
    return await VERBS[verb]({ files, reached, options, say });
  } catch (error) {
    say.err(`flamegate: ${(error as Error).message}\n`);
    return FAILED;
  } finally {
    for (const way of reached) way.close();
  }
}

interface Work {
  readonly files: readonly QueueFile[];
  readonly reached: readonly Reached[];
  readonly options: QueueOptions;
  readonly say: Speaker;
}

const VERBS: Readonly<Record<QueueVerb, (work: Work) => Promise<number>>> = {
  ls: async ({ reached, options, say }) => {
    const lists: { file: string; through: string; queues: readonly QueueTally[] }[] = [];
    for (const { queues, how } of reached)
      lists.push({ file: queues.file, through: how, queues: await queues.tally() });
    if (options.format === 'json') say.out(`${JSON.stringify(lists, undefined, 2)}\n`);
    else for (const { queues } of lists) say.out(tallyTable(queues, Date.now()));
    return DONE;
  },

  peek: async work => {
    const { options, say } = work;
    const limit = options.limit ?? PEEK_ENTRIES;
    const shown: (EntryView & { file: string })[] = [];
    for (const { queues } of await having(work)) {
      for await (const entry of entriesOf(queues, selectionOf(work, 'any'), limit - shown.length)) {
        shown.push({ file: queues.file, ...entry });
        if (options.format !== 'json') say.out(entryText(entry, Date.now()));
      }
    }
    if (options.format === 'json') say.out(`${JSON.stringify(shown, undefined, 2)}\n`);
    else if (shown.length === limit) say.err(`the oldest ${limit}; --limit shows more\n`);
    return DONE;
  },

  export: async work => {
    const { options, say } = work;
    const dir = resolve(options.to!);
    await mkdir(dir, { recursive: true });
    const counts = { batches: 0, profiles: 0, gone: 0, damaged: 0 };
    for (const { queues } of await having(work)) {
      for await (const entry of entriesOf(queues, selectionOf(work, 'any'), Number.POSITIVE_INFINITY)) {
        try {
          const bytes = await queues.payload(entry.id);
          if (!bytes) {
            // Delivered while we were reading.
            counts.gone++;
            continue;
          }
          if (entry.problem !== undefined) throw new QueueProblem('damaged', entry.problem);
          counts.profiles += await writeEntry(dir, queues.file, entry, bytes);
          counts.batches++;
        } catch (error) {
          if (!(error instanceof QueueProblem)) throw error;
          counts.damaged++;
          say.err(`entry ${entry.id} of ${entry.queue}: ${error.message}\n`);
        }
      }
    }
    const { batches, profiles, gone, damaged } = counts;
    const others = [gone > 0 && `${gone} were delivered meanwhile`, damaged > 0 && `${damaged} are damaged`];
    say.out(
      `${[`exported ${profiles} profiles of ${batches} batches to ${dir}`, ...others].filter(Boolean).join(', ')}\n`,
    );
    return damaged > 0 ? FAILED : DONE;
  },

  replay: async work => {
    const { options, say, files } = work;
    const to = options.to!;
    const home = files.find(({ readers }) => readers.has(to));
    if (!home) {
      const known = files.flatMap(({ readers }) => [...readers.keys()]);
      const hint = didYouMean(to, known) ?? `those that do: ${known.join(', ') || 'none'}`;
      throw new Error(`no exporter \`${to}\` with a queue on disk is in the configuration; ${hint}`);
    }
    const { queue } = options;
    if (queue !== undefined && isStageQueue(queue))
      say.err(
        `warning: what is in ${queue} failed in a stage; it goes to ${to} as it was received, no stage runs on it (redaction neither)\n`,
      );
    const selection = selectionOf(work, 'dead letters');
    const found = await having(work);
    const way = found.find(({ file }) => file === home);
    const count = { replayed: 0, items: 0, already: 0, missing: 0, unstaged: 0 };
    let full = false;
    if (way)
      await pages(async after => {
        const page = await way.queues.replay(selection, to, options.keep, after);
        // A gateway of an earlier version says less.
        for (const key of ['replayed', 'items', 'already', 'missing', 'unstaged'] as const)
          count[key] += page[key] ?? 0;
        full = page.full;
        return page;
      });
    const { replayed, items, already, missing, unstaged } = count;
    const others = [
      already > 0 && `${already} wait there already`,
      missing > 0 && `${missing} have lost their payload`,
      options.keep && 'dead letters were kept',
    ];
    say.out(
      `${[`replayed ${replayed} batches with ${items} profiles to ${to}`, ...others].filter(Boolean).join(', ')}\n`,
    );
    if (unstaged > 0)
      say.err(
        `flamegate: ${unstaged} batches that failed in a stage were left, since no stage would run on them; name their queue to send them as they were received\n`,
      );
    let elsewhere = 0;
    for (const { file, queues } of found) {
      if (file === home) continue;
      const batches = await countIn(queues, selection);
      if (batches === 0) continue;
      elsewhere += batches;
      say.err(
        `flamegate: ${batches === MAX_COUNT ? `${batches} or more` : batches} batches lie in ${queues.file} and were left: ${to} has its queue in ${home.settings.file}, and a replay stays within a file; \`queue export\` writes them to a folder\n`,
      );
    }
    if (full) say.err(`flamegate: the queue of ${to} is full; run this again for the rest when it has emptied\n`);
    const left = elsewhere > 0 || (unstaged > 0 && replayed === 0);
    return full || missing > 0 || left ? FAILED : DONE;
  },

  purge: async work => {
    const { options, say } = work;
    if (options.dead === options.all) {
      say.err(
        'flamegate: queue purge: say what to delete, --dead (dead letters) or --all (what waits for delivery too)\n',
      );
      return MISUSED;
    }
    const what = `${options.dead ? 'dead letters' : 'everything'} of ${options.queue ?? 'every queue'}`;
    if (!options.yes && !say.confirm) {
      say.err(`flamegate: queue purge: would delete ${what}; add --yes to do it\n`);
      return MISUSED;
    }
    const ways = await having(work);
    if (!options.yes && !(await say.confirm!(`Delete ${what} for good? [y/N] `))) return FAILED;
    // What comes in from here on is not meant.
    const selection: Selection = {
      ...selectionOf(work, options.dead ? 'dead letters' : 'any'),
      untilMs: Date.now() + 1,
    };
    const count = { purged: 0, bytes: 0, left: 0 };
    for (const { queues } of ways)
      await pages(async after => {
        const page = await queues.purge(selection, after);
        count.purged += page.purged;
        count.bytes += page.bytes;
        count.left = page.left;
        return page;
      });
    const left = count.left > 0 ? `, ${count.left} are being delivered and were left` : '';
    say.out(`deleted ${count.purged} batches, ${bytesText(count.bytes)}${left}\n`);
    return DONE;
  },

  verify: async ({ reached, say }) => {
    let damaged = 0;
    for (const { queues } of reached) {
      const count = { entries: 0, payloads: 0, bytes: 0, damaged: 0 };
      await pages(async after => {
        const page = await queues.verify(after);
        for (const key of ['entries', 'payloads', 'bytes'] as const) count[key] += page[key];
        for (const { id, queue, message } of page.damaged)
          say.out(`${queues.file}: entry ${id} of ${queue}: ${message}\n`);
        count.damaged += page.damaged.length;
        return page;
      });
      damaged += count.damaged;
      const sound = count.damaged === 0 ? 'all sound' : `${count.damaged} damaged`;
      say.out(
        `${queues.file}: ${count.entries} entries, ${count.payloads} payloads, ${bytesText(count.bytes)}: ${sound}\n`,
      );
    }
    return damaged > 0 ? FAILED : DONE;
  },
};

/** Asks again from where the last answer ended. */
async function pages(step: (after: number) => Promise<Page>): Promise<void> {
  for (let after: number | undefined = 0; after !== undefined; ) after = (await step(after)).next;
}

/** How many entries of another file are meant, at most `MAX_COUNT`. */
async function countIn(queues: Reached['queues'], selection: Selection): Promise<number> {
  let count = 0;
  for await (const { queue } of entriesOf(queues, selection, MAX_COUNT))
    if (selection.queue !== undefined || !isStageQueue(queue)) count++;
  return count;
}

async function* entriesOf(queues: Reached['queues'], selection: Selection, limit: number): AsyncGenerator<EntryView> {
  let left = limit;
  for (let after: number | undefined = 0; after !== undefined && left > 0; ) {
    const page: Awaited<ReturnType<typeof queues.entries>> = await queues.entries(
      selection,
      after,
      Math.min(left, PAGE_ENTRIES),
    );
    yield* page.entries;
    left -= page.entries.length;
    after = page.next;
  }
}

/** The files that have the queue which was named. @throws Error when none has it */
async function having({ reached, options, files }: Work): Promise<readonly Reached[]> {
  const { queue } = options;
  if (queue === undefined || reached.length === 0) return reached;
  const known = new Set(files.flatMap(({ readers }) => [...readers.keys()]));
  const found: Reached[] = [];
  for (const way of reached) {
    const names = (await way.queues.tally()).map(tally => tally.queue);
    if (names.includes(queue)) found.push(way);
    for (const name of names) known.add(name);
  }
  if (found.length > 0) return found;
  const where = reached.map(({ queues }) => queues.file).join(' or ');
  const hint = didYouMean(queue, known) ?? `there are: ${[...known].join(', ') || 'none'}`;
  throw new Error(`there is no queue \`${queue}\` in ${where}; ${hint}`);
}

function selectionOf({ options }: Work, usual: 'any' | 'dead letters'): Selection {
  const { queue, dead, sinceMs, untilMs } = options;
  const ranged = sinceMs !== undefined || untilMs !== undefined;
  return {
    ...(queue !== undefined && { queue }),
    ...((dead || (usual === 'dead letters' && !ranged)) && { state: 'dead' as const }),
    ...(sinceMs !== undefined && { sinceMs }),
    ...(untilMs !== undefined && { untilMs }),
  };
}

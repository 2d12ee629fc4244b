// What `flamegate queue` asks of a running gateway. One answer is one bounded step; `next` in it says where to go on.
import { realpathSync } from 'node:fs';
import type { Response, Route } from '../api/index.ts';
import type { QueueOperations, Selection } from '../pipeline/outbox/operations.ts';
import { foreignOrigin, type Guarded, stranger, unauthorized, wrongHost } from './guard.ts';

/** Entries that one answer describes, at most and unless told otherwise. */
const MAX_ENTRIES = 1_000;

export interface QueueParts {
  /** One for each queue file that is open. */
  queues(): readonly QueueOperations[];
}

/** What is wrong with a request, as an answer. */
class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const HEADERS = { 'content-type': 'application/json', 'cache-control': 'no-store' };
const json = (body: object): Response => ({ status: 200, headers: HEADERS, body: JSON.stringify(body) });
const refusal = (status: number, code: string, message: string): Response => ({
  status,
  headers: HEADERS,
  body: JSON.stringify({ code, message }),
});

type Act = (query: URLSearchParams, queues: QueueOperations) => Promise<Response>;

export function queueRoutes(parts: Guarded & QueueParts): Route[] {
  const route = (method: Route['method'], path: string, act: (query: URLSearchParams) => Promise<Response>): Route => ({
    path: `/api/v1/queues${path}`,
    method,
    handle: async request => {
      const change = method === 'POST' ? foreignOrigin(request) : undefined;
      const denied = wrongHost(request, parts) ?? change ?? unauthorized(request, parts) ?? stranger(request, parts);
      if (denied) return denial(denied);
      try {
        return await act(new URLSearchParams(request.query));
      } catch (error) {
        return answerOf(error);
      }
    },
  });
  const onFile =
    (act: Act) =>
    (query: URLSearchParams): Promise<Response> =>
      act(query, fileOf(query.get('file'), parts.queues()));
  return [
    route('GET', '', async () => {
      const files = parts.queues().map(async queues => ({ file: queues.file, queues: await queues.tally() }));
      return json({ files: await Promise.all(files) });
    }),
    route('GET', '/entries', onFile(entries)),
    route('GET', '/payload', onFile(payload)),
    route(
      'GET',
      '/verify',
      onFile(async (query, queues) => json(await queues.verify(after(query)))),
    ),
    route('POST', '/replay', onFile(replay)),
    route('POST', '/purge', onFile(purge)),
  ];
}

const entries: Act = async (query, queues) => {
  const limit = Math.min(MAX_ENTRIES, whole(query, 'limit') ?? MAX_ENTRIES);
  return json(await queues.entries(selection(query), after(query), Math.max(1, limit)));
};

const payload: Act = async (query, queues) => {
  const entry = whole(query, 'entry');
  if (entry === undefined) throw new Refusal(400, 'bad_request', 'say which entry: ?entry=ID');
  const body = await queues.payload(entry);
  if (!body) throw new Refusal(404, 'gone', `entry ${entry} is not in ${queues.file} any more`);
  const headers = { 'content-type': 'application/octet-stream', 'cache-control': 'no-store' };
  return { status: 200, headers: { ...headers, 'x-content-type-options': 'nosniff' }, body };
};

const replay: Act = async (query, queues) => {
  const to = query.get('to');
  if (to === null) throw new Refusal(400, 'bad_request', 'say for which exporter: ?to=ID');
  return json(await queues.replay(selection(query), to, query.get('keep') === 'true', after(query)));
};

const purge: Act = async (query, queues) => {
  // Everything is deleted only when somebody wrote that word.
  const state = query.get('state');
  if (state === null) throw new Refusal(400, 'bad_request', 'say what to delete: ?state=dead, pending or all');
  return json(await queues.purge(selection(query), after(query)));
};

function fileOf(name: string | null, files: readonly QueueOperations[]): QueueOperations {
  const [only] = files;
  if (name === null) {
    if (only && files.length === 1) return only;
    throw new Refusal(400, 'bad_request', `say which queue file: ?file=PATH; ${openOnes(files)}`);
  }
  const found = files.find(({ file }) => file === name || real(file) === real(name));
  if (!found) throw new Refusal(404, 'no_such_file', `this gateway does not have ${name} open; ${openOnes(files)}`);
  return found;
}

function openOnes(files: readonly QueueOperations[]): string {
  return files.length === 0 ? 'it has no queue file' : `open are ${files.map(({ file }) => file).join(', ')}`;
}

/** The same file may have several names. */
function real(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return file;
  }
}

function selection(query: URLSearchParams): Selection {
  const state = query.get('state') ?? 'all';
  if (state !== 'dead' && state !== 'pending' && state !== 'all')
    throw new Refusal(400, 'bad_request', `state is dead, pending or all, not ${state}`);
  const queue = query.get('queue');
  const [sinceMs, untilMs] = [whole(query, 'since'), whole(query, 'until')];
  return {
    ...(queue !== null && { queue }),
    ...(state !== 'all' && { state }),
    ...(sinceMs !== undefined && { sinceMs }),
    ...(untilMs !== undefined && { untilMs }),
  };
}

const after = (query: URLSearchParams): number => whole(query, 'after') ?? 0;

function whole(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  if (!/^\d{1,15}$/.test(text)) throw new Refusal(400, 'bad_request', `${name} is a whole number, not ${text}`);
  return Number(text);
}

function answerOf(error: unknown): Response {
  if (error instanceof Refusal) return refusal(error.status, error.code, error.message);
  const { code, message } = error as { code?: string; message: string };
  if (code === 'no_such_queue') return refusal(404, code, message);
  if (code === 'damaged') return refusal(422, code, message);
  return refusal(503, 'unavailable', message);
}

/** Why somebody may not ask, as JSON like all else here. */
function denial({ status, headers, body }: Response): Response {
  const code = status === 401 ? 'unauthenticated' : status === 421 ? 'wrong_host' : 'forbidden';
  const answer = refusal(status, code, String(body).trim());
  return { ...answer, headers: { ...headers, ...HEADERS } };
}

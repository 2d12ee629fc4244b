// A host that remembers, a pipeline that answers what it is told, and requests without a socket.
import { gunzipSync } from 'node:zlib';
import type {
  Body,
  BodyProblem,
  Component,
  Consumer,
  Host,
  Protocol,
  Request,
  Response,
  Result,
} from '../../../src/api/index.ts';
import { bytesOf, type ProfileBatch } from '../../../src/model/batch.ts';
import type { Encoding } from '../../../src/model/payload.ts';
import { systemClock } from '../../../src/telemetry/clock.ts';
import { examineProfile } from '../../../src/wire/convert/examine.ts';
import { receiveOtlp } from '../../../src/wire/otlp/receive.ts';
import { SlabPool } from '../../../src/workers/slabs.ts';

export const NOW_MS = 1_700_000_000_000;

/** A batch as the pipeline saw it, with its bytes copied: they are borrowed only until it answered. */
export interface Seen {
  readonly batch: ProfileBatch;
  readonly id: string;
  readonly payloads: readonly Buffer[];
  readonly parts: readonly Readonly<Record<string, Buffer>>[];
  readonly abort: AbortSignal;
}

export class Rig {
  readonly seen: Seen[] = [];
  readonly logged: string[] = [];
  readonly health: string[] = [];
  readonly #counts = new Map<string, number>();
  answer: (batch: ProfileBatch, abort: AbortSignal) => Result | Promise<Result> = () => ({ kind: 'accepted' });

  readonly next: Consumer<'profiles'> = {
    consume: async (batch, abort) => {
      // Of traces the tests look at the bytes only.
      const profiles = batch.profiles ?? [];
      const parts = profiles.map(({ origin }) =>
        Object.fromEntries(Object.entries(origin?.parts ?? {}).map(([name, bytes]) => [name, Buffer.from(bytes)])),
      );
      const payloads = batch.profiles
        ? profiles.map(({ payload }) => Buffer.from(payload.bytes))
        : [...bytesOf(batch)].map(bytes => Buffer.from(bytes));
      this.seen.push({ batch, id: batch.id.hex, payloads, parts, abort });
      return this.answer(batch, abort);
    },
  };

  readonly host: Host;

  constructor(clock = { ...systemClock, now: () => NOW_MS }) {
    const instrument = (name: string) => ({
      record: (value: number, labels: object = {}) => {
        const key = [name, ...Object.values(labels)].join(' ');
        this.#counts.set(key, (this.#counts.get(key) ?? 0) + value);
      },
    });
    const log = (phrase: string) => void this.logged.push(phrase);
    this.host = {
      id: 'x',
      log: { debug: log, info: log, warn: log, error: log },
      metrics: { counter: instrument, gauge: instrument, histogram: instrument },
      clock,
      memory: new SlabPool({ budgetBytes: 1 << 24, poison: true }),
      listen: (_at, _protocol): Component => ({}),
      examine: (payload, maxBytes, origin) => examineProfile(payload, maxBytes, { origin }),
      otlp: async (bytes, asked) => receiveOtlp(bytes, asked),
      summary: async () => undefined,
      wanted: () => true,
      extension: () => undefined,
      report: health => void this.health.push(health),
    };
  }

  rejected(protocol: string, reason: string): number {
    return this.#counts.get(`flamegate_rejected_requests_total ${protocol} ${reason}`) ?? 0;
  }
  get rejections(): number {
    let sum = 0;
    for (const [key, value] of this.#counts) if (key.startsWith('flamegate_rejected_requests_total')) sum += value;
    return sum;
  }
  dropped(reason: string): number {
    return this.#counts.get(`flamegate_dropped_profiles_total ${reason}`) ?? 0;
  }

  /** The one batch that came through. */
  get only(): Seen {
    if (this.seen.length !== 1) throw new Error(`${this.seen.length} batches came through, not one`);
    return this.seen[0]!;
  }
}

export interface Sent {
  readonly query?: string;
  readonly headers?: Record<string, string>;
  readonly body?: Uint8Array | BodyProblem;
}

/** What `net` would hand over; the content-encoding header is honoured as it does. */
export function requestOf({ query = '', headers = {}, body = Buffer.alloc(0) }: Sent): Request {
  const encoding = (headers['content-encoding'] ?? 'identity') as Encoding;
  return {
    method: 'POST',
    path: '/',
    query,
    headers,
    remote: '127.0.0.1',
    framing: 'plain',
    abort: new AbortController().signal,
    read: async () => ('kind' in body ? (body as BodyProblem) : bodyOf(Buffer.from(body as Uint8Array), encoding)),
  };
}

function bodyOf(bytes: Buffer, encoding: Encoding): Body {
  const body: Body = {
    kind: 'body',
    bytes,
    encoding,
    decoded: async () => {
      if (encoding === 'identity') return body;
      try {
        return bodyOf(gunzipSync(bytes), 'identity');
      } catch {
        return { kind: 'problem', reason: 'bad_compression', message: 'the gzip stream is damaged' };
      }
    },
    rewritten: other => bodyOf(Buffer.from(other), 'identity'),
  };
  return body;
}

/** Sends to the route whose path ends so. */
export function sender(protocol: Protocol, pathEnd: string): (sent: Sent) => Promise<Response> {
  const route = protocol.routes.find(({ path, method }) => method === 'POST' && path.endsWith(pathEnd));
  if (!route) throw new Error(`no POST route ends in ${pathEnd}`);
  return sent => route.handle(requestOf(sent));
}

export interface FormPart {
  readonly name: string;
  readonly filename?: string;
  readonly data: Uint8Array;
}

/** A form written by hand, so that its boundary can be chosen. */
export function formOf(
  parts: readonly FormPart[],
  boundary = 'b0undary',
): { headers: Record<string, string>; body: Buffer } {
  const chunks = parts.flatMap(({ name, filename, data }) => {
    const file = filename === undefined ? '' : `; filename="${filename}"`;
    return [
      Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="${name}"${file}\r\n\r\n`),
      data,
      Buffer.from('\r\n'),
    ];
  });
  return {
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
    body: Buffer.concat([...chunks, Buffer.from(`--${boundary}--\r\n`)]),
  };
}

export const problem = (reason: BodyProblem['reason'], retryAfterMs?: number): BodyProblem => ({
  kind: 'problem',
  reason,
  message: 'told by net',
  ...(retryAfterMs !== undefined && { retryAfterMs }),
});

/** One of each answer of a pipeline that is not `accepted`, in the order 429, 503, the sender's fault, ours. */
export const NOT_ACCEPTED: readonly Result[] = [
  { kind: 'refused', reason: 'the queue is full', retryAfterMs: 1200 },
  { kind: 'retryable', error: new Error('the store is down'), retryAfterMs: 30_000 },
  { kind: 'permanent', error: new Error('the store will not have it'), fault: 'sender' },
  { kind: 'permanent', error: new Error('a bug'), fault: 'gateway' },
];

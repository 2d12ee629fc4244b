import {
  BatchId,
  type BodyProblem,
  type Component,
  type Consumer,
  counters,
  type Host,
  type Payload,
  type Protocol,
  type Request,
  type Response,
  type Result,
} from '../../api/index.ts';
import { receiveProfile } from '../../wire/convert/receive.ts';
import { DecodeError } from '../../wire/decode-error.ts';
import { type Part, parseMultipart } from '../../wire/multipart.ts';
import { isGzippedTwice } from '../../wire/pprof/receive.ts';
import { checkLabels } from '../../wire/pyroscope/labels.ts';
import type { Config } from './config.ts';

const TEXT = { 'content-type': 'text/plain; charset=utf-8' };
const DEFAULT_SERVICE = 'unknown_service';
/** Reasons that are not a bad request. */
const STATUS: Record<string, number> = {
  body_too_large: 413,
  decompressed_too_large: 413,
  unknown_format: 415,
  unsupported_encoding: 415,
  body_timeout: 408,
  body_aborted: 408,
  memory_limit: 429,
};

export function createReceiver(config: Config, host: Host, next: Consumer<'profiles'>): Component {
  return host.listen(config, protocolOf(config, host, next));
}

export function protocolOf(config: Config, host: Host, next: Consumer<'profiles'>): Protocol {
  const rejected = counters.rejected(host.metrics);
  const dropped = counters.dropped(host.metrics);
  const handle = async (request: Request): Promise<Response> => {
    try {
      const attributes = labelsOf(request.query, config.max_label_names);
      const payload = await payloadOf(request, config, host);
      if (!('form' in payload)) return refused(payload);
      if (payload.summaries?.[0]?.samples === 0) {
        dropped.record(1, { reason: 'empty_profile' });
        return { status: 204 };
      }
      const id = new BatchId(() => ['pprof', request.query, payload.bytes]);
      const result = await next.consume(
        {
          signal: 'profiles',
          id,
          tenant: '',
          dialect: 'pyroscope',
          receivedMs: host.clock.now(),
          sizeBytes: payload.bytes.length,
          profiles: [{ attributes, payload, part: 0, origin: { door: 'pprof_http' } }],
        },
        request.abort,
      );
      return answer(result);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      return refused(error);
    }
  };
  const refused = (problem: DecodeError | BodyProblem): Response => {
    rejected.record(1, { protocol: 'pprof_http', reason: problem.reason });
    return sentence(STATUS[problem.reason] ?? 400, `${problem.reason}: ${problem.message}`, problem.retryAfterMs);
  };
  return {
    name: 'pprof_http',
    routes: ['/v1/pprof', '/'].map(path => ({ path, method: 'POST' as const, handle })),
  };
}

/** Every query key is a label. @throws DecodeError bad_label */
function labelsOf(query: string, maxNames: number): ReadonlyMap<string, string> {
  const pairs = [...new URLSearchParams(query)];
  checkLabels(pairs, maxNames);
  const labels = new Map(pairs);
  if (!labels.get('service_name')) labels.set('service_name', DEFAULT_SERVICE);
  return labels;
}

async function payloadOf(request: Request, config: Config, host: Host): Promise<Payload | BodyProblem> {
  const body = await request.read({ maxBytes: config.max_body_size, maxInflatedBytes: config.max_inflated_size });
  if (body.kind === 'problem') return body;
  const contentType = String(request.headers['content-type'] ?? '');
  const form = /^\s*multipart\/form-data\b/i.test(contentType);
  const opened = form || body.encoding === 'zstd' || (body.encoding === 'gzip' && isGzippedTwice(body.bytes));
  const plain = opened ? await body.decoded() : body;
  if (plain.kind === 'problem') return plain;
  const bytes = form ? profileIn(parseMultipart(plain.bytes, contentType)) : plain.bytes;
  return receiveProfile(bytes, config.validate, config.max_inflated_size, host.examine);
}

/** The part `profile`, or else the first file, or else the first part: whatever name a form gave it. Empty without any. */
function profileIn(parts: ReadonlyMap<string, Part>): Buffer {
  const all = [...parts.values()];
  const part = parts.get('profile') ?? all.find(({ filename }) => filename !== undefined) ?? all[0];
  return part?.data ?? Buffer.alloc(0);
}

function answer(result: Result): Response {
  switch (result.kind) {
    case 'accepted':
      return { status: 204 };
    case 'refused':
      return sentence(429, result.reason, result.retryAfterMs);
    case 'retryable':
      return sentence(503, result.error.message, result.retryAfterMs);
    case 'permanent':
      return sentence(result.fault === 'sender' ? 400 : 500, result.error.message);
  }
}

function sentence(status: number, message: string, delayMs?: number): Response {
  const retry = delayMs === undefined ? {} : { 'retry-after': String(Math.max(1, Math.ceil(delayMs / 1000))) };
  return { status, headers: { ...TEXT, ...retry }, body: `${message}\n` };
}

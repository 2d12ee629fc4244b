// POST …/push.v1.PusherService/Push: Connect unary, protobuf or JSON, gzip both ways.
import { gzipSync } from 'node:zlib';
import type { Attributes, BodyProblem, Profile, Request, Response, Result } from '../../api/index.ts';
import { DecodeError } from '../../wire/decode-error.ts';
import { type ConnectCode, connectError } from '../../wire/pyroscope/connect.ts';
import { checkLabels } from '../../wire/pyroscope/labels.ts';
import { decodePush, decodePushJson, type PushSeries } from '../../wire/pyroscope/push.ts';
import { tenantOf } from '../../wire/pyroscope/tenant.ts';
import { type Intake, retryAfter } from './intake.ts';

const PROTO = 'application/proto';
const JSON_TYPE = 'application/json';
const EMPTY_JSON = '{}';
const EMPTY_JSON_GZIP = gzipSync(EMPTY_JSON);
/** What Connect compresses messages with; `/ingest` takes more. */
const ENCODINGS = ['gzip', 'identity'];

/** Reasons that are not `invalid_argument`. Too large stays one: `resource_exhausted` would be retried in vain. */
const CODES: Record<string, ConnectCode> = {
  unsupported_encoding: 'unimplemented',
  body_timeout: 'deadline_exceeded',
  body_aborted: 'canceled',
  memory_limit: 'resource_exhausted',
};

export async function push(request: Request, intake: Intake): Promise<Response> {
  const type = String(request.headers['content-type'] ?? '')
    .split(';', 1)[0]!
    .trim()
    .toLowerCase();
  if (type !== PROTO && type !== JSON_TYPE) {
    intake.reject('push', 'unsupported_content_type', type);
    return { status: 415, headers: { 'accept-post': `${PROTO}, ${JSON_TYPE}` } };
  }
  try {
    const version = request.headers['connect-protocol-version'];
    if (version !== undefined && version !== '1')
      throw new DecodeError('bad_protocol_version', 'connect-protocol-version must be 1');
    const tenant = tenantOf(request.headers['x-scope-orgid']);
    const encoding =
      String(request.headers['content-encoding'] ?? '')
        .trim()
        .toLowerCase() || 'identity';
    if (!ENCODINGS.includes(encoding))
      throw new DecodeError('unsupported_encoding', `unknown compression: supported are ${ENCODINGS.join(', ')}`);
    const body = await request.read(intake.read);
    if (body.kind === 'problem') return refused(body, intake);
    const plain = await body.decoded();
    if (plain.kind === 'problem') return refused(plain, intake);
    const series = type === PROTO ? decodePush(plain.bytes) : decodePushJson(plain.bytes);
    const { profiles, identity } = await profilesOf(series, intake);
    const worthwhile = profiles.filter(profile => intake.worthwhile(profile));
    if (worthwhile.length === 0) return success(type, request);
    return answer(await intake.consume(request, tenant, identity, worthwhile), type, request);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return refused(error, intake);
  }
}

/** Every sample must be sound, or nothing is taken: a sender that tries again would double the sound ones. */
async function profilesOf(
  series: readonly PushSeries[],
  intake: Intake,
): Promise<{ profiles: Profile[]; identity: string }> {
  const profiles: Profile[] = [];
  let identity = 'push';
  const budget = { leftBytes: intake.read.maxInflatedBytes };
  for (const [at, { labels, samples }] of series.entries()) {
    const attributes = attributesOf(labels, intake.config.max_label_names, at);
    identity += `\n${JSON.stringify(labels)}`;
    for (const [nth, { rawProfile, id }] of samples.entries()) {
      try {
        const payload = await intake.pprof(rawProfile, budget);
        profiles.push({ attributes, payload, part: 0, origin: { door: 'push', ...(id !== '' && { sampleId: id }) } });
      } catch (error) {
        throw placed(error, `series ${at}, sample ${nth}`);
      }
    }
  }
  if (profiles.length === 0) throw new DecodeError('empty_body', 'no profiles received');
  return { profiles, identity };
}

/** The same error with where in the request it is. */
function placed(error: unknown, where: string): unknown {
  return error instanceof DecodeError
    ? new DecodeError(error.reason, `${where}: ${error.message}`, error.retryAfterMs)
    : error;
}

function attributesOf(labels: PushSeries['labels'], maxNames: number, at: number): Attributes {
  try {
    checkLabels(labels, maxNames);
  } catch (error) {
    throw placed(error, `series ${at}`);
  }
  const attributes = new Map<string, string>(labels);
  if (!attributes.get('__name__')) throw new DecodeError('bad_label', `series ${at} has no __name__`);
  if (!attributes.get('service_name')) attributes.set('service_name', 'unknown_service');
  return attributes;
}

function success(type: string, request: Request): Response {
  const headers = { 'content-type': type };
  // PushResponse is empty: no bytes in protobuf, which nobody compresses.
  if (type === PROTO) return { status: 200, headers };
  const accepts = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
  if (!accepts) return { status: 200, headers, body: EMPTY_JSON };
  return { status: 200, headers: { ...headers, 'content-encoding': 'gzip' }, body: EMPTY_JSON_GZIP };
}

function refused(
  problem: Pick<BodyProblem, 'message' | 'retryAfterMs'> & { reason: string },
  intake: Intake,
): Response {
  intake.reject('push', problem.reason, problem.message);
  return delayed(connectError(CODES[problem.reason] ?? 'invalid_argument', problem.message), problem.retryAfterMs);
}

function answer(result: Result, type: string, request: Request): Response {
  switch (result.kind) {
    case 'accepted':
      return success(type, request);
    case 'refused':
      return delayed(connectError('resource_exhausted', result.reason), result.retryAfterMs);
    case 'retryable':
      return delayed(connectError('unavailable', result.error.message), result.retryAfterMs);
    case 'permanent':
      return connectError(result.fault === 'sender' ? 'invalid_argument' : 'internal', result.error.message);
  }
}

function delayed(error: Response, delayMs: number | undefined): Response {
  return { ...error, headers: { ...error.headers, ...retryAfter(delayMs) } };
}

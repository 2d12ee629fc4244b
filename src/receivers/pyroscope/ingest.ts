// POST /ingest: one profile with its series in the query. Success is exactly 200 (the Go SDK takes nothing else for one).
import type {
  Attributes,
  Body,
  BodyProblem,
  Form,
  Origin,
  Payload,
  Profile,
  Request,
  Response,
  Result,
} from '../../api/index.ts';
import { DecodeError } from '../../wire/decode-error.ts';
import { type Part, parseMultipart } from '../../wire/multipart.ts';
import { isGzippedTwice } from '../../wire/pprof/receive.ts';
import { type ConnectCode, connectError } from '../../wire/pyroscope/connect.ts';
import { IngestQuery, ingestForm } from '../../wire/pyroscope/ingest.ts';
import { checkLabels } from '../../wire/pyroscope/labels.ts';
import type { SeriesName } from '../../wire/pyroscope/name.ts';
import { parseSampleTypeConfig } from '../../wire/pyroscope/profile-name.ts';
import { applicationOf } from '../../wire/pyroscope/raw-type.ts';
import { tenantOf } from '../../wire/pyroscope/tenant.ts';
import { type Intake, retryAfter } from './intake.ts';

const SUCCESS: Response = { status: 200 };

/** Where a reason is not a bad body (422). */
const STATUS: Record<string, readonly [number, ConnectCode]> = {
  bad_name: [400, 'invalid_argument'],
  bad_tenant: [400, 'invalid_argument'],
  unknown_profile_type: [400, 'invalid_argument'],
  body_too_large: [413, 'invalid_argument'],
  decompressed_too_large: [413, 'invalid_argument'],
  unsupported_encoding: [415, 'invalid_argument'],
  body_timeout: [408, 'unknown'],
  body_aborted: [408, 'unknown'],
  memory_limit: [429, 'resource_exhausted'],
};

export async function ingest(request: Request, intake: Intake): Promise<Response> {
  try {
    const tenant = tenantOf(request.headers['x-scope-orgid']);
    const query = new IngestQuery(request.query);
    const { name } = query;
    checkLabels(name.labels, intake.config.max_label_names);
    const contentType = String(request.headers['content-type'] ?? '');
    const { form, multipart } = ingestForm(query.format, contentType);
    const body = await request.read(intake.read);
    if (body.kind === 'problem') return refused(body, intake);
    const received = multipart || form !== 'pprof' ? await body.decoded() : body;
    if (received.kind === 'problem') return refused(received, intake);
    const door: Origin = {
      door: 'ingest',
      query: request.query,
      ...(contentType.startsWith('binary/octet-stream+') && { contentType }),
    };
    const { payload, origin } = multipart
      ? await fromParts(parseMultipart(received.bytes, contentType), form, door, intake)
      : { payload: await fromBody(received, form, door, intake), origin: door };
    const profile: Profile = { attributes: attributesOf(name, form), payload, part: 0, origin };
    if (!intake.worthwhile(profile)) return SUCCESS;
    return answer(await intake.consume(request, tenant, request.query, [profile]));
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return refused(error, intake);
  }
}

/**
 * The series: `service_name` (the label, or else the application without the type that some forms name behind it) and the labels; the store
 * drops other `__` names, so do we.
 */
function attributesOf(name: SeriesName, form: Form): Attributes {
  const app = applicationOf(name.app, form);
  const attributes = new Map<string, string>([['service_name', name.labels.get('service_name') || app]]);
  for (const [key, value] of name.labels) {
    if (key === 'service_name' || (key.startsWith('__') && key !== '__session_id__')) continue;
    attributes.set(key, value);
  }
  return attributes;
}

async function fromBody(body: Body, form: Form, origin: Origin, intake: Intake): Promise<Payload> {
  if (form !== 'pprof') return intake.other(form, body.bytes, origin);
  const opened = body.encoding === 'zstd' || (body.encoding === 'gzip' && isGzippedTwice(body.bytes));
  const plain = opened ? await body.decoded() : body;
  if (plain.kind === 'problem') throw new DecodeError(plain.reason, plain.message, plain.retryAfterMs);
  return intake.pprof(plain.bytes);
}

async function fromParts(
  parts: Map<string, Part>,
  form: Form,
  door: Origin,
  intake: Intake,
): Promise<{ payload: Payload; origin: Origin }> {
  if (form === 'jfr') {
    const labels = parts.get('labels');
    const origin = { ...door, parts: labels ? { labels: labels.data } : {} };
    const payload = await intake.other('jfr', parts.get('jfr')?.data ?? Buffer.alloc(0), origin);
    return { payload, origin };
  }
  if (parts.get('prev_profile')?.data.length)
    throw new DecodeError(
      'unsupported_delta',
      'prev_profile is not supported: unsupported client version, please update the SDK',
    );
  const config = parts.get('sample_type_config');
  if (config) parseSampleTypeConfig(config.data);
  const data = parts.get('profile')?.data ?? Buffer.alloc(0);
  const payload = await intake.pprof(data);
  return { payload, origin: { ...door, parts: config ? { sample_type_config: config.data } : {} } };
}

function refused(problem: DecodeError | BodyProblem, intake: Intake): Response {
  const { reason, message } = problem;
  intake.reject('ingest', reason, message);
  const [status, code] = STATUS[reason] ?? [422, 'unknown'];
  const error = connectError(code, message, status);
  return { ...error, headers: { ...error.headers, ...retryAfter(problem.retryAfterMs) } };
}

function answer(result: Result): Response {
  switch (result.kind) {
    case 'accepted':
      return SUCCESS;
    case 'refused': {
      const error = connectError('resource_exhausted', result.reason);
      return { ...error, headers: { ...error.headers, ...retryAfter(result.retryAfterMs) } };
    }
    case 'retryable': {
      const error = connectError('unavailable', result.error.message);
      return { ...error, headers: { ...error.headers, ...retryAfter(result.retryAfterMs) } };
    }
    case 'permanent':
      return result.fault === 'sender'
        ? connectError('unknown', result.error.message, 422)
        : connectError('internal', result.error.message);
  }
}

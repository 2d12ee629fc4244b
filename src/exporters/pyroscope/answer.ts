import type { Result } from '../../api/index.ts';
import { type HttpAnswer, type HttpFailure, retryAfterMs } from '../../net/client.ts';
import { type ConnectCode, readConnectError } from '../../wire/pyroscope/connect.ts';

/** How long an exporter whose access is refused waits between tries, ms: an operator must act, the data is good. */
const ACCESS_RETRY_MS = 60_000;
/** How much of a store's error text goes into ours, bytes. */
const MAX_TEXT_BYTES = 200;

export type Meaning = 'accepted' | 'retryable' | 'access' | 'permanent';

/** Statuses that say the same at both doors. 5xx beside these are retryable, 3xx a matter of access, other 4xx permanent. */
const STATUSES: Record<number, Meaning> = {
  401: 'access',
  403: 'access',
  404: 'access',
  407: 'access',
  408: 'retryable',
  409: 'retryable',
  413: 'permanent',
  422: 'permanent',
  429: 'retryable',
  499: 'retryable',
  501: 'permanent',
};

/** Connect codes; they win over the status that carries them. `unknown` at /ingest is only how its 422 spells itself. */
const CODES: Partial<Record<ConnectCode, Meaning>> = {
  invalid_argument: 'permanent',
  failed_precondition: 'permanent',
  out_of_range: 'permanent',
  unimplemented: 'permanent',
  unauthenticated: 'access',
  permission_denied: 'access',
  internal: 'retryable',
  unavailable: 'retryable',
  deadline_exceeded: 'retryable',
  aborted: 'retryable',
  resource_exhausted: 'retryable',
};

/** Texts of a "too many requests" that no waiting helps: the message is too large, now and always. */
const NEVER_FITS = /message size|larger than (?:configured )?max|exceeds the (?:max|burst)/i;

/** Pyroscope's rate limit, which says how large the profile is but not how large a burst may be. */
const RATE_LIMIT = /push rate limit \(([\d.]+) ?([KMG]?i?B)\) exceeded while adding ([\d.]+) ?([KMG]?i?B)/;
const UNITS: Record<string, number> = {
  B: 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
};

/**
 * Whether waiting cannot help. A profile above the burst never passes; since the text names the rate alone and a burst is
 * by default half of that, only what exceeds a whole second of the rate counts, lest a profile be lost that might pass.
 */
function neverFits(message: string): boolean {
  if (NEVER_FITS.test(message)) return true;
  const [, rate, rateUnit, added, addedUnit] = RATE_LIMIT.exec(message) ?? [];
  if (rate === undefined) return false;
  return Number(added) * (UNITS[addedUnit!] ?? 0) > Number(rate) * (UNITS[rateUnit!] ?? Number.POSITIVE_INFINITY);
}

/** What a status says, and the Connect code of its body; '' when the body is not a Connect error. */
export function meaningOf(status: number, code: ConnectCode | '', message: string): Meaning {
  if (status >= 200 && status < 300) return 'accepted';
  // Whatever the body says. A redirect is mostly a login page or `http` for `https`: an operator must act, the data is good.
  if (status < 400) return status < 200 ? 'retryable' : 'access';
  const byCode = code === '' ? undefined : CODES[code];
  const byStatus = STATUSES[status] ?? (status >= 500 ? 'retryable' : 'permanent');
  const meaning = byCode ?? byStatus;
  return meaning === 'retryable' && (code === 'resource_exhausted' || status === 429) && neverFits(message)
    ? 'permanent'
    : meaning;
}

/** What an answer of the store means for the profile that was sent. */
export function resultOf(answer: HttpAnswer | HttpFailure): {
  result: Exclude<Result, { kind: 'refused' }>;
  meaning: Meaning;
} {
  if (answer.kind === 'failure') {
    if (answer.retryable) return { meaning: 'retryable', result: { kind: 'retryable', error: answer.error } };
    return { meaning: 'permanent', result: { kind: 'permanent', error: answer.error, fault: 'gateway' } };
  }
  const { status, body, headers } = answer;
  if (status >= 200 && status < 300) return { meaning: 'accepted', result: { kind: 'accepted' } };
  const { code, message } = readConnectError(body);
  const meaning = meaningOf(status, code, message);
  const text = status >= 300 && status < 400 ? redirection(headers.location) : excerpt(message);
  const error = new Error(`store answered ${status}${code === '' ? '' : ` ${code}`}: ${text}`);
  if (meaning === 'permanent') return { meaning, result: { kind: 'permanent', error, fault: 'sender' } };
  const asked = retryAfterMs(headers) ?? (meaning === 'access' ? ACCESS_RETRY_MS : undefined);
  return { meaning, result: { kind: 'retryable', error, ...(asked !== undefined && { retryAfterMs: asked }) } };
}

/** A scheme that no URL has: what is relative to the store keeps it. */
const SAME = 'same:';

/** Only the host of where it points: the rest may hold what a session is opened with. */
function redirection(location: string | undefined): string {
  const target = location === undefined ? null : URL.parse(location, `${SAME}/`);
  const scheme = target?.protocol === SAME ? '' : `${target?.protocol}//`;
  const where = target?.host ? `, it points to ${scheme}${target.host}` : ', it points elsewhere on the same host';
  return `redirects are not followed${target ? excerpt(where) : ''}; set endpoint to where the store takes profiles`;
}

/** The beginning of a foreign text, on one line. */
function excerpt(message: string): string {
  // Four times the bytes that are kept holds them even when every character takes four.
  let text = message
    .slice(0, MAX_TEXT_BYTES * 4)
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim();
  if (Buffer.byteLength(text) > MAX_TEXT_BYTES) {
    text = text.slice(0, MAX_TEXT_BYTES);
    while (Buffer.byteLength(text) > MAX_TEXT_BYTES) text = text.slice(0, -1);
  }
  return text.toWellFormed();
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Meaning, resultOf } from '../../../../src/exporters/pyroscope/answer.ts';

const answer = (status: number, body = '', headers: Record<string, string> = {}) =>
  resultOf({ kind: 'answer', status, headers, body: Buffer.from(body) });
const connect = (code: string, message = 'why') => JSON.stringify({ code, message });

const TABLE: readonly [what: string, status: number, body: string, meaning: Meaning][] = [
  ['200', 200, '', 'accepted'],
  ['another 2xx', 204, '', 'accepted'],
  ['a redirect, which nobody follows', 307, '', 'access'],
  ['a redirect whose body says something else', 302, connect('invalid_argument'), 'access'],
  ['not modified, which nobody asked', 304, '', 'access'],
  ['an interim answer as the last word', 102, '', 'retryable'],
  ['bad request', 400, connect('invalid_argument'), 'permanent'],
  ['a wrong password', 401, '', 'access'],
  ['a missing tenant', 401, connect('unauthenticated'), 'access'],
  ['a forbidden tenant', 403, 'forbidden', 'access'],
  ['a wrong path', 404, '404 page not found', 'access'],
  ['a body that came too slowly', 408, connect('unknown'), 'retryable'],
  ['a body that is too large', 413, connect('invalid_argument'), 'permanent'],
  ['an unknown content type', 415, '', 'permanent'],
  ['what /ingest says of a bad profile', 422, connect('unknown', 'invalid profile'), 'permanent'],
  ['a rate limit', 429, connect('resource_exhausted', 'limit of 10 GiB/month reached'), 'retryable'],
  ['a rate limit of a proxy', 429, 'slow down', 'retryable'],
  [
    'a message over the read limit',
    429,
    connect('resource_exhausted', 'message size 9 is larger than configured max 4'),
    'permanent',
  ],
  [
    'a rate limit that a smaller profile passes',
    429,
    connect('resource_exhausted', 'push rate limit (4.0 MiB) exceeded while adding 512 KiB'),
    'retryable',
  ],
  [
    'a profile above the default burst that a larger burst passes',
    429,
    connect('resource_exhausted', 'push rate limit (4.0 MiB) exceeded while adding 3.9 MiB'),
    'retryable',
  ],
  [
    'a profile above any burst',
    429,
    connect('resource_exhausted', 'push rate limit (4.0 MiB) exceeded while adding 9.3 MiB'),
    'permanent',
  ],
  ['the same from a server before 2.2, by /ingest', 422, connect('unknown', 'push rate limit'), 'permanent'],
  ['a client that went away', 499, connect('canceled'), 'retryable'],
  ['unknown at push.v1', 500, connect('unknown'), 'retryable'],
  ['internal', 500, connect('internal'), 'retryable'],
  ['a door that the store does not have', 501, connect('unimplemented'), 'permanent'],
  ['a dead upstream', 502, '<html>bad gateway</html>', 'retryable'],
  ['unavailable', 503, connect('unavailable'), 'retryable'],
  ['deadline_exceeded', 504, connect('deadline_exceeded'), 'retryable'],
  ['aborted', 409, connect('aborted'), 'retryable'],
];

test('a redirect is waited out, and the error says where it points, but for path and query', () => {
  const to = (location?: string) => {
    const { result } = answer(307, '', location === undefined ? {} : { location });
    assert.ok(result.kind === 'retryable' && result.retryAfterMs === 60_000);
    return result.error.message;
  };
  const what = (where: string) =>
    `store answered 307: redirects are not followed${where}; set endpoint to where the store takes profiles`;
  assert.equal(to('https://login.example:8443/start?token=secret'), what(', it points to https://login.example:8443'));
  assert.equal(to('//other/x'), what(', it points to other'));
  assert.equal(to('/login?token=secret'), what(', it points elsewhere on the same host'));
  assert.equal(to('http://[x'), what(''));
  assert.equal(to(), what(''));
});

for (const [what, status, body, meaning] of TABLE)
  test(`${what} (${status}) is ${meaning}`, () => {
    const { result, meaning: got } = answer(status, body);
    assert.equal(got, meaning);
    assert.equal(
      result.kind,
      { accepted: 'accepted', retryable: 'retryable', access: 'retryable', permanent: 'permanent' }[meaning],
    );
    if (result.kind === 'permanent') assert.equal(result.fault, 'sender');
  });

test('Retry-After is the store’s; a refused access waits a minute where it says nothing', () => {
  const delay = (status: number, headers: Record<string, string> = {}) => {
    const { result } = answer(status, '', headers);
    return 'retryAfterMs' in result ? result.retryAfterMs : undefined;
  };
  assert.equal(delay(503), undefined);
  assert.equal(delay(503, { 'retry-after': '7' }), 7000);
  assert.equal(delay(401), 60_000);
  assert.equal(delay(403, { 'retry-after': '5' }), 5000);
});

test('a network failure is retryable, one that no try can mend is the gateway’s fault', () => {
  const failed = (retryable: boolean) => resultOf({ kind: 'failure', retryable, error: new Error('reset') }).result;
  assert.equal(failed(true).kind, 'retryable');
  assert.deepEqual(failed(false), { kind: 'permanent', error: new Error('reset'), fault: 'gateway' });
});

test('of the store’s text at most 200 bytes reach the error, well formed and on one line', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 600 }), fc.constantFrom(400, 401, 503), (text, status) => {
      const { result } = answer(status, text);
      assert.ok('error' in result);
      const prefix = `store answered ${status}: `;
      assert.ok(result.error.message.startsWith(prefix.trimEnd()));
      assert.ok(Buffer.byteLength(result.error.message) <= prefix.length + 200);
      assert.ok(!/[\n\r\u2028]/.test(result.error.message) && result.error.message.isWellFormed());
    }),
  );
  const { result } = answer(400, '€'.repeat(200));
  assert.ok('error' in result);
  assert.equal(result.error.message, `store answered 400: ${'€'.repeat(66)}`);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseTimeout, statusFields, statusOf, statusOfProblem } from '../../../../src/net/rpc/status.ts';
import { readRpcStatus } from '../../../../src/wire/otlp/response.ts';

test('codes by HTTP status; what the response says itself wins', () => {
  for (const [status, code] of [
    [200, 0],
    [204, 0],
    [400, 3],
    [401, 16],
    [403, 7],
    [404, 5],
    [408, 4],
    [413, 8],
    [415, 12],
    [422, 3],
    [429, 8],
    [500, 13],
    [503, 14],
    [504, 4],
    [418, 2],
  ] as const)
    assert.equal(statusOf({ status }).code, code, String(status));
  assert.deepEqual(statusOf({ status: 500, rpc: { code: 10, message: 'again' } }), { code: 10, message: 'again' });
});

test('a delay is RetryInfo, with what makes it worth while', () => {
  const { code, details } = statusOf({ status: 503, headers: { 'retry-after': '2' }, body: 'down\n' });
  assert.equal(code, 14);
  assert.deepEqual(readRpcStatus(details!, 'protobuf'), { code: 14, message: 'down', retryAfterMs: 2000 });
  const full = statusOfProblem({ kind: 'problem', reason: 'memory_limit', message: 'full', retryAfterMs: 1000 });
  assert.equal(readRpcStatus(full.details!, 'protobuf').retryAfterMs, 1000);
  assert.equal(statusOfProblem({ kind: 'problem', reason: 'body_too_large', message: 'long' }).details, undefined);
});

test('any message survives as printable ASCII', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 50 }), message => {
      const encoded = statusFields({ code: 3, message })['grpc-message'] ?? '';
      assert.match(encoded, /^[ -~]*$/);
      assert.equal(decodeURIComponent(encoded), message);
    }),
  );
  const { 'grpc-status-details-bin': details } = statusFields({ code: 3, message: '', details: Buffer.from([1]) });
  assert.equal(details, 'AQ');
});

test('timeouts', () => {
  for (const [text, ms] of [
    ['1H', 3_600_000],
    ['2M', 120_000],
    ['3S', 3000],
    ['250m', 250],
    ['1500u', 2],
    ['1n', 1],
    ['0m', 1],
    ['99999999m', 99_999_999],
  ] as const)
    assert.equal(parseTimeout(text), ms, text);
  for (const text of ['', '1', 'm', '1s', '1.5S', '123456789S', ' 1S'])
    assert.equal(parseTimeout(text), undefined, text);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestHead } from '../../../../src/net/http2/head.ts';

const head = (fields: Record<string, string | string[]>) =>
  requestHead({ ':method': 'POST', ':scheme': 'http', ':path': '/a/b?c=d?e', ':authority': 'gateway:4040', ...fields });

test('a head is what one of HTTP/1.1 is', () => {
  const { headers, ...rest } = head({ 'content-length': '7', 'x-a': 'b', 'set-cookie': ['c', 'd'] });
  assert.deepEqual(rest, {
    ...{ method: 'POST', path: '/a/b', query: 'c=d?e', keepAlive: true, length: 7, expectsContinue: false },
  });
  assert.deepEqual({ ...headers }, { host: 'gateway:4040', 'content-length': '7', 'x-a': 'b', 'set-cookie': 'c, d' });
});

test('the length is unknown without content-length, raw bytes of the target are escaped, :authority is the host', () => {
  const { length, path, query, headers, expectsContinue } = head({
    ...{ ':path': '/Ã¤?Ã¶', host: 'other', expect: '100-Continue' },
  });
  assert.deepEqual(
    [length, path, query, headers.host, expectsContinue],
    [undefined, '/%C3%A4', '%C3%B6', 'gateway:4040', true],
  );
});

test('without a path it cannot be taken', () => {
  assert.throws(() => head({ ':path': '*' }), { status: 400 });
  assert.throws(() => requestHead({ ':method': 'CONNECT' }), { status: 400 });
});

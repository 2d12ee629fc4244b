import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Secret } from '../../../src/api/index.ts';
import { type ClientConfig, HttpClient, retryAfterMs } from '../../../src/net/client.ts';

const signal = () => new AbortController().signal;

async function rig(
  t: TestContext,
  handle: (request: IncomingMessage, response: ServerResponse, body: Buffer) => void,
  config: Partial<ClientConfig> = {},
  path = '',
) {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', chunk => chunks.push(chunk));
    request.on('end', () => handle(request, response, Buffer.concat(chunks)));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const client = new HttpClient({
    endpoint: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`),
    headers: {},
    ...config,
  });
  t.after(async () => {
    await client.close();
    server.closeAllConnections();
    server.close();
  });
  return client;
}

test('chunks on shared memory arrive byte for byte, with path prefix, query, headers and credentials', async t => {
  let seen: { url: string | undefined; body: Buffer; headers: IncomingMessage['headers'] } | undefined;
  const client = await rig(
    t,
    (request, response, body) => {
      seen = { url: request.url, body, headers: request.headers };
      response.end();
    },
    { headers: { 'X-Team': 'a' }, auth: { bearer: { token: new Secret('t') } } },
    '/prefix/',
  );
  const shared = Buffer.from(new SharedArrayBuffer(300_000)).fill(7);
  const chunks = [Buffer.from('head'), shared, Buffer.from('tail')];
  const answer = await client.post('/ingest', 'a=1', { 'content-type': 'x/y' }, chunks, signal());
  assert.equal(answer.kind === 'answer' && answer.status, 200);
  assert.equal(seen?.url, '/prefix/ingest?a=1');
  assert.ok(seen?.body.equals(Buffer.concat(chunks)));
  assert.deepEqual(
    [
      seen?.headers['x-team'],
      seen?.headers.authorization,
      seen?.headers['content-type'],
      seen?.headers['content-length'],
    ],
    ['a', 'Bearer t', 'x/y', '300008'],
  );
});

test('answers come with status, headers and a bounded, inflated body', async t => {
  const client = await rig(t, (_request, response) =>
    response.writeHead(429, { 'content-encoding': 'gzip', 'retry-after': '3' }).end(gzipSync('slow down')),
  );
  const answer = await client.post('/', '', {}, [Buffer.from('x')], signal());
  assert.ok(answer.kind === 'answer');
  assert.deepEqual([answer.status, answer.body.toString(), retryAfterMs(answer.headers)], [429, 'slow down', 3000]);
  const talker = await rig(t, (_request, response) => response.writeHead(500).end(Buffer.alloc(1_000_000, 'x')));
  const long = await talker.post('/', '', {}, [Buffer.from('x')], signal());
  assert.equal(long.kind === 'answer' && long.body.length, 64 * 1024);
});

test('refused and reset connections are retryable failures with a plain sentence', async t => {
  const closed = createTcpServer();
  await new Promise<void>(resolve => closed.listen(0, '127.0.0.1', resolve));
  const { port } = closed.address() as AddressInfo;
  await new Promise(resolve => closed.close(resolve));
  const nobody = new HttpClient({ endpoint: new URL(`http://127.0.0.1:${port}`), headers: {} });
  t.after(() => nobody.close());
  const refused = await nobody.post('/', '', {}, [Buffer.from('x')], signal());
  assert.ok(
    refused.kind === 'failure' &&
      refused.retryable &&
      /connection refused \(ECONNREFUSED\)/.test(refused.error.message),
  );
  const resetter = await rig(t, request => request.socket.destroy());
  const reset = await resetter.post('/', '', {}, [Buffer.from('x')], signal());
  assert.ok(reset.kind === 'failure' && reset.retryable, reset.kind);
});

test('an abort ends the request, before and while it runs', async t => {
  const arrived = Promise.withResolvers<void>();
  const client = await rig(t, () => arrived.resolve());
  const abort = new AbortController();
  const pending = client.post('/', '', {}, [Buffer.from('x')], abort.signal);
  await arrived.promise;
  abort.abort(new Error('no answer within 5 ms'));
  const failure = await pending;
  assert.ok(failure.kind === 'failure' && failure.retryable);
  assert.equal((await client.post('/', '', {}, [Buffer.from('x')], AbortSignal.abort())).kind, 'failure');
});

test('Retry-After is seconds or a date', () => {
  assert.equal(retryAfterMs({ 'retry-after': '7' }), 7000);
  assert.equal(retryAfterMs({ 'retry-after': 'Tue, 24 Nov 2026 12:00:10 GMT' }, Date.UTC(2026, 10, 24, 12)), 10_000);
  assert.equal(retryAfterMs({ 'retry-after': 'soon' }), undefined);
  assert.equal(retryAfterMs({}), undefined);
});

import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
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

/** A server that speaks bytes: `serve` gets each request's text once its head is there, with the number of its connection. */
async function scripted(t: TestContext, serve: (socket: Socket, connection: number) => void, options: object = {}) {
  let connections = 0;
  const server = createTcpServer(socket => {
    const connection = ++connections;
    socket.on('error', () => {});
    socket.on('data', chunk => {
      if (String(chunk).includes('POST ')) serve(socket, connection);
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const client = new HttpClient(
    { endpoint: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`), headers: {} },
    options,
  );
  t.after(async () => {
    await client.close();
    server.close();
  });
  return {
    post: (body: Uint8Array = Buffer.from('x')) => client.post('/', '', {}, [body], signal()),
    count: () => connections,
  };
}
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';
const statusOf = (outcome: Awaited<ReturnType<HttpClient['post']>>) =>
  outcome.kind === 'answer' ? outcome.status : outcome.error.message;

test('a kept connection that the store closed meanwhile costs a second connection, not the request', async t => {
  let asked = 0;
  const { post, count } = await scripted(t, (socket, connection) => {
    asked++;
    // The first connection serves once, then goes away just when it is asked again.
    if (connection === 1 && asked > 1) socket.resetAndDestroy();
    else socket.write(OK);
  });
  assert.equal(statusOf(await post()), 200);
  assert.equal(statusOf(await post()), 200);
  assert.deepEqual([asked, count()], [3, 2]);
});

test('a store that closes without an answer is asked once', async t => {
  let asked = 0;
  const { post } = await scripted(t, socket => {
    asked++;
    socket.end();
  });
  assert.match(String(statusOf(await post())), /closed by the other side/);
  assert.equal(asked, 1);
});

test('an answer before the whole body was taken counts, and the body is let go', async t => {
  const { post, count } = await scripted(t, socket => {
    socket.pause();
    socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno');
  });
  const body = Buffer.from(new SharedArrayBuffer(64 << 20));
  assert.equal(statusOf(await post(body)), 413);
  assert.equal(count(), 1);
});

test('more requests than connections wait for their turn', async t => {
  const sockets: Socket[] = [];
  const { post, count } = await scripted(
    t,
    socket => {
      sockets.push(socket);
      setImmediate(() => socket.write(OK));
    },
    { connections: 2 },
  );
  const outcomes = await Promise.all(Array.from({ length: 20 }, () => post()));
  assert.deepEqual(new Set(outcomes.map(statusOf)), new Set([200]));
  assert.deepEqual([count(), sockets.length], [2, 20]);
});

test('bytes that nobody asked for end the connection, not the process', async t => {
  const { post, count } = await scripted(t, socket => socket.write(`${OK}HTTP/1.1 500 Surprise\r\n\r\n`));
  assert.equal(statusOf(await post()), 200);
  assert.equal(statusOf(await post()), 200);
  assert.equal(count(), 2);
});

test('what does not speak HTTP is said so', async t => {
  const { post } = await scripted(t, socket => socket.end('SSH-2.0-OpenSSH\r\n\r\n'));
  assert.match(String(statusOf(await post())), /does not speak HTTP\/1\.1/);
});

test('headers that HTTP cannot say are refused before anything is sent', async t => {
  const endpoint = new URL('http://127.0.0.1:9');
  const made = (headers: Record<string, string>) => () => new HttpClient({ endpoint, headers });
  assert.throws(made({ 'x-a': 'a\r\nx-b: c' }), TypeError);
  assert.throws(made({ 'x a': 'b' }), TypeError);
  assert.throws(made({ 'Content-Length': '3' }), /cannot be configured/);
  const client = new HttpClient({ endpoint, headers: {} });
  t.after(() => client.close());
  const outcome = await client.post('/', 'a b', {}, [], signal());
  assert.ok(outcome.kind === 'failure' && /path or query/.test(outcome.error.message));
});

test('Retry-After is seconds or a date', () => {
  assert.equal(retryAfterMs({ 'retry-after': '7' }), 7000);
  assert.equal(retryAfterMs({ 'retry-after': 'Tue, 24 Nov 2026 12:00:10 GMT' }, Date.UTC(2026, 10, 24, 12)), 10_000);
  assert.equal(retryAfterMs({ 'retry-after': 'soon' }), undefined);
  assert.equal(retryAfterMs({}), undefined);
});

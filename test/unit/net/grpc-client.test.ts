// The lean client towards a server of grpc-js, and towards servers of node:http2 that do what grpc-js never does.
import assert from 'node:assert/strict';
import { connect as connectHttp2, createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, connect, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import * as grpc from '@grpc/grpc-js';
import { GrpcClient, type GrpcClientConfig } from '../../../src/net/grpc-client.ts';
import { rpcStatus } from '../../../src/wire/otlp/response.ts';

const PATH = '/test.Service/Call';
const signal = () => new AbortController().signal;
const same = (bytes: Buffer) => bytes;
const portOf = (server: { address(): unknown }) => (server.address() as AddressInfo).port;

type Handle = (call: grpc.ServerUnaryCall<Buffer, Buffer>, answer: grpc.sendUnaryData<Buffer>) => void;

function clientOf(t: TestContext, port: number, config: Partial<GrpcClientConfig> = {}): GrpcClient {
  const client = new GrpcClient({ endpoint: new URL(`http://127.0.0.1:${port}`), headers: {}, ...config });
  t.after(() => client.close());
  return client;
}

async function grpcJs(t: TestContext, handle: Handle, options: grpc.ServerOptions = {}): Promise<number> {
  const server = new grpc.Server({ 'grpc.max_receive_message_length': 64 << 20, ...options });
  const method = { path: PATH, requestStream: false, responseStream: false };
  const codec = {
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
  server.addService({ Call: { ...method, ...codec } } as grpc.ServiceDefinition, { Call: handle as never });
  t.after(() => server.forceShutdown());
  return new Promise((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    ),
  );
}

async function http2(t: TestContext, serve: (stream: ServerHttp2Stream) => void, options = {}): Promise<Http2Server> {
  const server = createServer({ maxSessionMemory: 1000, ...options });
  const sessions = new Set<{ destroy(): void }>();
  server.on('session', session => {
    sessions.add(session);
    session.on('error', () => {});
    session.on('close', () => sessions.delete(session));
  });
  server.on('stream', stream => {
    stream.on('error', () => {});
    serve(stream);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return server;
}

const OK_TRAILERS = { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '0' };

test('chunks on shared memory arrive as one message of grpc-js, with metadata; the answer comes back', async t => {
  let metadata: grpc.Metadata | undefined;
  const port = await grpcJs(t, (call, answer) => {
    metadata = call.metadata;
    answer(null, Buffer.from(`${call.request.length} ${call.request.every(byte => byte === 7)}`));
  });
  const client = clientOf(t, port, { headers: { 'X-Team': 'a' } });
  const shared = Buffer.from(new SharedArrayBuffer(300_000)).fill(7);
  const chunks = [Buffer.alloc(5, 7), shared, Buffer.alloc(3, 7)];
  const answer = await client.call(PATH, { 'x-own': 'b', 'x-team': 'lost' }, chunks, 'identity', signal());
  assert.ok(answer.kind === 'answer', 'error' in answer ? answer.error.message : '');
  assert.deepEqual([answer.code, answer.body.toString()], [0, '300008 true']);
  assert.deepEqual([metadata?.get('x-team'), metadata?.get('x-own')], [['a'], ['b']]);
});

test('gzip goes as a compressed message', async t => {
  const port = await grpcJs(t, (call, answer) => answer(null, call.request));
  const answer = await clientOf(t, port).call(PATH, {}, [gzipSync('plain text')], 'gzip', signal());
  assert.equal(answer.kind === 'answer' && answer.body.toString(), 'plain text');
});

test('a coding that grpc-js does not know goes as bytes with its name', async t => {
  const seen: unknown[] = [];
  const server = await http2(t, stream => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      const message = Buffer.concat(chunks);
      seen.push(message[0], message.readUInt32BE(1), message.subarray(5).toString());
      stream.respond(OK_TRAILERS, { endStream: true });
    });
  });
  server.on('stream', (_stream, headers) => seen.push(headers['grpc-encoding'], headers[':path'], headers.te));
  await clientOf(t, portOf(server)).call(PATH, {}, [Buffer.from('zs'), Buffer.from('td')], 'zstd', signal());
  assert.deepEqual(seen, ['zstd', PATH, 'trailers', 1, 4, 'zstd']);
});

test('a status comes with its message decoded and its details', async t => {
  const details = rpcStatus({ code: 8, message: 'slow', retryAfterMs: 2500 }, 'protobuf');
  const port = await grpcJs(t, (_call, answer) => {
    const metadata = new grpc.Metadata();
    metadata.set('grpc-status-details-bin', Buffer.from(details));
    answer({ code: 8, details: 'größer als 100 %\nerlaubt', metadata });
  });
  const answer = await clientOf(t, port).call(PATH, {}, [Buffer.from('x')], 'identity', signal());
  assert.ok(answer.kind === 'answer');
  assert.deepEqual([answer.code, answer.message], [8, 'größer als 100 %\nerlaubt']);
  assert.deepEqual(Buffer.from(answer.details!), Buffer.from(details));
});

test('an answer that is no gRPC is told by its HTTP status', async t => {
  const cases = [
    [400, 13],
    [401, 16],
    [403, 7],
    [404, 12],
    [429, 14],
    [500, 2],
    [502, 14],
    [503, 14],
    [504, 14],
    [200, 2],
  ] as const;
  let at = 0;
  const server = await http2(t, stream => {
    stream.respond({ ':status': cases[at]![0], 'content-type': 'text/html' });
    stream.end('<html>');
  });
  const client = clientOf(t, portOf(server));
  for (; at < cases.length; at++) {
    const answer = await client.call(PATH, {}, [Buffer.from('x')], 'identity', signal());
    assert.equal(answer.kind === 'answer' && answer.code, cases[at]![1], `HTTP ${cases[at]![0]}`);
  }
});

test('a response message longer than 4 MiB is a failure for good', async t => {
  const port = await grpcJs(t, (_call, answer) => answer(null, Buffer.alloc(4 * 1024 * 1024 + 1)));
  const answer = await clientOf(t, port).call(PATH, {}, [Buffer.from('x')], 'identity', signal());
  assert.ok(answer.kind === 'failure' && !answer.retryable);
  assert.match(answer.error.message, /larger than it may be/);
});

test('calls beyond what the store takes at a time go over more connections, then wait for their turn', async t => {
  let [atATime, most, sessions] = [0, 0, 0];
  const held: ServerHttp2Stream[] = [];
  const server = await http2(
    t,
    stream => {
      most = Math.max(most, ++atATime);
      held.push(stream);
      stream.on('close', () => atATime--);
      // All that fit are there: let them go.
      if (held.length >= 8) for (const one of held) if (!one.headersSent) one.respond(OK_TRAILERS, { endStream: true });
    },
    { settings: { maxConcurrentStreams: 2 } },
  );
  server.on('session', () => sessions++);
  const client = clientOf(t, portOf(server));
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => client.call(PATH, {}, [Buffer.from('x')], 'identity', signal())),
  );
  assert.deepEqual([sessions, most], [4, 8]);
  assert.deepEqual(new Set(answers.map(answer => answer.kind === 'answer' && answer.code)), new Set([0]));
});

test('a refused stream is tried once more; a store that says goodbye is left after its calls, and called anew', async t => {
  let [streams, sessions] = [0, 0];
  const server = await http2(t, stream => {
    if (++streams === 1) {
      stream.close(7);
      return;
    }
    stream.session?.goaway(0);
    stream.resume().on('end', () => stream.respond(OK_TRAILERS, { endStream: true }));
  });
  server.on('session', () => sessions++);
  const client = clientOf(t, portOf(server));
  const call = () => client.call(PATH, {}, [Buffer.from('x')], 'identity', signal());
  for (let n = 0; n < 2; n++) {
    const answer = await call();
    assert.equal(answer.kind === 'answer' ? answer.code : answer.error.message, 0);
  }
  assert.deepEqual([streams, sessions], [3, 2]);
});

test('lost, refused and reset without a status are retryable failures', async t => {
  let how: 'destroy' | 'reset' = 'destroy';
  const server = await http2(t, stream => {
    if (how === 'destroy') stream.session?.destroy();
    else stream.close(2);
  });
  const client = clientOf(t, portOf(server));
  for (how of ['destroy', 'reset'] as const) {
    const answer = await client.call(PATH, {}, [Buffer.from('x')], 'identity', signal());
    assert.ok(answer.kind === 'failure' && answer.retryable, how);
  }
  const closed = createTcpServer();
  await new Promise<void>(resolve => closed.listen(0, '127.0.0.1', resolve));
  const port = portOf(closed);
  await new Promise(resolve => closed.close(resolve));
  const nobody = await clientOf(t, port).call(PATH, {}, [Buffer.from('x')], 'identity', signal());
  assert.ok(nobody.kind === 'failure' && nobody.retryable);
  assert.match(nobody.error.message, /connection refused/);
});

test('an abort ends a call, while it waits and while it runs', async t => {
  const arrived = Promise.withResolvers<void>();
  const server = await http2(t, () => arrived.resolve());
  const client = clientOf(t, portOf(server));
  const abort = new AbortController();
  const pending = client.call(PATH, {}, [Buffer.from('x')], 'identity', abort.signal);
  await arrived.promise;
  abort.abort(new Error('no answer within 5 ms'));
  const answer = await pending;
  assert.match(answer.kind === 'failure' ? answer.error.message : 'answered', /no answer within 5 ms/);
  const early = await client.call(PATH, {}, [Buffer.from('x')], 'identity', AbortSignal.abort());
  assert.equal(early.kind, 'failure');
});

/** No flow control of HTTP/2, so that the system's own is met. */
const WIDE = { settings: { initialWindowSize: 64 << 20 } };

/** Hands bytes on to a port, and stops reading from clients on demand. */
async function tap(t: TestContext, port: number): Promise<{ server: Server; clients: Socket[] }> {
  const clients: Socket[] = [];
  const server = createTcpServer(client => {
    clients.push(client);
    const store = connect(port, '127.0.0.1');
    client.on('data', bytes => store.write(bytes));
    store.pipe(client);
    for (const socket of [client, store]) socket.on('error', () => {});
    client.on('close', () => store.destroy());
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const client of clients) client.destroy();
    server.close();
  });
  return { server, clients };
}

test('bytes are let go only when nothing reads them any more: what arrives of an aborted call is what was there', async t => {
  const POISON = 0xdd;
  let [poisoned, got] = [0, 0];
  const closed = Promise.withResolvers<void>();
  let streams = 0;
  const server = await http2(
    t,
    stream => {
      if (++streams === 1) {
        stream.resume().on('end', () => stream.respond(OK_TRAILERS, { endStream: true }));
        return;
      }
      stream.on('data', (bytes: Buffer) => {
        got += bytes.length;
        for (const byte of bytes) if (byte === POISON) poisoned++;
      });
      stream.on('close', closed.resolve);
    },
    WIDE,
  );
  server.on('session', session => session.setLocalWindowSize(64 << 20));
  const { server: front, clients } = await tap(t, portOf(server));
  const client = clientOf(t, portOf(front));
  await client.call(PATH, {}, [Buffer.from('x')], 'identity', signal());
  // From here on the store's side of the connection is stuck, and the bytes wait in the system's queue.
  clients[0]!.pause();
  const shared = Buffer.from(new SharedArrayBuffer(16 << 20)).fill(1);
  const abort = new AbortController();
  const pending = client.call(PATH, {}, [shared], 'identity', abort.signal);
  setTimeout(() => abort.abort(new Error('late')), 100);
  setTimeout(() => clients[0]!.resume(), 400);
  const answer = await pending;
  shared.fill(POISON);
  assert.equal(answer.kind, 'failure');
  await closed.promise;
  assert.ok(got > 0);
  assert.equal(poisoned, 0);
});

test('a call that cannot leave its stuck connection takes the connection down, and answers', async t => {
  const server = await http2(
    t,
    stream => {
      stream.resume().on('end', () => stream.respond(OK_TRAILERS, { endStream: true }));
    },
    WIDE,
  );
  server.on('session', session => session.setLocalWindowSize(64 << 20));
  const { server: front, clients } = await tap(t, portOf(server));
  const client = clientOf(t, portOf(front));
  await client.call(PATH, {}, [Buffer.from('x')], 'identity', signal());
  clients[0]!.pause();
  const abort = new AbortController();
  const pending = client.call(PATH, {}, [Buffer.alloc(32 << 20)], 'identity', abort.signal);
  setTimeout(() => abort.abort(new Error('late')), 50);
  const answer = await pending;
  assert.match(answer.kind === 'failure' ? answer.error.message : 'answered', /late/);
  const next = await client.call(PATH, {}, [Buffer.from('x')], 'identity', signal());
  assert.equal(next.kind === 'answer' && next.code, 0);
  assert.equal(clients.length, 2);
});

test('keepalive finds a connection that is dead', async t => {
  const server = await http2(t, stream => {
    stream.resume().on('end', () => stream.respond(OK_TRAILERS, { endStream: true }));
  });
  const { server: front, clients } = await tap(t, portOf(server));
  const client = clientOf(t, portOf(front), { keepalive: { time: 20, timeout: 50, permit_without_stream: false } });
  await client.call(PATH, {}, [Buffer.from('x')], 'identity', signal());
  clients[0]!.pause();
  const answer = await client.call(PATH, {}, [Buffer.from('x')], 'identity', signal());
  assert.ok(answer.kind === 'failure' && answer.retryable);
  assert.match(answer.error.message, /no answer to a ping within 50 ms/);
});

test('a ping that cannot be sent does not end keepalive', async t => {
  const server = await http2(t, stream => {
    stream.resume().on('end', () => stream.respond(OK_TRAILERS, { endStream: true }));
  });
  const { server: front, clients } = await tap(t, portOf(server));
  const some = connectHttp2(`http://127.0.0.1:${portOf(server)}`);
  const proto = Object.getPrototypeOf(Object.getPrototypeOf(some)) as { ping(answered: () => void): boolean };
  some.destroy();
  const { ping } = proto;
  const refused = Promise.withResolvers<void>();
  const mocked = t.mock.method(proto, 'ping', function (this: unknown, answered: () => void) {
    if (mocked.mock.callCount() > 0) return ping.call(this, answered);
    refused.resolve();
    return false;
  });
  const keepalive = { time: 20, timeout: 50, permit_without_stream: true };
  const client = clientOf(t, portOf(front), { keepalive });
  await client.call(PATH, {}, [Buffer.from('x')], 'identity', signal());
  await refused.promise;
  clients[0]!.pause();
  const answer = await client.call(PATH, {}, [Buffer.from('x')], 'identity', AbortSignal.timeout(5000));
  assert.match(answer.kind === 'failure' ? answer.error.message : 'answered', /no answer to a ping within 50 ms/);
});

test('an answer before the whole message was taken counts', async t => {
  const server = await http2(t, stream => {
    stream.pause();
    stream.respond({ ...OK_TRAILERS, 'grpc-status': '8', 'grpc-message': 'too large' }, { endStream: true });
  });
  const shared = Buffer.from(new SharedArrayBuffer(16 << 20));
  const answer = await clientOf(t, portOf(server)).call(PATH, {}, [shared], 'identity', signal());
  assert.deepEqual(answer.kind === 'answer' && [answer.code, answer.message], [8, 'too large']);
});

test('headers that cannot be sent are refused before anything is sent', async t => {
  const endpoint = new URL('http://127.0.0.1:9');
  assert.throws(() => new GrpcClient({ endpoint, headers: { 'x-a': 'a\r\nx-b: c' } }), TypeError);
  const client = new GrpcClient({ endpoint, headers: {} });
  t.after(() => client.close());
  const answer = await client.call(PATH, { 'x-a': 'a\nb' }, [], 'identity', signal());
  assert.equal(answer.kind, 'failure');
});

test('a connection that died without a word is left: the next call makes another', async t => {
  const port = await grpcJs(t, (call, answer) => answer(null, call.request));
  const connections: Socket[] = [];
  let dead = false;
  const proxy = createTcpServer(socket => {
    const behind = connect(port, '127.0.0.1');
    const old = connections.push(socket) === 1;
    for (const one of [socket, behind])
      one.on('error', () => {}).on('close', () => (one === socket ? behind : socket).destroy());
    // The first one takes everything from some moment on and passes on nothing.
    socket.on('data', bytes => !(dead && old) && behind.write(bytes));
    behind.on('data', bytes => !(dead && old) && socket.write(bytes));
  });
  await new Promise<void>(resolve => proxy.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of connections) socket.destroy();
    proxy.close();
  });
  const client = clientOf(t, portOf(proxy));
  const call = (abort: AbortSignal) => client.call(PATH, {}, [Buffer.from('x')], 'identity', abort);
  assert.equal((await call(signal())).kind, 'answer');
  dead = true;
  const late = await call(AbortSignal.timeout(100));
  assert.ok(late.kind === 'failure' && late.retryable);
  assert.equal((await call(signal())).kind, 'answer');
  assert.equal(connections.length, 2);
});

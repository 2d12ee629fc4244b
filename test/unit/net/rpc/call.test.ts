// Unary gRPC as grpc-js speaks it, and what it does not say: frames cut anywhere, gRPC-Web, statuses.
import assert from 'node:assert/strict';
import { connect as connectHttp2 } from 'node:http2';
import { createRequire } from 'node:module';
import { type TestContext, test } from 'node:test';
import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import * as grpc from '@grpc/grpc-js';
import { type Listen, type Protocol, type Request, type Response, Secret } from '../../../../src/api/index.ts';
import { Listeners } from '../../../../src/net/listeners.ts';
import { readRpcStatus } from '../../../../src/wire/otlp/response.ts';
import { SlabPool } from '../../../../src/workers/slabs.ts';

const { compress } = createRequire(import.meta.url)('snappyjs') as { compress(bytes: Buffer): Buffer };
const LIMITS = { maxBytes: 100_000, maxInflatedBytes: 1_000_000 };
const same = (bytes: Buffer) => bytes;

/** `/s/Echo` says back what it gets; its query-less behaviour is chosen by the metadata `x-do`. */
async function rig(t: TestContext, at: Listen = { endpoint: '127.0.0.1:0' }) {
  const memory = new SlabPool({ budgetBytes: 1 << 26, poison: true });
  const instrument = { record() {} };
  const listeners = new Listeners({
    memory,
    log: { debug() {}, info() {}, error() {}, warn() {} },
    meter: { counter: () => instrument, gauge: () => instrument, histogram: () => instrument },
  });
  const aborted = Promise.withResolvers<void>();
  const handle = async (request: Request): Promise<Response> => {
    const asked = request.headers['x-do'];
    assert.equal(request.framing, 'rpc');
    if (asked === 'wait') {
      await new Promise<void>(resolve => request.abort.addEventListener('abort', () => resolve()));
      aborted.resolve();
      return { status: 503 };
    }
    if (asked === 'throw') throw new Error('a bug');
    if (asked === 'full') return { status: 429, headers: { 'retry-after': '7' }, body: 'we are full\n' };
    if (asked === 'connect') return { status: 400, body: '{"code":"invalid_argument","message":"größe 5% zu groß"}' };
    if (asked === 'own') return { status: 400, rpc: { code: 9, message: 'not now', details: Buffer.from([8, 9]) } };
    const body = await request.read(LIMITS);
    if (body.kind === 'problem') return { status: 400, body: 'the route says something else' };
    const plain = await body.decoded();
    if (plain.kind === 'problem') return { status: 400, body: 'the route says something else' };
    return { status: 200, body: Buffer.from(plain.bytes) };
  };
  const routes: Protocol['routes'] = [
    { path: '/s/Echo', method: 'POST', rpc: true, handle },
    { path: '/plain', method: 'POST', handle },
  ];
  await listeners.bind('a', at, { name: 'a', routes }).start!();
  t.after(() => listeners.close(AbortSignal.timeout(5000)));
  const { port } = listeners.address(at.endpoint)!;
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  t.after(() => client.close());
  return { port, memory, client, listeners, aborted };
}

interface Outcome {
  code: number;
  details: string;
  bytes?: Buffer | undefined;
  metadata: grpc.Metadata;
}

function call(
  client: grpc.Client,
  message: Buffer,
  {
    path = '/s/Echo',
    metadata = {},
    options = {},
  }: { path?: string; metadata?: Record<string, string>; options?: Partial<grpc.CallOptions> & object } = {},
): Promise<Outcome> {
  const fields = new grpc.Metadata();
  for (const [name, value] of Object.entries(metadata)) fields.set(name, value);
  return new Promise(resolve =>
    client.makeUnaryRequest(path, same, same, message, fields, options, (error, bytes) =>
      error
        ? resolve({ code: error.code, details: error.details, metadata: error.metadata })
        : resolve({ code: 0, details: '', bytes, metadata: fields }),
    ),
  );
}

/** A call written by hand over HTTP/2: frames and headers as given. */
function raw(
  port: number,
  pieces: readonly Buffer[],
  headers: Record<string, string> = {},
): Promise<Record<string, string>> {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  const stream = session.request({
    ':method': 'POST',
    ':path': '/s/Echo',
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  const got: Record<string, string> = {};
  const body: Buffer[] = [];
  stream.on('response', fields => Object.assign(got, fields));
  stream.on('trailers', fields => Object.assign(got, fields));
  stream.on('data', bytes => body.push(bytes));
  return new Promise((resolve, reject) => {
    stream.on('error', reject);
    stream.on('close', () => {
      session.close();
      resolve({ ...got, body: Buffer.concat(body).toString('latin1') });
    });
    void (async () => {
      for (const piece of pieces) {
        stream.write(piece);
        await new Promise(resolve => setTimeout(resolve, 2));
      }
      stream.end();
    })();
  });
}

function frame(message: Buffer | string, flags = 0): Buffer {
  const bytes = Buffer.from(message);
  const prefix = Buffer.alloc(5);
  prefix[0] = flags;
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
}

test('grpc-js: a message of any size comes back, empty ones too, plain and with gzip', async t => {
  const { client, port, memory } = await rig(t);
  for (const size of [0, 1, 20_000, LIMITS.maxBytes]) {
    const { code, bytes } = await call(client, Buffer.alloc(size, 'm'));
    assert.deepEqual([code, bytes?.length], [0, size]);
  }
  const zipped = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), {
    'grpc.default_compression_algorithm': 2,
  });
  t.after(() => zipped.close());
  const { code, bytes } = await call(zipped, Buffer.alloc(500_000, 'm'));
  assert.deepEqual([code, bytes?.length], [0, 500_000]);
  assert.equal(memory.usage.heldBytes, 0);
});

test('grpc-js: what is refused has its status', async t => {
  const { client } = await rig(t);
  const codes = async (message: number, asked: Parameters<typeof call>[2]) => {
    const { code, details } = await call(client, Buffer.alloc(message), asked);
    return [code, details];
  };
  assert.deepEqual(await codes(LIMITS.maxBytes + 1, {}), [8, 'the body is longer than 100000 bytes']);
  assert.deepEqual(await codes(1, { path: '/s/Nothing' }), [12, 'no gRPC method /s/Nothing is served here']);
  assert.deepEqual((await codes(1, { path: '/plain' }))[0], 12);
  assert.deepEqual(await codes(1, { metadata: { 'x-do': 'throw' } }), [13, 'internal error']);
  assert.deepEqual(await codes(1, { metadata: { 'x-do': 'connect' } }), [3, 'größe 5% zu groß']);
  assert.deepEqual(await codes(1, { metadata: { 'x-do': 'own' } }), [9, 'not now']);
});

test('grpc-js: a full gateway says how long to wait', async t => {
  const { client } = await rig(t);
  const { code, details, metadata } = await call(client, Buffer.alloc(1), { metadata: { 'x-do': 'full' } });
  assert.deepEqual([code, details], [8, 'we are full']);
  const [status] = metadata.get('grpc-status-details-bin');
  assert.deepEqual(readRpcStatus(status as Buffer, 'protobuf'), {
    code: 8,
    message: 'we are full',
    retryAfterMs: 7000,
  });
});

test('a deadline ends the work for it, and is the status', async t => {
  const { client, aborted, port } = await rig(t);
  const { code } = await call(client, Buffer.alloc(1), {
    metadata: { 'x-do': 'wait' },
    options: { deadline: Date.now() + 100 },
  });
  assert.equal(code, 4);
  await aborted.promise;
  const late = await raw(port, [frame('x')], { 'grpc-timeout': '30m', 'x-do': 'wait' });
  assert.deepEqual([late['grpc-status'], late['grpc-message']], ['4', 'the deadline of the call is over']);
  const slow = raw(port, [frame('message').subarray(0, 8), ...Array.from({ length: 60 }, () => Buffer.alloc(0))], {
    'grpc-timeout': '40000u',
  });
  assert.equal((await slow)['grpc-status'], '4');
  for (const wrong of ['5', 'm', '123456789m', '-1m'])
    assert.equal((await raw(port, [frame('x')], { 'grpc-timeout': wrong }))['grpc-status'], '13', wrong);
  assert.equal((await raw(port, [frame('x')], { 'grpc-timeout': '99999999H' }))['grpc-status'], '0');
});

test('without credentials a call is UNAUTHENTICATED', async t => {
  const { client } = await rig(t, { endpoint: '127.0.0.1:0', auth: { bearer: { token: new Secret('t') } } });
  assert.equal((await call(client, Buffer.alloc(1))).code, 16);
  assert.equal((await call(client, Buffer.alloc(1), { metadata: { authorization: 'Bearer t' } })).code, 0);
});

test('a frame may be cut anywhere; nothing but one message is one', async t => {
  const { port, memory } = await rig(t);
  const whole = frame('message');
  for (let cut = 1; cut < whole.length; cut++) {
    const got = await raw(port, [whole.subarray(0, cut), whole.subarray(cut)]);
    assert.deepEqual([got['grpc-status'], got.body], ['0', whole.toString('latin1')], `cut at ${cut}`);
  }
  const bad: [string, readonly Buffer[], Record<string, string>, string][] = [
    ['nothing', [], {}, '13'],
    ['half a prefix', [whole.subarray(0, 3)], {}, '13'],
    ['half a message', [whole.subarray(0, 8)], {}, '13'],
    ['two messages', [whole, whole], {}, '13'],
    ['bytes behind', [whole, Buffer.from([1, 2, 3])], {}, '13'],
    ['unknown flags', [frame('x', 2)], {}, '13'],
    ['trailers of gRPC-Web', [whole, frame('a: b\r\n', 0x80)], {}, '13'],
    ['compressed, but not how', [frame(gzipSync('x'), 1)], {}, '13'],
    ['compressed with what nobody knows', [frame('x', 1)], { 'grpc-encoding': 'lzma' }, '12'],
    ['not what it says', [frame('no gzip', 1)], { 'grpc-encoding': 'gzip' }, '3'],
    ['a bomb', [frame(gzipSync(Buffer.alloc(2_000_000)), 1)], { 'grpc-encoding': 'gzip' }, '8'],
    ['longer than ever comes', [Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 1])], {}, '8'],
  ];
  for (const [what, pieces, headers, status] of bad) {
    const got = await raw(port, pieces, headers);
    assert.deepEqual([got[':status'], got['grpc-status']], [200, status], what);
    if (status === '12') assert.match(got['grpc-accept-encoding']!, /gzip.*zstd/);
  }
  assert.equal(memory.usage.heldBytes, 0);
});

test('every encoding is undone; one that is named and not used is not', async t => {
  const { port } = await rig(t);
  const text = 'message '.repeat(100);
  for (const [name, bytes] of [
    ['gzip', gzipSync(text)],
    ['zstd', zstdCompressSync(text)],
    ['deflate', deflateSync(text)],
    ['snappy', compress(Buffer.from(text))],
  ] as const) {
    assert.equal((await raw(port, [frame(bytes, 1)], { 'grpc-encoding': name })).body, frame(text).toString('latin1'));
    assert.equal((await raw(port, [frame(text)], { 'grpc-encoding': name })).body, frame(text).toString('latin1'));
  }
});

test('other content types of gRPC are 415, gRPC over HTTP/1.1 is 505, GET is 405', async t => {
  const { port } = await rig(t);
  const ask = async (type: string, method = 'POST') =>
    (await fetch(`http://127.0.0.1:${port}/s/Echo`, { method, headers: { 'content-type': type } })).status;
  assert.deepEqual(
    [await ask('application/grpc+json'), await ask('application/grpc'), await ask('application/grpc-web', 'PUT')],
    [415, 505, 405],
  );
  assert.equal((await raw(port, [], { 'content-type': 'application/grpc+json' }))[':status'], 415);
});

test('gRPC-Web, binary and text, over HTTP/1.1 and HTTP/2: the status is the last frame of the body', async t => {
  const { port } = await rig(t);
  const web = async (type: string, body: string | Buffer, headers: Record<string, string> = {}) => {
    const answer = await fetch(`http://127.0.0.1:${port}/s/Echo`, {
      method: 'POST',
      headers: { 'content-type': type, ...headers },
      body: Buffer.from(body),
    });
    assert.deepEqual([answer.status, answer.headers.get('content-type')], [200, type]);
    return answer.text();
  };
  const good = Buffer.concat([frame('message'), frame('grpc-status: 0\r\n', 0x80)]);
  const asked = frame('message');
  assert.equal(await web('application/grpc-web+proto', asked), good.toString());
  assert.equal(await web('application/grpc-web', Buffer.concat([asked, frame('x: y\r\n', 0x80)])), good.toString());
  assert.equal(await web('application/grpc-web-text', asked.toString('base64')), good.toString('base64'));
  // Each chunk padded for itself.
  const chunks = [asked.subarray(0, 4), asked.subarray(4)].map(chunk => chunk.toString('base64')).join('');
  assert.equal(await web('application/grpc-web-text+proto', chunks), good.toString('base64'));
  assert.match(
    await web('application/grpc-web', asked, { 'x-do': 'full' }),
    /^.{5}grpc-status: 8\r\ngrpc-message: we are full\r\n/s,
  );
  for (const wrong of ['AAA', 'A*==', 'A=AA'])
    assert.match(Buffer.from(await web('application/grpc-web-text', wrong), 'base64').toString(), /grpc-status: 13/);
  const second = await raw(port, [asked], { 'content-type': 'application/grpc-web+proto' });
  assert.deepEqual([second.body, second['grpc-status']], [good.toString('latin1'), undefined]);
});

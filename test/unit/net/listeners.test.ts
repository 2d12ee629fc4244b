import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type Listen, type Protocol, type Request, type Response, Secret } from '../../../src/api/index.ts';
import { Listeners } from '../../../src/net/listeners.ts';
import { SlabPool } from '../../../src/workers/slabs.ts';
import { freePort } from '../../kit/gateway.ts';

const LIMITS = { maxBytes: 100_000, maxInflatedBytes: 1_000_000 };
const far = () => AbortSignal.timeout(5000);

function rig(t: TestContext, options: { budgetBytes?: number; stallMs?: number } = {}) {
  const memory = new SlabPool({ budgetBytes: options.budgetBytes ?? 1 << 24, poison: true });
  const warnings: string[] = [];
  const instrument = { record() {} };
  const listeners = new Listeners({
    memory,
    log: { debug() {}, info() {}, error() {}, warn: phrase => warnings.push(phrase) },
    meter: { counter: () => instrument, gauge: () => instrument, histogram: () => instrument },
    ...(options.stallMs !== undefined && { stallMs: options.stallMs }),
  });
  t.after(() => listeners.close(far()));
  const url = (endpoint: string) => `http://127.0.0.1:${listeners.address(endpoint)!.port}`;
  return { memory, listeners, url, warnings };
}

const at: Listen = { endpoint: '127.0.0.1:0' };
const protocol = (name: string, handle: (request: Request) => Promise<Response>, path = '/x'): Protocol => ({
  name,
  routes: [{ path, method: 'POST', handle }],
});
const say = (text: string) => async () => ({ status: 200, body: text });
const echo = async (request: Request): Promise<Response> => {
  const body = await request.read(LIMITS);
  if (body.kind === 'problem') return { status: 400, body: body.reason };
  const plain = await body.decoded();
  return plain.kind === 'problem'
    ? { status: 400, body: plain.reason }
    : { status: 200, body: Buffer.from(plain.bytes) };
};
const post = async (url: string, init: RequestInit = {}) => {
  const answer = await fetch(url, { method: 'POST', ...init });
  return [answer.status, await answer.text()];
};

test('protocols share a port; it closes with the last of them', async t => {
  const { listeners, url } = rig(t);
  const [a, b] = [
    listeners.bind('a', at, protocol('a', say('a'), '/a')),
    listeners.bind('b', at, protocol('b', say('b'), '/b')),
  ];
  await a.start!();
  await b.start!();
  const base = url(at.endpoint);
  assert.deepEqual(
    [await post(`${base}/a`), await post(`${base}/b`)],
    [
      [200, 'a'],
      [200, 'b'],
    ],
  );
  await a.stop!(far());
  assert.equal((await post(`${base}/a`))[0], 404);
  await b.stop!(far());
  await assert.rejects(post(`${base}/b`));
});

test('a newer binding of the same owner serves, and the older one again when it leaves', async t => {
  const { listeners, url } = rig(t);
  const [old, next] = [
    listeners.bind('r', at, protocol('p', say('old'))),
    listeners.bind('r', at, protocol('p', say('new'))),
  ];
  await old.start!();
  const base = `${url(at.endpoint)}/x`;
  await next.start!();
  assert.deepEqual(await post(base), [200, 'new']);
  await next.stop!(far());
  assert.deepEqual(await post(base), [200, 'old']);
});

test('a port in use is an error that says what to do', async t => {
  const { listeners } = rig(t);
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.after(() => other.close());
  const taken = { endpoint: `127.0.0.1:${(other.address() as AddressInfo).port}` };
  await assert.rejects(
    listeners.bind('b', taken, protocol('b', say(''))).start!(),
    /cannot listen on .*another process listens there/,
  );
  assert.deepEqual(listeners.status(), []);
});

test('one address has one port, however it is spelled', async t => {
  const { listeners } = rig(t);
  for (const [n, endpoint] of ['localhost:0', '127.0.0.1:0', 'LOCALHOST:00'].entries())
    await listeners.bind(`${n}`, { endpoint }, protocol(`${n}`, say(''))).start!();
  assert.deepEqual(
    listeners.status().map(({ protocols }) => protocols),
    [['0', '1', '2']],
  );
});

test('a port moves to another address that covers it, and back when the newer binding leaves', async t => {
  const { listeners } = rig(t);
  const port = await freePort();
  // Each on a connection of its own: one that is kept stays with the binding that it found.
  const ask = async (path: string) =>
    (await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', headers: { connection: 'close' } })).text();
  const bind = (owner: string, host: string, text: string) =>
    listeners.bind(owner, { endpoint: `${host}:${port}` }, protocol('p', say(text)));
  const old = bind('r', '127.0.0.1', 'old');
  await old.start!();
  assert.equal(await ask('/x'), 'old');
  const next = bind('r', '0.0.0.0', 'next');
  await next.start!();
  assert.equal(await ask('/x'), 'next');
  assert.deepEqual(
    listeners.status().map(({ address }) => address),
    [`0.0.0.0:${port}`],
  );
  // The rest of the new configuration failed: what ran before goes on.
  await next.stop!(AbortSignal.abort());
  assert.equal(await ask('/x'), 'old');
  const again = bind('r', '0.0.0.0', 'again');
  await again.start!();
  await old.stop!(far());
  assert.equal(await ask('/x'), 'again');
  const third = bind('r', 'localhost', 'third');
  await third.start!();
  assert.equal(await ask('/x'), 'third');
  await again.stop!(far());
  assert.equal(await ask('/x'), 'third');
  await third.stop!(far());
  assert.deepEqual(listeners.status(), []);
  await assert.rejects(ask('/x'));
});

test('a kept connection goes on with whoever has the address after its port is gone', async t => {
  const { listeners } = rig(t);
  const port = await freePort();
  const bind = (host: string, text: string) =>
    listeners.bind('r', { endpoint: `${host}:${port}` }, protocol('p', say(text)));
  const [first, second] = [bind('127.0.0.1', 'first'), bind('0.0.0.0', 'second')];
  await first.start!();
  const socket = connect(port, '127.0.0.1').setEncoding('latin1');
  t.after(() => socket.destroy());
  const ask = async () => {
    socket.write('POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n');
    const [answer] = await once(socket, 'data');
    return String(answer).split('\r\n\r\n')[1];
  };
  assert.equal(await ask(), 'first');
  await second.start!();
  await first.stop!(far());
  assert.equal(await ask(), 'second');
  const third = bind('127.0.0.1', 'third');
  await third.start!();
  await third.stop!(AbortSignal.abort());
  assert.equal(await ask(), 'second');
  await second.stop!(far());
  await once(socket, 'close');
});

test('of three that follow one another the first listens again when the others are gone', async t => {
  const { listeners } = rig(t);
  const port = await freePort();
  const ask = async () =>
    (await fetch(`http://127.0.0.1:${port}/x`, { method: 'POST', headers: { connection: 'close' } })).text();
  const bindings = ['127.0.0.1', '0.0.0.0', '127.0.0.1'].map((host, n) =>
    listeners.bind(
      'r',
      { endpoint: `${host}:${port}`, ...(n === 2 && { auth: undefined }) },
      protocol('p', say(`${n}`)),
    ),
  );
  for (const binding of bindings.slice(0, 2)) await binding.start!();
  await bindings[2]!.start!();
  assert.equal(await ask(), '2');
  await bindings[1]!.stop!(far());
  assert.equal(await ask(), '2');
  await bindings[2]!.stop!(far());
  assert.equal(await ask(), '0');
});

test('what has to yield listens again when the new address cannot be had either', async t => {
  const { listeners } = rig(t);
  const port = await freePort();
  const other = createServer().listen(port, '127.0.0.2');
  await once(other, 'listening');
  t.after(() => other.close());
  await listeners.bind('r', { endpoint: `127.0.0.1:${port}` }, protocol('p', say('old'))).start!();
  await assert.rejects(
    listeners.bind('r', { endpoint: `0.0.0.0:${port}` }, protocol('p', say('new'))).start!(),
    /another process listens there/,
  );
  assert.deepEqual(await post(`http://127.0.0.1:${port}/x`), [200, 'old']);
});

test('stopping waits for requests in flight', async t => {
  const { listeners, url } = rig(t);
  const gate = Promise.withResolvers<void>();
  const entered = Promise.withResolvers<void>();
  const slow = listeners.bind(
    'a',
    at,
    protocol('a', async () => {
      entered.resolve();
      await gate.promise;
      return { status: 200, body: 'late' };
    }),
  );
  await slow.start!();
  const answer = post(`${url(at.endpoint)}/x`);
  await entered.promise;
  const stopped = slow.stop!(far());
  gate.resolve();
  assert.deepEqual(await answer, [200, 'late']);
  await stopped;
});

test('bodies arrive whole, encodings are undone, and every slab goes back', async t => {
  const { listeners, url, memory } = rig(t);
  await listeners.bind('a', at, protocol('a', echo)).start!();
  const base = `${url(at.endpoint)}/x`;
  const { gzipSync, zstdCompressSync } = await import('node:zlib');
  assert.deepEqual(await post(base, { body: 'plain' }), [200, 'plain']);
  assert.deepEqual(await post(base, { body: gzipSync('zipped'), headers: { 'content-encoding': 'gzip' } }), [
    200,
    'zipped',
  ]);
  assert.deepEqual(await post(base, { body: zstdCompressSync('zstd'), headers: { 'content-encoding': 'zstd' } }), [
    200,
    'zstd',
  ]);
  assert.deepEqual(await post(base, { body: 'x', headers: { 'content-encoding': 'gzip' } }), [400, 'bad_compression']);
  assert.deepEqual(await post(base, { body: 'x', headers: { 'content-encoding': 'br' } }), [
    400,
    'unsupported_encoding',
  ]);
  assert.deepEqual(await post(base, { body: 'x'.repeat(100_001) }), [400, 'body_too_large']);
  assert.deepEqual(
    await post(base, { body: gzipSync(Buffer.alloc(4_000_000)), headers: { 'content-encoding': 'gzip' } }),
    [400, 'decompressed_too_large'],
  );
  assert.equal(memory.usage.heldBytes, 0);
});

test('without memory a request is refused before its body is read', async t => {
  const { listeners, url } = rig(t, { budgetBytes: 4096 });
  await listeners.bind('a', at, protocol('a', echo)).start!();
  assert.deepEqual(await post(`${url(at.endpoint)}/x`, { body: 'x'.repeat(10_000) }), [400, 'memory_limit']);
});

for (const [status, what] of [
  [408, 'its connection is closed with the answer'],
  [400, 'its connection is closed when nothing more comes'],
] as const)
  test(`a body that stalls is given up, the sender hears why, and ${what}`, async t => {
    const { listeners } = rig(t, { stallMs: 10 });
    const handle = protocol('a', async request => {
      const body = await request.read({ maxBytes: 1000, maxInflatedBytes: 1000 });
      return { status, body: body.kind === 'problem' ? body.reason : 'body' };
    });
    await listeners.bind('a', at, handle).start!();
    const answer = await new Promise<string>((resolve, reject) => {
      let text = '';
      const socket = connect(listeners.address(at.endpoint)!.port, '127.0.0.1');
      socket.write('POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf');
      socket.on('data', chunk => {
        text += chunk;
      });
      socket.on('error', reject);
      socket.on('close', () => resolve(text));
    });
    assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} [^]*body_timeout$`));
  });

test('basic and bearer credentials are asked for and checked', async t => {
  const { listeners, url, warnings } = rig(t);
  const basic: Listen = { endpoint: '127.0.0.1:0', auth: { basic: { username: 'u', password: new Secret('p') } } };
  await listeners.bind('a', basic, protocol('a', say('in'))).start!();
  const base = `${url(basic.endpoint)}/x`;
  const as = (authorization: string) => post(base, { headers: { authorization } }).then(([status]) => status);
  const good = `Basic ${Buffer.from('u:p').toString('base64')}`;
  assert.deepEqual(
    [
      await as(good),
      await as(good.toLowerCase().slice(0, 5) + good.slice(5)),
      await as('Basic eDp5'),
      await as('Bearer p'),
    ],
    [200, 200, 401, 401],
  );
  assert.equal((await post(base))[0], 401);
  assert.deepEqual(warnings, []);
});

test('a handler that throws is a 500 for its sender and for nobody else', async t => {
  const { listeners, url } = rig(t);
  await listeners.bind(
    'a',
    at,
    protocol('a', async () => {
      throw new Error('bug');
    }),
  ).start!();
  assert.deepEqual(await post(`${url(at.endpoint)}/x`), [500, '{"code":"internal","message":"internal error"}']);
});

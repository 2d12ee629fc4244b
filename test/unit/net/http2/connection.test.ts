// HTTP/2 over real sockets: told apart from HTTP/1.1, and the same requests, bodies, limits and ends.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2, constants } from 'node:http2';
import { type AddressInfo, connect, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import type { Listen, Request, Response } from '../../../../src/api/index.ts';
import { MAX_CONCURRENT_STREAMS } from '../../../../src/net/http2/limits.ts';
import { Listeners } from '../../../../src/net/listeners.ts';
import { SlabPool } from '../../../../src/workers/slabs.ts';
import { freePort } from '../../../kit/gateway.ts';

const MIB = 1024 * 1024;
const LIMITS = { maxBytes: 20 * MIB, maxInflatedBytes: 20 * MIB };
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

/** Says back what arrived; a query `later` waits for `open` first, `gone` for the sender to leave. */
async function rig(t: TestContext, options: { stallMs?: number; budgetBytes?: number } = {}) {
  const memory = new SlabPool({ budgetBytes: options.budgetBytes ?? 1 << 26, poison: true });
  const codes: string[] = [];
  const bugs: unknown[] = [];
  const open = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const problems: string[] = [];
  const instrument = {
    record: (_: number, labels?: Record<string, string>) => void (labels?.code && codes.push(labels.code)),
  };
  const listeners = new Listeners({
    memory,
    log: { debug() {}, info() {}, error: (_phrase, fields) => void bugs.push(fields), warn() {} },
    meter: { counter: () => instrument, gauge: () => instrument, histogram: () => instrument },
    ...(options.stallMs !== undefined && { stallMs: options.stallMs }),
  });
  const handle = async (request: Request): Promise<Response> => {
    asked.resolve();
    if (request.query === 'gone') {
      await new Promise<void>(resolve => request.abort.addEventListener('abort', () => resolve()));
      open.resolve();
      return { status: 200 };
    }
    if (request.query === 'later') await open.promise;
    if (request.query === 'empty') return { status: 204 };
    if (request.query === 'broken') return { status: 200, headers: { 'x-a': 'a\r\nb: c' } };
    if (request.query === 'unread') return { status: 413, body: 'no' };
    if (request.query === 'host') return { status: 200, body: String(request.headers.host) };
    const body = await request.read(LIMITS);
    if (body.kind === 'problem') {
      problems.push(body.reason);
      return { status: 400, body: body.reason };
    }
    const plain = await body.decoded();
    return plain.kind === 'problem'
      ? { status: 400, body: plain.reason }
      : { status: 200, headers: { 'x-path': request.path }, body: Buffer.from(plain.bytes) };
  };
  const at: Listen = { endpoint: '127.0.0.1:0' };
  const routes = (['GET', 'POST'] as const).map(method => ({ path: '*/x', method, handle }));
  await listeners.bind('a', at, { name: 'a', routes }).start!();
  t.after(() => listeners.close(AbortSignal.timeout(5000)));
  const { port } = listeners.address(at.endpoint)!;
  const session = () => {
    const client = connectHttp2(`http://127.0.0.1:${port}`, { maxSessionMemory: 100 });
    client.on('error', () => {});
    t.after(() => client.destroy());
    return client;
  };
  return { port, memory, codes, bugs, problems, open, asked, listeners, session };
}

interface Heard {
  status: number | undefined;
  text: string;
  headers: Record<string, unknown>;
}

function answerOf(stream: ClientHttp2Stream): Promise<Heard> {
  return new Promise((resolve, reject) => {
    let headers: Record<string, unknown> = {};
    const parts: Buffer[] = [];
    stream.on('response', got => {
      headers = got;
    });
    stream.on('data', part => parts.push(part));
    stream.on('error', reject);
    stream.on('close', () =>
      resolve({ status: headers[':status'] as number, text: Buffer.concat(parts).toString('latin1'), headers }),
    );
  });
}

function ask(
  client: ClientHttp2Session,
  path: string,
  body?: Buffer | string,
  headers: Record<string, string> = {},
): Promise<Heard> {
  const method = body === undefined ? 'GET' : 'POST';
  const stream = client.request({ ':path': path, ':method': method, ...headers }, { endStream: body === undefined });
  const answer = answerOf(stream);
  if (body !== undefined) stream.end(body);
  return answer;
}

/** Writes these pieces one after another; resolves with all that came when the other side closed. */
function talk(port: number, pieces: readonly (string | Buffer)[], end = false): Promise<Buffer> {
  return new Promise(resolve => {
    const parts: Buffer[] = [];
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true }, async () => {
      for (const piece of pieces) {
        await new Promise(written => socket.write(piece, written));
        await new Promise(resolve => setTimeout(resolve, 3));
      }
      if (end) socket.end();
    });
    socket.on('data', part => parts.push(part));
    socket.on('error', () => resolve(Buffer.concat(parts)));
    socket.on('end', () => {
      socket.end();
      resolve(Buffer.concat(parts));
    });
  });
}

test('one port speaks both; a route does not know which', async t => {
  const { port, session, memory } = await rig(t);
  const client = session();
  const second = await ask(client, '/a/x?q', 'body');
  assert.deepEqual([second.status, second.text, second.headers['x-path']], [200, 'body', '/a/x']);
  const first = await fetch(`http://127.0.0.1:${port}/a/x?q`, { method: 'POST', body: 'body' });
  assert.deepEqual([first.status, await first.text(), first.headers.get('x-path')], [200, 'body', '/a/x']);
  assert.equal((await ask(client, '/x?host')).text, `127.0.0.1:${port}`);
  assert.equal((await ask(client, '/nowhere', '')).status, 404);
  assert.equal((await answerOf(client.request({ ':path': '*', ':method': 'OPTIONS' }))).status, 400);
  assert.equal((await ask(client, '/x?empty')).status, 204);
  assert.equal((await ask(client, '/x', '')).text, '');
  const head = await answerOf(client.request({ ':path': '/x?host', ':method': 'HEAD' }));
  assert.deepEqual([head.status, head.text], [200, '']);
  assert.equal(memory.usage.heldBytes, 0);
});

test('the preface may come in any pieces, with or without what follows', async t => {
  const { port } = await rig(t);
  const goaway = Buffer.from([0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  const all = Buffer.concat([Buffer.from(PREFACE), SETTINGS, goaway]);
  for (const cuts of [[1], [3], [17], [18], [19], [23], [24], [25], [33], [1, 2, 3, 4, 18, 20, 24, 30], []]) {
    const pieces = [0, ...cuts].map((cut, n) => all.subarray(cut, cuts[n] ?? all.length));
    const heard = await talk(port, pieces);
    assert.equal(heard[3], 4, `cut at ${cuts}: the first frame is SETTINGS`);
  }
});

test('what only begins like a preface, or goes on otherwise, ends the connection with an error', async t => {
  const { port } = await rig(t);
  const garbage = await talk(port, ['PRI * HTTP/2.0\r\n\r\n', 'no frames at all, sorry']);
  // SETTINGS, perhaps, then GOAWAY; no answer of HTTP/1.1.
  assert.doesNotMatch(garbage.toString('latin1'), /HTTP\/1\.1 /);
  const frame = await talk(port, [PREFACE, SETTINGS, Buffer.from([0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1, 1, 2, 3])]);
  assert.ok(frame.length > 0);
  assert.match((await talk(port, ['PRI * HTTP/2.1\r\n\r\n'])).toString('latin1'), /^HTTP\/1\.1 505/);
  assert.match((await talk(port, ['PRI '], true)).toString('latin1'), /^$/);
  const late = 'GET /x?empty HTTP/1.1\r\nHost: x\r\n\r\nPRI * HTTP/2.0\r\n\r\n';
  assert.match((await talk(port, [late])).toString('latin1'), /^HTTP\/1\.1 204[\s\S]*HTTP\/1\.1 505/);
});

test('a frame that stops half-way holds nothing up, and ends with the connection', async t => {
  const { port, session, listeners } = await rig(t);
  const half = connect({ port, host: '127.0.0.1' }, () =>
    half.write(Buffer.concat([Buffer.from(PREFACE), SETTINGS, Buffer.from([0, 0, 9])])),
  );
  t.after(() => half.destroy());
  half.on('error', () => {});
  await once(half, 'data');
  assert.equal((await ask(session(), '/x', 'alive')).text, 'alive');
  await listeners.close(AbortSignal.timeout(2000));
  if (!half.closed) await once(half, 'close');
});

test('bodies of any size come whole, in slabs that go back', async t => {
  const { session, memory } = await rig(t);
  const client = session();
  const large = Buffer.alloc(9 * MIB, 'profile ');
  for (const headers of [{}, { 'content-length': String(large.length) }])
    assert.ok((await ask(client, '/x', large, headers)).text === large.toString());
  const many = await Promise.all(
    Array.from({ length: 60 }, (_none, n) => ask(client, '/x', Buffer.alloc(100_000 + n, 'p'))),
  );
  assert.deepEqual(
    many.map(({ text }) => text.length),
    Array.from({ length: 60 }, (_none, n) => 100_000 + n),
  );
  const packed = await ask(client, '/x', gzipSync('inflated'), { 'content-encoding': 'gzip' });
  assert.equal(packed.text, 'inflated');
  assert.equal(memory.usage.heldBytes, 0);
});

test('a body over the limit is refused by its length or when it gets there, and the connection goes on', async t => {
  const { session, memory, problems } = await rig(t);
  const client = session();
  const over = Buffer.alloc(LIMITS.maxBytes + 1);
  for (const headers of [{}, { 'content-length': String(over.length) }]) {
    const { status, text } = await ask(client, '/x', over, headers);
    assert.deepEqual([status, text], [400, 'body_too_large']);
  }
  assert.deepEqual((await ask(client, '/x?unread', over)).status, 413);
  assert.deepEqual(problems, ['body_too_large', 'body_too_large']);
  assert.equal((await ask(client, '/x', 'on')).text, 'on');
  assert.equal(memory.usage.heldBytes, 0);
});

test('without room for a body the sender hears it, and nothing is kept', async t => {
  const { session, memory } = await rig(t, { budgetBytes: 2 * MIB });
  assert.equal((await ask(session(), '/x', Buffer.alloc(4 * MIB))).text, 'memory_limit');
  assert.equal(memory.usage.heldBytes, 0);
});

test('100-continue is sent when the body is wanted', async t => {
  const { session } = await rig(t);
  const stream = session().request({ ':path': '/x', ':method': 'POST', expect: '100-continue' });
  const answer = answerOf(stream);
  await once(stream, 'continue');
  stream.end('now');
  assert.equal((await answer).text, 'now');
});

test('a sender that takes its request back, or leaves, is told to who works for it; its slab goes back', async t => {
  const { session, open, asked, memory, problems } = await rig(t);
  const client = session();
  const stream = client.request({ ':path': '/x?gone', ':method': 'GET' });
  stream.on('error', () => {});
  await asked.promise;
  stream.close(constants.NGHTTP2_CANCEL);
  await open.promise;
  const cut = client.request({ ':path': '/x', ':method': 'POST' });
  cut.on('error', () => {});
  cut.write(Buffer.alloc(100_000));
  await until(() => memory.usage.heldBytes > 0);
  client.destroy();
  await until(() => memory.usage.heldBytes === 0);
  assert.deepEqual(problems, ['body_aborted']);
});

test('a body that stops coming is given up', async t => {
  const { session, memory } = await rig(t, { stallMs: 500 });
  const stream = session().request({ ':path': '/x', ':method': 'POST' });
  const answer = answerOf(stream);
  stream.write('half');
  assert.equal((await answer).text, 'body_timeout');
  assert.equal(memory.usage.heldBytes, 0);
});

test('who does not read its answer is cut off', async t => {
  const { port } = await rig(t, { stallMs: 500 });
  const client = connectHttp2(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: 0 } });
  t.after(() => client.destroy());
  const stream = client.request({ ':path': '/x', ':method': 'POST' });
  const answer = answerOf(stream);
  stream.end('body');
  assert.deepEqual([(await answer).text, stream.rstCode], ['', constants.NGHTTP2_CANCEL]);
});

test('an answer that cannot be written is a bug that is counted, and a 500', async t => {
  const { session, bugs } = await rig(t);
  assert.equal((await ask(session(), '/x?broken')).status, 500);
  assert.equal(bugs.length, 1);
});

test('at the end a connection is told, what it asked is answered, and new ones are refused', async t => {
  const { session, open, asked, listeners, port } = await rig(t);
  const client = session();
  const goaway = once(client, 'goaway');
  const late = ask(client, '/x?later');
  await asked.promise;
  const closed = listeners.close(AbortSignal.timeout(5000));
  const [code] = await goaway;
  assert.equal(code, constants.NGHTTP2_NO_ERROR);
  open.resolve();
  assert.equal((await late).status, 200);
  await closed;
  if (!client.closed) await once(client, 'close');
  await assert.rejects(fetch(`http://127.0.0.1:${port}/x`));
});

test('a connection moves to the port that takes over', async t => {
  const { listeners } = await rig(t);
  const port = await freePort();
  const say = (text: string) => ({
    name: 'p',
    routes: [{ path: '/x', method: 'GET' as const, handle: async () => ({ status: 200, body: text }) }],
  });
  const old = listeners.bind('r', { endpoint: `127.0.0.1:${port}` }, say('old'));
  await old.start!();
  const client = connectHttp2(`http://127.0.0.1:${port}`);
  t.after(() => client.destroy());
  assert.equal((await ask(client, '/x')).text, 'old');
  const next = listeners.bind('r', { endpoint: `0.0.0.0:${port}` }, say('next'));
  await next.start!();
  await old.stop!(AbortSignal.timeout(2000));
  assert.equal((await ask(client, '/x')).text, 'next');
});

test('limits: requests under way, header fields, and requests taken back in a row', async t => {
  const { session, codes } = await rig(t);
  const client = session();
  await once(client, 'remoteSettings');
  assert.equal(client.remoteSettings.maxConcurrentStreams, MAX_CONCURRENT_STREAMS);
  await assert.rejects(ask(client, '/x', '', { 'x-long': 'a'.repeat(40_000) }));
  await assert.rejects(
    ask(client, '/x', '', Object.fromEntries(Array.from({ length: 200 }, (_none, n) => [`x-${n}`, 'a']))),
  );
  assert.equal((await ask(client, '/x', 'on')).text, 'on');
  const before = codes.length;
  const flood = session();
  await once(flood, 'remoteSettings');
  let ended = false;
  flood.on('close', () => {
    ended = true;
  });
  for (let n = 0; n < 40 && !ended; n++) {
    for (let i = 0; i < 100; i++) {
      const stream = flood.request({ ':path': '/x', ':method': 'POST' });
      stream.on('error', () => {});
      stream.close(constants.NGHTTP2_CANCEL);
    }
    await new Promise(resolve => setTimeout(resolve, 5));
  }
  await until(() => ended);
  assert.ok(codes.length - before < 2000, `${codes.length - before} requests were begun`);
});

test('floods of pings and settings end the connection that sends them', async t => {
  const { port, session } = await rig(t);
  const opening = Buffer.concat([Buffer.from(PREFACE), SETTINGS]);
  const ping = Buffer.from([0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
  for (const flood of [ping, SETTINGS]) {
    const many = Buffer.concat(Array.from({ length: 5000 }, () => flood));
    await talk(port, [opening, ...Array.from({ length: 20 }, () => many)]);
  }
  assert.equal((await ask(session(), '/x', 'on')).text, 'on');
});

test('any bytes behind the preface, and requests that were tampered with, leave the port working and hold no memory', async t => {
  const { port, session, memory, bugs } = await rig(t);
  const recorded = await recordedRequest(port);
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.uint8Array({ maxLength: 300 }).map(bytes => Buffer.concat([Buffer.from(PREFACE), bytes])),
        fc
          .array(fc.record({ at: fc.nat(recorded.length - 1), byte: fc.nat(255) }), { minLength: 1, maxLength: 4 })
          .map(changes => {
            const bytes = Buffer.from(recorded);
            for (const { at, byte } of changes) bytes[at] = byte;
            return bytes;
          }),
        fc.nat(recorded.length).map(end => recorded.subarray(0, end)),
      ),
      async bytes => void (await talk(port, [bytes], true)),
    ),
    { numRuns: 150 },
  );
  assert.equal((await ask(session(), '/x', 'on')).text, 'on');
  await until(() => memory.usage.heldBytes === 0);
  assert.deepEqual(bugs, []);
});

/** What node:http2 sends for one POST. */
async function recordedRequest(port: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  const relay = createServer(near => {
    const far = connect(port, '127.0.0.1');
    near.on('data', bytes => {
      parts.push(bytes);
      far.write(bytes);
    });
    far.pipe(near);
    near.on('close', () => far.destroy());
  }).listen(0, '127.0.0.1');
  await once(relay, 'listening');
  const client = connectHttp2(`http://127.0.0.1:${(relay.address() as AddressInfo).port}`);
  assert.equal((await ask(client, '/x?a', 'a body of some length', { 'x-more': 'header' })).status, 200);
  client.destroy();
  relay.close();
  return Buffer.concat(parts);
}

async function until(done: () => boolean): Promise<void> {
  for (let n = 0; n < 1000 && !done(); n++) await new Promise(resolve => setTimeout(resolve, 5));
  assert.ok(done());
}

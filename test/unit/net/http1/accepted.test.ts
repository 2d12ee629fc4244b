// The acceptor over real sockets: what a connection carries, in what order, and how it ends.
import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import type { Listen, Request, Response } from '../../../../src/api/index.ts';
import { Listeners } from '../../../../src/net/listeners.ts';
import { SlabPool } from '../../../../src/workers/slabs.ts';

const LIMITS = { maxBytes: 1_000_000, maxInflatedBytes: 1_000_000 };
const HOST = 'Host: x\r\n';

/** Says back what arrived; a query `later` waits for `open` first, `unread` leaves the body alone. */
async function rig(t: TestContext, stallMs?: number) {
  const memory = new SlabPool({ budgetBytes: 1 << 26, poison: true });
  const codes: string[] = [];
  const open = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const instrument = {
    record: (_: number, labels?: Record<string, string>) => void (labels?.code && codes.push(labels.code)),
  };
  const bugs: unknown[] = [];
  const listeners = new Listeners({
    memory,
    log: { debug() {}, info() {}, error: (_phrase, fields) => void bugs.push(fields), warn() {} },
    meter: { counter: () => instrument, gauge: () => instrument, histogram: () => instrument },
    ...(stallMs !== undefined && { stallMs }),
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
    const body = await request.read(LIMITS);
    return { status: 200, body: body.kind === 'problem' ? body.reason : `${request.query}:${body.bytes}` };
  };
  const at: Listen = { endpoint: '127.0.0.1:0' };
  const routes = (['GET', 'POST'] as const).map(method => ({ path: '/x', method, handle }));
  await listeners.bind('a', at, { name: 'a', routes }).start!();
  t.after(() => listeners.close(AbortSignal.timeout(5000)));
  const { port } = listeners.address(at.endpoint)!;
  return { port, memory, codes, bugs, open, asked, listeners };
}

/** Writes these pieces one after another, each when the one before was taken; resolves with all that came when the other side closed. */
function talk(port: number, pieces: readonly (string | Buffer)[], end = true): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket: Socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true }, async () => {
      for (const piece of pieces) {
        await new Promise(written => socket.write(piece, written));
        await new Promise(resolve => setImmediate(resolve));
      }
      if (end) socket.end();
    });
    socket.setEncoding('latin1').on('data', text => {
      answer += text;
    });
    socket.on('end', () => {
      socket.end();
      resolve(answer);
    });
    socket.on('error', reject);
  });
}

const statuses = (answer: string) => [...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
const bodies = (answer: string) =>
  answer
    .split(/(?=HTTP\/1\.1 \d{3} )/)
    .filter(part => !part.startsWith('HTTP/1.1 100'))
    .map(part => part.slice(part.indexOf('\r\n\r\n') + 4));
const sized = (query: string, body: string) =>
  `POST /x?${query} HTTP/1.1\r\n${HOST}Content-Length: ${body.length}\r\n\r\n${body}`;
const chunkedBody = (query: string, ...chunks: string[]) =>
  `POST /x?${query} HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n${chunks
    .map(chunk => `${chunk.length.toString(16)}\r\n${chunk}\r\n`)
    .join('')}0\r\n\r\n`;

test('requests in one connection are answered in order, however the bytes are cut', async t => {
  const { port, memory } = await rig(t);
  const text = `${sized('a', 'one')}\r\n${chunkedBody('b', 'tw', 'o')}GET /x?c HTTP/1.1\r\n${HOST}\r\n${sized('d', '')}${sized('e', 'x'.repeat(70_000))}`;
  const expected = ['a:one', 'b:two', 'c:', 'd:', `e:${'x'.repeat(70_000)}`];
  assert.deepEqual(bodies(await talk(port, [text])), expected);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(text.length), { maxLength: 12 }), async cuts => {
      const bounds = [0, ...cuts.sort((a, b) => a - b), text.length];
      const pieces = bounds.slice(1).map((end, n) => text.slice(bounds[n], end));
      assert.deepEqual(bodies(await talk(port, pieces)), expected);
    }),
    { numRuns: 60 },
  );
  assert.equal(memory.usage.heldBytes, 0);
});

test('requests that come while one is answered wait, also many of them', async t => {
  const { port, open, asked } = await rig(t);
  const more = 'y'.repeat(60_000);
  const talking = talk(port, [sized('later', 'x'), ...[1, 2, 3, 4].map(n => sized(String(n), more))]);
  await asked.promise;
  setImmediate(() => open.resolve());
  assert.deepEqual(bodies(await talking), ['later:x', ...[1, 2, 3, 4].map(n => `${n}:${more}`)]);
});

test('a sender that closes its side after a whole request still gets the answer', async t => {
  const { port, open, asked } = await rig(t);
  const talking = talk(port, [sized('later', 'x')]);
  await asked.promise;
  setImmediate(() => open.resolve());
  const answer = await talking;
  assert.deepEqual([statuses(answer), bodies(answer)], [[200], ['later:x']]);
});

test('half a body is a problem of its own request', async t => {
  const { port } = await rig(t);
  assert.deepEqual(bodies(await talk(port, [`POST /x HTTP/1.1\r\n${HOST}Content-Length: 10\r\n\r\nhalf`])), [
    'body_aborted',
  ]);
});

test('100 Continue comes when the body is asked for, and not when it is refused', async t => {
  const { port } = await rig(t);
  const head = (query: string) =>
    `POST /x?${query} HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n`;
  const taken = await talk(port, [head('a'), 'ok']);
  assert.deepEqual([statuses(taken), bodies(taken)], [[100, 200], ['a:ok']]);
  const refused = await talk(port, [head('unread')], false);
  assert.deepEqual(statuses(refused), [413]);
  assert.match(refused, /connection: close/);
});

test('an answer before the body: the rest is thrown away and the next request served', async t => {
  const { port } = await rig(t);
  const answer = await talk(port, [sized('unread', 'x'.repeat(300_000)), sized('b', 'y')]);
  assert.deepEqual(
    [statuses(answer), bodies(answer)],
    [
      [413, 200],
      ['no', 'b:y'],
    ],
  );
});

test('HEAD has the length of GET and no body; 204 has neither', async t => {
  const { port } = await rig(t);
  const head = await talk(port, [`HEAD /x?abc HTTP/1.1\r\n${HOST}\r\n`]);
  assert.match(head, /content-length: 4\r\n\r\n$/);
  const none = await talk(port, [`GET /x?empty HTTP/1.1\r\n${HOST}\r\n`]);
  assert.match(none, /^HTTP\/1\.1 204 /);
  assert.doesNotMatch(none, /content-length/);
});

test('HTTP/1.0 and Connection: close end the connection', async t => {
  const { port } = await rig(t);
  assert.match(await talk(port, ['GET /x?a HTTP/1.0\r\n\r\n'], false), /connection: close\r\n.*a:$/s);
  assert.match(await talk(port, [`GET /x?a HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`], false), /a:$/);
});

test('a head that cannot be taken is answered, counted, and ends the connection only', async t => {
  const { port, codes } = await rig(t);
  const bad: [number, string][] = [
    [400, 'nonsense\r\n\r\n'],
    [400, `POST /x HTTP/1.1\r\n${HOST}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    [400, `POST /x HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\nzz\r\n`],
    [431, `GET /x HTTP/1.1\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`],
    [505, 'GET /x HTTP/2.0\r\n\r\n'],
  ];
  for (const [status, text] of bad) {
    const answer = await talk(port, [text], false);
    assert.deepEqual(statuses(answer), [status], text.slice(0, 40));
    assert.ok(codes.includes(String(status)));
  }
  assert.deepEqual(statuses(await talk(port, [`GET /x HTTP/1.1\r\n${HOST}\r\n`])), [200]);
});

test('a handler hears that its sender is gone', async t => {
  const { port, open, asked } = await rig(t);
  const socket = connect(port, '127.0.0.1');
  socket.write(`GET /x?gone HTTP/1.1\r\n${HOST}\r\n`);
  await asked.promise;
  socket.resetAndDestroy();
  await open.promise;
});

/** Writes the next piece whenever the one before was taken, until the other side closes; resolves with what came back. */
function without(port: number, first: string, piece: string, { reads = true, everyMs = 0 } = {}): Promise<string> {
  return new Promise(resolve => {
    let answer = '';
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => {
      socket.write(first);
      const more = () => void (socket.writable && socket.write(piece, () => setTimeout(more, everyMs)));
      more();
    });
    if (reads)
      socket.on('data', chunk => {
        answer += chunk.toString('latin1');
      });
    // The other side closes while we write: that is what this is about.
    socket.on('error', () => {});
    socket.on('close', () => resolve(answer));
  });
}

test('who sends a body byte by byte without end is given up', async t => {
  const { port, memory } = await rig(t, 500);
  const head = `POST /x HTTP/1.1\r\n${HOST}Content-Length: 900000\r\n\r\n`;
  const answer = await without(port, head, 'a', { everyMs: 20 });
  assert.ok(answer.endsWith('body_timeout'), answer.slice(0, 200));
  assert.equal(memory.usage.heldBytes, 0);
});

test('who goes on after its head was refused is cut off', async t => {
  const { port } = await rig(t, 500);
  await without(port, `GET /x HTTP/1.1\r\n${HOST}`, `X-Long: ${'a'.repeat(10_000)}\r\n`);
});

test('who asks on without reading what it is told is not answered without end, and cut off', async t => {
  const { port, codes } = await rig(t, 500);
  const asks = `GET /x?${'a'.repeat(4000)} HTTP/1.1\r\n${HOST}\r\n`.repeat(50);
  await without(port, asks, asks, { reads: false });
  // What fits into the buffers of two sockets, each answer 4 KB.
  assert.ok(codes.length < 10_000, `${codes.length} answers`);
});

test('a response that cannot be written is a 500 and a bug', async t => {
  const { port, bugs } = await rig(t);
  assert.deepEqual(statuses(await talk(port, [`GET /x?broken HTTP/1.1\r\n${HOST}\r\n`])), [500]);
  assert.equal(bugs.length, 1);
});

test('node:http as a client: kept connections, large bodies', async t => {
  const { port } = await rig(t);
  for (const size of [0, 1, 65_536, 900_000]) {
    const body = 'z'.repeat(size);
    const got = await new Promise<string>((resolve, reject) => {
      const request = httpRequest({ port, host: '127.0.0.1', path: '/x?n', method: 'POST' }, response => {
        let text = '';
        response.setEncoding('latin1').on('data', piece => {
          text += piece;
        });
        response.on('end', () => resolve(text));
      });
      request.on('error', reject);
      request.end(body);
    });
    assert.equal(got, `n:${body}`);
  }
});

test('any bytes leave the port working and hold no memory', async t => {
  const { port, memory, bugs } = await rig(t, 200);
  const piece = fc.oneof(
    fc.constantFrom(
      `POST /x HTTP/1.1\r\n`,
      HOST,
      'Content-Length: 5\r\n',
      'Transfer-Encoding: chunked\r\n',
      '\r\n',
      '5\r\n',
      'hello',
      '0\r\n\r\n',
    ),
    fc.string({ unit: 'binary', maxLength: 8 }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 14 }), async pieces => {
      const answer = await talk(port, [Buffer.from(pieces.join(''), 'latin1')]);
      for (const status of statuses(answer))
        assert.ok([200, 400, 404, 405, 408, 417, 431, 501, 505].includes(status), answer);
    }),
    { numRuns: 300 },
  );
  assert.deepEqual(statuses(await talk(port, [`GET /x HTTP/1.1\r\n${HOST}\r\n`])), [200]);
  assert.equal(memory.usage.heldBytes, 0);
  assert.deepEqual(bugs, []);
});

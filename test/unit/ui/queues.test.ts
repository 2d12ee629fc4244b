import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Request, Secret } from '../../../src/api/index.ts';
import { type QueueOperations, QueueProblem } from '../../../src/pipeline/outbox/operations.ts';
import { queueRoutes } from '../../../src/ui/queues.ts';

const asked: unknown[][] = [];
const operations = (file: string): QueueOperations => ({
  file,
  tally: async () => [],
  entries: async (...args) => {
    asked.push(args);
    return { entries: [], next: 7 };
  },
  payload: async entry => {
    if (entry === 3) throw new QueueProblem('damaged', 'payload 3 is damaged');
    return entry === 1 ? Buffer.from('bytes') : undefined;
  },
  replay: async (_selection, to) => {
    throw new QueueProblem('no_such_queue', `no ${to}`);
  },
  purge: async (...args) => {
    asked.push(args);
    return { purged: 1, bytes: 2, left: 0 };
  },
  verify: async () => {
    throw new Error('the queue file cannot be read');
  },
});

interface Asked {
  readonly headers?: Record<string, string>;
  readonly remote?: string;
  readonly token?: string;
  readonly files?: string[];
}

async function ask(target: string, { headers, remote, token, files }: Asked = {}) {
  const [path = '', query = ''] = target.split('?');
  const routes = queueRoutes({
    queues: () => (files ?? ['/q/queue.db']).map(operations),
    endpoint: '0.0.0.0:13133',
    ...(token !== undefined && { token: new Secret(token) }),
  });
  const route = routes.find(one => one.path === `/api/v1/queues${path}`)!;
  const request = {
    ...{
      method: route.method,
      path,
      query,
      framing: 'plain' as const,
      remote: remote ?? '127.0.0.1',
      abort: new AbortController().signal,
    },
    ...{ headers: { host: 'localhost:13133', ...headers }, read: () => assert.fail('no body') },
  } satisfies Request;
  const { status, body, headers: answered } = await route.handle(request);
  const type = answered?.['content-type'];
  return { status, body: type === 'application/json' ? JSON.parse(String(body)) : String(body), headers: answered };
}

const EVERY = ['', '/entries', '/payload?entry=1', '/verify', '/replay?to=a', '/purge?state=dead'];

test('questions are understood, and answered as JSON or bytes', async () => {
  assert.deepEqual((await ask('')).body, { files: [{ file: '/q/queue.db', queues: [] }] });
  assert.deepEqual((await ask('/entries?queue=a&state=dead&since=5&until=6&after=2&limit=3')).body, {
    entries: [],
    next: 7,
  });
  assert.deepEqual(asked.splice(0), [[{ queue: 'a', state: 'dead', sinceMs: 5, untilMs: 6 }, 2, 3]]);
  await ask('/entries?limit=1000000');
  assert.deepEqual(asked.splice(0), [[{}, 0, 1000]], 'an answer stays bounded');
  assert.deepEqual((await ask('/purge?state=all')).body, { purged: 1, bytes: 2, left: 0 });
  assert.deepEqual(asked.splice(0), [[{}, 0]]);
  const payload = await ask('/payload?entry=1');
  assert.deepEqual([payload.body, payload.headers?.['content-type']], ['bytes', 'application/octet-stream']);
});

test('what cannot be done is said as JSON', async () => {
  const said = async (target: string, options?: Asked) => {
    const { status, body } = await ask(target, options);
    return `${status} ${body.code}: ${body.message}`;
  };
  assert.equal(await said('/payload'), '400 bad_request: say which entry: ?entry=ID');
  assert.equal(await said('/payload?entry=2'), '404 gone: entry 2 is not in /q/queue.db any more');
  assert.equal(await said('/payload?entry=3'), '422 damaged: payload 3 is damaged');
  assert.equal(await said('/payload?entry=x'), '400 bad_request: entry is a whole number, not x');
  assert.equal(await said('/entries?state=odd'), '400 bad_request: state is dead, pending or all, not odd');
  assert.equal(await said('/purge'), '400 bad_request: say what to delete: ?state=dead, pending or all');
  assert.equal(await said('/replay'), '400 bad_request: say for which exporter: ?to=ID');
  assert.equal(await said('/replay?to=x'), '404 no_such_queue: no x');
  assert.equal(await said('/verify'), '503 unavailable: the queue file cannot be read');
  assert.match(
    await said('/verify?file=/p'),
    /^404 no_such_file: this gateway does not have \/p open; open are \/q\/queue\.db/,
  );
  assert.match(
    await said('/verify', { files: ['/a', '/b'] }),
    /^400 bad_request: say which queue file: .*open are \/a, \/b/,
  );
  assert.match(await said('/verify', { files: [] }), /it has no queue file/);
});

test('every question checks Host and token, every change also who asks for it', async () => {
  for (const path of EVERY) {
    const refused = await ask(path, { headers: { host: 'evil.example' } });
    assert.deepEqual([refused.status, refused.body.code], [421, 'wrong_host'], path);
    const nameless = await ask(path, { token: 's3cret' });
    assert.deepEqual([nameless.status, nameless.body.code], [401, 'unauthenticated'], path);
    assert.ok(nameless.headers?.['www-authenticate']);
    const headers = { authorization: 'Bearer s3cret' };
    assert.notEqual((await ask(path, { token: 's3cret', headers, remote: '10.0.0.9' })).status, 401, path);
    assert.equal((await ask(path, { remote: '10.0.0.9' })).status, 403, `${path} from another machine without a token`);
    assert.notEqual((await ask(path, { remote: '::ffff:127.0.0.1' })).status, 403, path);
  }
  const change = async (headers: Record<string, string>) => (await ask('/purge?state=dead', { headers })).status;
  assert.equal(await change({ origin: 'http://localhost:13133' }), 200);
  assert.equal(await change({ origin: 'http://localhost:13133', 'sec-fetch-site': 'same-origin' }), 200);
  for (const headers of [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: 'http://localhost:8080' },
    { origin: 'http://localhost:13133', 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ])
    assert.equal(await change(headers as Record<string, string>), 403, JSON.stringify(headers));
});

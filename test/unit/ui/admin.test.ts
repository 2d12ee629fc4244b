import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { test } from 'node:test';
import { type Request, type Response, Secret } from '../../../src/api/index.ts';
import type { Status } from '../../../src/pipeline/status.ts';
import { adminProtocol } from '../../../src/ui/admin.ts';

const status: Status = {
  version: '1.2.3',
  startedMs: 1,
  state: 'running',
  ready: true,
  config: { files: ['gateway.yaml'] },
  listeners: [],
  pipelines: [],
  components: [],
  drops: [],
  memory: { rssBytes: 1, heldBytes: 2, freeBytes: 3, budgetBytes: 4 },
};

function ask(
  path: string,
  headers: Record<string, string> = { host: 'localhost:13133' },
  options: { ready?: boolean; token?: string } = {},
): Promise<Response> {
  const { routes } = adminProtocol({
    status: () => ({
      ...status,
      ready: options.ready ?? true,
      state: options.ready === false ? 'starting' : 'running',
    }),
    metrics: async () => ({ contentType: 'text/plain', body: 'flamegate_up 1\n' }),
    queues: () => [],
    endpoint: 'gateway.internal:13133',
    ...(options.token !== undefined && { token: new Secret(options.token) }),
  });
  const route = routes.find(one => one.path === path)!;
  return route.handle({
    method: 'GET',
    path,
    query: '',
    headers,
    remote: '',
    framing: 'plain',
    abort: new AbortController().signal,
    read: () => assert.fail('no body'),
  } as Request);
}

test('alive always, ready once everything listens', async () => {
  assert.equal((await ask('/livez', {})).status, 200);
  assert.equal((await ask('/readyz', {})).status, 200);
  const starting = await ask('/readyz', {}, { ready: false });
  assert.deepEqual([starting.status, starting.body], [503, 'not ready: starting\n']);
});

test('metrics and status are served; nothing of it is cached', async () => {
  const metrics = await ask('/metrics', { host: '10.1.2.3:13133' });
  assert.deepEqual(
    [metrics.status, metrics.body, metrics.headers?.['cache-control']],
    [200, 'flamegate_up 1\n', 'no-store'],
  );
  const answer = await ask('/api/v1/status');
  assert.deepEqual(JSON.parse(String(answer.body)), status);
  assert.equal(answer.headers?.['cache-control'], 'no-store');
});

test('a host name that somebody made point here is refused', async () => {
  const own = ['localhost', '127.0.0.1:13133', '[::1]:13133', 'gateway.internal:13133', `${hostname()}:13133`];
  // An address cannot be made to point elsewhere.
  for (const host of [...own, '10.1.2.3:13133', '192.168.0.7', '[2001:db8::1]:13133'])
    assert.equal((await ask('/api/v1/status', { host })).status, 200, host);
  for (const host of [
    'evil.example',
    'localhost.evil.example:13133',
    '',
    ':13133',
    '127.0.0.1.evil.example',
    '1.2.3',
    '[::1].evil.example',
  ])
    for (const path of ['/api/v1/status', '/']) assert.equal((await ask(path, { host })).status, 421, host);
});

test('with a token, metrics and status need it', async () => {
  const options = { token: 's3cret' };
  const as = (authorization: string) => ({ host: 'localhost', authorization });
  for (const path of ['/metrics', '/api/v1/status']) {
    assert.equal((await ask(path, { host: 'localhost' }, options)).status, 401);
    for (const wrong of ['Bearer s3cre', 'Bearer s3cret ', 'Bearer s3crett', 's3cret'])
      assert.equal((await ask(path, as(wrong), options)).status, 401, wrong);
    assert.equal((await ask(path, as('Bearer s3cret'), options)).status, 200);
  }
  assert.equal((await ask('/livez', {}, options)).status, 200);
});

test('the page loads only its own files, and says so', async () => {
  const page = await ask('/');
  assert.match(page.headers?.['content-security-policy'] ?? '', /default-src 'self'/);
  assert.match(String(page.body), /<script src="app.js"/);
  assert.match(String((await ask('/app.js')).body), /api\/v1\/status/);
  assert.doesNotMatch(String((await ask('/app.js')).body), /innerHTML|insertAdjacentHTML|document\.write/);
});

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { cors as field } from '../../../src/api/fields.ts';
import { type Cors, Secret } from '../../../src/api/index.ts';
import { Listeners } from '../../../src/net/listeners.ts';
import { SlabPool } from '../../../src/workers/slabs.ts';

async function rig(t: TestContext, cors: Partial<Cors> | undefined) {
  const instrument = { record() {} };
  const listeners = new Listeners({
    memory: new SlabPool({ budgetBytes: 1 << 20 }),
    log: { debug() {}, info() {}, error() {}, warn() {} },
    meter: { counter: () => instrument, gauge: () => instrument, histogram: () => instrument },
  });
  t.after(() => listeners.close(AbortSignal.timeout(2000)));
  const at = { endpoint: '127.0.0.1:0', auth: { bearer: { token: new Secret('t') } } };
  const handle = async () => ({ status: 200, headers: { 'x-own': 'a' }, body: 'yes' });
  const routes = [
    { path: '/x', method: 'POST' as const, handle },
    { path: '/s/Call', method: 'POST' as const, rpc: true as const, handle },
  ];
  const whole = cors && field().parse(cors);
  await listeners.bind('a', at, { name: 'a', routes, ...(whole && { cors: whole }) }).start!();
  const base = `http://127.0.0.1:${listeners.address(at.endpoint)!.port}`;
  return async (method: string, headers: Record<string, string>, path = '/x') => {
    const answer = await fetch(base + path, { method, headers: { ...headers } });
    await answer.text();
    const got = (name: string) => answer.headers.get(`access-control-${name}`);
    return { status: answer.status, got, vary: answer.headers.get('vary'), allow: answer.headers.get('allow') };
  };
}
const asking = {
  'access-control-request-method': 'POST',
  'access-control-request-headers': 'content-type, X-Tenant, x-odd',
};
const SITE = 'https://app.example.com';

test('a browser that asks is told, without credentials; other sites are told nothing', async t => {
  const ask = await rig(t, {
    allowed_origins: ['https://other.org', 'https://*.example.com'],
    allowed_headers: ['x-tenant'],
    max_age: 600,
  });
  const { status, got, vary } = await ask('OPTIONS', { origin: SITE, ...asking });
  assert.equal(status, 204);
  assert.deepEqual(['allow-origin', 'allow-methods', 'allow-headers', 'max-age', 'allow-credentials'].map(got), [
    SITE,
    'POST',
    'content-type, x-tenant',
    '600',
    'true',
  ]);
  assert.match(vary!, /origin/);
  for (const origin of ['https://example.com', 'http://app.example.com', 'https://app.example.com.evil.org', 'null']) {
    const refused = await ask('OPTIONS', { origin, ...asking });
    assert.deepEqual([refused.status, refused.got('allow-origin')], [204, null], origin);
  }
});

test('what is answered is readable for the same sites, refusals and calls too', async t => {
  const ask = await rig(t, { allowed_origins: [SITE], exposed_headers: ['x-own'] });
  for (const [path, headers, status] of [
    ['/x', { authorization: 'Bearer t' }, 200],
    ['/x', {}, 401],
    ['/s/Call', { authorization: 'Bearer t', 'content-type': 'application/grpc-web' }, 200],
  ] as const) {
    const answer = await ask('POST', { origin: SITE, ...headers }, path);
    assert.deepEqual([answer.status, answer.got('allow-origin')], [status, SITE], path);
    assert.equal(answer.got('expose-headers'), 'x-own, grpc-status, grpc-message, grpc-status-details-bin');
  }
  const other = await ask('POST', { origin: 'https://other.org', authorization: 'Bearer t' });
  assert.deepEqual([other.status, other.got('allow-origin'), other.vary], [200, null, 'origin']);
  assert.equal((await ask('POST', { authorization: 'Bearer t' })).vary, null);
});

test('all sites, any header', async t => {
  const ask = await rig(t, { allowed_origins: ['*'], allowed_headers: ['*'] });
  const { got } = await ask('OPTIONS', { origin: SITE, ...asking });
  assert.deepEqual(['allow-origin', 'allow-headers', 'allow-credentials', 'max-age'].map(got), [
    '*',
    'content-type, x-tenant, x-odd',
    null,
    null,
  ]);
});

test('off, OPTIONS is a method like any other', async t => {
  for (const cors of [undefined, {}]) {
    const ask = await rig(t, cors);
    const { status, got, allow } = await ask('OPTIONS', { origin: SITE, ...asking });
    assert.deepEqual([status, allow, got('allow-origin')], [405, 'POST', null]);
    assert.equal((await ask('POST', { origin: SITE, authorization: 'Bearer t' })).got('allow-origin'), null);
  }
});

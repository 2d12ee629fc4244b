// What was acknowledged arrives: slow and dead stores, full queues, reload under load, drain.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { freePort, Gateway } from '../kit/gateway.ts';
import { factsOf, numbered } from '../kit/pprof.ts';
import { FakeStore } from '../kit/store.ts';

/** Log lines that end one try at a store that is down. */
const RETRIED = new Set(['export retrying']);
const FAST_RETRY = { initial_interval: '50ms', max_interval: '200ms' };

interface Rig {
  readonly gateway: Gateway;
  readonly url: string;
  readonly post: (n: number) => Promise<Response>;
  readonly config: (exporters: Record<string, object>, processors?: Record<string, object>) => Record<string, unknown>;
}

async function rig(exporters: Record<string, object>, processors: Record<string, object> = {}): Promise<Rig> {
  const port = await freePort();
  const config: Rig['config'] = (out, through = {}) => ({
    receivers: { pyroscope: { endpoint: `127.0.0.1:${port}` } },
    processors: through,
    exporters: out,
    service: {
      pipelines: {
        profiles: { receivers: ['pyroscope'], processors: Object.keys(through), exporters: Object.keys(out) },
      },
    },
  });
  const gateway = await Gateway.start(config(exporters, processors));
  const url = `http://127.0.0.1:${port}/ingest?name=app&format=pprof`;
  const post: Rig['post'] = n => fetch(url, { method: 'POST', body: new Uint8Array(numbered(n)) });
  return { gateway, url, post, config };
}

const numbers = (store: FakeStore) =>
  store.deliveries.map(({ body }) => Number(factsOf(body).sums[0])).sort((a, b) => a - b);
const upTo = (count: number) => Array.from({ length: count }, (_, n) => n + 1);

test('a dead store delays no other and gets everything once it is back', async () => {
  const [a, b] = [await new FakeStore().start(), await new FakeStore().start()];
  const { gateway, post } = await rig({
    'pyroscope/a': { endpoint: a.url, retry_on_failure: FAST_RETRY },
    'pyroscope/b': { endpoint: b.url, retry_on_failure: FAST_RETRY },
  });
  await a.stop();
  for (const n of upTo(100)) assert.equal((await post(n)).status, 200);
  await b.until(() => b.deliveries.length === 100, '100 profiles at the healthy store');
  const status = await gateway.status();
  const component = (id: string) =>
    status.components.find((one: { id: string; kind: string }) => one.id === id && one.kind === 'exporter');
  assert.equal(component('pyroscope/a').health, 'degraded');
  assert.equal(component('pyroscope/a').queue.batches, 100);
  assert.equal(component('pyroscope/b').queue.batches, 0);
  assert.equal(
    (await fetch(`${gateway.admin}/readyz`)).status,
    200,
    'a dead store is no reason to restart the gateway',
  );
  await a.start();
  await a.until(() => a.deliveries.length === 100, '100 profiles at the store that came back');
  assert.deepEqual([numbers(a), numbers(b)], [upTo(100), upTo(100)]);
  assert.equal(await gateway.stop(), 0);
  await Promise.all([a.stop(), b.stop()]);
});

test('answers decide: 503 and resets are tried again, 422 is a counted drop', async () => {
  const store = await new FakeStore().start();
  const { gateway, post } = await rig({ pyroscope: { endpoint: store.url, retry_on_failure: FAST_RETRY } });
  store.answer = () =>
    store.requests === 1
      ? { status: 503, headers: { 'retry-after': '1' } }
      : store.requests === 2
        ? 'reset'
        : { status: 200 };
  await post(1);
  await store.until(() => store.deliveries.length === 1, 'delivery after two failures');
  store.answer = () => ({ status: 422, body: '{"code":"unknown","message":"too old"}' });
  await post(2);
  await gateway.until(() => gateway.logs.find(({ msg }) => msg === 'batch rejected by the store'), 'rejection');
  assert.equal(await gateway.metric('flamegate_dropped_profiles_total{id="pyroscope",reason="rejected"}'), 1);
  assert.equal(await gateway.stop(), 0);
  await store.stop();
});

test('on_full refuse answers 429 to the sender and keeps the batch from every exporter', async () => {
  const [dead, ok] = [await new FakeStore().start(), await new FakeStore().start()];
  dead.answer = () => ({ status: 503 });
  const { gateway, post } = await rig({
    'pyroscope/dead': { endpoint: dead.url, sending_queue: { sizer: 'requests', queue_size: 3, on_full: 'refuse' } },
    'pyroscope/ok': { endpoint: ok.url },
  });
  for (const n of upTo(3)) assert.equal((await post(n)).status, 200);
  const refused = await post(4);
  assert.deepEqual([refused.status, refused.headers.get('retry-after')], [429, '5']);
  assert.match(await refused.text(), /the queue of pyroscope\/dead is full/);
  await ok.until(() => ok.deliveries.length === 3, 'three profiles');
  assert.deepEqual(numbers(ok), upTo(3));
  assert.equal(await gateway.stop(), 0);
  await Promise.all([dead.stop(), ok.stop()]);
});

test('on_full drop_oldest takes every batch, drops the oldest of the full queue only, and counts it', async () => {
  const [dead, ok] = [await new FakeStore().start(), await new FakeStore().start()];
  await dead.stop();
  const { gateway, post } = await rig({
    'pyroscope/dead': {
      endpoint: dead.url,
      sending_queue: { sizer: 'requests', queue_size: 3 },
      retry_on_failure: { initial_interval: '1s', max_interval: '1s' },
    },
    'pyroscope/ok': { endpoint: ok.url },
  });
  for (const n of upTo(10)) {
    assert.equal((await post(n)).status, 200);
    // One after the other at the store that is down: what is in flight is not dropped, so the order would be chance.
    await gateway.until(
      () => gateway.logs.filter(({ msg }) => RETRIED.has(msg)).length >= Math.min(n, 3) || undefined,
      'try',
    );
  }
  await ok.until(() => ok.deliveries.length === 10, 'ten profiles');
  assert.deepEqual(numbers(ok), upTo(10));
  assert.equal(await gateway.metric('flamegate_dropped_profiles_total{id="pyroscope/dead",reason="queue_full"}'), 7);
  await dead.start();
  await dead.until(() => dead.deliveries.length === 3, 'what was kept');
  assert.deepEqual(numbers(dead), [8, 9, 10]);
  assert.equal(await gateway.stop(), 0);
  await Promise.all([dead.stop(), ok.stop()]);
});

test('a reload keeps what is queued for a store that is down, also when its exporter changes', async () => {
  const store = await new FakeStore().start();
  await store.stop();
  const exporter = (timeout: string) => ({ pyroscope: { endpoint: store.url, timeout, retry_on_failure: FAST_RETRY } });
  const { gateway, post, config } = await rig(exporter('5s'));
  for (const n of upTo(20)) assert.equal((await post(n)).status, 200);
  assert.equal((await gateway.reload(config(exporter('6s')))).msg, 'configuration reloaded');
  for (const n of [21, 22]) assert.equal((await post(n)).status, 200);
  await store.start();
  await store.until(() => store.deliveries.length === 22, 'everything');
  assert.deepEqual(numbers(store), upTo(22));
  assert.equal(await gateway.stop(), 0);
  await store.stop();
});

test('a slow store delays no other', async () => {
  const [slow, fast] = [await new FakeStore().start(), await new FakeStore().start()];
  const open = Promise.withResolvers<void>();
  slow.answer = async () => {
    await open.promise;
    return { status: 200 };
  };
  const { gateway, post } = await rig({
    'pyroscope/slow': { endpoint: slow.url, timeout: '60s' },
    'pyroscope/fast': { endpoint: fast.url },
  });
  for (const n of upTo(100)) assert.equal((await post(n)).status, 200);
  await fast.until(() => fast.deliveries.length === 100, 'everything at the fast store');
  assert.equal(slow.deliveries.length, 0, 'while the slow one has answered nothing');
  open.resolve();
  await slow.until(() => slow.deliveries.length === 100, 'everything at the slow store');
  assert.deepEqual([numbers(slow), numbers(fast)], [upTo(100), upTo(100)]);
  assert.equal(await gateway.stop(), 0);
  await Promise.all([slow.stop(), fast.stop()]);
});

test('without a queue the sender hears the store', async () => {
  const store = await new FakeStore().start();
  const { gateway, post } = await rig({ pyroscope: { endpoint: store.url, sending_queue: { enabled: false } } });
  assert.equal((await post(1)).status, 200);
  assert.equal(store.deliveries.length, 1, 'delivered before it was acknowledged');
  store.answer = () => ({ status: 503, headers: { 'retry-after': '7' } });
  const down = await post(2);
  assert.deepEqual([down.status, down.headers.get('retry-after')], [503, '7']);
  store.answer = () => ({ status: 400, body: '{"code":"invalid_argument","message":"no"}' });
  assert.equal((await post(3)).status, 422);
  assert.equal(await gateway.stop(), 0);
  await store.stop();
});

test('a reload under load loses nothing, doubles nothing and closes no port', async () => {
  const [a, b] = [await new FakeStore().start(), await new FakeStore().start()];
  const exporters = { 'pyroscope/a': { endpoint: a.url }, 'pyroscope/b': { endpoint: b.url } };
  const tag = (value: string) => ({ resource: { attributes: [{ key: 'round', value, action: 'upsert' }] } });
  const { gateway, post, config } = await rig(exporters, tag('0'));
  let next = 0;
  let running = true;
  const load = Array.from({ length: 8 }, async () => {
    while (running) assert.equal((await post(++next)).status, 200);
  });
  for (let round = 1; round <= 5; round++) {
    const timeout = `${10 + round}s`;
    const changed = { ...exporters, 'pyroscope/b': { endpoint: b.url, timeout } };
    assert.equal((await gateway.reload(config(changed, tag(String(round))))).msg, 'configuration reloaded');
  }
  const broken = await gateway.reload('receivers: {pyroscop: {}}\n');
  assert.equal(broken.msg, 'reload failed, the running configuration stays');
  assert.match(String(broken.error), /gateway\.yaml:1:13.*unknown|did you mean/s);
  running = false;
  await Promise.all(load);
  for (const store of [a, b]) await store.until(() => store.deliveries.length >= next, `${next} profiles`);
  assert.deepEqual([numbers(a), numbers(b)], [upTo(next), upTo(next)]);
  assert.ok(a.deliveries.some(({ query }) => query.includes('round%3D5')));
  assert.equal(await gateway.metric('flamegate_config_reloads_total{id="service",outcome="failure"}'), 1);
  assert.equal((await gateway.status()).config.lastReload.ok, false);
  assert.equal(
    gateway.logs.filter(({ msg, owner }) => msg === 'listening' && owner === 'receiver pyroscope').length,
    1,
  );
  assert.equal(await gateway.stop(), 0);
  await Promise.all([a.stop(), b.stop()]);
});

test('SIGTERM drains what is queued and exits 0; what a dead store leaves is named', async () => {
  const slow = await new FakeStore().start();
  slow.answer = async () => {
    await new Promise(resolve => setImmediate(resolve));
    return { status: 200 };
  };
  const first = await rig({ pyroscope: { endpoint: slow.url, sending_queue: { num_consumers: 1 } } });
  await Promise.all(upTo(50).map(first.post));
  assert.equal(await first.gateway.stop(), 0);
  assert.deepEqual(numbers(slow), upTo(50));
  await slow.stop();
  const second = await rig({ pyroscope: { endpoint: slow.url } });
  await Promise.all(upTo(5).map(second.post));
  assert.equal(await second.gateway.stop('SIGINT'), 0);
  const left = second.gateway.logs.find(({ msg }) => msg === 'left in the queue at shutdown');
  assert.equal(left?.batches, 5);
});

test('memory_limiter refuses with 429 and Retry-After while queues that refuse hold what may be held', async () => {
  const dead = await new FakeStore().start();
  dead.answer = () => ({ status: 503 });
  const { gateway } = await rig(
    { pyroscope: { endpoint: dead.url, sending_queue: { on_full: 'refuse' } } },
    { memory_limiter: { limit_mib: 32, check_interval: '100ms' } },
  );
  const url = (gateway.logs.find(({ owner }) => owner === 'receiver pyroscope')?.address as string) ?? '';
  const padded = Buffer.concat([numbered(1), Buffer.from([0x32, 0x80, 0x80, 0x40]), Buffer.alloc(1024 * 1024, 'x')]);
  let refused: Response | undefined;
  for (let n = 0; n < 40 && !refused; n++) {
    const answer = await fetch(`http://${url}/ingest?name=app&format=pprof`, {
      method: 'POST',
      body: new Uint8Array(padded),
    });
    if (answer.status === 429) refused = answer;
    else assert.equal(answer.status, 200);
  }
  assert.equal(refused?.status, 429);
  assert.equal(refused?.headers.get('retry-after'), '1');
  assert.equal(await gateway.stop(), 0);
  await dead.stop();
});

test('a dead store takes no memory from a healthy one: bodies of unknown length hold what they are', async () => {
  const [ok, dead] = [await new FakeStore().start(), await new FakeStore().start()];
  await dead.stop();
  const { gateway, url } = await rig(
    { 'pyroscope/ok': { endpoint: ok.url }, 'pyroscope/dead': { endpoint: dead.url } },
    { memory_limiter: { limit_mib: 256 } },
  );
  // 3000 slabs of the size that such a body starts in would be 190 MiB.
  const bodies = upTo(3000);
  const sender = async () => {
    for (let n = bodies.pop(); n !== undefined; n = bodies.pop()) {
      const body = numbered(n);
      const chunks = (async function* () {
        yield body;
      })();
      const answer = await fetch(url, { method: 'POST', body: chunks, duplex: 'half' } as RequestInit);
      assert.equal(answer.status, 200);
      await answer.arrayBuffer();
    }
  };
  await Promise.all(Array.from({ length: 8 }, sender));
  await ok.until(() => ok.deliveries.length === 3000, 'everything at the healthy store');
  assert.deepEqual(numbers(ok), upTo(3000));
  const status = await gateway.status();
  const { queue } = status.components.find(({ id }: { id: string }) => id === 'pyroscope/dead');
  assert.equal(queue.batches, 3000);
  assert.ok(status.memory.heldBytes < 12 * 1024 * 1024, `${status.memory.heldBytes}`);
  assert.equal(await gateway.stop(), 0);
  await ok.stop();
});

test('a first run profiles itself into files that read as pprof', async () => {
  const gateway = await Gateway.start({
    receivers: { self: { interval: '500ms' } },
    exporters: { file: { path: './data' }, debug: { verbosity: 'detailed' } },
    service: { pipelines: { profiles: { receivers: ['self'], exporters: ['file', 'debug'] } } },
  });
  const data = join(gateway.dir, 'data');
  // Each line of the debug exporter is a reason to look whether the file is there too.
  const cpu = await gateway.until(
    () => readdirSync(data).find(name => /process_cpu.*\.pb\.gz$/.test(name)),
    'own CPU profile',
  );
  await gateway.until(() => (/cpu=\d+ nanoseconds/.test(gateway.stdout) ? true : undefined), 'detailed line');
  const facts = factsOf(readFileSync(join(data, cpu)));
  assert.deepEqual(facts.sampleTypes, [
    { type: 'samples', unit: 'count' },
    { type: 'cpu', unit: 'nanoseconds' },
  ]);
  assert.ok(facts.sampleCount > 0 && facts.functions.length > 0);
  assert.equal(await gateway.stop('SIGINT'), 0);
});

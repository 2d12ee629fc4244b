// Files go into a folder and arrive at a store, whatever ends or restarts meanwhile.
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { corpusDir } from '../kit/corpus.ts';
import { freePort, Gateway } from '../kit/gateway.ts';
import { factsOf, numbered } from '../kit/pprof.ts';
import { FakeStore } from '../kit/store.ts';

const FAST = { poll_interval: '50ms' };

async function world(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), 'flamegate-files-'));
  const store = await new FakeStore().start();
  t.after(async () => {
    await store.stop();
    rmSync(dir, { recursive: true, force: true });
  });
  const start = async (config: Record<string, unknown>) => {
    const gateway = await Gateway.start(config);
    t.after(() => gateway.kill());
    return gateway;
  };
  /** Written beside and renamed, as whoever hands over files should. */
  const put = (path: string, bytes: Uint8Array) => {
    const target = join(dir, path);
    mkdirSync(join(target, '..'), { recursive: true });
    writeFileSync(join(dir, 'being-written'), bytes);
    renameSync(join(dir, 'being-written'), target);
    return target;
  };
  const config = (receiver: object, exporter: object = {}, more: object = {}) => ({
    extensions: { file_storage: { directory: join(dir, 'queue') } },
    receivers: { file: { include: [join(dir, 'in/{service_name}/{pod}/*')], ...FAST, ...receiver } },
    exporters: { pyroscope: { endpoint: store.url, ...exporter } },
    service: {
      extensions: ['file_storage'],
      pipelines: { profiles: { receivers: ['file'], exporters: ['pyroscope'] } },
    },
    ...more,
  });
  return { dir, store, start, put, config };
}

const sums = (store: FakeStore) =>
  store.deliveries
    .flatMap(({ pushed }) => pushed.map(({ rawProfile }) => Number(factsOf(rawProfile).sums[0])))
    .sort((a, b) => a - b);

test('what is put into a folder arrives with the labels of its path, and is deleted once the store has it', async t => {
  const { dir, store, start, put, config } = await world(t);
  store.answer = () => ({ status: 503 });
  const gateway = await start(
    config({ delete_after_read: true, labels: { env: 'test' } }, { sending_queue: { enabled: false } }),
  );
  put('in/shop/shop-1/a.pb', numbered(1));
  put('in/shop/shop-2/b.pb.gz', gzipSync(numbered(2)));
  put('in/cart/cart-1/c.pb.zst', zstdCompressSync(numbered(3)));
  await store.until(() => store.requests >= 3, 'tries');
  assert.equal(readdirSync(join(dir, 'in'), { recursive: true }).filter(one => /\.pb/.test(String(one))).length, 3);
  store.answer = () => ({ status: 200 });
  await store.until(() => store.deliveries.length === 3, 'all three');
  assert.deepEqual(sums(store), [1, 2, 3]);
  const series = store.deliveries.flatMap(({ pushed }) => pushed.map(({ labels }) => labels));
  assert.deepEqual(
    series.map(labels => [labels.get('service_name'), labels.get('pod'), labels.get('env')].join(' ')).sort(),
    ['cart cart-1 test', 'shop shop-1 test', 'shop shop-2 test'],
  );
  assert.equal(await gateway.stop(), 0);
  assert.deepEqual(
    readdirSync(join(dir, 'in'), { recursive: true }).filter(one => /\.pb/.test(String(one))),
    [],
  );
});

test('`once` says when it is done, and what it could not read', async t => {
  const { store, start, put, config } = await world(t);
  for (let n = 1; n <= 20; n++) put(`in/shop/shop-${n}/a.pb`, numbered(n));
  const picture = put('in/shop/shop-21/a.png', Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\rIHDR', 'latin1'));
  const gateway = await start(config({ mode: 'once' }));
  const { read, rejected } = await gateway.logged('all files are read');
  assert.deepEqual([read, rejected], [20, 1]);
  const said = await gateway.logged('file rejected');
  assert.deepEqual([said.path, said.reason], [picture, 'unknown_format']);
  assert.equal(
    await gateway.metric('flamegate_rejected_requests_total{id="file",protocol="file",reason="unknown_format"}'),
    1,
  );
  await store.until(() => store.deliveries.length === 20, 'twenty');
  assert.equal(await gateway.stop(), 0);
  assert.deepEqual(
    sums(store),
    Array.from({ length: 20 }, (_, n) => n + 1),
  );
});

test('with storage neither kill -9 nor a reload makes anything come twice or not at all', async t => {
  const { dir, store, start, put, config } = await world(t);
  const queue = { sending_queue: { storage: 'file_storage' } };
  const first = await start(config({ storage: 'file_storage' }, queue));
  for (let n = 1; n <= 10; n++) put(`in/shop/a/${n}.pb`, numbered(n));
  await store.until(() => store.deliveries.length === 10, 'ten');
  for (let round = 1; round <= 3; round++) {
    put(`in/shop/a/${10 + round}.pb`, numbered(10 + round));
    const changed = config({ storage: 'file_storage', poll_interval: `${50 + round}ms` }, queue);
    assert.equal((await first.reload(changed)).msg, 'configuration reloaded');
  }
  await store.until(() => store.deliveries.length === 13, 'three more');
  // What a killed process has not noted as delivered is delivered once more; that is the queue's to test.
  const journal = join(dir, 'queue/file.read.jsonl');
  const noted = async () => {
    const exporter = (await first.status()).components.find(({ kind }: { kind: string }) => kind === 'exporter');
    return exporter.queue.batches === 0 && readFileSync(journal, 'utf8').split('\n').length === 14;
  };
  for (const late = AbortSignal.timeout(20_000); !(await noted()); ) late.throwIfAborted();
  await first.kill();
  put('in/shop/a/14.pb', numbered(14));
  const second = await start(config({ storage: 'file_storage' }, queue));
  put('in/shop/a/15.pb', numbered(15));
  await store.until(() => store.deliveries.length >= 15, 'two more');
  assert.equal(await second.stop(), 0);
  assert.deepEqual(
    sums(store),
    Array.from({ length: 15 }, (_, n) => n + 1),
  );
});

for (const format of ['pprof', 'otlp', 'otlp_json'])
  test(`what the file exporter writes as ${format} is read back`, async t => {
    const { dir, store, start } = await world(t);
    const port = await freePort();
    const out = join(dir, 'out');
    const gateway = await start({
      receivers: {
        pprof_http: { endpoint: `127.0.0.1:${port}` },
        file: { include: [`${out}/{service_name}-*-*-*`], delete_after_read: true, ...FAST },
      },
      exporters: { file: { path: out, format }, pyroscope: { endpoint: store.url } },
      service: {
        pipelines: {
          'profiles/out': { receivers: ['pprof_http'], exporters: ['file'] },
          'profiles/in': { receivers: ['file'], exporters: ['pyroscope'] },
        },
      },
    });
    for (let n = 1; n <= 3; n++) {
      const url = `http://127.0.0.1:${port}/v1/pprof?service_name=my-shop`;
      assert.equal((await fetch(url, { method: 'POST', body: new Uint8Array(numbered(n)) })).status, 204);
    }
    await store.until(() => store.deliveries.length === 3, 'three');
    assert.deepEqual(sums(store), [1, 2, 3]);
    for (const { pushed } of store.deliveries) assert.equal(pushed[0]!.labels.get('service_name'), 'my-shop');
    assert.equal(await gateway.stop(), 0);
    assert.ok(existsSync(out));
  });

/** Of the corpus: broken on purpose, or texts in an encoding that no profiler writes. */
const UNREADABLE = ['speedscope/invalid-incomplete.speedscope.json', 'speedscope/invalid-out-of-order.speedscope.json'];
const skip = corpusDir === undefined && 'the shared corpus is not beside the checkout';

test('every form of real profile is read, on workers too', { skip }, async t => {
  const { start } = await world(t);
  const include = ['{pprof,jfr,folded,speedscope,legacy}/*', 'otlp/*.{pb,json}'].map(one => join(corpusDir!, one));
  const gateway = await start({
    receivers: { file: { include, exclude: ['*.labels*'], mode: 'once', ...FAST } },
    exporters: { debug: {} },
    service: { pipelines: { profiles: { receivers: ['file'], exporters: ['debug'] } } },
  });
  const { read, rejected } = await gateway.logged('all files are read');
  const refused = gateway.logs.filter(({ msg }) => msg === 'file rejected').map(({ path }) => String(path));
  assert.deepEqual(refused.map(path => path.slice(corpusDir!.length + 1)).sort(), UNREADABLE);
  assert.equal(rejected, UNREADABLE.length);
  assert.ok(Number(read) >= 65, `${read} files`);
});

test('a folder that is missing shows in the status, and is read once it is there', async t => {
  const { dir, store, start, put, config } = await world(t);
  const gateway = await start(config({}));
  await gateway.logged('files cannot be read');
  const own = async () =>
    (await gateway.status()).components.find(
      ({ id, kind }: { id: string; kind: string }) => id === 'file' && kind === 'receiver',
    );
  assert.equal((await own()).health, 'degraded');
  assert.match((await own()).why, new RegExp(`there is no folder ${join(dir, 'in')}`));
  put('in/shop/a/1.pb', numbered(1));
  await store.until(() => store.deliveries.length === 1, 'it');
  assert.equal((await own()).health, 'ok');
  assert.equal(await gateway.stop(), 0);
});

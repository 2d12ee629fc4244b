// The running process is told to reload or to end, at any moment: by signals, and by files that change.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { freePort, Gateway } from '../kit/gateway.ts';
import { numbered } from '../kit/pprof.ts';
import { FakeStore } from '../kit/store.ts';

const folder = await mkdtemp(join(tmpdir(), 'flamegate-reload-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** A configuration whose profiles carry a tag. */
const config = (port: number, exporters: Record<string, object>, tag: string, service: object = {}) => ({
  receivers: { pyroscope: { endpoint: `127.0.0.1:${port}` } },
  processors: { resource: { attributes: [{ key: 'tag', value: tag, action: 'upsert' }] } },
  exporters,
  service: {
    ...service,
    pipelines: {
      profiles: { receivers: ['pyroscope'], processors: ['resource'], exporters: Object.keys(exporters) },
    },
  },
});
const post = (port: number, n: number) =>
  fetch(`http://127.0.0.1:${port}/ingest?name=app&format=pprof`, {
    method: 'POST',
    body: new Uint8Array(numbered(n)),
  });

/** A gateway that waits for its configuration: a pipe brings a part of it. */
async function waiting() {
  const pipe = join(folder, `pipe-${await freePort()}`);
  assert.equal(spawnSync('mkfifo', [pipe]).status, 0);
  const gateway = await Gateway.begin(config(await freePort(), { debug: {} }, `\${file:${pipe}}`));
  // Opens once the other side reads.
  return { gateway, feed: () => open(pipe, 'w') };
}

test('SIGHUP while it starts is a reload once it runs', async () => {
  const { gateway, feed } = await waiting();
  const first = await feed();
  gateway.child.kill('SIGHUP');
  await first.writeFile('one');
  await first.close();
  await gateway.logged('gateway running');
  const second = await feed();
  await second.writeFile('two');
  await second.close();
  await gateway.logged('configuration reloaded');
  assert.equal(await gateway.stop(), 0);
});

test('SIGTERM while it starts ends it cleanly', async () => {
  const { gateway, feed } = await waiting();
  const pipe = await feed();
  gateway.child.ref();
  gateway.child.kill('SIGTERM');
  await pipe.close();
  assert.equal(await gateway.exited, 0, gateway.stderr);
});

test('SIGTERM ends intake at once while a reload drains; what the removed exporter still had is counted', async () => {
  const [ok, stuck] = [await new FakeStore().start(), await new FakeStore().start()];
  stuck.answer = () => new Promise(() => {});
  const port = await freePort();
  const both = { 'pyroscope/ok': { endpoint: ok.url }, 'pyroscope/stuck': { endpoint: stuck.url, timeout: '10m' } };
  const service = { drain_timeout: '10m' };
  const gateway = await Gateway.start(config(port, both, 'a', service));
  for (const n of [1, 2, 3]) assert.equal((await post(port, n)).status, 200);
  assert.equal(await gateway.metric('flamegate_queue_batches{id="service",queue="pyroscope/stuck"}'), 3);
  const fewer = { 'pyroscope/ok': both['pyroscope/ok'] };
  assert.equal((await gateway.reload(config(port, fewer, 'b', service))).msg, 'configuration reloaded');
  const queues = async () =>
    (await (await fetch(`${gateway.admin}/metrics`)).text()).match(/^flamegate_queue_batches.*$/gm);
  assert.deepEqual(await queues(), ['flamegate_queue_batches{id="service",queue="pyroscope/ok"} 0']);
  gateway.child.kill('SIGHUP');
  await gateway.logged('a reload still runs, the next one follows with the newest configuration');
  const startedMs = performance.now();
  assert.equal(await gateway.stop(), 0);
  assert.ok(performance.now() - startedMs < 60_000, 'not after the drain_timeout');
  const lost = gateway.logs.find(({ msg }) => msg === 'dropped with the queue of a component that was removed');
  assert.deepEqual([lost?.id, lost?.batches, lost?.items], ['pyroscope/stuck', 3, 3]);
  await Promise.all([ok.stop(), stuck.stop()]);
});

test('several reloads that were asked for during one are one, with the newest file', async () => {
  const stuck = await new FakeStore().start();
  stuck.answer = () => new Promise(() => {});
  const port = await freePort();
  const exporters = { debug: {}, pyroscope: { endpoint: stuck.url, timeout: '10m' } };
  const gateway = await Gateway.start(config(port, exporters, 'a', { drain_timeout: '1s' }));
  await post(port, 1);
  await gateway.reload(config(port, { debug: {} }, 'b', { drain_timeout: '1s' }));
  const waits = () => gateway.logs.filter(({ msg }) => msg.startsWith('a reload still runs')).length;
  const next = gateway.reloaded(async () => {
    for (const n of [1, 2]) {
      gateway.child.kill('SIGHUP');
      await gateway.until(() => (waits() === n ? true : undefined), `waiting reload ${n}`);
    }
    writeFileSync(gateway.file, 'receivers: {}\n');
  });
  assert.equal((await next).msg, 'reload failed, the running configuration stays');
  assert.equal(gateway.logs.filter(({ msg }) => msg === 'reloading').length, 1);
  assert.equal(await gateway.stop(), 0);
  await stuck.stop();
});

test('--watch reloads when the file changes, and a broken one changes nothing', async () => {
  const store = await new FakeStore().start();
  const port = await freePort();
  const exporters = { pyroscope: { endpoint: store.url } };
  const gateway = await Gateway.start(config(port, exporters, 'a'), { flags: ['--watch'] });
  const write = (text: string) => gateway.reloaded(async () => writeFileSync(gateway.file, text));
  assert.equal((await write(gateway.yaml(config(port, exporters, 'b')))).msg, 'configuration reloaded');
  const broken = await write('receivers: {pyroscop: {}}\n');
  assert.equal(broken.msg, 'reload failed, the running configuration stays');
  assert.match(String(broken.error), /gateway\.yaml:1:13/);
  assert.equal((await post(port, 1)).status, 200);
  await store.until(() => store.deliveries.length === 1, 'delivery');
  assert.match(store.deliveries[0]!.query, /tag%3Db/);
  // As editors save: another file takes the name.
  const saved = `${gateway.file}.new`;
  writeFileSync(saved, gateway.yaml(config(port, exporters, 'c')));
  const renamed = await gateway.reloaded(async () => renameSync(saved, gateway.file));
  assert.equal(renamed.msg, 'configuration reloaded');
  assert.equal(await gateway.stop(), 0);
  await store.stop();
});

test('--watch sees a file that the configuration reads, and the links of a Kubernetes volume', async () => {
  const volume = await mkdtemp(join(folder, 'volume-'));
  /** One version of the volume; `..data` is the link that Kubernetes swaps. */
  const publish = (version: string, files: Record<string, string>) => {
    mkdirSync(join(volume, version));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(volume, version, name), text);
    symlinkSync(version, join(volume, '..next'));
    renameSync(join(volume, '..next'), join(volume, '..data'));
  };
  publish('..1', { tag: 'one' });
  symlinkSync(join('..data', 'tag'), join(volume, 'tag'));
  const port = await freePort();
  const store = await new FakeStore().start();
  const exporters = { pyroscope: { endpoint: store.url } };
  const gateway = await Gateway.start(config(port, exporters, `\${file:${join(volume, 'tag')}}`), {
    flags: ['--watch'],
  });
  const swapped = await gateway.reloaded(async () => publish('..2', { tag: 'two' }));
  assert.equal(swapped.msg, 'configuration reloaded');
  assert.equal(
    gateway.logs.find(({ msg }) => msg === 'reloading')?.reason,
    `changed: ${join(volume, 'tag')}`,
    'says what changed',
  );
  await post(port, 1);
  await store.until(() => store.deliveries.length === 1, 'delivery');
  assert.match(store.deliveries[0]!.query, /tag%3Dtwo/);
  assert.equal(await gateway.stop(), 0);
  await store.stop();
});

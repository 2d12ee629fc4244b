// Ports of the running process: what shares one, what moves, what gets in each other's way.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { stringify } from 'yaml';
import { flamegate } from '../kit/cli.ts';
import { freePort, Gateway } from '../kit/gateway.ts';
import { numbered } from '../kit/pprof.ts';

const folder = await mkdtemp(join(tmpdir(), 'flamegate-ports-'));
after(() => rm(folder, { recursive: true, force: true }));

/** Each receiver in a pipeline of its own. */
const config = (receivers: Record<string, object>, admin?: string) => ({
  receivers,
  exporters: { debug: {} },
  service: {
    ...(admin !== undefined && { telemetry: { admin: { endpoint: admin } } }),
    pipelines: Object.fromEntries(
      Object.keys(receivers).map((id, n) => [`profiles/${n}`, { receivers: [id], exporters: ['debug'] }]),
    ),
  },
});
const post = async (port: number, path = '/ingest?name=app&format=pprof') => {
  const init = { method: 'POST', body: new Uint8Array(numbered(1)) };
  return (await fetch(`http://127.0.0.1:${port}${path}`, init)).status;
};

test('two receivers of the same path on one port are an error that names both, for validate and for run', async () => {
  const file = join(folder, 'two.yaml');
  const port = await freePort();
  const two = { pyroscope: { endpoint: `localhost:${port}` }, 'pyroscope/two': { endpoint: `127.0.0.1:${port}` } };
  await writeFile(file, stringify(config(two, `127.0.0.1:${port}`)));
  for (const verb of ['validate', 'run']) {
    const { code, stderr } = await flamegate([verb, '--config', file]);
    assert.equal(code, 1, verb);
    assert.match(stderr, /receiver pyroscope and receiver pyroscope\/two both serve POST \*\/ingest on localhost:\d+/);
  }
  await writeFile(file, stringify(config({ pyroscope: two.pyroscope }, `0.0.0.0:${port}`)));
  const { stderr } = await flamegate(['validate', '--config', file]);
  assert.match(stderr, /receiver pyroscope and admin cannot both listen/);
});

test('by reload a receiver takes another name, another address, and what it may not take changes nothing', async t => {
  const port = await freePort();
  const gateway = await Gateway.start(
    config({ pyroscope: { endpoint: `127.0.0.1:${port}` }, pprof_http: { endpoint: `127.0.0.1:${port}` } }),
  );
  t.after(() => gateway.kill());
  const served = async () => [await post(port), await post(port, '/v1/pprof?service_name=a')];
  const reload = async (receivers: Record<string, object>) => (await gateway.reload(config(receivers))).msg;
  const pprof_http = { endpoint: `127.0.0.1:${port}` };
  assert.equal(
    await reload({ 'pyroscope/renamed': { endpoint: `localhost:${port}` }, pprof_http }),
    'configuration reloaded',
  );
  assert.deepEqual(await served(), [200, 204]);
  const all = { endpoint: `0.0.0.0:${port}` };
  assert.equal(await reload({ 'pyroscope/renamed': all, pprof_http: all }), 'configuration reloaded');
  assert.deepEqual(await served(), [200, 204]);
  const back = { endpoint: `127.0.0.1:${port}` };
  assert.match(await reload({ 'pyroscope/renamed': back, pyroscope: back, pprof_http: back }), /^reload failed/);
  assert.deepEqual(await served(), [200, 204]);
  // The address is had, but then another receiver does not start.
  const broken = { endpoint: '192.0.2.1:4040' };
  assert.match(
    await reload({ 'pyroscope/renamed': back, pprof_http: back, 'pyroscope/broken': broken }),
    /^reload failed/,
  );
  assert.deepEqual(await served(), [200, 204]);
  const { listeners } = (await gateway.status()) as { listeners: { address: string }[] };
  assert.ok(
    listeners.some(({ address }) => address === `0.0.0.0:${port}`),
    JSON.stringify(listeners),
  );
  assert.equal(await gateway.stop(), 0);
});

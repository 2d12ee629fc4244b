// Stages in the real process: a plugin named in the configuration, and what becomes of profiles that it fails on.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { freePort, Gateway } from '../kit/gateway.ts';
import { numbered } from '../kit/pprof.ts';
import { FakeStore } from '../kit/store.ts';

const TRIAL = resolve(import.meta.dirname, '../kit/stages/trial');

interface Running {
  readonly gateway: Gateway;
  readonly store: FakeStore;
  readonly directory: string;
  readonly config: Record<string, unknown>;
  ingest(labels: string, value: number): Promise<number>;
}

async function running(t: { after(fn: () => unknown): void }, trial: object): Promise<Running> {
  const directory = mkdtempSync(join(tmpdir(), 'flamegate-stages-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const store = await new FakeStore().start();
  t.after(() => store.stop());
  const port = await freePort();
  const config = {
    plugins: [TRIAL],
    extensions: { file_storage: { directory } },
    receivers: { pyroscope: { endpoint: `127.0.0.1:${port}` } },
    processors: { trial },
    exporters: { pyroscope: { endpoint: store.url, sending_queue: { storage: 'file_storage' } } },
    service: {
      extensions: ['file_storage'],
      workers: { task_timeout: '500ms', thread_memory: '128MiB' },
      pipelines: { profiles: { receivers: ['pyroscope'], processors: ['trial'], exporters: ['pyroscope'] } },
    },
  };
  const gateway = await Gateway.start(config);
  t.after(() => gateway.kill());
  const ingest = async (labels: string, value: number) => {
    const name = encodeURIComponent(`app{n=${value}${labels && `,${labels}`}}`);
    const url = `http://127.0.0.1:${port}/ingest?name=${name}&format=pprof`;
    return (await fetch(url, { method: 'POST', body: numbered(value) })).status;
  };
  return { gateway, store, directory, config, ingest };
}

test('a plugin marks profiles, and its notes are counted once each', async t => {
  const { gateway, store, ingest } = await running(t, { mark: 'x', note: 'n' });
  const statuses = await Promise.all(Array.from({ length: 20 }, (_, n) => ingest('', n)));
  assert.deepEqual(new Set(statuses), new Set([200]));
  await store.until(() => store.deliveries.length === 20, 'all');
  assert.ok(store.deliveries.every(({ query }) => /mark%3Dx/.test(query)));
  assert.equal(await gateway.metric('flamegate_trial_notes_total{id="trial"'), 20);
  assert.equal(await gateway.metric('flamegate_stage_profiles_total{id="trial",outcome="edited"'), 20);
  assert.equal(await gateway.metric('flamegate_stage_tasks_total{id="trial"'), 20);
});

test('what a stage fails on is a dead letter with its name and reason; nothing else is touched', async t => {
  const { gateway, store, directory, ingest } = await running(t, {});
  const ways = ['throw', 'exit', 'loop', 'heap', 'buffers'];
  const statuses = await Promise.all(
    ways.flatMap((how, n) => [ingest(`trial=${how}`, n), ingest('', 100 + n), ingest('', 200 + n)]),
  );
  assert.deepEqual(new Set(statuses), new Set([200]), 'kept as a dead letter is accepted');
  await store.until(() => store.deliveries.length === 2 * ways.length, 'the others');
  assert.equal(
    await gateway.metric('flamegate_dropped_profiles_total{id="pyroscope",reason="stage_failed"'),
    ways.length,
  );
  assert.equal(await gateway.stop(), 0);
  const db = new DatabaseSync(join(directory, 'queue.db'), { readOnly: true });
  t.after(() => db.close());
  const rows = db
    .prepare('SELECT queue, reason, message, body FROM entry JOIN payload ON payload.id = entry.payload ORDER BY body')
    .all() as { queue: string; reason: string; message: string; body: Uint8Array }[];
  assert.equal(rows.length, ways.length);
  for (const { queue, reason, message } of rows) {
    assert.equal(queue, 'stage:profiles/trial');
    assert.equal(reason, 'stage_failed');
    assert.match(message, /^trial: (thrown on purpose|worker exited|did not end within 500 ms|used more than 128 MiB)/);
  }
  assert.equal(new Set(rows.map(({ body }) => Buffer.from(body).toString('hex'))).size, ways.length, 'as received');
});

test('a plugin that is not there, or is none, is an error at its line', async () => {
  const { loadPlan, formatFindings } = await import('../../src/config/load.ts');
  const said = async (plugins: string) => {
    const text = `plugins: ${plugins}\nreceivers: {self: {}}\nexporters: {debug: {}}\nservice: {pipelines: {profiles: {receivers: [self], exporters: [debug]}}}\n`;
    const { components } = await import('../../src/components.ts');
    const loaded = await loadPlan({
      files: ['g.yaml'],
      set: [],
      factories: components,
      env: {},
      read: async () => text,
    });
    return loaded.ok ? 'ok' : formatFindings(loaded.findings);
  };
  assert.equal(await said(`[${TRIAL}]`), 'ok');
  assert.equal(await said(''), 'ok');
  assert.match(await said('[./nowhere]'), /g\.yaml:1:11: plugin `\.\/nowhere`: cannot be loaded: there is no /);
  assert.match(
    await said('[no-such-package-anywhere]'),
    /g\.yaml:1:11: plugin `no-such-package-anywhere`: cannot be loaded: Cannot find/,
  );
  assert.match(await said(`[${resolve(import.meta.dirname, '../kit/cli.ts')}]`), /its default export is no factory/);
  assert.match(await said(`[${TRIAL}, ${TRIAL}]`), /there is a stage `trial` already/);
  assert.match(await said('./x'), /plugins: expected a list of paths/);
  assert.match(await said('[3]'), /expected a path or the name of a package/);
});

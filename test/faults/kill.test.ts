// kill -9 at random moments under load: three exporters on a disk queue, one of them dead until the end.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { freePort, Gateway } from '../kit/gateway.ts';
import { FakeStore } from '../kit/store.ts';
import { Ledger } from './ledger.ts';
import { Load } from './load.ts';

const KILLS = Number(process.env.FAULTS_KILLS ?? 20);
/** Draws the moments; printed, so that a failure can be run again. */
const SEED = Number(process.env.FAULTS_SEED ?? Date.now() % 2 ** 31);
const SENDERS = 16;
/** Exporters that may each have this many requests in flight when the process dies. */
const CONSUMERS = 10;

/** mulberry32 */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

test(`${KILLS} × kill -9 under load loses, invents and alters nothing`, {
  timeout: 60_000 + KILLS * 5_000,
}, async t => {
  t.diagnostic(`FAULTS_SEED=${SEED} FAULTS_KILLS=${KILLS}`);
  const random = randomOf(SEED);
  const directory = mkdtempSync(join(tmpdir(), 'flamegate-kill-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const stores = await Promise.all(['a', 'b', 'dead'].map(() => new FakeStore().start()));
  const [a, b, dead] = stores as [FakeStore, FakeStore, FakeStore];
  await dead.stop();
  const port = await freePort();
  const exporters = Object.fromEntries(
    [a, b, dead].map(({ url }, n) => [
      `pyroscope/${n}`,
      {
        endpoint: url,
        sending_queue: { storage: 'file_storage', num_consumers: CONSUMERS },
        retry_on_failure: { initial_interval: '100ms', max_interval: '500ms' },
      },
    ]),
  );
  const config = {
    extensions: { file_storage: { directory } },
    receivers: { pyroscope: { endpoint: `127.0.0.1:${port}` } },
    exporters,
    service: {
      extensions: ['file_storage'],
      pipelines: { profiles: { receivers: ['pyroscope'], exporters: Object.keys(exporters) } },
    },
  };
  const ledger = new Ledger();
  let gateway = await Gateway.start(config);
  const load = new Load(ledger, port, SENDERS);
  t.after(() => load.stop());
  for (let kill = 0; kill < KILLS; kill++) {
    // The moment is random; that something was acknowledged since the last one makes it a moment under load.
    const before = load.accepted;
    await new Promise(resolve => setTimeout(resolve, random() * 400));
    while (load.accepted === before) await new Promise(resolve => setImmediate(resolve));
    await gateway.kill();
    gateway = await Gateway.start(config);
  }
  await load.stop();
  await dead.start();
  for (const store of stores) await store.until(() => ledger.verdict(store).lost.length === 0, 'everything', 60_000);
  assert.equal(await gateway.stop(), 0);
  for (const [n, store] of stores.entries()) {
    const { sent, acknowledged, lost, invented, altered, doubled } = ledger.verdict(store);
    t.diagnostic(
      `store ${n}: ${sent} sent, ${acknowledged} acknowledged, ${lost.length} lost, ${invented.length} invented, ${altered.length} altered, ${doubled.length} doubled`,
    );
    assert.deepEqual({ lost, invented, altered }, { lost: [], invented: [], altered: [] });
    assert.ok(acknowledged >= KILLS);
    // What was on its way, and what was delivered while the note of it waited for its commit.
    assert.ok(doubled.length <= KILLS * CONSUMERS * 4, `${doubled.length} doubled`);
    await store.stop();
  }
});

// Reloads under load: profiles go on being taken and delivered, once each, and the port is open at every moment.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import type { ReloadStatus } from '../../src/pipeline/status.ts';
import type { Gateway } from '../kit/gateway.ts';
import { Ledger } from './ledger.ts';
import { Load } from './load.ts';
import { delivered, folder, percentile, rig, rssMib } from './rig.ts';
import { scenario } from './scorecard.ts';
import { RELOADS } from './settings.ts';

const RATE = 1_000;
const SENDERS = 16;
/** Every so many reloads the configuration has a mistake. */
const WRONG_EVERY = 4;
/** Profiles between one reload and the next. */
const BETWEEN = 100;

/** Opens one connection after the other until told to stop; resolves with how many, and the first that was refused. */
function knocker(port: number): { stop(): Promise<{ opened: number; refused: string | undefined }> } {
  let stopped = false;
  let opened = 0;
  const done = (async () => {
    while (!stopped) {
      const refused = await new Promise<string | undefined>(resolve => {
        const socket = connect(port, '127.0.0.1', () => {
          socket.destroy();
          resolve(undefined);
        });
        socket.on('error', error => resolve((error as NodeJS.ErrnoException).code));
      });
      if (refused) return { opened, refused };
      opened++;
      await new Promise(resolve => setTimeout(resolve, 5));
    }
    return { opened, refused: undefined };
  })();
  return {
    stop: () => {
      stopped = true;
      return done;
    },
  };
}

/** Resolves with whether the configuration was taken over. The log repeats itself only so often, the status says each. */
async function reload(gateway: Gateway, config: Record<string, unknown>): Promise<boolean> {
  const last = async () => (await gateway.status()).config.lastReload as ReloadStatus | undefined;
  const before = await last();
  await writeFile(gateway.file, gateway.yaml(config));
  gateway.child.kill('SIGHUP');
  for (;;) {
    const now = await last();
    if (now && now.atMs !== before?.atMs) return now.ok;
  }
}

scenario('reload', { repeats: RELOADS, timeout: 60_000 + RELOADS * 5_000 }, async (t, card, random) => {
  const { port, stores, config, start } = await rig(t, {
    stores: ['a', 'b'],
    directory: folder(t),
    processors: { resource: { attributes: [{ key: 'round', value: '0', action: 'upsert' }] } },
  });
  const gateway = await start();
  const ledger = new Ledger();
  const load = new Load(ledger, port, { senders: SENDERS, rate: RATE });
  const knocks = knocker(port);
  t.after(async () => {
    await knocks.stop();
    await load.stop();
  });
  const exporters = config.exporters as Record<string, Record<string, unknown>>;
  const startMs = performance.now();
  let wrong = 0;
  for (let round = 1; round <= RELOADS; round++) {
    const before = load.accepted;
    while (load.accepted < before + BETWEEN) await new Promise(resolve => setImmediate(resolve));
    if (round % WRONG_EVERY === 0) {
      assert.equal(await reload(gateway, { ...config, exporters: { ...exporters, 'pyroscop/c': {} } }), false);
      wrong++;
      continue;
    }
    // A processor, an exporter, both, or the receiver that has the port.
    const changed = {
      ...config,
      receivers: { pyroscope: { endpoint: `127.0.0.1:${port}`, max_body_size: `${10 + random.below(3)}MiB` } },
      processors: { resource: { attributes: [{ key: 'round', value: String(round), action: 'upsert' }] } },
      exporters: { ...exporters, 'pyroscope/b': { ...exporters['pyroscope/b'], timeout: `${30 + random.below(3)}s` } },
    };
    assert.equal(await reload(gateway, changed), true);
  }
  const seconds = (performance.now() - startMs) / 1000;
  const rate = load.accepted / seconds;
  await load.stop();
  const { opened, refused } = await knocks.stop();
  await delivered(gateway, ledger, stores);
  const listened = gateway.logs.filter(({ msg, owner }) => msg === 'listening' && owner === 'receiver pyroscope');
  const { peak } = rssMib(gateway);
  assert.deepEqual((await gateway.status()).drops, []);
  assert.equal(await gateway.stop(), 0);
  card.figure('profiles a second', rate.toFixed(0));
  card.figure('reloads with a mistake', wrong);
  card.figure('connections opened meanwhile', `${opened}, ${refused ? 1 : 0} refused`);
  card.figure('p99 of an answer', `${percentile(Float64Array.from(load.tookMs).sort(), 0.99).toFixed(1)} ms`);
  card.figure('peak RSS', `${peak.toFixed(0)} MiB`);
  assert.equal(refused, undefined);
  assert.deepEqual([...load.statuses.keys()], [200], 'no sender noticed');
  assert.ok(listened.length >= 1);
  for (const [name, store] of stores) {
    const verdict = ledger.verdict(store.arrivals);
    card.judge(name, verdict);
    assert.deepEqual(verdict.doubled, [], 'nothing was cut off');
  }
});

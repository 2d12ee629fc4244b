// The wall clock jumps: nothing is too old for it, nothing waits for it, no duration is negative.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Gateway } from '../kit/gateway.ts';
import { Ledger } from './ledger.ts';
import { Load } from './load.ts';
import { delivered, folder, rig } from './rig.ts';
import { scenario } from './scorecard.ts';
import { refusal, type Store, TAKEN } from './store.ts';

const HOUR_MS = 3_600_000;
const JUMPS_MS = [HOUR_MS, -HOUR_MS, -HOUR_MS, HOUR_MS, -10_000, -10_000, -10_000, HOUR_MS, -HOUR_MS];
/** Tries after a jump that show that retries go on. */
const TRIES = 3;
/** Time for them, ms: the longest delay is 150 ms. */
const WITHIN_MS = 10_000;

async function jump(gateway: Gateway, jumpMs: number): Promise<void> {
  const done = once(gateway.child, 'message');
  gateway.child.send({ jumpMs });
  await done;
}

async function negatives(gateway: Gateway): Promise<string[]> {
  const text = await (await fetch(`${gateway.admin}/metrics`)).text();
  return text.split('\n').filter(line => /^flamegate\S* -/.test(line));
}

/** Retries go on as if nothing had happened. */
const tried = (store: Store, times: number) => {
  const before = store.requests;
  return store.until(() => store.requests >= before + times, `${times} tries after a jump`, WITHIN_MS);
};

scenario('clock', { repeats: JUMPS_MS.length, timeout: 120_000 }, async (t, card) => {
  const { port, stores, start } = await rig(t, {
    stores: ['healthy', 'down'],
    directory: folder(t),
    queue: { max_age: '10m' },
    retry: { initial_interval: '50ms', max_interval: '100ms', max_elapsed_time: '20m' },
    command: { launcher: join(import.meta.dirname, 'jumping.ts') },
  });
  const down = stores.get('down')!;
  down.act = () => refusal(503);
  const ledger = new Ledger();
  const gateway = await start();
  const load = new Load(ledger, port, { senders: 4, rate: 100 });
  t.after(() => load.stop());
  await tried(down, TRIES);
  for (const jumpMs of JUMPS_MS) {
    await jump(gateway, jumpMs);
    const { accepted } = load;
    await tried(down, TRIES);
    await down.until(() => load.accepted > accepted, 'a profile taken', WITHIN_MS);
    assert.deepEqual(await negatives(gateway), []);
  }
  down.act = () => TAKEN;
  await load.stop();
  await delivered(gateway, ledger, stores);
  assert.deepEqual((await gateway.status()).drops, []);
  assert.equal(await gateway.stop(), 0);
  for (const [name, store] of stores) card.judge(name, ledger.verdict(store.arrivals));
});

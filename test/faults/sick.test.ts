// Stores that are up but not well, each beside the same healthy one: nothing is lost, and the healthy one notices nothing.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { Ledger } from './ledger.ts';
import { Load } from './load.ts';
import type { Random } from './random.ts';
import { delivered, folder, percentile, type Rig, rig } from './rig.ts';
import { scenario } from './scorecard.ts';
import { SECONDS } from './settings.ts';
import { type Act, refusal, type Store, TAKEN } from './store.ts';

const RATE = 150;
const SLOWEST_MS = 400;
/** Far above noise, far below what one wait for a sick store would cost. */
const NOTICED_MS = 250;

const SICK: Record<string, (store: Store, random: Random) => void> = {
  slow: (store, random) => {
    store.delayMs = () => random.below(SLOWEST_MS);
  },
  flapping: (store, random) => {
    const bad: readonly Act[] = [refusal(500), refusal(429), { kind: 'reset' }];
    store.act = () => (random() < 0.5 ? TAKEN : bad[random.below(bad.length)]!);
  },
  limiting: (store, random) => {
    store.act = () => (random() < 0.7 ? TAKEN : refusal(429, 1));
  },
  half: (store, random) => {
    const acts: readonly Act[] = [TAKEN, TAKEN, { kind: 'half status' }, { kind: 'half body' }];
    store.act = () => acts[random.below(acts.length)]!;
  },
  silent: store => {
    store.delayMs = () => 3_600_000;
  },
};

/** Feeds the gateway for a while; resolves with the time from sender to healthy store, ms. */
async function feed({ port, stores }: Rig, ledger: Ledger, seconds: number, t: TestContext): Promise<Float64Array> {
  const load = new Load(ledger, port, { senders: 16, rate: RATE });
  t.after(() => load.stop());
  const healthy = stores.get('healthy')!;
  const before = healthy.arrivals.length;
  await healthy.until(() => healthy.arrivals.length >= before + RATE * seconds, 'load', 60_000 + seconds * 2_000);
  await load.stop();
  assert.deepEqual([...load.statuses.keys()], [200]);
  await healthy.until(() => ledger.settled(healthy.numbers), 'everything', 30_000);
  return ledger.latencies(healthy.arrivals.slice(before));
}

scenario('sick', { timeout: 180_000 + SECONDS * 10_000 }, async (t, card, random) => {
  const ledger = new Ledger();
  const all = await rig(t, { stores: ['healthy', ...Object.keys(SICK)], directory: folder(t) });
  const gateway = await all.start();
  // The first seconds are those of the compiler.
  await feed(all, ledger, 1, t);
  const well = percentile(await feed(all, ledger, SECONDS, t), 0.99);
  const asked = new Map([...all.stores].map(([name, { requests }]) => [name, requests]));
  for (const [name, infect] of Object.entries(SICK)) infect(all.stores.get(name)!, random);
  const beside = percentile(await feed(all, ledger, SECONDS, t), 0.99);
  const requests = all.stores.get('flapping')!.requests - asked.get('flapping')!;
  for (const store of all.stores.values()) {
    store.act = () => TAKEN;
    store.delayMs = () => 0;
  }
  // What a silent store was asked is given up by closing on it; the rest it answers now.
  await all.stores.get('silent')!.restart();
  await delivered(gateway, ledger, all.stores);
  assert.deepEqual((await gateway.status()).drops, []);
  assert.equal(await gateway.stop(), 0);
  card.figure('p99 at the healthy store', `${well.toFixed(1)} ms alone, ${beside.toFixed(1)} ms beside sick ones`);
  card.figure('requests per profile, flapping store', (requests / (RATE * SECONDS)).toFixed(2));
  for (const [name, store] of all.stores) card.judge(name, ledger.verdict(store.arrivals));
  assert.ok(beside < well + NOTICED_MS, `p99 ${beside} ms beside sick stores, ${well} ms without`);
});

// kill -9 at random moments under load: three exporters on a disk queue, one of them dead until the end.
import assert from 'node:assert/strict';
import { Ledger } from './ledger.ts';
import { Load } from './load.ts';
import { delivered, folder, rig } from './rig.ts';
import { scenario } from './scorecard.ts';
import { KILLS } from './settings.ts';

const SENDERS = 16;
/** The longest time under load until the kill, ms. */
const LIFE_MS = 300;

scenario('kill', { repeats: KILLS, timeout: 120_000 + KILLS * 6_000 }, async (t, card, random) => {
  const { port, stores, start } = await rig(t, { stores: ['a', 'b', 'dead'], directory: folder(t) });
  const dead = stores.get('dead')!;
  await dead.stop();
  const ledger = new Ledger();
  let gateway = await start();
  const load = new Load(ledger, port, { senders: SENDERS });
  t.after(() => load.stop());
  const starts: number[] = [];
  for (let kill = 0; kill < KILLS; kill++) {
    // The load has found the gateway again; from there on the moment is random.
    const before = load.accepted;
    while (load.accepted < before + SENDERS) await new Promise(resolve => setImmediate(resolve));
    await new Promise(resolve => setTimeout(resolve, random() * LIFE_MS));
    await gateway.kill();
    await ledger.fault();
    gateway = await start();
    starts.push(Number(gateway.logs.find(({ msg }) => msg === 'gateway running')!.startMs));
  }
  await load.stop();
  await dead.start();
  await delivered(gateway, ledger, stores);
  assert.equal(await gateway.stop(), 0);
  card.figure('longest start', `${Math.max(...starts)} ms`);
  for (const [name, store] of stores) card.judge(name, ledger.verdict(store.arrivals));
  assert.ok(ledger.count.acknowledged >= KILLS);
});

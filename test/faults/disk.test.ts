// Disks that are full, turn read-only, fail: the gateway lives, says so, refuses what it cannot keep, delivers what it has, and goes on.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Gateway } from '../kit/gateway.ts';
import { Ledger } from './ledger.ts';
import { Load } from './load.ts';
import { brittleDisk, limitFileSize, smallDisk, whyNoMounts } from './mounts.ts';
import { delivered, folder, pidOf, type Rig, rig } from './rig.ts';
import { type Card, scenario } from './scorecard.ts';

const SENDERS = 8;
const PROFILE_BYTES = 20_000;
const DISK_MIB = 40;
const WELL = 'queue file takes writes again';
const TIMEOUT = { timeout: 180_000 };

/** A gateway under load with one healthy store and one that is dead. */
async function underLoad(t: TestContext, directory: string) {
  const all = await rig(t, { stores: ['healthy', 'dead'], directory });
  await all.stores.get('dead')!.stop();
  const ledger = new Ledger();
  const gateway = await all.start();
  const load = new Load(ledger, all.port, { senders: SENDERS, padding: PROFILE_BYTES, refusedMs: 50 });
  t.after(() => load.stop());
  await until(load, ({ accepted }) => accepted > 100);
  return { ...all, ledger, gateway, load };
}

/** Looks after each turn of the event loop: the load itself is what moves. */
async function until(load: Load, condition: (load: Load) => boolean, ms = 60_000): Promise<void> {
  const deadline = performance.now() + ms;
  while (!condition(load)) {
    if (performance.now() > deadline) throw new Error(`load: not within ${ms} ms, ${[...load.statuses].join(' · ')}`);
    await new Promise(resolve => setImmediate(resolve));
  }
}

/** The gateway says that it cannot write, refuses with 429 and Retry-After, and stays ready: a restart would mend nothing. */
async function refuses(gateway: Gateway, load: Load): Promise<void> {
  const before = load.statuses.get(429) ?? 0;
  await until(load, ({ statuses }) => (statuses.get(429) ?? 0) > before + 20);
  const { components } = await gateway.status();
  assert.equal(components.find(({ id }: { id: string }) => id === 'file_storage').health, 'degraded');
  assert.equal((await fetch(`${gateway.admin}/readyz`)).status, 200);
}

/** It takes profiles again. */
async function takes(load: Load): Promise<void> {
  const { accepted } = load;
  await until(load, now => now.accepted > accepted + 200);
}

async function ends(
  { stores, ledger }: Pick<Rig, 'stores'> & { ledger: Ledger },
  gateway: Gateway,
  load: Load,
  card: Card,
) {
  await load.stop();
  assert.deepEqual([...load.statuses.keys()].toSorted(), [200, 429], 'accepted or refused, nothing else');
  await delivered(gateway, ledger, stores);
  const { drops, components } = await gateway.status();
  assert.deepEqual(drops, []);
  assert.equal(components.find(({ id }: { id: string }) => id === 'file_storage').health, 'ok');
  assert.equal(await gateway.stop(), 0);
  card.figure('refused meanwhile', load.statuses.get(429)!);
  for (const [name, store] of stores) card.judge(name, ledger.verdict(store.arrivals));
}

scenario('disk-full', TIMEOUT, async (t, card) => {
  const why = whyNoMounts();
  if (why) return card.skip(why);
  const disk = smallDisk(t, DISK_MIB);
  const { stores, ledger, gateway, load } = await underLoad(t, disk.path);
  await refuses(gateway, load);
  // The store that filled the disk takes what it is owed: delivering alone makes room.
  const dead = stores.get('dead')!;
  await dead.start();
  await takes(load);
  await dead.stop();
  await refuses(gateway, load);
  disk.resize(DISK_MIB * 1.5);
  await takes(load);
  await gateway.until(() => gateway.logs.find(({ msg }) => msg === WELL), WELL);
  await dead.start();
  card.figure('disk', `${DISK_MIB} MiB`);
  await ends({ stores, ledger }, gateway, load, card);
});

scenario('disk-errors', TIMEOUT, async (t, card) => {
  if (process.platform !== 'linux') return card.skip('prlimit is Linux only');
  const { stores, ledger, gateway, load } = await underLoad(t, folder(t));
  limitFileSize(pidOf(gateway), 1);
  await refuses(gateway, load);
  limitFileSize(pidOf(gateway), undefined);
  await takes(load);
  await gateway.until(() => gateway.logs.find(({ msg }) => msg === WELL), WELL);
  await stores.get('dead')!.start();
  await ends({ stores, ledger }, gateway, load, card);
});

scenario('disk-read-only', TIMEOUT, async (t, card) => {
  const why = whyNoMounts();
  if (why) return card.skip(why);
  const disk = brittleDisk(t, 256);
  if (!disk) return card.skip('no loop devices here');
  const { stores, ledger, gateway, load, start } = await underLoad(t, disk.path);
  disk.fail();
  await refuses(gateway, load);
  // Nothing can be noted any more: what is delivered from here on is delivered again after the restart.
  await gateway.stop();
  await ledger.fault();
  await assert.rejects(start(), /queue\.db/, 'a read-only disk is no place for a queue');
  disk.mend();
  const mended = await start();
  await takes(load);
  await stores.get('dead')!.start();
  load.statuses.delete('ECONNREFUSED');
  load.statuses.delete('ECONNRESET');
  await ends({ stores, ledger }, mended, load, card);
});

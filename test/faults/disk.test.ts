// Disks that are full, turn read-only, fail: the gateway lives, says so, refuses what it cannot keep, delivers what it has, and goes on.
import assert from 'node:assert/strict';
import type { Gateway } from '../kit/gateway.ts';
import { Ledger } from './ledger.ts';
import { Load } from './load.ts';
import { brittleDisk, limitFileSize, smallDisk, whyNoMounts } from './mounts.ts';
import { folder, pidOf, rig } from './rig.ts';
import { scenario } from './scorecard.ts';

const SENDERS = 8;
const PROFILE_BYTES = 20_000;
const DISK_MIB = 48;
/** The file may grow to this when its disk is full in the middle, bytes. */
const MIB = 1024 * 1024;
const TROUBLE = 'queue file takes no writes';
const WELL = 'queue file takes writes again';

const health = async (gateway: Gateway): Promise<string> =>
  (await gateway.status()).components.find(({ id }: { id: string }) => id === 'file_storage').health;

/** The nth time that the gateway logs this. */
const nth = (gateway: Gateway, msg: string, n: number) =>
  gateway.until(() => gateway.logs.filter(line => line.msg === msg)[n - 1], `line ${n} of "${msg}"`, 60_000);

scenario('disk-full', { timeout: 240_000 }, async (t, card) => {
  const why = whyNoMounts();
  if (why) return card.skip(why);
  const disk = smallDisk(t, DISK_MIB);
  const { port, stores, start } = await rig(t, { stores: ['healthy', 'dead'], directory: disk.path });
  const dead = stores.get('dead')!;
  await dead.stop();
  const ledger = new Ledger();
  const gateway = await start();
  const load = new Load(ledger, port, { senders: SENDERS, padding: PROFILE_BYTES, refusedMs: 100 });
  t.after(() => load.stop());
  await nth(gateway, TROUBLE, 1);
  console.log(load.statuses, await health(gateway));
  await dead.start();
  await nth(gateway, WELL, 1);
  console.log(load.statuses, await health(gateway));
  await load.stop();
  for (const [name, store] of stores) await store.until(() => ledger.settled(store.numbers), `all for ${name}`, 60_000);
  assert.equal(await gateway.stop(), 0);
  for (const [name, store] of stores) card.judge(name, ledger.verdict(store.arrivals));
});

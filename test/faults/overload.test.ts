// Ten times more than fits, and the store is dead: the process stays below its limit, says 429 and nothing else, and keeps its word.
import assert from 'node:assert/strict';
import { Ledger } from './ledger.ts';
import { Load } from './load.ts';
import { cpuMs, delivered, rig, rssMib } from './rig.ts';
import { scenario } from './scorecard.ts';
import { OVERLOAD_MIB } from './settings.ts';

const LIMIT_MIB = 256;
const PROFILE_BYTES = 200_000;
const SENDERS = 32;
const TIMES = 10;
/** What RSS may exceed the limit by: slabs and heap are counted now and then, not at every byte. */
const SLACK = 1.1;

scenario('overload', { timeout: 60_000 + OVERLOAD_MIB * 50 }, async (t, card) => {
  const { port, stores, start } = await rig(t, {
    stores: ['dead'],
    queue: { queue_size: '4GiB', on_full: 'refuse' },
    processors: { memory_limiter: { limit_mib: LIMIT_MIB, check_interval: '100ms' } },
  });
  const dead = stores.get('dead')!;
  await dead.stop();
  const ledger = new Ledger();
  const gateway = await start();
  const load = new Load(ledger, port, { senders: SENDERS, padding: PROFILE_BYTES, refusedMs: 1 });
  t.after(() => load.stop());
  const turned = async (condition: () => boolean) => {
    while (!condition()) await new Promise(resolve => setTimeout(resolve, 10));
  };
  await turned(() => (load.statuses.get(429) ?? 0) > SENDERS);
  const from = { answered: load.answered, accepted: load.accepted, cpu: cpuMs(gateway) };
  await turned(() => load.answered > TIMES * load.accepted && load.answered * PROFILE_BYTES > OVERLOAD_MIB * 2 ** 20);
  const refused = load.answered - from.answered - (load.accepted - from.accepted);
  const cpu = cpuMs(gateway) - from.cpu;
  const { peak } = rssMib(gateway);
  await load.stop();
  const offered = (load.answered * PROFILE_BYTES) / 2 ** 20;
  const held = (load.accepted * PROFILE_BYTES) / 2 ** 20;
  await dead.start();
  await delivered(gateway, ledger, stores);
  assert.deepEqual((await gateway.status()).drops, []);
  assert.equal(await gateway.stop(), 0);
  card.figure('limit', `${LIMIT_MIB} MiB`);
  card.figure('peak RSS', `${peak.toFixed(0)} MiB`);
  card.figure('offered', `${offered.toFixed(0)} MiB, ${(offered / held).toFixed(1)} × what was kept`);
  card.figure('CPU of a refusal', `${((cpu * 1000) / refused).toFixed(0)} µs`);
  assert.deepEqual([...load.statuses.keys()].toSorted(), [200, 429], [...load.statuses].join(' · '));
  card.judge('dead', ledger.verdict(dead.arrivals));
  assert.ok(peak <= LIMIT_MIB * SLACK, `peak RSS ${peak} MiB`);
  assert.ok(load.accepted > 0);
});

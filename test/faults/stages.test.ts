// Stages that throw, loop for ever, take memory without end, end their worker, under load and reloads: each costs its own profile
// and nothing else, and what another stage notes is counted exactly.
import assert from 'node:assert/strict';
import { join, resolve } from 'node:path';
import { QueueDatabase } from '../../src/pipeline/outbox/disk/database.ts';
import { numbered } from '../kit/pprof.ts';
import { Ledger } from './ledger.ts';
import { Load } from './load.ts';
import { delivered, folder, rig, rssMib } from './rig.ts';
import { scenario } from './scorecard.ts';
import { STAGE_FAULTS } from './settings.ts';

const TRIAL = resolve(import.meta.dirname, '../kit/stages/trial');
const WAYS = ['throw', 'loop', 'heap', 'buffers', 'exit'] as const;
/** Healthy profiles a second beside the poison. */
const RATE = 200;
/** Healthy profiles that must get through before the next round. */
const BETWEEN = 50;
/**
 * What RSS may grow by, MiB, from the second fifth of the rounds to the last one, medians. Single looks say little: each thread that ends
 * leaves pages to V8's pool and to the arenas of malloc, which the next ones use again. It goes up and down by 100 MiB for their sake.
 */
const FLAT_MIB = 100;
/** In a run too short for fifths: from the last of these rounds to the end. */
const WARM_ROUNDS = 2;
const SHORT_FLAT_MIB = 150;

scenario('stages', { repeats: STAGE_FAULTS, timeout: 60_000 + STAGE_FAULTS * 10_000 }, async (t, card) => {
  const directory = folder(t);
  const { port, stores, config, start } = await rig(t, {
    stores: ['a'],
    directory,
    processors: { 'trial/notes': { note: 'n' }, 'trial/mark': { mark: '0' } },
  });
  const store = stores.get('a')!;
  config.plugins = [TRIAL];
  (config.service as Record<string, unknown>).workers = { threads: 2, task_timeout: '300ms', thread_memory: '128MiB' };
  const gateway = await start();
  const ledger = new Ledger();
  const load = new Load(ledger, port, { senders: 8, rate: RATE });
  t.after(() => load.stop());
  const poison = async (way: string, round: number) => {
    const name = encodeURIComponent(`app{p=${round},trial=${way}}`);
    const url = `http://127.0.0.1:${port}/ingest?name=${name}&format=pprof`;
    const { status } = await fetch(url, { method: 'POST', body: numbered(1_000_000 + round) }).catch(error => {
      const { exitCode, signalCode } = gateway.child;
      throw new Error(`${way}: gateway ended with ${exitCode ?? signalCode}: ${gateway.stderr}`, { cause: error });
    });
    assert.equal(status, 200, `${way}: kept as a dead letter`);
  };
  const rss: number[] = [];
  for (let round = 0; round < STAGE_FAULTS; round++) {
    await Promise.all(WAYS.map(way => poison(way, round)));
    (config.processors as Record<string, object>)['trial/mark'] = { mark: String(round) };
    const reloaded = await gateway.reload(config);
    assert.equal(reloaded.msg, 'configuration reloaded');
    const before = load.accepted;
    while (load.accepted < before + BETWEEN) await new Promise(resolve => setImmediate(resolve));
    rss.push(rssMib(gateway).now);
  }
  await load.stop();
  await delivered(gateway, ledger, stores);
  const { now, peak } = rssMib(gateway);
  const acknowledged = ledger.count.acknowledged;
  assert.deepEqual([...load.statuses.keys()], [200], 'no healthy sender heard of it');
  assert.equal(await gateway.metric('flamegate_trial_notes_total{id="trial/notes"'), acknowledged, 'notes, exactly');
  const restarts = await gateway.metric('flamegate_stage_restarts_total{id="trial/notes"');
  assert.equal(await gateway.stop(), 0);
  card.judge('store', ledger.verdict(store.arrivals));
  const database = QueueDatabase.open(join(directory, 'queue.db'), 'normal');
  const letters = database.deadLetters();
  database.close();
  assert.equal(letters.length, STAGE_FAULTS * WAYS.length, 'every failure is a dead letter');
  for (const { queue, reason, message } of letters) {
    assert.deepEqual([queue, reason], ['stage:profiles/trial/notes', 'stage_failed']);
    assert.match(String(message), /^trial\/notes: (thrown on purpose|worker exited|did not end within|used more than)/);
  }
  card.figure('dead letters', letters.length);
  card.figure('threads lost', restarts);
  card.figure('notes counted', acknowledged);
  const fifth = Math.floor(rss.length / 5);
  const long = fifth >= WARM_ROUNDS;
  const before = long ? median(rss.slice(fifth, 2 * fifth)) : rss[Math.min(WARM_ROUNDS, rss.length) - 1]!;
  const after = long ? median(rss.slice(-fifth)) : now;
  card.figure('RSS MiB', `${before.toFixed(0)} early, ${after.toFixed(0)} late, ${peak.toFixed(0)} peak`);
  assert.ok(after - before < (long ? FLAT_MIB : SHORT_FLAT_MIB), `RSS grew from ${before} to ${after} MiB`);
});

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
}

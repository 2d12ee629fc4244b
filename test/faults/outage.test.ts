// Stores that are gone for long, that refuse access, that refuse single profiles: on the test clock.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { resultOf } from '../../src/exporters/pyroscope/answer.ts';
import { QueueDatabase } from '../../src/pipeline/outbox/disk/database.ts';
import { type Answer, Lab } from './lab.ts';
import { type Arrival, hashOf } from './ledger.ts';
import type { Random } from './random.ts';
import { folder } from './rig.ts';
import { type Card, scenario } from './scorecard.ts';

const MINUTE_MS = 60_000;
const OUTAGE_MINUTES = 50;
const ACCESS_MINUTES = 10;
/** Batches a second on the test clock. */
const RATE = 1;
/** The longest delay between two tries: max_interval and its random share. */
const LONGEST_DELAY_MS = 45_000;

const DOWN: Answer = { kind: 'retryable', error: new Error('connection refused') };
/** What an exporter makes of this answer of a store. */
const answered = (status: number): Answer =>
  resultOf({ kind: 'answer', status, headers: {}, body: Buffer.from('{"code":"","message":"no"}') }).result;

/** Feeds the gateway for this long; what a store that is up gets late shows in the depth of its queue. */
async function feed(lab: Lab, ms: number): Promise<{ deepest: number }> {
  const { outbox } = lab.target('healthy');
  let deepest = 0;
  for (let left = ms; left > 0; left -= 10_000) {
    await lab.send(RATE * 10);
    await lab.pass(10_000);
    deepest = Math.max(deepest, outbox.depth.batches);
  }
  return { deepest };
}

const outage = (file?: (t: TestContext) => string) => async (t: TestContext, card: Card, random: Random) => {
  const lab = new Lab(['down', 'healthy'], random, file?.(t));
  await lab.start();
  const down = lab.target('down');
  await feed(lab, MINUTE_MS);
  const asked = down.askedMs.length;
  down.answer = () => DOWN;
  const { deepest } = await feed(lab, OUTAGE_MINUTES * MINUTE_MS);
  const probes = down.askedMs.slice(asked);
  assert.equal(deepest, 0, 'the healthy store waits for nothing');
  assert.deepEqual(down.health, ['ok', 'degraded']);
  const longestGapMs = Math.max(...probes.map((ms, n) => ms - (probes[n - 1] ?? ms)));
  assert.ok(longestGapMs <= LONGEST_DELAY_MS, `no try for ${longestGapMs} ms`);
  down.answer = () => ({ kind: 'accepted' });
  const tookMs = await lab.drained('down', LONGEST_DELAY_MS);
  assert.deepEqual([...down.drops, ...lab.target('healthy').drops], []);
  assert.equal(down.health.at(-1), 'ok');
  await lab.stop();
  assert.equal(lab.memory.usage.heldBytes, 0);
  card.figure('longest outage bridged', `${OUTAGE_MINUTES} min`);
  card.figure('tries while down', probes.length);
  card.figure('caught up after', `${(tookMs / 1000).toFixed(1)} s`);
  for (const [id, { arrivals }] of lab.targets) card.judge(id, lab.ledger.verdict(arrivals));
};

scenario('outage-memory', { timeout: 120_000 }, outage());
scenario(
  'outage-disk',
  { timeout: 120_000 },
  outage(t => join(folder(t), 'queue.db')),
);

scenario('access', { timeout: 60_000 }, async (t, card, random) => {
  const file = join(folder(t), 'queue.db');
  const lab = new Lab(['closed', 'healthy'], random, file);
  await lab.start();
  const closed = lab.target('closed');
  for (const status of [401, 403, 404]) {
    const asked = closed.askedMs.length;
    closed.answer = () => answered(status);
    const { deepest } = await feed(lab, ACCESS_MINUTES * MINUTE_MS);
    assert.equal(deepest, 0, 'the healthy store waits for nothing');
    assert.equal(closed.health.at(-1), 'degraded');
    assert.ok(closed.outbox.paused, 'the exporter is paused');
    assert.equal(closed.outbox.depth.batches, ACCESS_MINUTES * 60 * RATE, 'it keeps queueing');
    const probes = closed.askedMs.length - asked;
    // Several may be in flight when the first is refused; then one a minute.
    assert.ok(probes >= ACCESS_MINUTES - 1 && probes <= ACCESS_MINUTES + 10, `${probes} probes`);
    closed.answer = () => ({ kind: 'accepted' });
    await lab.drained('closed', 2 * MINUTE_MS);
    assert.equal(closed.health.at(-1), 'ok');
    card.figure(`tries in ${ACCESS_MINUTES} min of ${status}`, probes);
  }
  assert.deepEqual(closed.drops, []);
  await lab.stop();
  const database = QueueDatabase.open(file, 'normal');
  assert.deepEqual(database.deadLetters(), []);
  database.close();
  for (const [id, { arrivals }] of lab.targets) card.judge(id, lab.ledger.verdict(arrivals));
});

scenario('rejected', { timeout: 60_000 }, async (t, card, random) => {
  const file = join(folder(t), 'queue.db');
  const lab = new Lab(['strict', 'healthy'], random, file);
  await lab.start();
  const strict = lab.target('strict');
  const refused = new Map<number, number>();
  strict.answer = number => {
    const drawn = refused.get(number) ?? [400, 422, 503, 429, 200, 200, 200, 200][random.below(8)]!;
    if (drawn === 400 || drawn === 422) refused.set(number, drawn);
    return answered(drawn);
  };
  await feed(lab, 5 * MINUTE_MS);
  await lab.drained('strict', 60 * MINUTE_MS);
  await lab.stop();
  assert.deepEqual(new Set(strict.drops), new Set(['rejected:1']));
  const letters = lettersIn(file, refused);
  assert.equal(letters.length, refused.size, 'each refused profile is a dead letter, once');
  card.figure('refused for good', refused.size);
  card.figure('dead letters', letters.length);
  card.judge('strict and dead letters', lab.ledger.verdict([...strict.arrivals, ...letters]));
  card.judge('healthy', lab.ledger.verdict(lab.target('healthy').arrivals));
});

/** What the file keeps of refused profiles; each must say why. */
function lettersIn(file: string, refused: ReadonlyMap<number, number>): Arrival[] {
  const database = QueueDatabase.open(file, 'normal');
  const letters = database.deadLetters().map(({ payload, queue, reason, message }): Arrival => {
    const { meta, body } = database.read(payload);
    const number = Number(/"n","(\d+)"/.exec(meta)?.[1]);
    assert.deepEqual([queue, reason], ['strict', 'rejected']);
    assert.match(String(message), new RegExp(`store answered ${refused.get(number)}`));
    const atMs = performance.now();
    return { number, hash: hashOf(body), atMs, answeredMs: atMs };
  });
  assert.deepEqual(database.entries(), []);
  database.close();
  return letters;
}

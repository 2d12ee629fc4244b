// Crowds of idle, slow and flooding connections beside a normal client: it notices little, the crowd is shown out, memory stays bounded.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { Ledger } from './ledger.ts';
import { Load } from './load.ts';
import { delivered, percentile, rig, rssMib } from './rig.ts';
import { type Card, scenario } from './scorecard.ts';
import { CONNECTIONS, PATIENT } from './settings.ts';
import { type Crowd, Crowds } from './sockets.ts';

const RATE = 100;
const SLOW = 200;
/** How long a percentile is taken over, seconds. */
const WINDOW_S = PATIENT ? 5 : 1;
const FLOODS = 20;
/** The gateway's own times: for a head, for a body that does not move on, for an idle connection; and time to notice, ms. */
const HEAD_MS = 10_000;
const STALL_MS = 30_000;
const IDLE_MS = 120_000;
const NOTICE_MS = 10_000;
/** What all of them may cost, MiB. */
const RSS_MIB = 400;
/** Far above what a busy machine adds, far below what a client that waits for a crowd would see. */
const SANE_MS = 1_000;

/** Connections that one process can have; the gateway has them too. */
function room(): number {
  const said = execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim();
  return said === 'unlimited' ? CONNECTIONS : Number(said) - 1_000;
}

scenario('hostile', { repeats: CONNECTIONS, timeout: 400_000 }, async (t, card) => {
  const { port, stores, start } = await rig(t, { stores: ['healthy'] });
  const healthy = stores.get('healthy')!;
  const ledger = new Ledger();
  const gateway = await start();
  const load = new Load(ledger, port, { senders: 4, rate: RATE });
  const crowds = new Crowds(port);
  t.after(async () => {
    await crowds.leave();
    await load.stop();
  });
  /** The 99th percentile of the next answers, ms. */
  const p99 = async (seconds: number) => {
    const before = load.tookMs.length;
    while (load.tookMs.length < before + RATE * seconds) await new Promise(resolve => setTimeout(resolve, 10));
    return percentile(Float64Array.from(load.tookMs.slice(before)).sort(), 0.99);
  };
  // The first second is the compiler's.
  await p99(1);
  const alone = await p99(WINDOW_S);
  const base = rssMib(gateway).now;

  const idlers = Math.min(CONNECTIONS, room());
  if (idlers < CONNECTIONS) card.figure('idle connections', `${idlers} only, \`ulimit -n\` allows no more`);
  const cameMs = performance.now();
  const idle = await crowds.come('idle', idlers);
  const besideIdle = await p99(WINDOW_S);
  card.figure('memory of an idle connection', `${(((rssMib(gateway).now - base) * 1024) / idlers).toFixed(1)} KiB`);
  const slowHeads = await crowds.come('slow head', SLOW);
  const slowBodies = await crowds.come('slow body', SLOW);
  const slowChunks = await crowds.come('slow chunks', SLOW);
  const huge = await crowds.come('huge header', FLOODS);
  const endless = await crowds.come('endless headers', FLOODS);
  const deaf = await crowds.come('never reads', FLOODS);
  const besideAll = await p99(2 * WINDOW_S);

  await shownOut(card, { 'huge headers': huge, 'endless headers': endless }, 0);
  if (PATIENT) {
    await shownOut(card, { 'slow heads': slowHeads }, HEAD_MS);
    const slow = { 'slow bodies': slowBodies, 'slow chunks': slowChunks, 'clients that never read': deaf };
    await shownOut(card, slow, STALL_MS);
    await shownOut(card, { 'idle connections': idle }, cameMs + IDLE_MS - performance.now());
  } else assert.equal(idle.closed, 0, 'who only waits may stay');
  const grown = rssMib(gateway).peak - base;
  await crowds.leave();
  await load.stop();
  await delivered(gateway, ledger, stores);
  assert.equal(await gateway.metric('flamegate_internal_errors_total{id="net"}'), 0);
  assert.equal(await gateway.stop(), 0);
  const waits = `${alone.toFixed(1)} ms alone, ${besideIdle.toFixed(1)} ms beside idle connections, ${besideAll.toFixed(1)} ms beside all`;
  card.figure('p99 of a normal client', waits);
  card.figure('peak RSS above the base', `${grown.toFixed(0)} MiB`);
  card.judge('healthy', ledger.verdict(healthy.arrivals));
  assert.deepEqual([...load.statuses.keys()], [200]);
  assert.ok(grown < RSS_MIB, `${grown} MiB`);
  assert.ok(besideAll < alone + SANE_MS, waits);
});

/** All of these crowds are closed in this time. */
async function shownOut(card: Card, crowds: Record<string, Crowd>, withinMs: number): Promise<void> {
  const all = Object.entries(crowds);
  await Promise.all(all.map(([what, crowd]) => crowd.shownOut(what, withinMs + NOTICE_MS)));
  for (const [what, { statuses }] of all)
    card.figure(what, [...statuses].map(([status, count]) => `${count} × ${status}`).join(', '));
}

// Crowds of idle, slow and flooding connections beside a normal client: it notices little, the crowd is shown out, memory stays bounded.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { Ledger } from './ledger.ts';
import { Load } from './load.ts';
import { percentile, rig, rssMib } from './rig.ts';
import { type Card, scenario } from './scorecard.ts';
import { CONNECTIONS, PATIENT } from './settings.ts';
import { type Crowd, crowd, drip, flood } from './sockets.ts';

const RATE = 100;
const SLOW = 200;
const FLOODS = 20;
/** The gateway's own times: for a head, for a body that comes too slowly, for an idle connection; and time to notice, ms. */
const HEAD_MS = 10_000;
const STALL_MS = 30_000;
const IDLE_MS = 120_000;
const NOTICE_MS = 10_000;
/** What 10 000 connections and floods may cost, MiB. */
const RSS_MIB = 300;
/** Far above what a busy machine adds, far below what a client that waits for a crowd would see. */
const SANE_MS = 1_000;

const POST = 'POST /ingest?name=slow&format=pprof HTTP/1.1\r\nhost: x\r\n';

/** Files that one process may have open. */
function openFiles(): number {
  const said = execFileSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).trim();
  return said === 'unlimited' ? Number.POSITIVE_INFINITY : Number(said);
}

async function shownOut(card: Card, name: string, { gone, statuses, ...of }: Crowd, withinMs: number): Promise<void> {
  void of;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${name}: not all were closed within ${withinMs} ms`)), withinMs);
  });
  await Promise.race([gone, late]);
  clearTimeout(timer);
  card.figure(name, `all closed, ${[...statuses].map(([status, count]) => `${count} × ${status}`).join(', ')}`);
}

scenario('hostile', { repeats: CONNECTIONS, timeout: 400_000 }, async (t, card) => {
  const { port, stores, start } = await rig(t, { stores: ['healthy'] });
  const ledger = new Ledger();
  const gateway = await start();
  const load = new Load(ledger, port, { senders: 4, rate: RATE });
  t.after(() => load.stop());
  const crowds: Crowd[] = [];
  const came = async (...of: Parameters<typeof crowd>) => {
    const one = await crowd(...of);
    crowds.push(one);
    t.after(() => one.end());
    return one;
  };
  const answered = async (count: number) => {
    const before = load.tookMs.length;
    while (load.tookMs.length < before + count) await new Promise(resolve => setImmediate(resolve));
    return percentile(Float64Array.from(load.tookMs.slice(before)).sort(), 0.99);
  };
  await answered(RATE);
  const alone = await answered(RATE * 2);
  const base = rssMib(gateway).now;

  const room = openFiles() - 1_000;
  const idlers = Math.min(CONNECTIONS, room);
  if (idlers < CONNECTIONS) card.figure('idle connections', `${idlers} only, \`ulimit -n\` allows no more`);
  const startMs = performance.now();
  const idle = await came(port, idlers);
  const besideIdle = await answered(RATE * 2);
  card.figure('memory of an idle connection', `${(((rssMib(gateway).now - base) * 1024) / idlers).toFixed(1)} KiB`);
  const slowHeads = await came(port, SLOW, socket => {
    socket.write('GET /ready HTTP/1.1\r\nhost: x\r\nx-slow: ');
    drip(socket, 500, () => 'a');
  });
  const slowBodies = await came(port, SLOW, socket => {
    socket.write(`${POST}content-length: 100000\r\n\r\n`);
    drip(socket, 200, () => 'b');
  });
  const slowChunks = await came(port, SLOW, socket => {
    socket.write(`${POST}transfer-encoding: chunked\r\n\r\n`);
    drip(socket, 200, () => '1\r\nc\r\n');
  });
  const huge = await came(port, FLOODS, socket =>
    flood(socket, `GET /ready HTTP/1.1\r\nhost: x\r\nx-huge: ${'a'.repeat(1 << 20)}\r\n\r\n`),
  );
  const endless = await came(port, FLOODS, socket => {
    socket.write('GET /ready HTTP/1.1\r\nhost: x\r\n');
    let line = 0;
    flood(socket, Array.from({ length: 100 }, () => `x-${line++}: y\r\n`).join(''));
  });
  const deaf = await came(
    port,
    FLOODS,
    socket => flood(socket, 'GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(100)),
    { unread: true },
  );
  const besideAll = await answered(RATE * 4);
  await Promise.all([
    shownOut(card, 'huge headers', huge, NOTICE_MS),
    shownOut(card, 'endless headers', endless, NOTICE_MS),
    shownOut(card, 'slow heads', slowHeads, HEAD_MS + NOTICE_MS),
  ]);
  if (PATIENT) {
    await Promise.all([
      shownOut(card, 'slow bodies', slowBodies, STALL_MS + NOTICE_MS),
      shownOut(card, 'slow chunks', slowChunks, STALL_MS + NOTICE_MS),
      shownOut(card, 'clients that never read', deaf, STALL_MS + NOTICE_MS),
    ]);
    await shownOut(card, 'idle connections', idle, startMs + IDLE_MS + NOTICE_MS - performance.now());
  } else assert.equal(idle.closed, 0, 'who only waits may stay');
  const grown = rssMib(gateway).peak - base;
  for (const one of crowds) one.end();
  await load.stop();
  const [healthy] = [...stores.values()];
  await healthy!.until(() => ledger.settled(healthy!.numbers), 'everything', 30_000);
  assert.equal(await gateway.metric('flamegate_internal_errors_total{id="net"}'), 0);
  assert.equal(await gateway.stop(), 0);
  card.figure(
    'p99 of a normal client',
    `${alone.toFixed(1)} ms alone, ${besideIdle.toFixed(1)} ms beside idle connections, ${besideAll.toFixed(1)} ms beside all`,
  );
  card.figure('peak RSS above the base', `${grown.toFixed(0)} MiB`);
  card.judge('healthy', ledger.verdict(healthy!.arrivals));
  assert.deepEqual([...load.statuses.keys()], [200]);
  assert.ok(grown < RSS_MIB, `${grown} MiB`);
  assert.ok(besideAll < alone + SANE_MS, `p99 ${besideAll} ms`);
});

// npm run bench: what forwarding costs, each scenario beside the bare echo of the same run. Prints a Markdown table.
import { cpus } from 'node:os';
import { rawAppend } from './append.ts';
import { profileOfSize } from './body.ts';
import { percentile, runLoad } from './load.ts';
import {
  cpuUs,
  markCompacts,
  peakRssMib,
  received,
  startEcho,
  startGateway,
  startSink,
  stop,
  type Target,
} from './processes.ts';

const CONNECTIONS = 16;
/** A commit is shared by all who wait for it. */
const QUEUE_CONNECTIONS = 64;
const WARM_SECONDS = 2;
const SECONDS = Number(process.env.BENCH_SECONDS ?? 5);
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 3);
const SIZES = (process.env.BENCH_SIZES ?? '20000,200000').split(',').map(Number);

interface Scenario {
  readonly name: string;
  start(sinks: readonly Target[]): Promise<Target>;
  /** Deliveries per request that must have arrived before the clock stops. */
  readonly deliveries: number;
}

const url = ({ port }: Target) => `http://127.0.0.1:${port}`;
// Without a queue, so that the closed loop waits for the stores and nothing piles up that a later second would pay for.
const direct = (sinks: readonly Target[]) =>
  Object.fromEntries(
    sinks.map((sink, n) => [`pyroscope/${n}`, { endpoint: url(sink), sending_queue: { enabled: false } }]),
  );
const forward = (validate: 'header' | 'full', count: number): Scenario => ({
  name: `forward, ${count} exporter${count > 1 ? 's' : ''}, ${validate}`,
  deliveries: count,
  start: sinks => startGateway('forward', { receiver: { validate }, exporters: direct(sinks.slice(0, count)) }),
});
const LABELS = {
  actions: [
    { action: 'set', key: 'region', value: 'eu-1' },
    { action: 'set', key: 'team', value: 'checkout' },
  ],
};
const FRAMES = { rules: [{ action: 'redact', match: '\\.[0-9a-f]{14}$' }] };
/** Work on samples: every profile is decoded, edited, encoded and compressed again. */
const staged = (name: string, processors: Record<string, object>): Scenario => ({
  name: `forward, ${name}`,
  deliveries: 1,
  start: sinks =>
    startGateway('stages', { receiver: { validate: 'header' }, processors, exporters: direct(sinks.slice(0, 1)) }),
});
const ack = (validate: 'header' | 'full'): Scenario => ({
  name: `ingest + ack, ${validate}`,
  deliveries: 0,
  // The store is dead and the queue small: what remains is receiving, storing and making room.
  start: () =>
    startGateway('ack', {
      receiver: { validate },
      exporters: { pyroscope: { endpoint: 'http://127.0.0.1:9', sending_queue: { queue_size: '2MiB' } } },
    }),
});
/** Acknowledged from a queue: the store takes all, so that the queue stays short. */
const queued = (name: string, storage: 'full' | 'normal' | undefined): Scenario => ({
  name: `queue, ${name}`,
  deliveries: 1,
  start: ([sink]) =>
    startGateway('queue', {
      receiver: { validate: 'header' },
      exporters: {
        pyroscope: {
          endpoint: url(sink!),
          sending_queue: { queue_size: '4GiB', on_full: 'refuse', ...(storage && { storage: 'file_storage' }) },
        },
      },
      ...(storage && { sync: storage }),
    }),
});
/** The same without a delivery: the store is dead, everything stays in the queue. */
const durable = (sync: 'full' | 'normal'): Scenario => ({
  name: `queue, disk, sync ${sync}, ingest + ack`,
  deliveries: 0,
  start: () =>
    startGateway('durable', {
      receiver: { validate: 'header' },
      exporters: {
        pyroscope: {
          endpoint: 'http://127.0.0.1:9',
          sending_queue: { queue_size: '8GiB', on_full: 'refuse', storage: 'file_storage' },
        },
      },
      sync,
    }),
});
const scenarios: Scenario[] = [
  { name: 'bare echo', deliveries: 0, start: startEcho },
  ack('header'),
  forward('header', 1),
  forward('full', 1),
  forward('header', 3),
  staged('two labels on every sample', { labels: LABELS }),
  staged('frames redacted', { frames: FRAMES }),
  staged('labels and frames, fused', { labels: LABELS, frames: FRAMES }),
  queued('memory', undefined),
  queued('disk, sync normal', 'normal'),
  queued('disk, sync full', 'full'),
  durable('normal'),
  durable('full'),
].filter(({ name }) => new RegExp(process.env.BENCH_ONLY ?? '').test(name));

interface Figure {
  readonly cpuUs: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly rssMib: number;
  readonly markCompactsPerSecond: number | undefined;
}

async function measure(scenario: Scenario, size: number): Promise<Figure> {
  const sinks =
    scenario.deliveries > 0 ? await Promise.all(Array.from({ length: scenario.deliveries }, startSink)) : [];
  const target = await scenario.start(sinks);
  const connections = scenario.name.startsWith('queue') ? QUEUE_CONNECTIONS : CONNECTIONS;
  const body = profileOfSize(size);
  const head = `POST /ingest?name=shop%7Benv%3Dprod%7D&format=pprof&from=1795000000&until=1795000010&x=0000000000&spyName=gospy HTTP/1.1\r\nhost: bench\r\ncontent-type: application/octet-stream\r\ncontent-length: ${body.length}\r\n\r\n`;
  const request = Buffer.concat([Buffer.from(head), body]);
  const warm = await runLoad(target.port, request, connections, WARM_SECONDS);
  const arrived = async (requests: number) => {
    const wanted = requests * scenario.deliveries;
    const deadline = performance.now() + 60_000;
    for (;;) {
      const counts = await Promise.all(sinks.map(received));
      if (counts.reduce((sum, count) => sum + count, 0) >= wanted) return;
      if (performance.now() > deadline) throw new Error(`${scenario.name}: ${counts} of ${wanted} deliveries`);
    }
  };
  await arrived(warm.requests);
  const collections = await markCompacts(target);
  const before = cpuUs(target);
  const load = await runLoad(target.port, request, connections, SECONDS);
  await arrived(warm.requests + load.requests);
  const spent = cpuUs(target) - before;
  const after = await markCompacts(target);
  const figure: Figure = {
    cpuUs: spent / load.requests,
    perSecond: load.requests / load.seconds,
    p50: percentile(load.latencies, 0.5),
    p99: percentile(load.latencies, 0.99),
    rssMib: peakRssMib(target),
    markCompactsPerSecond: after === undefined ? undefined : (after - collections!) / load.seconds,
  };
  for (const one of [target, ...sinks]) await stop(one);
  return figure;
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

console.log(
  `${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.versions.node}; ${CONNECTIONS} connections, ${SECONDS} s, median of ${ROUNDS} interleaved rounds\n`,
);
console.log(
  '| body | scenario | CPU µs/profile | × echo | profiles/s | p50 ms | p99 ms | peak RSS MiB | Mark-Compacts/s |',
);
console.log('|---|---|---|---|---|---|---|---|---|');
for (const size of SIZES) {
  const figures = new Map<Scenario, Figure[]>(scenarios.map(scenario => [scenario, []]));
  for (let round = 0; round < ROUNDS; round++)
    for (const scenario of scenarios) figures.get(scenario)!.push(await measure(scenario, size));
  const echoes = figures.get(scenarios[0]!)!;
  for (const [scenario, runs] of figures) {
    const of = (pick: (figure: Figure) => number) => median(runs.map(pick));
    const ratio = median(runs.map((run, round) => run.cpuUs / echoes[round]!.cpuUs));
    const collections =
      runs[0]!.markCompactsPerSecond === undefined ? '' : of(run => run.markCompactsPerSecond ?? 0).toFixed(2);
    console.log(
      `| ${size / 1000} KB | ${scenario.name} | ${of(run => run.cpuUs).toFixed(0)} | ${ratio.toFixed(2)} | ${of(run => run.perSecond).toFixed(0)} | ${of(run => run.p50).toFixed(1)} | ${of(run => run.p99).toFixed(1)} | ${of(run => run.rssMib).toFixed(0)} | ${collections} |`,
    );
  }
}
for (const size of SIZES) console.log(rawAppend(size));

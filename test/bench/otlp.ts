// npm run bench:otlp: what OTLP → resource attribute → OTLP costs, by gRPC and HTTP, beside bare servers of the same run.
import { mkdtemp, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { freePort } from '../kit/gateway.ts';
import { ROUTE, type Transport } from '../kit/otlp-store.ts';
import { type Load, percentile, runLoad } from './load.ts';
import { otlpOfSize } from './otlp-body.ts';
import { runRpcLoad } from './otlp-load.ts';
import { cpuUs, peakRssMib, ready, root, start, startEcho, startSink, stop, type Target } from './processes.ts';

const CONNECTIONS = 16;
const WARM_SECONDS = Number(process.env.BENCH_WARM_SECONDS ?? 2);
const SECONDS = Number(process.env.BENCH_SECONDS ?? 5);
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 3);
const SIZES = (process.env.BENCH_SIZES ?? '20000,200000').split(',').map(Number);

/** A sink says on a port of its own how much it has had. */
interface Sink extends Target {
  readonly countPort: number;
}
interface Scenario {
  readonly name: string;
  readonly transport: Transport;
  /** Without a sink a bare server, the baseline of the other rows. */
  start(sink: Sink | undefined): Promise<Target>;
  readonly forwards: boolean;
}

const here = import.meta.dirname;

async function startRpcEcho(kind: 'grpc-js' | 'http2'): Promise<Target> {
  const port = await freePort();
  const child = start('0', [join(here, 'otlp-echo.ts'), kind, String(port)]);
  await ready(child, 'ready');
  return { name: kind, port, child };
}

async function startOtlpSink(transport: Transport): Promise<Sink> {
  if (transport === 'http') {
    const sink = await startSink();
    return { ...sink, countPort: sink.port };
  }
  const [port, countPort] = [await freePort(), await freePort()];
  const child = start('1', [join(here, 'otlp-sink.ts'), String(port), String(countPort)]);
  await ready(child, 'ready');
  return { name: 'sink', port, countPort, child };
}

/** A gateway whose receiver and exporter speak this transport, with a processor that adds an attribute to each resource. */
async function startOtlpGateway(transport: Transport, sink: Sink, receiver: object, exporter: object): Promise<Target> {
  const port = await freePort();
  const dir = await mkdtemp(join(tmpdir(), 'flamegate-bench-'));
  const id = transport === 'grpc' ? 'otlp' : 'otlphttp';
  const at = `127.0.0.1:${sink.port}`;
  const to = transport === 'grpc' ? { endpoint: at, tls: { insecure: true } } : { endpoint: `http://${at}` };
  const config = {
    receivers: { otlp: { protocols: { [transport]: { endpoint: `127.0.0.1:${port}` } }, ...receiver } },
    processors: { resource: { attributes: [{ key: 'region', value: 'eu-1', action: 'upsert' }] } },
    exporters: { [id]: { ...to, ...exporter } },
    service: {
      telemetry: { admin: { endpoint: `127.0.0.1:${await freePort()}` } },
      pipelines: { profiles: { receivers: ['otlp'], processors: ['resource'], exporters: [id] } },
    },
  };
  await writeFile(join(dir, 'gateway.yaml'), stringify(config));
  const child = start('0', [join(root, 'bin/flamegate.js'), 'run', '--config', 'gateway.yaml'], dir);
  await ready(child, 'gateway running');
  return { name: id, port, child };
}

/** Without a queue the closed loop waits for the store and nothing piles up that a later second would pay for. */
const DIRECT = { sending_queue: { enabled: false }, compression: 'none' };
/** A closed loop is faster than the store: what a full queue would drop could not be waited for. */
const QUEUED = { sending_queue: { queue_size: '2GiB' } };
const forward = (transport: Transport, name: string, receiver: object, exporter: object): Scenario => ({
  name: `${transport === 'grpc' ? 'gRPC' : 'HTTP'}, ${name}`,
  transport,
  forwards: true,
  start: sink => startOtlpGateway(transport, sink!, receiver, exporter),
});
const bare = (name: string, transport: Transport, begin: () => Promise<Target>): Scenario => ({
  name,
  transport,
  forwards: false,
  start: begin,
});
/** The first of each transport is what its rows are divided by. */
const scenarios: Scenario[] = [
  bare('bare node:http2 echo', 'grpc', () => startRpcEcho('http2')),
  bare('bare grpc-js echo', 'grpc', () => startRpcEcho('grpc-js')),
  forward('grpc', 'splice, header', { validate: 'header' }, DIRECT),
  forward('grpc', 'splice, full', { validate: 'full' }, DIRECT),
  forward('grpc', 'defaults: queue, gzip out', {}, QUEUED),
  bare('bare node:http echo', 'http', startEcho),
  forward('http', 'splice, header', { validate: 'header' }, DIRECT),
  forward('http', 'splice, full', { validate: 'full' }, DIRECT),
  forward('http', 'defaults: queue, gzip out', {}, QUEUED),
].filter(({ name, forwards }) => !forwards || new RegExp(process.env.BENCH_ONLY ?? '').test(name));

interface Figure {
  readonly cpuUs: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly rssMib: number;
}

async function measure(scenario: Scenario, size: number): Promise<Figure> {
  const sink = scenario.forwards ? await startOtlpSink(scenario.transport) : undefined;
  const target = await scenario.start(sink);
  const message = otlpOfSize(size);
  const head = `POST ${ROUTE.profiles} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/x-protobuf\r\ncontent-length: ${message.length}\r\n\r\n`;
  const request = Buffer.concat([Buffer.from(head), message]);
  const load = (seconds: number): Promise<Load> =>
    scenario.transport === 'grpc'
      ? runRpcLoad(target.port, message, CONNECTIONS, seconds)
      : runLoad(target.port, request, CONNECTIONS, seconds);
  const arrived = async (wanted: number) => {
    if (!sink) return;
    for (const deadline = performance.now() + 60_000; ; ) {
      const count = Number(await (await fetch(`http://127.0.0.1:${sink.countPort}/count`)).text());
      if (count >= wanted) return;
      if (performance.now() > deadline) throw new Error(`${scenario.name}: ${count} of ${wanted} deliveries`);
    }
  };
  const warm = await load(WARM_SECONDS);
  await arrived(warm.requests);
  const before = cpuUs(target);
  const measured = await load(SECONDS);
  await arrived(warm.requests + measured.requests);
  const figure: Figure = {
    cpuUs: (cpuUs(target) - before) / measured.requests,
    perSecond: measured.requests / measured.seconds,
    p50: percentile(measured.latencies, 0.5),
    p99: percentile(measured.latencies, 0.99),
    rssMib: peakRssMib(target),
  };
  for (const one of [target, sink]) if (one) await stop(one);
  return figure;
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

console.log(
  `${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.versions.node}; ${CONNECTIONS} connections, ${SECONDS} s, median of ${ROUNDS} interleaved rounds\n`,
);
console.log('| body | scenario | CPU µs/request | × echo | requests/s | p50 ms | p99 ms | peak RSS MiB |');
console.log('|---|---|---|---|---|---|---|---|');
for (const size of SIZES) {
  const figures = new Map<Scenario, Figure[]>(scenarios.map(scenario => [scenario, []]));
  for (let round = 0; round < ROUNDS; round++)
    for (const scenario of scenarios) figures.get(scenario)!.push(await measure(scenario, size));
  for (const [scenario, runs] of figures) {
    const of = (pick: (figure: Figure) => number) => median(runs.map(pick));
    const echoes = figures.get(scenarios.find(({ transport }) => transport === scenario.transport)!)!;
    const ratio = median(runs.map((run, round) => run.cpuUs / echoes[round]!.cpuUs));
    console.log(
      `| ${size / 1000} KB | ${scenario.name} | ${of(run => run.cpuUs).toFixed(0)} | ${ratio.toFixed(2)} | ${of(run => run.perSecond).toFixed(0)} | ${of(run => run.p50).toFixed(1)} | ${of(run => run.p99).toFixed(1)} | ${of(run => run.rssMib).toFixed(0)} |`,
    );
  }
}

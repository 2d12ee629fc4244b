// The other ends of a measurement: sink, echo and gateway, each a process of its own, pinned where the system can.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { freePort } from '../kit/gateway.ts';

export const root = resolve(import.meta.dirname, '../..');
/** Clock ticks per second of /proc/PID/stat; 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
const canPin = spawnSync('taskset', ['-c', '0', 'true']).status === 0;

export interface Target {
  readonly name: string;
  readonly port: number;
  readonly child: ChildProcess;
  readonly adminPort?: number;
}

/** @param cores the measured process has core 0 to itself, unless it works on two threads; load and sinks share the other */
export function start(cores: '0' | '1' | '0,1', args: string[], cwd = root): ChildProcess {
  const [command, all] = canPin ? ['taskset', ['-c', cores, process.execPath, ...args]] : [process.execPath, args];
  return spawn(command as string, all as string[], { cwd, stdio: ['ignore', 'pipe', 'inherit'] });
}

export function ready(child: ChildProcess, text: string): Promise<void> {
  return new Promise((done, fail) => {
    let seen = '';
    child.stdout!.setEncoding('utf8').on('data', (chunk: string) => {
      seen += chunk;
      if (seen.includes(text)) done();
    });
    child.on('exit', code => fail(new Error(`ended with ${code}: ${seen}`)));
  });
}

/** Counts requests and answers 200. */
export async function startSink(): Promise<Target> {
  const port = await freePort();
  const child = start('1', [join(import.meta.dirname, 'sink.ts'), String(port)]);
  await ready(child, 'ready');
  return { name: 'sink', port, child };
}

/** The baseline: node:http that reads a body and sends the same bytes back. */
export async function startEcho(): Promise<Target> {
  const port = await freePort();
  const child = start('0', [join(import.meta.dirname, 'echo.ts'), String(port)]);
  await ready(child, 'ready');
  return { name: 'echo', port, child };
}

export interface GatewayOptions {
  readonly receiver: object;
  readonly exporters: Record<string, object>;
  /** Beside `resource`, in this order. */
  readonly processors?: Record<string, object>;
  /** Makes queues durable, in a folder of their own. */
  readonly sync?: 'full' | 'normal';
}

export async function startGateway(name: string, options: GatewayOptions): Promise<Target> {
  const { receiver, exporters, processors = {}, sync } = options;
  const [port, adminPort] = [await freePort(), await freePort()];
  const dir = await mkdtemp(join(tmpdir(), 'flamegate-bench-'));
  const config = {
    receivers: { pyroscope: { endpoint: `127.0.0.1:${port}`, ...receiver } },
    processors: { resource: { attributes: [{ key: 'region', value: 'eu-1', action: 'upsert' }] }, ...processors },
    exporters,
    ...(sync && { extensions: { file_storage: { directory: './queue', sync } } }),
    service: {
      ...(sync && { extensions: ['file_storage'] }),
      telemetry: { admin: { endpoint: `127.0.0.1:${adminPort}` } },
      pipelines: {
        profiles: {
          receivers: ['pyroscope'],
          processors: ['resource', ...Object.keys(processors)],
          exporters: Object.keys(exporters),
        },
      },
    },
  };
  await writeFile(join(dir, 'gateway.yaml'), stringify(config));
  const child = start(sync ? '0,1' : '0', [join(root, 'bin/flamegate.js'), 'run', '--config', 'gateway.yaml'], dir);
  await ready(child, 'gateway running');
  return { name, port, child, adminPort };
}

export async function stop({ child }: Target): Promise<void> {
  const gone = new Promise(done => child.once('exit', done));
  child.kill('SIGTERM');
  await gone;
}

/** User and system time of a process so far, µs. */
export function cpuUs({ child }: Target): number {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return ((Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND) * 1e6;
}

/** Largest resident memory of a process so far, MiB. */
export function peakRssMib({ child }: Target): number {
  const line = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'));
  return Number(line?.[1] ?? 0) / 1024;
}

export async function markCompacts({ adminPort }: Target): Promise<number | undefined> {
  if (adminPort === undefined) return undefined;
  const text = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
  return Number(/^flamegate_process_gc_mark_compacts_total\S* (\d+)/m.exec(text)?.[1] ?? 0);
}

/** How many requests a sink has had. */
export async function received({ port }: Target): Promise<number> {
  return Number(await (await fetch(`http://127.0.0.1:${port}/count`)).text());
}

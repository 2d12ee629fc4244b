// The real process with several stores, and what the system says of it.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type Command, freePort, Gateway } from '../kit/gateway.ts';
import type { Ledger } from './ledger.ts';
import { Store } from './store.ts';

/** Clock ticks per second of /proc/PID/stat; 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
/** Time for what is left to arrive, ms, and for each profile of a long run. */
const ARRIVED_MS = 60_000;
const ARRIVED_EACH_MS = 5;
const FAST_RETRY = { initial_interval: '100ms', max_interval: '500ms' };

export interface RigOptions {
  readonly stores: readonly string[];
  /** Folder of the queue file; without it queues are in memory. */
  readonly directory?: string;
  readonly queue?: object;
  readonly processors?: Record<string, object>;
  readonly receiver?: object;
  readonly retry?: object;
  readonly command?: Command;
}

export interface Rig {
  readonly port: number;
  /** By name, all open. */
  readonly stores: ReadonlyMap<string, Store>;
  readonly config: Record<string, unknown>;
  /** Starts the gateway, again after it was killed. */
  readonly start: () => Promise<Gateway>;
}

/** One pipeline from /ingest to an exporter for each store; the stores close when the test ends. */
export async function rig(t: TestContext, options: RigOptions): Promise<Rig> {
  const stores = new Map<string, Store>();
  for (const name of options.stores) stores.set(name, await new Store().start());
  const port = await freePort();
  const { directory, queue, processors = {}, receiver } = options;
  const exporters = Object.fromEntries(
    [...stores].map(([name, { url }]) => [
      `pyroscope/${name}`,
      {
        endpoint: url,
        // Longer than a test machine that is busy can stall: a store that is only slow must not look dead.
        timeout: '30s',
        sending_queue: { ...queue, ...(directory !== undefined && { storage: 'file_storage' }) },
        retry_on_failure: { ...FAST_RETRY, ...options.retry },
      },
    ]),
  );
  const config = {
    ...(directory !== undefined && { extensions: { file_storage: { directory } } }),
    receivers: { pyroscope: { endpoint: `127.0.0.1:${port}`, ...receiver } },
    processors,
    exporters,
    service: {
      ...(directory !== undefined && { extensions: ['file_storage'] }),
      pipelines: {
        profiles: {
          receivers: ['pyroscope'],
          processors: Object.keys(processors),
          exporters: Object.keys(exporters),
        },
      },
    },
  };
  let gateway: Gateway | undefined;
  t.after(async () => {
    if (gateway?.child.exitCode === null && gateway.child.signalCode === null) await gateway.kill();
    for (const store of stores.values()) await store.stop();
  });
  const start = async () => {
    gateway = await Gateway.start(config, options.command);
    return gateway;
  };
  return { port, stores, config, start };
}

/** A folder that goes when the test ends. */
export function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'flamegate-faults-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** The process that works: the launcher becomes it, or starts it. */
export const pidOf = (gateway: Gateway): number => gateway.child.pid!;

/** User and system time of the process so far, ms. */
export function cpuMs(gateway: Gateway): number {
  const fields = readFileSync(`/proc/${pidOf(gateway)}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return ((Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND) * 1000;
}

/** Resident memory now and at its highest, MiB. */
export function rssMib(gateway: Gateway): { now: number; peak: number } {
  const status = readFileSync(`/proc/${pidOf(gateway)}/status`, 'utf8');
  const of = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0) / 1024;
  return { now: of('VmRSS'), peak: of('VmHWM') };
}

/** The value below which this share lies. */
export const percentile = (sorted: Float64Array, share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;

/** Resolves when these stores have all that was acknowledged; says what the gateway knows of the rest when they do not get it. */
export async function delivered(gateway: Gateway, ledger: Ledger, stores: ReadonlyMap<string, Store>): Promise<void> {
  for (const [name, store] of stores)
    await store
      .until(
        () => ledger.settled(store.numbers),
        `all that is owed to ${name}`,
        ARRIVED_MS + ledger.count.acknowledged * ARRIVED_EACH_MS,
      )
      .catch(async (error: Error) => {
        const { lost } = ledger.verdict(store.arrivals);
        const { components } = await gateway.status();
        const queues = components.filter(({ queue }: { queue?: object }) => queue);
        throw new Error(`${error.message}; missing ${lost.length}: ${lost.slice(0, 5)}; ${JSON.stringify(queues)}`);
      });
}

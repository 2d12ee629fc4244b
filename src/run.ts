// The running process: assembles the world, starts the service, answers signals. Called by the verb `run`.
import { availableParallelism, totalmem } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import { type Component, Secret } from './api/index.ts';
import { components } from './components.ts';
import { formatFindings, loadPlan, readText } from './config/load.ts';
import type { Plan } from './config/plan.ts';
import { checked } from './dry.ts';
import { Listeners } from './net/listeners.ts';
import { noteClosedOutputs } from './outputs.ts';
import { Stores } from './pipeline/outbox/stores.ts';
import { Service } from './pipeline/service.ts';
import type { Status } from './pipeline/status.ts';
import { Reloads } from './reloads.ts';
import { processSignals } from './signals.ts';
import { steadyClock, systemClock } from './telemetry/clock.ts';
import { createLogger } from './telemetry/logger.ts';
import { Metrics } from './telemetry/metrics.ts';
import { watchProcess } from './telemetry/process-metrics.ts';
import { deadlineIn } from './telemetry/timer.ts';
import { adminProtocol } from './ui/admin.ts';
import { VERSION } from './version.ts';
import { WatchedFiles } from './watch.ts';
import { Examiner } from './workers/examine.ts';
import { Pool, type PoolSettings } from './workers/pool.ts';
import { fullCollection, Reclaim } from './workers/reclaim.ts';
import { SlabPool } from './workers/slabs.ts';

/** Share of the machine's (or container's) memory that payloads may fill when no memory_limiter says otherwise. */
const DEFAULT_MEMORY_SHARE = 0.5;

/** Gives plugins on worker threads the same `flamegate/api`. Sources run as they are, the package runs what tsc made of them. */
export const SELF = new URL(import.meta.url.endsWith('.ts') ? './self.ts' : './self.js', import.meta.url).href;

export interface RunOptions {
  readonly files: readonly string[];
  readonly set: readonly string[];
  /** Reload when a file changes that the configuration was read from. */
  readonly watch?: boolean;
}

/** Runs until a signal ends it; resolves with the exit code: 0 after a drain, 1 when it could not start. */
export async function run(options: RunOptions): Promise<number> {
  const signals = processSignals();
  const watched = new WatchedFiles(readText);
  const load = () => {
    watched.begin();
    const read = options.watch ? watched.read : readText;
    return loadPlan({ files: [...options.files], set: [...options.set], factories: components, read }).then(checked);
  };
  const first = await Promise.race([load(), signals.ended]);
  if (typeof first === 'string') return 0;
  if (!first.ok) {
    process.stderr.write(formatFindings(first.findings));
    return 1;
  }
  const startedMs = Date.now();
  let plan = first.plan;
  const log = createLogger({ level: plan.telemetry.logs.level, pretty: process.stdout.isTTY ?? false });
  const metrics = new Metrics();
  watchProcess(metrics, VERSION);
  noteClosedOutputs(metrics.meter('process'));
  const clock = systemClock;
  const memory = new SlabPool({
    budgetBytes: Math.floor(
      Math.min(process.constrainedMemory() || Number.POSITIVE_INFINITY, totalmem()) * DEFAULT_MEMORY_SHARE,
    ),
    poison: process.env.FLAMEGATE_POISON_SLABS === '1',
    reclaim: new Reclaim(fullCollection()),
  });
  const meter = (id: string) => metrics.meter(id);
  const ports = new Listeners({ memory, log: log.child({ kind: 'net' }), meter: meter('net'), clock });
  const stores = new Stores({ memory, clock: steadyClock(), log: log.child({ kind: 'queue' }), meter });
  const pool = new Pool({
    settings: poolSettings(plan),
    preload: SELF,
    log: log.child({ kind: 'workers' }),
    meter: meter('workers'),
  });
  const service = new Service({ clock, memory, pool, examiner: new Examiner(pool, memory), ports, stores, log, meter });
  const poolTasks = meter('workers').gauge('flamegate_worker_tasks', {
    help: 'Tasks on worker threads and in front of them.',
    labels: ['state'],
  });
  const slabBytes = meter('memory').gauge('flamegate_slab_bytes', {
    help: 'Pooled payload memory, by state.',
    labels: ['state'],
  });
  metrics.onCollect(() => {
    service.collect();
    slabBytes.record(memory.usage.heldBytes, { state: 'held' });
    slabBytes.record(memory.usage.freeBytes, { state: 'free' });
    slabBytes.record(memory.usage.budgetBytes, { state: 'budget' });
    poolTasks.record(pool.usage.running, { state: 'running' });
    poolTasks.record(pool.usage.waiting, { state: 'waiting' });
  });

  const status = (): Status => ({
    version: VERSION,
    startedMs,
    state: service.state,
    ready: service.state === 'running',
    config: { files: [...options.files], ...(service.lastReload && { lastReload: service.lastReload }) },
    listeners: ports.status(),
    ...service.status(),
    memory: { rssBytes: process.memoryUsage.rss(), ...memory.usage },
  });
  const bindAdmin = (of: Plan): Component =>
    ports.bind(
      'admin',
      of.telemetry.admin,
      adminProtocol({
        status,
        metrics: () => metrics.render(),
        endpoint: of.telemetry.admin.endpoint,
        token: of.telemetry.admin.token,
        auth: of.telemetry.admin.auth !== undefined,
        queues: () => stores.operations,
      }),
    );
  for (const warning of plan.warnings)
    log.warn('configuration warning', { message: warning.message, at: `${warning.file}:${warning.line}` });

  let admin = bindAdmin(plan);
  try {
    await admin.start?.();
    await service.start(plan);
  } catch (error) {
    log.error('gateway did not start', { error });
    await admin.stop?.(AbortSignal.abort());
    await ports.close(AbortSignal.abort());
    return 1;
  }
  log.info('gateway running', {
    version: VERSION,
    pipelines: plan.pipelines.length,
    startMs: Math.round(process.uptime() * 1000),
  });

  const reload = async () => {
    const next = await load();
    if (signals.ending) return;
    if (!next.ok) {
      service.reloadFailed(new Error(formatFindings(next.findings).trim()));
      return;
    }
    const previousAdmin = admin;
    const sameAdmin = isDeepStrictEqual(revealed(next.plan.telemetry.admin), revealed(plan.telemetry.admin));
    if (!sameAdmin) {
      const nextAdmin = bindAdmin(next.plan);
      try {
        await nextAdmin.start?.();
      } catch (error) {
        service.reloadFailed(error as Error);
        return;
      }
      admin = nextAdmin;
    }
    pool.configure(poolSettings(next.plan));
    const outcome = await service.reload(next.plan);
    if (!outcome.ok) {
      pool.configure(poolSettings(plan));
      if (admin !== previousAdmin) await admin.stop?.(AbortSignal.abort());
      admin = previousAdmin;
      return;
    }
    plan = next.plan;
    log.setLevel(plan.telemetry.logs.level);
    if (admin !== previousAdmin) await previousAdmin.stop?.(AbortSignal.timeout(1000));
  };

  const reloads = new Reloads(
    () => reload().catch(error => void service.reloadFailed(error as Error)),
    log.child({ kind: 'service' }),
  );
  signals.onReload(() => reloads.ask('SIGHUP'));
  const unwatch = new AbortController();
  if (options.watch) void watched.watch(clock, files => reloads.ask(`changed: ${files.join(', ')}`), unwatch.signal);

  const reason = await signals.ended;
  log.info('draining', { reason, drainTimeoutMs: plan.drainTimeoutMs });
  const deadline = deadlineIn(plan.drainTimeoutMs);
  unwatch.abort();
  const settled = reloads.close(deadline.signal);
  await service.stop(deadline.signal);
  await settled;
  await pool.stop(deadline.signal);
  await admin.stop?.(deadline.signal);
  await ports.close(deadline.signal);
  deadline.met();
  log.info('stopped');
  return 0;
}

function poolSettings({ workers }: Plan): PoolSettings {
  return { ...workers, threads: workers.threads ?? availableParallelism() };
}

/** A value with its secrets readable, for comparing two configurations; goes nowhere else. */
function revealed(value: unknown): unknown {
  if (value instanceof Secret) return value.reveal();
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, revealed(inner)]));
}

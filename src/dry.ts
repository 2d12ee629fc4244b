import type { Loaded } from './config/load.ts';
import type { Finding, Plan } from './config/plan.ts';
import { PlannedPorts } from './net/planned.ts';
import { Graph } from './pipeline/graph.ts';
import { Stores } from './pipeline/outbox/stores.ts';
import { systemClock } from './telemetry/clock.ts';
import { createLogger } from './telemetry/logger.ts';
import { Metrics } from './telemetry/metrics.ts';
import { adminProtocol } from './ui/admin.ts';
import { Examiner } from './workers/examine.ts';
import { Pool } from './workers/pool.ts';
import { SlabPool } from './workers/slabs.ts';

/** What the admin port would be asked for; nobody asks. */
const UNASKED = { status: nobody, metrics: nobody, queues: nobody };

function nobody(): never {
  throw new Error('nothing runs');
}

/** A configuration that also can be built: before one graph gives way to another, whatever is wrong with the other is known. */
export function checked(loaded: Loaded): Loaded {
  if (!loaded.ok) return loaded;
  const findings = buildDry(loaded.plan);
  return findings.length > 0 ? { ok: false, findings, resolved: loaded.resolved } : loaded;
}

/** Builds the graph of a plan and throws it away; what a component objects to comes back. Opens nothing. */
export function buildDry(plan: Plan): Finding[] {
  const memory = new SlabPool({ budgetBytes: 0 });
  const metrics = new Metrics();
  const meter = (id: string) => metrics.meter(id);
  const log = createLogger({ level: 'error', pretty: false });
  // Never asked: nothing starts.
  const pool = new Pool({
    settings: { ...plan.workers, threads: 1 },
    preload: import.meta.url,
    log: log.child({ kind: 'workers' }),
    meter: meter('workers'),
  });
  const ports = new PlannedPorts();
  try {
    new Graph(plan, {
      clock: systemClock,
      memory,
      stores: new Stores({ memory, clock: systemClock, log: log.child({ kind: 'queue' }), meter }),
      ports,
      pool,
      examiner: new Examiner(pool, memory),
      log,
      meter,
    });
    ports.bind('admin', plan.telemetry.admin, adminProtocol({ ...plan.telemetry.admin, auth: false, ...UNASKED }));
    return ports.problems.map(problem);
  } catch (error) {
    return [problem(error instanceof Error ? error.message : String(error))];
  }
}

function problem(message: string): Finding {
  return { severity: 'error', file: '', line: 0, column: 0, message };
}

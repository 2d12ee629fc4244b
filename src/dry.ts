import type { Finding, Plan } from './config/plan.ts';
import { Graph } from './pipeline/graph.ts';
import { Stores } from './pipeline/outbox/stores.ts';
import { systemClock } from './telemetry/clock.ts';
import { createLogger } from './telemetry/logger.ts';
import { Metrics } from './telemetry/metrics.ts';
import { Examiner } from './workers/examine.ts';
import { Pool } from './workers/pool.ts';
import { SlabPool } from './workers/slabs.ts';

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
  try {
    new Graph(plan, {
      clock: systemClock,
      memory,
      stores: new Stores({ memory, clock: systemClock, log: log.child({ kind: 'queue' }), meter }),
      ports: { bind: () => ({}) },
      pool,
      examiner: new Examiner(pool, memory),
      log,
      meter,
    });
    return [];
  } catch (error) {
    return [
      {
        severity: 'error',
        file: '',
        line: 0,
        column: 0,
        message: error instanceof Error ? error.message : String(error),
      },
    ];
  }
}

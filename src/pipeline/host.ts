import type { Clock, Component, Health, Host, Listen, Logger, Meter, Protocol } from '../api/index.ts';
import type { Profile } from '../model/batch.ts';
import type { Memory } from '../model/memory.ts';
import type { Payload } from '../model/payload.ts';
import type { Summary } from '../model/summary.ts';
import type { Pool } from '../workers/pool.ts';
import { tasks } from '../workers/tasks.ts';
import type { Stores } from './outbox/stores.ts';

/** The ports of the process; `net` implements it. */
export interface Ports {
  bind(owner: string, at: Listen, protocol: Protocol): Component;
}

/** What the process lends to the graph. Lives as long as the process; graphs come and go. */
export interface World {
  readonly clock: Clock;
  readonly memory: Memory;
  readonly pool: Pool;
  readonly ports: Ports;
  readonly stores: Stores;
  readonly log: { child(fields: object): Logger };
  meter(id: string): Meter;
}

/** How one component is; kept by id so that it survives a reload. */
export class Condition {
  health: Health = 'ok';
  why: string | undefined;
  sinceMs: number;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.sinceMs = clock.now();
  }

  report(health: Health, why?: Error): void {
    this.why = why?.message;
    if (this.health === health) return;
    this.health = health;
    this.sinceMs = this.#clock.now();
  }
}

/** Summaries by payload: several exporters of a pipeline ask for the same one. */
const summaries = new WeakMap<Payload, Promise<Summary | undefined>>();

/** Bytes up to which a summary costs less than the hand-over to a thread: about 100 µs. */
const INLINE_BYTES = 8 * 1024;

async function summaryOf({ form, encoding, bytes }: Payload, pool: Pool): Promise<Summary | undefined> {
  const payload = { form, encoding, bytes };
  if (form !== 'pprof' || bytes.length <= INLINE_BYTES) return tasks.summary(payload);
  const outcome = await pool.run('summary', payload, { bytes: bytes.length });
  if (outcome.kind === 'done') return outcome.value;
  // Who asks cannot do without; a thread that failed on it would fail here too.
  return outcome.kind === 'full' ? tasks.summary(payload) : undefined;
}

export function createHost(
  id: string,
  kind: string,
  world: World,
  condition: Condition,
  extensions: ReadonlyMap<string, Component>,
): Host {
  return {
    id,
    log: world.log.child({ kind, id }),
    metrics: world.meter(id),
    clock: world.clock,
    memory: world.memory,
    listen: (at, protocol) => world.ports.bind(`${kind} ${id}`, at, protocol),
    summary: ({ payload }: Profile) => {
      if (payload.summary) return Promise.resolve(payload.summary);
      let summary = summaries.get(payload);
      if (!summary) {
        summary = summaryOf(payload, world.pool);
        summaries.set(payload, summary);
      }
      return summary;
    },
    extension: <T>(wanted: string) => extensions.get(wanted) as T | undefined,
    report: (health, why) => condition.report(health, why),
  };
}

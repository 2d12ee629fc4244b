import type { Clock, Component, Health, Host, Listen, Logger, Meter, Protocol } from '../api/index.ts';
import type { Memory } from '../model/memory.ts';
import type { Examiner } from '../workers/examine.ts';
import type { Pool } from '../workers/pool.ts';
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
  readonly examiner: Examiner;
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
    examine: (payload, maxBytes, origin) => world.examiner.examine(payload, maxBytes, origin),
    summary: profile => world.examiner.summary(profile),
    otlp: (bytes, asked) => world.examiner.otlp(bytes, asked),
    wanted: () => true,
    extension: <T>(wanted: string) => extensions.get(wanted) as T | undefined,
    report: (health, why) => condition.report(health, why),
  };
}

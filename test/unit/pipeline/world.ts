// A small world whose components write down what happens to them, and plans for it.
import {
  exporter,
  type Factory,
  fields,
  type ProfileBatch,
  processor,
  type Result,
  receiver,
} from '../../../src/api/index.ts';
import type { ComponentPlan, PipelinePlan, Plan } from '../../../src/config/plan.ts';
import { Stores } from '../../../src/pipeline/outbox/stores.ts';
import { Service } from '../../../src/pipeline/service.ts';
import { Examiner } from '../../../src/workers/examine.ts';
import { Pool, type PoolSettings } from '../../../src/workers/pool.ts';
import { SlabPool } from '../../../src/workers/slabs.ts';
import { FakeClock, silent } from './fixtures.ts';

export const schema = {
  '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) },
} as never;
export const base = { summary: 's', stability: 'alpha', home: import.meta.url, config: schema } as const;
export const signal = () => new AbortController().signal;

const POOL: PoolSettings = { threads: 2, taskTimeoutMs: 10_000, memoryBytes: 256 * 1024 * 1024, queueBytes: 1 << 26 };

export type Push = (batch: ProfileBatch) => Promise<Result>;

export function world(workers: Partial<PoolSettings> = {}, budgetBytes = 1 << 28) {
  const events: string[] = [];
  const got = new Map<string, ProfileBatch[]>();
  const push = new Map<string, Push>();
  /** What exporters answer; one that hangs answers when it is aborted. */
  const answers = new Map<string, Result<ProfileBatch> | 'hangs'>();
  /** Drops by component and reason, `out/a rejected`. */
  const drops = new Map<string, number>();
  const life = (id: string) => ({
    async start() {
      events.push(`start ${id}`);
    },
    async stop() {
      events.push(`stop ${id}`);
    },
  });
  const rx = receiver<{ fail?: boolean }, 'profiles'>({
    ...base,
    type: 'rx',
    emits: ['profiles'],
    create: (config, host, next) => ({
      ...life(host.id),
      async start() {
        if (config.fail) throw new Error('port in use');
        events.push(`start ${host.id}`);
        push.set(host.id, batch => next.consume(batch, signal()));
      },
    }),
  });
  const tag = processor<{ value: string }, 'profiles', 'profiles'>({
    ...base,
    type: 'tag',
    accepts: ['profiles'],
    emits: ['profiles'],
    create: ({ value }, host, next) => ({
      ...life(host.id),
      consume: (batch, abort) =>
        next.consume(
          {
            ...batch,
            profiles: batch.profiles.map(p => ({ ...p, attributes: new Map([...p.attributes, ['tag', value]]) })),
          },
          abort,
        ),
    }),
  });
  const out = exporter<object, 'profiles'>({
    ...base,
    type: 'out',
    accepts: ['profiles'],
    create: (_config, host) => ({
      ...life(host.id),
      async send(batch, abort) {
        const answer = answers.get(host.id) ?? { kind: 'accepted' };
        if (answer === 'hangs')
          return new Promise(resolve =>
            abort.addEventListener('abort', () => resolve({ kind: 'retryable', error: new Error('aborted') })),
          );
        if (answer.kind === 'accepted') got.set(host.id, [...(got.get(host.id) ?? []), batch]);
        return answer;
      },
    }),
  });
  const clock = new FakeClock();
  const memory = new SlabPool({ budgetBytes, poison: true });
  const instrument = { record() {} };
  const meter = (id: string) => ({
    counter: (name: string) => ({
      record(items: number, { reason }: Readonly<Record<string, string>> = {}) {
        if (name !== 'flamegate_dropped_profiles_total') return;
        drops.set(`${id} ${reason}`, (drops.get(`${id} ${reason}`) ?? 0) + items);
      },
    }),
    gauge: () => instrument,
    histogram: () => instrument,
  });
  const pool = new Pool({
    settings: { ...POOL, ...workers },
    preload: new URL('../../../src/self.ts', import.meta.url).href,
    log: silent,
    meter: meter('workers'),
  });
  const service = new Service({
    clock,
    memory,
    stores: new Stores({ memory, clock, log: silent, meter }),
    log: { child: () => silent },
    meter,
    ports: { bind: () => ({}) },
    pool,
    examiner: new Examiner(pool, memory),
  });
  const factories: Record<string, Factory> = { rx, tag, out };
  return { events, got, push, answers, drops, service, memory, factories, clock, pool };
}

export function planOf(
  factories: Record<string, Factory>,
  parts: Record<string, object>,
  pipelines: readonly Partial<PipelinePlan>[],
): Plan {
  const components = new Map<string, ComponentPlan>();
  for (const [id, config] of Object.entries(parts)) {
    const factory = factories[id.split('/')[0]!]!;
    const { outbox, ...own } = config as { outbox?: object };
    components.set(id, {
      id,
      factory,
      config: own,
      fingerprint: JSON.stringify(config),
      ...((factory.kind === 'exporter' || (factory.kind === 'processor' && factory.holds)) && {
        outbox: fields.outbox.parse(outbox ?? {}),
      }),
    });
  }
  const ids = (key: 'receivers' | 'processors' | 'exporters') =>
    new Set(pipelines.flatMap(pipeline => pipeline[key] ?? []));
  const section = (wanted: ReadonlySet<string>) => new Map([...components].filter(([id]) => wanted.has(id)));
  const connectors = ids('receivers').intersection(ids('exporters'));
  return {
    components: {
      receivers: section(ids('receivers').difference(connectors)),
      processors: section(ids('processors')),
      exporters: section(ids('exporters').difference(connectors)),
      connectors: section(connectors),
      extensions: new Map(),
    },
    pipelines: pipelines.map((pipeline, n) => ({
      id: `profiles/${n}`,
      signal: 'profiles',
      receivers: [],
      processors: [],
      exporters: [],
      ...pipeline,
    })),
    extensions: [],
    workers: POOL,
    telemetry: { admin: { endpoint: '127.0.0.1:0' }, logs: { level: 'info' } },
    drainTimeoutMs: 1000,
    warnings: [],
  };
}

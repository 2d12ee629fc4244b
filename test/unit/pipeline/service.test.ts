import assert from 'node:assert/strict';
import { test } from 'node:test';
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
import { Service, StartError } from '../../../src/pipeline/service.ts';
import { SlabPool } from '../../../src/workers/slabs.ts';
import { batchOf, FakeClock, settled, silent } from './fixtures.ts';

const schema = { '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) } } as never;
const base = { summary: 's', stability: 'alpha', home: import.meta.url, config: schema } as const;
const signal = () => new AbortController().signal;

type Push = (batch: ProfileBatch) => Promise<Result>;

/** A small world whose components write down what happens to them. */
function world() {
  const events: string[] = [];
  const got = new Map<string, ProfileBatch[]>();
  const push = new Map<string, Push>();
  const answers = new Map<string, Result<ProfileBatch>>();
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
      async send(batch) {
        const answer = answers.get(host.id) ?? { kind: 'accepted' };
        if (answer.kind === 'accepted') got.set(host.id, [...(got.get(host.id) ?? []), batch]);
        return answer;
      },
    }),
  });
  const clock = new FakeClock();
  const memory = new SlabPool({ budgetBytes: 1 << 28, poison: true });
  const instrument = { record() {} };
  const meter = () => ({ counter: () => instrument, gauge: () => instrument, histogram: () => instrument });
  const service = new Service({
    clock,
    memory,
    stores: new Stores({ memory, clock, log: silent, meter }),
    log: { child: () => silent },
    meter,
    ports: { bind: () => ({}) },
  });
  const factories: Record<string, Factory> = { rx, tag, out };
  return { events, got, push, answers, service, memory, factories, clock };
}

function planOf(
  factories: Record<string, Factory>,
  parts: Record<string, object>,
  pipelines: Partial<PipelinePlan>[],
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
      ...(factory.kind === 'exporter' && { outbox: fields.outbox.parse(outbox ?? {}) }),
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
    telemetry: { admin: { endpoint: '127.0.0.1:0' }, logs: { level: 'info' } },
    drainTimeoutMs: 1000,
    warnings: [],
  };
}

const tags = (batches: ProfileBatch[] | undefined) => batches?.map(batch => batch.profiles[0]!.attributes.get('tag'));

test('components start from the stores up and stop from the senders down', async () => {
  const { service, factories, events } = world();
  await service.start(
    planOf(factories, { rx: {}, tag: {}, out: {} }, [{ receivers: ['rx'], processors: ['tag'], exporters: ['out'] }]),
  );
  await service.stop(signal());
  assert.deepEqual(events, ['start out', 'start tag', 'start rx', 'stop rx', 'stop tag', 'stop out']);
});

test('one receiver feeds two pipelines, one exporter serves both, and the bytes are shared', async () => {
  const { service, factories, push, got, memory } = world();
  const both = { receivers: ['rx'], exporters: ['out'] };
  await service.start(
    planOf(factories, { rx: {}, 'tag/1': { value: '1' }, 'tag/2': { value: '2' }, out: {} }, [
      { ...both, processors: ['tag/1'] },
      { ...both, processors: ['tag/2'] },
    ]),
  );
  assert.deepEqual(await push.get('rx')!(batchOf(Buffer.from('profile'))), { kind: 'accepted' });
  await settled();
  const batches = got.get('out')!;
  assert.deepEqual(tags(batches)!.sort(), ['1', '2']);
  assert.equal(batches[0]!.profiles[0]!.payload.bytes, batches[1]!.profiles[0]!.payload.bytes);
  assert.equal(memory.usage.heldBytes, 0);
  await service.stop(signal());
});

test('a connector ends one pipeline and begins another', async () => {
  const { service, factories, push, got } = world();
  await service.start(
    planOf(factories, { rx: {}, tag: { value: 'linked' }, out: {} }, [
      { receivers: ['rx'], exporters: ['tag'] },
      { receivers: ['tag'], exporters: ['out'] },
    ]),
  );
  await push.get('rx')!(batchOf(Buffer.from('x')));
  await settled();
  assert.deepEqual(tags(got.get('out')), ['linked']);
  await service.stop(signal());
});

test('enqueueing is all or none: a queue that refuses keeps the batch from its neighbours', async () => {
  const { service, factories, push, got, answers } = world();
  answers.set('out/slow', { kind: 'retryable', error: new Error('down') });
  const outbox = { sending_queue: { queue_size: 10, on_full: 'refuse' } };
  await service.start(
    planOf(factories, { rx: {}, 'out/ok': {}, 'out/slow': { outbox } }, [
      { receivers: ['rx'], exporters: ['out/ok', 'out/slow'] },
    ]),
  );
  assert.equal((await push.get('rx')!(batchOf(Buffer.from('12345678')))).kind, 'accepted');
  const second = await push.get('rx')!(batchOf(Buffer.from('12345678')));
  assert.deepEqual(second, { kind: 'refused', reason: 'the queue of out/slow is full', retryAfterMs: 5000 });
  await settled();
  assert.equal(got.get('out/ok')!.length, 1);
  await service.stop(signal());
});

test('a reload keeps what did not change, turns the arrows and drains what is gone', async () => {
  const { service, factories, push, got, events } = world();
  const pipelines = [{ receivers: ['rx'], processors: ['tag'], exporters: ['out/a', 'out/b'] }];
  await service.start(planOf(factories, { rx: {}, tag: { value: 'old' }, 'out/a': {}, 'out/b': {} }, pipelines));
  await push.get('rx')!(batchOf(Buffer.from('x')));
  events.length = 0;
  const status = await service.reload(
    planOf(factories, { rx: {}, tag: { value: 'new' }, 'out/a': {}, 'out/c': {} }, [
      { ...pipelines[0]!, exporters: ['out/a', 'out/c'] },
    ]),
  );
  assert.equal(status.ok, true);
  assert.deepEqual(events, ['start out/c', 'start tag', 'stop tag', 'stop out/b']);
  await push.get('rx')!(batchOf(Buffer.from('x')));
  await settled();
  assert.deepEqual(
    [tags(got.get('out/a')), tags(got.get('out/b')), tags(got.get('out/c'))],
    [['old', 'new'], ['old'], ['new']],
  );
  await service.stop(signal());
});

test('an exporter whose settings changed keeps its queue', async () => {
  const { service, factories, push, got, answers } = world();
  const pipelines = [{ receivers: ['rx'], exporters: ['out'] }];
  answers.set('out', { kind: 'retryable', error: new Error('down') });
  await service.start(planOf(factories, { rx: {}, out: {} }, pipelines));
  for (let n = 0; n < 5; n++) await push.get('rx')!(batchOf(Buffer.from(`x${n}`)));
  await settled();
  answers.delete('out');
  await service.reload(planOf(factories, { rx: {}, out: { changed: true } }, pipelines));
  await service.stop(signal());
  assert.equal(got.get('out')!.length, 5);
});

test('a part that does not start leaves the old graph as it was', async () => {
  const { service, factories, push, got, events } = world();
  const pipelines = [{ receivers: ['rx'], exporters: ['out'] }];
  await service.start(planOf(factories, { rx: {}, out: {} }, pipelines));
  events.length = 0;
  const status = await service.reload(planOf(factories, { rx: { fail: true }, out: { changed: true } }, pipelines));
  assert.equal(status.ok, false);
  assert.match(status.error!, /receiver rx did not start: port in use/);
  assert.deepEqual(events, ['start out', 'stop rx', 'stop out']);
  await push.get('rx')!(batchOf(Buffer.from('x')));
  await settled();
  assert.equal(got.get('out')!.length, 1);
  await service.stop(signal());
});

test('a start that fails names the component and stops what had started', async () => {
  const { service, factories, events } = world();
  const plan = planOf(factories, { rx: { fail: true }, out: {} }, [{ receivers: ['rx'], exporters: ['out'] }]);
  await assert.rejects(service.start(plan), StartError);
  assert.deepEqual(events, ['start out', 'stop rx', 'stop out']);
});

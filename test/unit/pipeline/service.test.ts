import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Consumer,
  exporter,
  type Host,
  type ProfileBatch,
  receiver,
  type TraceBatch,
} from '../../../src/api/index.ts';
import { BatchId } from '../../../src/model/batch.ts';
import { StartError } from '../../../src/pipeline/service.ts';
import { batchOf, settled } from './fixtures.ts';
import { base, planOf, signal, world } from './world.ts';

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

test('a receiver of two signals feeds each to its own pipelines, and hears which of them anybody takes', async () => {
  const { service, factories, memory } = world();
  const got: string[] = [];
  let host: Host | undefined;
  let next: Consumer<'profiles' | 'traces'> | undefined;
  factories.both = receiver<object, 'profiles' | 'traces'>({
    ...base,
    type: 'both',
    emits: ['profiles', 'traces'],
    create: (_config, itsHost, itsNext) => {
      host = itsHost;
      next = itsNext;
      return {};
    },
  });
  factories.any = exporter<object, 'profiles' | 'traces'>({
    ...base,
    type: 'any',
    accepts: ['profiles', 'traces'],
    create: (_config, { id }) => ({
      async send({ signal }) {
        got.push(`${id} ${signal}`);
        return { kind: 'accepted' };
      },
    }),
  });
  const profiles = batchOf(Buffer.from('x'));
  const { profiles: _, ...head } = profiles;
  const traces: TraceBatch = { ...head, signal: 'traces', payload: profiles.profiles[0]!.payload };
  const only = [{ receivers: ['both'], exporters: ['any/p'] }];
  await service.start(planOf(factories, { both: {}, 'any/p': {} }, only));
  assert.deepEqual([host!.wanted('profiles'), host!.wanted('traces')], [true, false]);
  const refused = await next!.consume(traces, signal());
  assert.equal(refused.kind === 'permanent' && refused.error.message, 'no traces pipeline names this receiver');
  const withTraces = [...only, { id: 'traces', signal: 'traces' as const, receivers: ['both'], exporters: ['any/t'] }];
  await service.reload(planOf(factories, { both: {}, 'any/p': {}, 'any/t': {} }, withTraces));
  assert.equal(host!.wanted('traces'), true);
  for (const batch of [profiles, traces]) assert.equal((await next!.consume(batch, signal())).kind, 'accepted');
  await settled();
  assert.deepEqual(got.sort(), ['any/p profiles', 'any/t traces']);
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

test('a stop ends intake at once, while a reload still drains what it removed', async () => {
  const { service, factories, push, answers, drops, events } = world();
  const parts = { rx: {}, 'out/a': {}, 'out/b': {} };
  await service.start(planOf(factories, parts, [{ receivers: ['rx'], exporters: ['out/a', 'out/b'] }]));
  answers.set('out/b', 'hangs');
  await push.get('rx')!(batchOf(Buffer.from('x')));
  const { 'out/b': _, ...fewer } = parts;
  const plan = planOf(factories, fewer, [{ receivers: ['rx'], exporters: ['out/a'] }]);
  const reloading = service.reload({ ...plan, drainTimeoutMs: 10 * 60_000 });
  await settled();
  events.length = 0;
  const stopping = service.stop(signal());
  assert.deepEqual(events, ['stop rx']);
  await stopping;
  assert.equal((await reloading).ok, true);
  assert.deepEqual(events, ['stop rx', 'stop out/b', 'stop out/a']);
  assert.deepEqual([...drops], [['out/b removed', 1]]);
});

test('a stop while a reload starts its parts undoes that reload', async () => {
  const { service, factories, events } = world();
  const pipelines = [{ receivers: ['rx'], exporters: ['out'] }];
  await service.start(planOf(factories, { rx: {}, out: {} }, pipelines));
  events.length = 0;
  const reloading = service.reload(planOf(factories, { rx: { changed: true }, out: {} }, pipelines));
  await Promise.resolve();
  await service.stop(signal());
  assert.deepEqual(await reloading.then(({ ok, error }) => [ok, error]), [false, 'the gateway stops']);
  assert.deepEqual(events.toSorted(), ['start rx', 'stop out', 'stop rx', 'stop rx']);
});

test('what a removed exporter leaves in its queue is counted, and so is what a shutdown leaves', async () => {
  const { service, factories, push, answers, drops, memory } = world();
  const parts = { rx: {}, 'out/a': {}, 'out/b': {} };
  await service.start(planOf(factories, parts, [{ receivers: ['rx'], exporters: ['out/a', 'out/b'] }]));
  for (const id of ['out/a', 'out/b']) answers.set(id, { kind: 'retryable', error: new Error('down') });
  for (let n = 0; n < 5; n++) await push.get('rx')!(batchOf(Buffer.from(`x${n}`)));
  await service.reload(planOf(factories, { rx: {}, 'out/a': {} }, [{ receivers: ['rx'], exporters: ['out/a'] }]));
  assert.deepEqual([...drops], [['out/b removed', 5]]);
  await service.stop(signal());
  assert.equal(drops.get('out/a shutdown'), 5);
  assert.equal(memory.usage.heldBytes, 0);
});

test('a reload that fails leaves the queue to who had it', async () => {
  const { service, factories, push, answers, drops } = world();
  const pipelines = [{ receivers: ['rx'], exporters: ['out'] }];
  await service.start(planOf(factories, { rx: {}, out: {} }, pipelines));
  answers.set('out', { kind: 'retryable', error: new Error('down') });
  await push.get('rx')!(batchOf(Buffer.from('x')));
  const small = { outbox: { sending_queue: { queue_size: 1 } } };
  await service.reload(planOf(factories, { rx: { fail: true }, out: small }, pipelines));
  assert.equal((await push.get('rx')!(batchOf(Buffer.from('y')))).kind, 'accepted');
  await settled();
  assert.equal(service.status().components.find(({ id }) => id === 'out')?.queue?.batches, 2);
  assert.deepEqual([...drops], []);
  await service.stop(signal());
});

/** Another try of the same request: the same content, another object. */
const tryOf = (text: string): ProfileBatch => {
  const bytes = Buffer.from(text);
  return { ...batchOf(bytes), id: new BatchId(() => ['tenant', bytes]) };
};

test('a sender that tries again because of a branch without a queue doubles nothing at the queued ones', async () => {
  const { service, factories, push, got, answers, drops, clock } = world();
  const direct = { outbox: { sending_queue: { enabled: false } } };
  await service.start(
    planOf(factories, { rx: {}, tag: { value: 't' }, 'out/q': {}, 'out/direct': direct }, [
      { receivers: ['rx'], processors: ['tag'], exporters: ['out/q', 'out/direct'] },
    ]),
  );
  const send = push.get('rx')!;
  const count = () => [got.get('out/q')?.length ?? 0, got.get('out/direct')?.length ?? 0];
  // While every branch accepts, nobody knows of repeats.
  for (let n = 0; n < 2; n++) assert.equal((await send(tryOf('same'))).kind, 'accepted');
  await settled();
  assert.deepEqual(count(), [2, 2]);
  answers.set('out/direct', { kind: 'retryable', error: new Error('503') });
  for (let n = 0; n < 3; n++) assert.equal((await send(tryOf('one'))).kind, 'retryable');
  assert.equal((await send(tryOf('two'))).kind, 'retryable', 'as long as the first, but another');
  answers.delete('out/direct');
  assert.equal((await send(tryOf('one'))).kind, 'accepted');
  await settled();
  assert.deepEqual(count(), [4, 3]);
  assert.deepEqual([...drops], [['out/q repeated', 3]]);
  await clock.advance(10 * 60_000);
  assert.equal((await send(tryOf('one'))).kind, 'accepted');
  await settled();
  assert.deepEqual(count(), [5, 4], 'after ten minutes it is a new one');
  await service.stop(signal());
});

test('a pipeline that refuses does not make its neighbour of the same receiver take a batch twice', async () => {
  const { service, factories, push, got, answers } = world();
  const refuses = { outbox: { sending_queue: { on_full: 'refuse', sizer: 'requests', queue_size: 1 } } };
  answers.set('out/full', { kind: 'retryable', error: new Error('down') });
  await service.start(
    planOf(factories, { rx: {}, tag: { value: 't' }, 'out/a': {}, 'out/full': refuses }, [
      { receivers: ['rx'], processors: ['tag'], exporters: ['out/a'] },
      { receivers: ['rx'], exporters: ['out/full'] },
    ]),
  );
  const send = push.get('rx')!;
  assert.equal((await send(tryOf('1'))).kind, 'accepted');
  for (let n = 0; n < 3; n++) assert.equal((await send(tryOf('2'))).kind, 'refused');
  await settled();
  assert.equal(got.get('out/a')!.length, 2);
  await service.stop(AbortSignal.abort());
});

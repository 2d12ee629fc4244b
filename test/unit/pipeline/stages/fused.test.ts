// Stages in a running graph with real worker threads.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Plain, type ProfileBatch, stage } from '../../../../src/api/index.ts';
import { BatchId } from '../../../../src/model/batch.ts';
import { recordedJfr } from '../../../kit/forms.ts';
import { dictionary } from '../../../kit/otlp.ts';
import { numbered } from '../../../kit/pprof.ts';
import { bytes, number } from '../../../kit/protobuf.ts';
import trial, { heard } from '../../../kit/stages/trial/index.ts';
import { planOf, signal, world } from '../world.ts';

/** A batch whose profiles have these attributes; its bytes lie in no slab. */
function batch(id: string, ...attributes: Record<string, Plain>[]): ProfileBatch {
  const profiles = attributes.map((own, n) => ({
    attributes: new Map(Object.entries(own)),
    payload: { form: 'pprof' as const, encoding: 'identity' as const, bytes: numbered(n + 1) },
    part: 0,
  }));
  const sizeBytes = profiles.reduce((sum, { payload }) => sum + payload.bytes.length, 0);
  return {
    signal: 'profiles',
    id: BatchId.of(id),
    tenant: 't',
    dialect: 'pyroscope',
    receivedMs: 0,
    sizeBytes,
    profiles,
  };
}

const trialOf = () => ({ mark: '', edit: false, note: '' });
const direct = { outbox: { sending_queue: { enabled: false } } };

async function running(
  t: { after(fn: () => unknown): void },
  stages: Record<string, object>,
  workers = {},
  parts: Record<string, object> = {},
) {
  const made = world(workers);
  const factories = { ...made.factories, trial };
  const plan = (configs: Record<string, object>) => {
    const whole = Object.entries(configs).map(([id, own]) => [
      id,
      id.startsWith('trial') ? { ...trialOf(), ...own } : own,
    ]);
    return planOf(factories, { rx: {}, out: direct, ...parts, ...Object.fromEntries(whole) }, [
      { receivers: ['rx'], processors: Object.keys(configs), exporters: ['out'] },
    ]);
  };
  await made.service.start(plan(stages));
  t.after(async () => {
    await made.service.stop(signal());
    await made.pool.stop(signal());
    assert.equal(made.memory.usage.heldBytes, 0, 'every slab came back');
  });
  return { ...made, plan, send: (one: ProfileBatch) => made.push.get('rx')!(one) };
}
const marks = (batches: ProfileBatch[] | undefined) =>
  batches?.flatMap(({ profiles }) => profiles.map(({ attributes }) => attributes.get('mark')));

test('neighbours run in one crossing, in order, and what was not edited keeps its bytes', async t => {
  const { send, got, pool } = await running(t, { 'trial/a': { mark: 'a' }, 'trial/b': { mark: 'b' } });
  const one = batch('1', { n: 1 }, { n: 2 });
  assert.deepEqual(await send(one), { kind: 'accepted' });
  assert.deepEqual(marks(got.get('out')), ['ab', 'ab']);
  assert.equal(got.get('out')![0]!.id.hex, '1', 'a second try is still known by it');
  assert.ok(pool.usage.threads >= 1);
});

test('a processor between two stages parts them', async t => {
  const { send, got } = await running(t, { 'trial/a': { mark: 'a' }, tag: { value: 'x' }, 'trial/b': { mark: 'b' } });
  assert.equal((await send(batch('1', {}))).kind, 'accepted');
  assert.deepEqual(marks(got.get('out')), ['ab']);
  assert.equal(got.get('out')![0]!.profiles[0]!.attributes.get('tag'), 'x');
});

test('edited bytes come back in shared memory with the size of the batch', async t => {
  const { send, got, memory } = await running(t, { trial: { edit: true } });
  const one = batch('1', {}, {});
  assert.equal((await send(one)).kind, 'accepted');
  const [there] = got.get('out')!;
  for (const [n, { payload }] of there!.profiles.entries()) {
    assert.ok(memory.holds(payload.bytes));
    assert.equal(payload.bytes.length, one.profiles[n]!.payload.bytes.length);
  }
  assert.equal(there!.sizeBytes, one.sizeBytes);
});

test('a dropped profile is counted, the others go on', async t => {
  const { send, got } = await running(t, { trial: {} });
  const result = await send(batch('1', { trial: 'drop' }, { n: 2 }));
  assert.deepEqual(result, {
    kind: 'accepted',
    drops: [{ items: 1, reason: 'trial', message: 'dropped by trial' }],
  });
  assert.equal(got.get('out')![0]!.profiles.length, 1);
});

test('what is no profile is the fault of its sender', async t => {
  const { send, got } = await running(t, { trial: {} });
  const bad = batch('1', {});
  const garbage = { ...bad.profiles[0]!, payload: { ...bad.profiles[0]!.payload, bytes: Buffer.from('garbage') } };
  const result = await send({ ...bad, profiles: [garbage], sizeBytes: 7 });
  assert.ok(result.kind === 'permanent' && result.fault === 'sender');
  assert.equal(got.get('out'), undefined);
});

test('a profile that became several, all of which are refused, is refused', async t => {
  const strict = stage({ ...trial, hides: () => true });
  const { send, got, answers, plan, factories, service } = await running(t, { trial: {} });
  await service.reload(
    planOf({ ...factories, trial: strict }, { rx: {}, out: direct, trial: {} }, plan({ trial: {} }).pipelines),
  );
  const one = batch('1', {});
  const { jfr } = recordedJfr('pyroscope-java-agent-2.9.2-wall-auth', '001-jfr-wall-basic-tenant');
  const payload = { form: 'jfr' as const, encoding: 'gzip' as const, bytes: jfr };
  const recording = { ...one, profiles: [{ ...one.profiles[0]!, payload }], sizeBytes: jfr.length };
  assert.deepEqual(await send(recording), { kind: 'accepted' });
  assert.deepEqual(
    got.get('out')![0]!.profiles.map(({ attributes }) => attributes.get('__name__')),
    ['process_cpu', 'wall'],
  );
  answers.set('out', { kind: 'permanent', error: new Error('no'), fault: 'sender' });
  assert.equal((await send({ ...recording, id: BatchId.of('2') })).kind, 'permanent');
});

test('a form that cannot be written becomes pprof where a stage edits it, or hides something', async t => {
  const { send, service, got, plan, factories } = await running(t, { trial: {} });
  const folded = (id: string) => {
    const one = batch(id, {});
    const payload = {
      form: 'groups' as const,
      encoding: 'identity' as const,
      bytes: Buffer.from('main;work 3\nmain 4\n'),
    };
    return { ...one, profiles: [{ ...one.profiles[0]!, payload }], sizeBytes: payload.bytes.length };
  };
  assert.deepEqual(await send(folded('1')), { kind: 'accepted' });
  assert.equal(got.get('out')![0]!.profiles[0]!.payload.form, 'groups', 'nothing was edited');
  const strict = stage({ ...trial, hides: () => true });
  const next = planOf(
    { ...factories, trial: strict },
    { rx: {}, out: direct, trial: {} },
    plan({ trial: {} }).pipelines,
  );
  await service.reload(next);
  assert.deepEqual(await send(folded('2')), { kind: 'accepted' });
  const [profile] = got.get('out')![1]!.profiles;
  assert.equal(profile!.payload.form, 'pprof');
});

for (const [how, reason] of [
  ['throw', /thrown on purpose/],
  ['exit', /exited/],
  ['loop', /did not end within/],
  ['heap', /used more than/],
  ['buffers', /used more than/],
] as const)
  test(`a stage that does "${how}" costs its profile alone`, async t => {
    const limits = { taskTimeoutMs: how === 'loop' ? 300 : 20_000, memoryBytes: 64 * 1024 * 1024 };
    const { send, got } = await running(t, { 'trial/first': {}, 'trial/second': { mark: 'm' } }, limits);
    const result = await send(batch('1', { trial: how }, { n: 2 }));
    assert.ok(result.kind === 'accepted', JSON.stringify(result));
    const [drop] = result.drops!;
    assert.equal(drop?.reason, 'stage_failed');
    assert.match(drop!.message!, /^trial\/first: /);
    assert.match(drop!.message!, reason);
    assert.deepEqual(marks(got.get('out')), ['m']);
    // Alone, with no durable queue to keep it, its sender hears of it.
    const alone = await send(batch('2', { trial: how }));
    assert.ok(alone.kind === 'permanent' && alone.fault === 'gateway');
    assert.equal((await send(batch('3', { n: 3 }))).kind, 'accepted');
  });

test('a note that cannot leave the thread is the failure of the stage that made it, and no thread is lost', async t => {
  const { send, got } = await running(t, { 'trial/first': {}, 'trial/second': {} });
  const result = await send(batch('1', { trial: 'strange note' }, { n: 2 }));
  assert.ok(result.kind === 'accepted');
  assert.match(result.drops![0]!.message!, /^trial\/first: a note of its verdict is no plain value/);
  assert.equal(got.get('out')![0]!.profiles.length, 1);
});

test('what a stage keeps beyond its calls ends its thread between tasks, and costs no profile', async t => {
  const { send, pool, got } = await running(t, { trial: {} }, { threads: 1, memoryBytes: 64 * 1024 * 1024 });
  const before = process.memoryUsage.rss();
  for (let n = 0; n < 150; n++) assert.equal((await send(batch(`${n}`, { trial: 'leak' }))).kind, 'accepted');
  assert.equal(got.get('out')!.length, 150);
  assert.ok(pool.usage.threads <= 1);
  assert.ok(process.memoryUsage.rss() - before < 130 * 1024 * 1024, 'less than was leaked');
});

test('notes are heard once per accepted batch, however often its sender tries', async t => {
  const { send, answers } = await running(t, { 'trial/notes': { note: 'n' } });
  heard.length = 0;
  answers.set('out', { kind: 'retryable', error: new Error('down') });
  assert.equal((await send(batch('1', { n: 'a' }, { n: 'b' }))).kind, 'retryable');
  assert.deepEqual(heard, []);
  answers.delete('out');
  assert.equal((await send(batch('1', { n: 'a' }, { n: 'b' }))).kind, 'accepted');
  assert.deepEqual(heard, ['a', 'b']);
  assert.equal((await send(batch('1', { n: 'a' }, { n: 'b' }))).kind, 'accepted');
  assert.deepEqual(heard, ['a', 'b'], 'the answer to the second try was lost: the third tells nothing');
  assert.equal((await send(batch('2', { n: 'c', trial: 'drop' }))).kind, 'accepted');
  assert.deepEqual(heard, ['a', 'b']);
});

test('a reload in the middle of a task loses nothing, and the owner of an unchanged stage stays', async t => {
  const { send, service, plan, got } = await running(t, { 'trial/notes': { note: 'n' }, 'trial/mark': { mark: 'a' } });
  heard.length = 0;
  const before = Array.from({ length: 20 }, (_, n) => send(batch(`old ${n}`, { n })));
  const reloaded = await service.reload(plan({ 'trial/notes': { note: 'n' }, 'trial/mark': { mark: 'b' } }));
  assert.ok(reloaded.ok, reloaded.error);
  const results = await Promise.all(before);
  assert.deepEqual(new Set(results.map(({ kind }) => kind)), new Set(['accepted']));
  assert.equal((await send(batch('new', { n: 20 }))).kind, 'accepted');
  assert.equal(got.get('out')!.length, 21);
  assert.deepEqual(
    heard.toSorted((a, b) => Number(a) - Number(b)),
    Array.from({ length: 21 }, (_, n) => n),
  );
  assert.equal(marks(got.get('out')!.slice(-1))![0], 'b');
});

test('a module that cannot be loaded stops the start with its name', async () => {
  const { service, factories } = world();
  const missing = stage({ ...trial, home: new URL('./nowhere/index.ts', import.meta.url).href });
  const plan = planOf({ ...factories, trial: missing }, { rx: {}, out: direct, trial: {} }, [
    { receivers: ['rx'], processors: ['trial'], exporters: ['out'] },
  ]);
  await assert.rejects(service.start(plan), /trial.*did not start.*nowhere/);
});

test('a configuration that cannot go to a worker is refused', async () => {
  const { service, factories } = world();
  const plan = planOf({ ...factories, trial }, { rx: {}, out: direct, trial: { when: new Date() } }, [
    { receivers: ['rx'], processors: ['trial'], exporters: ['out'] },
  ]);
  await assert.rejects(service.start(plan), /stage trial: config\.when cannot go to a worker/);
});

test('parts of an OTLP request are edited where they are: an edited one becomes a request of its own', async t => {
  const { send, got, memory } = await running(t, { 'trial/a': {}, 'trial/b': { mark: 'b' } });
  const sample = [...number(1, 1), ...bytes(4, [7])];
  const part = bytes(1, bytes(2, bytes(2, [...bytes(1, [...number(1, 1), ...number(2, 2)]), ...bytes(2, sample)])));
  const request = Buffer.from([...part, ...part, ...part, ...dictionary()]);
  const payload = { form: 'otlp', encoding: 'identity', bytes: request } as const;
  const profiles = ['', 'edit', 'drop'].map((trial, n) => ({
    attributes: new Map([['trial', trial]]),
    payload,
    part: n,
  }));
  const result = await send({ ...batch('1'), dialect: 'otel', profiles, sizeBytes: request.length });
  assert.deepEqual(result, { kind: 'accepted', drops: [{ items: 1, reason: 'trial', message: 'dropped by trial/a' }] });
  const [there] = got.get('out')!;
  const [plain, edited] = there!.profiles;
  assert.equal(there!.profiles.length, 2);
  assert.deepEqual([plain!.part, plain!.payload.bytes.length], [0, request.length]);
  assert.ok(memory.holds(edited!.payload.bytes));
  assert.deepEqual([edited!.part, edited!.attributes.get('mark')], [0, 'b']);
  assert.deepEqual(marks(got.get('out')), ['b', 'b']);
});

test('a group of profiles that is dropped from a part is counted, the other stays', async t => {
  const { send, got } = await running(t, { trial: { mark: 'm' } });
  const profile = (time: number) =>
    bytes(2, [
      ...bytes(1, [...number(1, 1), ...number(2, 2)]),
      ...bytes(2, [...number(1, 1), ...bytes(4, [7])]),
      ...[0x19, time, 0, 0, 0, 0, 0, 0, 0],
    ]);
  const request = Buffer.from([...bytes(1, bytes(2, [...profile(1), ...profile(2)])), ...dictionary()]);
  const payload = { form: 'otlp', encoding: 'identity', bytes: request } as const;
  const profiles = [{ attributes: new Map([['trial', 'drop at 2']]), payload, part: 0 }];
  const result = await send({ ...batch('1'), dialect: 'otel', profiles, sizeBytes: request.length });
  assert.deepEqual(result, {
    kind: 'accepted',
    drops: [{ items: 1, reason: 'trial', message: 'a part of it dropped by trial' }],
  });
  const [left] = got.get('out')![0]!.profiles;
  assert.equal(left!.attributes.get('mark'), 'm', 'set once, however many groups say it');
  assert.notEqual(left!.payload.bytes, request);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Meter } from '../../../src/api/index.ts';
import { Pool, type PoolSettings } from '../../../src/workers/pool.ts';
import { numbered } from '../../kit/pprof.ts';
import { silent } from '../pipeline/fixtures.ts';

const instrument = { record() {} };
const meter: Meter = { counter: () => instrument, gauge: () => instrument, histogram: () => instrument };
const preload = new URL('../../../src/self.ts', import.meta.url).href;

function pool(t: { after(fn: () => unknown): void }, settings: Partial<PoolSettings> = {}): Pool {
  const made = new Pool({
    settings: { threads: 1, taskTimeoutMs: 10_000, memoryBytes: 256 * 1024 * 1024, queueBytes: 100, ...settings },
    preload,
    log: silent,
    meter,
  });
  t.after(() => made.stop(AbortSignal.abort()));
  return made;
}
const payload = {
  form: 'pprof' as const,
  encoding: 'identity' as const,
  bytes: numbered(7),
  maxBytes: 1 << 20,
  about: {},
};

test('a task runs on a thread and answers; no thread runs before', async t => {
  const one = pool(t);
  assert.equal(one.usage.threads, 0);
  const outcome = await one.run('examine', payload, { bytes: 1 });
  assert.ok(outcome.kind === 'done');
  assert.equal(outcome.value.kind === 'sound' && outcome.value.summary.types[0]?.total, 7n);
  assert.ok(outcome.runMs > 0 && outcome.waitMs >= 0);
  assert.deepEqual(one.usage, { running: 0, waiting: 0, waitingBytes: 0, threads: 1 });
});

test('what waits is bounded in bytes, and who comes again goes first', async t => {
  const one = pool(t);
  const order: string[] = [];
  const send = (name: string, bytes: number, first = false) =>
    one.run('examine', payload, { bytes, first }).then(outcome => {
      order.push(`${name} ${outcome.kind}`);
    });
  const all = [send('running', 1000), send('waits', 60), send('too much', 60), send('again', 1000, true)];
  assert.equal(one.usage.waitingBytes, 1060);
  await Promise.all(all);
  assert.deepEqual(order, ['too much full', 'running done', 'again done', 'waits done']);
});

test('nobody waits: the task is not run', async t => {
  const one = pool(t);
  const running = one.run('examine', payload, { bytes: 1 });
  const gone = one.run('examine', payload, { bytes: 1, abort: AbortSignal.abort() });
  assert.deepEqual(await gone, { kind: 'gone' });
  assert.equal((await running).kind, 'done');
});

test('stop tells who waits, and nothing runs after it', async t => {
  const one = pool(t);
  const running = one.run('examine', payload, { bytes: 1 });
  const waiting = one.run('examine', payload, { bytes: 1 });
  const stopped = one.stop(AbortSignal.timeout(5000));
  assert.deepEqual(await waiting, { kind: 'gone' });
  assert.equal((await running).kind, 'done');
  await stopped;
  assert.deepEqual(await one.run('examine', payload, { bytes: 1 }), { kind: 'gone' });
});

test('other settings hold from the next task on', async t => {
  const one = pool(t);
  const before = one.run('examine', payload, { bytes: 1 });
  one.configure({ threads: 2, taskTimeoutMs: 1000, memoryBytes: 128 * 1024 * 1024, queueBytes: 100 });
  assert.equal((await before).kind, 'done');
  assert.equal((await one.run('examine', payload, { bytes: 1 })).kind, 'done');
});

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Collect, fullCollection, Reclaim } from '../../../src/workers/reclaim.ts';
import { SlabPool } from '../../../src/workers/slabs.ts';

const MIB = 1024 * 1024;

type How = Parameters<Collect>[0];

function rig(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const at = { nowMs: 100_000, rssMib: 500, tookMs: 10, freesMib: 0 };
  const collections: How[] = [];
  const reclaim = new Reclaim(
    async how => {
      collections.push(how);
      at.nowMs += at.tookMs;
      at.rssMib -= at.freesMib;
    },
    () => at.nowMs,
    () => at.rssMib * MIB,
  );
  const pool = new SlabPool({ budgetBytes: 1024 * MIB, reclaim });
  const burst = () => {
    const slabs = Array.from({ length: 16 }, () => pool.lease(16 * MIB)!);
    for (const { bytes } of slabs) pool.release(bytes);
  };
  const tick = async (ms: number) => {
    at.nowMs += ms;
    t.mock.timers.tick(ms);
    await new Promise(resolve => setImmediate(resolve));
  };
  return { at, collections, pool, burst, tick };
}

test('slabs that the pool drops are collected once that is worth it, and not too often', async t => {
  const { collections, pool, burst, tick } = rig(t);
  burst();
  assert.deepEqual(collections, [], 'not in the middle of something');
  await tick(1);
  assert.deepEqual(collections, ['plain']);
  burst();
  await tick(4900);
  assert.equal(collections.length, 1);
  await tick(100);
  assert.deepEqual(collections, ['plain', 'plain']);
  await tick(60_000);
  assert.equal(collections.length, 2, 'nothing dropped, nothing to collect');
  pool.release(pool.lease(MIB)!.bytes);
  await tick(1);
  assert.equal(collections.length, 2, 'what is kept for reuse is not dropped');
});

test('who is short of memory has it collected thoroughly, at once the first time, then ever more seldom while that is in vain', async t => {
  const { at, collections, pool, burst, tick } = rig(t);
  at.tookMs = 100;
  at.freesMib = 100;
  assert.equal(pool.reclaim(), true, 'it comes at once');
  await tick(1);
  assert.deepEqual(collections, ['thorough']);
  assert.equal(pool.reclaim(), false, 'it was just tried');
  await tick(1999);
  assert.deepEqual(collections, ['thorough']);
  await tick(1);
  assert.deepEqual(collections, ['thorough', 'thorough'], 'a twentieth of the time');
  at.tookMs = 10;
  at.freesMib = 1;
  await tick(2000);
  assert.equal(pool.reclaim(), true);
  await tick(1);
  for (const pauseMs of [10_000, 20_000, 40_000, 60_000, 60_000]) {
    assert.equal(pool.reclaim(), false);
    const before = collections.length;
    await tick(pauseMs - 50);
    assert.equal(collections.length, before);
    await tick(50);
    assert.equal(collections.length, before + 1);
  }
  burst();
  await tick(5000);
  assert.equal(collections.pop(), 'plain', 'slabs that were dropped do not wait for it');
  at.tookMs = 5000;
  at.freesMib = 100;
  await tick(60_000);
  pool.reclaim();
  await tick(1);
  pool.reclaim();
  await tick(99_990);
  const before = collections.length;
  await tick(10);
  assert.equal(collections.length, before + 1, 'one that takes five seconds is no habit');
});

test('a full collection frees shared memory that nobody refers to', async () => {
  const collect = fullCollection();
  const dropped = new WeakRef(new SharedArrayBuffer(MIB));
  // A weak reference holds until the end of the task that made it.
  for (let turn = 0; dropped.deref() && turn < 100; turn++) {
    await collect('plain');
    await new Promise(resolve => setImmediate(resolve));
  }
  assert.equal(dropped.deref(), undefined);
  assert.equal(typeof (globalThis as { gc?: unknown }).gc, 'undefined', 'nothing is exposed to anybody else');
});

test('a thorough one gives back to the system what the heap had grown by', async () => {
  const collect = fullCollection();
  const heap = () => process.memoryUsage().heapTotal;
  let garbage: object[] | undefined = Array.from({ length: 2_000_000 }, (_, at) => ({ at }));
  const grown = heap();
  assert.ok(garbage.length > 0 && grown > 64 * MIB);
  garbage = undefined;
  // What the task itself refers to holds until its end.
  for (let turn = 0; heap() > grown - 48 * MIB && turn < 10; turn++) await collect('thorough');
  assert.ok(heap() < grown - 48 * MIB, `${heap()} of ${grown}`);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fullCollection, Reclaim } from '../../../src/workers/reclaim.ts';
import { SlabPool } from '../../../src/workers/slabs.ts';

const MIB = 1024 * 1024;

test('slabs that the pool drops are collected once that is worth it, and not too often', t => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let nowMs = 100_000;
  let collections = 0;
  const reclaim = new Reclaim(
    () => collections++,
    () => nowMs,
  );
  const pool = new SlabPool({ budgetBytes: 1024 * MIB, reclaim });
  const burst = () => {
    const slabs = Array.from({ length: 16 }, () => pool.lease(16 * MIB)!);
    for (const { bytes } of slabs) pool.release(bytes);
  };
  const tick = (ms: number) => {
    nowMs += ms;
    t.mock.timers.tick(ms);
  };
  burst();
  assert.equal(collections, 0, 'not in the middle of something');
  tick(1);
  assert.equal(collections, 1);
  burst();
  pool.reclaim();
  tick(4900);
  assert.equal(collections, 1);
  tick(100);
  assert.equal(collections, 2);
  tick(60_000);
  assert.equal(collections, 2, 'nothing dropped, nothing to collect');
  pool.release(pool.lease(MIB)!.bytes);
  tick(1);
  assert.equal(collections, 2, 'what is kept for reuse is not dropped');
});

test('a full collection frees shared memory that nobody refers to', async () => {
  const collect = fullCollection();
  const dropped = new WeakRef(new SharedArrayBuffer(MIB));
  // A weak reference holds until the end of the task that made it.
  for (let turn = 0; dropped.deref() && turn < 100; turn++) {
    collect();
    await new Promise(resolve => setImmediate(resolve));
  }
  assert.equal(dropped.deref(), undefined);
  assert.equal(typeof (globalThis as { gc?: unknown }).gc, 'undefined', 'nothing is exposed to anybody else');
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SlabPool } from '../../../src/workers/slabs.ts';

const MIB = 1024 * 1024;

/** What has become of each, in the order asked: its way out, `refused`, or `waits`. */
async function states(asked: readonly Promise<(() => void) | undefined>[]) {
  const waits = Symbol('waits');
  const now = await Promise.all(asked.map(one => Promise.race([one, Promise.resolve().then(() => waits)])));
  return now.map(one => (one === waits ? 'waits' : one === undefined ? 'refused' : (one as () => void)));
}
const names = (all: Awaited<ReturnType<typeof states>>) => all.map(one => (typeof one === 'string' ? one : 'in'));
const leave = (one: unknown) => (one as () => void)();

test('so much at a time, in the order in which it was asked for; all of it counts as held', async () => {
  const pool = new SlabPool({ budgetBytes: 1024 * MIB });
  const asked = [60, 60, 60, 1].map(mib => pool.reserve(mib * MIB));
  const first = await states(asked);
  assert.deepEqual(names(first), ['in', 'in', 'waits', 'waits'], 'a small one does not pass a large one');
  assert.equal(pool.usage.heldBytes, 120 * MIB);
  leave(first[0]);
  leave(first[0]);
  const second = await states(asked);
  assert.deepEqual(names(second), ['in', 'in', 'in', 'in']);
  assert.equal(pool.usage.heldBytes, 121 * MIB);
  for (const one of second.slice(1)) leave(one);
  assert.equal(pool.usage.heldBytes, 0);
});

test('the budget rules: half of it at a time, one alone up to all of it, and none beyond', async () => {
  const pool = new SlabPool({ budgetBytes: 64 * MIB });
  const asked = [30, 30].map(mib => pool.reserve(mib * MIB));
  const [one] = await states(asked);
  assert.deepEqual(names(await states(asked)), ['in', 'waits']);
  leave(one);
  const both = await states(asked);
  assert.deepEqual(names(both), ['in', 'in']);
  leave(both[1]);
  const alone = await pool.reserve(60 * MIB);
  leave(alone);
  assert.equal(await pool.reserve(65 * MIB), undefined);
  pool.lease(32 * MIB);
  assert.equal(await pool.reserve(40 * MIB), undefined);
  const must = await pool.reserve(40 * MIB, true);
  assert.equal(pool.usage.heldBytes, 72 * MIB);
  leave(must);
});

test('who waits while the budget is spent otherwise is refused when its turn comes', async () => {
  const pool = new SlabPool({ budgetBytes: 64 * MIB });
  const first = await pool.reserve(32 * MIB);
  const waiting = [pool.reserve(48 * MIB), pool.reserve(16 * MIB)];
  pool.lease(24 * MIB);
  leave(first);
  assert.deepEqual(names(await states(waiting)), ['refused', 'in']);
});

test('who can make room is asked before a reservation is refused', async () => {
  const pool = new SlabPool({ budgetBytes: 64 * MIB });
  const held = Array.from({ length: 4 }, () => pool.lease(12 * MIB)!);
  pool.onShortage(bytes => {
    for (let freed = 0; freed < bytes && held.length > 1; freed += 12 * MIB) pool.release(held.pop()!.bytes);
  });
  leave(await pool.reserve(30 * MIB));
  assert.equal(held.length, 2, 'as much as was missing');
  assert.equal(await pool.reserve(60 * MIB), undefined);
});

test('no more waits than can be served before senders give up', async () => {
  const pool = new SlabPool({ budgetBytes: 1024 * MIB });
  const asked = Array.from({ length: 40 }, () => pool.reserve(64 * MIB));
  const now = names(await states(asked));
  assert.deepEqual([now.indexOf('waits'), now.indexOf('refused')], [2, 34]);
});

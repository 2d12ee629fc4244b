// A disk that fails: nothing is acknowledged that is not on it, deliveries go on, and it recovers by itself.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batchOf, faulty, textOf } from './rig.ts';

const names = (count: number, from = 1) => Array.from({ length: count }, (_, n) => `profile-${n + from}`);

for (const [kind, message] of [
  ['EIO', /cannot be written: disk I\/O error/],
  ['ENOSPC', /cannot be written: database or disk is full/],
] as const)
  test(`${kind} on a put is said, nothing is taken; deliveries go on; it recovers`, async t => {
    const { start, stop, put, take, drain, fail, heal, health, lost, memory } = faulty(t);
    const store = await start();
    for (const name of names(5)) await put(store, name);
    fail(kind);
    const refused = await Promise.all(names(3, 6).map(name => put(store, name)));
    for (const error of refused) assert.match((error as Error).message, message);
    const slab = memory.lease(10)!;
    await assert.rejects(store.bury('a', batchOf(slab.bytes.subarray(0, 10), 'x'), 'stage_failed', 'm'), message);
    memory.release(slab.bytes);
    assert.match(health.at(-1) ?? '', message);
    assert.equal(store.depth('a').batches, 5, 'what was refused takes no room');
    for (const name of names(3)) {
      const entry = (await take(store))!;
      assert.equal(textOf(entry), name);
      store.settle('a', entry, { kind: 'done' });
    }
    store.settle('a', (await take(store))!, { kind: 'dead', reason: 'rejected', message: 'no' });
    assert.equal(store.depth('a').batches, 1);
    await assert.rejects(store.operations.purge({ state: 'dead' }, 0), /disk/);
    await heal();
    assert.deepEqual(await put(store, 'profile-9'), { evicted: [] });
    assert.deepEqual(await put(store, 'profile-6'), { evicted: [] }, 'a sender that was refused may try again');
    await stop(store);
    const again = await start();
    assert.deepEqual(
      await drain(again),
      ['profile-5', 'profile-9', 'profile-6'],
      'what was delivered is not owed again',
    );
    assert.equal((await again.operations.tally())[0]!.dead[0]!.batches, 1);
    assert.deepEqual(lost, []);
    await stop(again);
    assert.equal(memory.usage.heldBytes, 0);
  });

test('only the nth commit on fails: what was acknowledged before it is there, what was not is not', async t => {
  const { start, stop, put, drain, fail, heal } = faulty(t);
  const store = await start();
  // The first one is followed by a commit of its own, for what is too old.
  await put(store, 'profile-0');
  await store.operations.tally();
  fail('EIO 4');
  const acknowledged: string[] = [];
  for (const name of names(8)) if (!((await put(store, name)) instanceof Error)) acknowledged.push(name);
  assert.deepEqual(acknowledged, names(3));
  await heal();
  await stop(store);
  assert.deepEqual(await drain(await start()), names(4, 0));
});

test('a file on a disk that fails does not open, with a sentence', async t => {
  const { start, fail } = faulty(t);
  fail('EIO');
  await assert.rejects(start(), /queue\.db: disk I\/O error/);
});

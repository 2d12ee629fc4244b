// The thread of a queue file ends under it: who waits hears it, nothing that was acknowledged is lost, and another one goes on.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fanout } from '../../../../src/pipeline/fanout.ts';
import { settled } from '../fixtures.ts';
import { batchOf, faulty, ROOMY, textOf } from './rig.ts';

const names = (count: number, from = 0) => Array.from({ length: count }, (_, n) => `profile-${n + from}`);
const ENDED = /cannot be used: its thread ended unexpectedly; a thread for it is started again/;

for (const [kind, stored] of [
  ['END', false],
  ['ENDED', true],
] as const)
  test(`it ends ${stored ? 'behind' : 'before'} the commit of a put`, async t => {
    const { start, stop, put, take, drain, fail, heal, health, lost } = faulty(t);
    const store = await start();
    for (const name of names(5)) await put(store, name);
    fail(kind);
    const first = await put(store, 'profile-5');
    assert.match((first as Error).message, ENDED);
    assert.match(health.at(-1)!, ENDED);
    // At once, from here on.
    for (const name of names(3, 6)) assert.match(((await put(store, name)) as Error).message, ENDED);
    const { send } = sender(store);
    assert.equal((await send('profile-9')).kind, 'refused');
    await assert.rejects(store.operations.tally(), ENDED);
    await assert.rejects(store.bury('a', batchOf(Buffer.alloc(9), 'x'), 'rejected', 'm'), ENDED);
    const entry = (await take(store))!;
    assert.equal(textOf(entry), 'profile-0');
    store.settle('a', entry, { kind: 'done' });
    await assert.rejects(store.operations.purge({ untilMs: 1 + 1_700_000_000_000 }, 0), ENDED, 'a purge does not hang');
    assert.equal(store.depth('a').batches, 0);
    await heal();
    // The sender tries again; what was stored meanwhile is known, and is delivered all the same.
    assert.deepEqual(await put(store, 'profile-5'), stored ? { evicted: [], repeated: ['a'] } : { evicted: [] });
    await put(store, 'profile-6');
    assert.equal(store.depth('a').batches, 2);
    await stop(store);
    assert.deepEqual(await drain(await start()), names(2, 5));
    assert.deepEqual(lost, ['a:1 purged', 'a:1 purged', 'a:1 purged', 'a:1 purged']);
  });

for (const kind of ['END', 'ENDED'])
  test(`${kind} while steps are written that nobody waits for: they are written again`, async t => {
    const { start, stop, put, take, drain, fail, heal, health, memory } = faulty(t);
    const store = await start();
    for (const name of names(6)) await put(store, name);
    await store.operations.tally();
    const [done, dead, part, given, later] = [
      await take(store),
      await take(store),
      await take(store),
      await take(store),
      await take(store),
    ];
    fail(kind);
    store.settle('a', done!, { kind: 'done' });
    store.settle('a', dead!, { kind: 'dead', reason: 'rejected', message: 'no' });
    const rest = batchOf(Buffer.alloc(10, 'part'), 'part');
    store.settle('a', part!, { kind: 'later', dueMs: 0, firstTryMs: 1, rest });
    const given2 = { kind: 'dead', reason: 'rejected', message: 'no', rest } as const;
    store.settle('a', given!, given2);
    store.settle('a', later!, { kind: 'later', dueMs: 0, firstTryMs: 1 });
    while (health.at(-1) === undefined) await settled();
    await heal();
    await stop(store);
    const again = await start();
    assert.equal((await again.operations.tally())[0]!.dead[0]!.batches, 2);
    assert.deepEqual((await drain(again)).toSorted(), ['part', 'profile-4', 'profile-5']);
    await stop(again);
    assert.equal(memory.usage.heldBytes, 0);
  });

test('what is only in the file waits for the next thread, it is not lost', async t => {
  const MIB = 1 << 20;
  const { start, put, drain, fail, heal, health, lost, clock } = faulty(t);
  const store = await start();
  // More than is kept in memory.
  for (const name of names(40)) await put(store, name, ['a'], MIB);
  fail('END');
  await put(store, 'x');
  assert.match(health.at(-1)!, ENDED);
  const drained = drain(store);
  await clock.advance(400);
  await heal();
  await clock.advance(1000);
  assert.deepEqual((await drained).toSorted(), names(40).toSorted());
  assert.deepEqual(lost, []);
});

test('it ends behind the commit of a replay: what was queued is delivered', async t => {
  const { start, put, take, drain, fail, heal, health } = faulty(t);
  const store = await start({ a: ROOMY, b: ROOMY });
  await put(store, 'profile-0');
  store.settle('a', (await take(store))!, { kind: 'dead', reason: 'rejected', message: 'no' });
  await store.operations.tally();
  fail('ENDED');
  await assert.rejects(store.operations.replay({ state: 'dead' }, 'b', false, 0), ENDED);
  assert.match(health.at(-1)!, ENDED);
  await heal();
  assert.equal((await store.operations.replay({ state: 'dead' }, 'b', false, 0)).replayed, 0);
  assert.deepEqual(await drain(store, 'b'), ['profile-0']);
});

test('it is stopped while there is no thread', async t => {
  const { start, stop, put, fail, heal, drain, health } = faulty(t);
  const store = await start();
  await put(store, 'profile-0');
  fail('END');
  await put(store, 'x');
  assert.match(health.at(-1)!, ENDED);
  await stop(store);
  fail('');
  health.push(undefined);
  await heal();
  assert.deepEqual(await drain(await start()), ['profile-0']);
});

function sender(store: unknown) {
  const row = (batch: unknown) => ({ queue: 'a', batch, storedMs: 1 });
  const outbox = { id: 'a', queued: true, store, row, evicted() {}, repeated() {} };
  const fan = new Fanout([{ id: 'a', node: {}, outbox }] as never);
  return { send: (text: string) => fan.consume(batchOf(Buffer.alloc(9, text), text), new AbortController().signal) };
}

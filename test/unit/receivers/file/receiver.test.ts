// When files are read, what becomes of them, and what is remembered.
import assert from 'node:assert/strict';
import { appendFileSync, existsSync, readFileSync, renameSync, rmSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Host } from '../../../../src/api/index.ts';
import { Config } from '../../../../src/receivers/file/config.ts';
import { SlabPool } from '../../../../src/workers/slabs.ts';
import { factsOf, numbered } from '../../../kit/pprof.ts';
import { NOT_ACCEPTED, NOW_MS } from '../fixtures.ts';
import { far, rig, until } from './rig.ts';

test('a file that grows is read when it no longer does, one that is renamed is the same', async t => {
  const { dir, clock, made, receiver, put, arrived, settle } = rig(t);
  const whole = numbered(7);
  const path = put('in/a.pb', whole.subarray(0, 20));
  await receiver.start();
  appendFileSync(path, whole.subarray(20, 30));
  await clock.look();
  appendFileSync(path, whole.subarray(30));
  await clock.look(2);
  await arrived(1);
  assert.deepEqual(factsOf(made.only.payloads[0]!).sums, ['7']);
  renameSync(path, join(dir, 'in/b.pb'));
  put('in/empty.pb', '');
  await clock.look(3);
  await settle();
  assert.equal(made.seen.length, 1);
  assert.equal(made.rejections, 0);
});

test('what is not accepted now stays and is tried again; it is deleted only when it was accepted', async t => {
  const { clock, made, receiver, put, arrived, settle } = rig(t, { delete_after_read: true });
  const path = put('in/a.pb', numbered(1));
  made.answer = () => NOT_ACCEPTED[0]!;
  await receiver.start();
  await clock.look();
  await arrived(1);
  await clock.look(2);
  assert.equal(made.seen.length, 1, 'its delay is not over');
  made.answer = () => NOT_ACCEPTED[1]!;
  clock.nowMs += 1200;
  await clock.look();
  await arrived(2);
  made.answer = () => ({ kind: 'accepted' });
  clock.nowMs += 29_999;
  await clock.look(2);
  assert.equal(made.seen.length, 2, 'the delay that was asked for is longer than ours');
  assert.ok(existsSync(path));
  clock.nowMs += 1;
  await clock.look();
  await until(() => !existsSync(path), 'the file to be deleted');
  await settle();
  assert.equal(new Set(made.seen.map(({ id }) => id)).size, 1, 'a second try is the same batch');
  assert.equal(made.rejections, 0);
});

test('what the gateway itself fails on is tried five times more', async t => {
  const { clock, made, receiver, put, arrived, settle } = rig(t);
  put('in/a.pb', numbered(1));
  made.answer = () => NOT_ACCEPTED[3]!;
  await receiver.start();
  await clock.look();
  for (let tries = 1; tries <= 6; tries++) {
    await arrived(tries);
    await clock.look();
    assert.equal(made.rejections, Number(tries === 6));
    clock.nowMs += 60_000;
    await clock.look();
  }
  await settle();
  assert.equal(made.seen.length, 6);
  assert.deepEqual(made.health, ['degraded', 'ok']);
});

test('with `end` only what comes is read', async t => {
  const { clock, made, receiver, put, arrived, settle } = rig(t, { start_at: 'end' });
  put('in/old.pb', numbered(1));
  await receiver.start();
  await clock.looked();
  put('in/new.pb', numbered(2));
  await clock.look(2);
  await arrived(1);
  await settle();
  assert.equal(made.only.batch.profiles[0]!.attributes.get('service_name'), 'new');
});

test('`once` reads what is there, then rests', async t => {
  const { clock, made, receiver, put, settle } = rig(t, { mode: 'once' });
  put('in/a.pb', numbered(1));
  put('in/b.pb', numbered(2));
  put('in/empty.pb', '');
  await receiver.start();
  await clock.looked();
  put('in/late.pb', numbered(3));
  const ended = until(() => made.logged.includes('all files are read'), 'the end');
  // The last look has no next one to wait for.
  void clock.look(1000);
  await ended;
  await settle();
  assert.equal(made.seen.length, 2);
});

test('old files are left alone', async t => {
  const { clock, made, receiver, put, arrived, settle } = rig(t, { exclude_older_than: '1h' });
  const at = (ms: number, path: string) => utimesSync(path, ms / 1000, ms / 1000);
  at(NOW_MS - 3_600_001, put('in/old.pb', numbered(1)));
  at(NOW_MS - 3_599_000, put('in/young.pb', numbered(2)));
  await receiver.start();
  await clock.look(2);
  await arrived(1);
  await settle();
  assert.equal(made.only.batch.profiles[0]!.attributes.get('service_name'), 'young');
});

test('the oldest file comes first, and only so many are on their way at a time', async t => {
  const { clock, made, receiver, put, settle } = rig(t, { max_concurrent_files: 2 });
  for (let at = 0; at < 6; at++) utimesSync(put(`in/f${at}.pb`, numbered(at + 1)), 1000 - at, 1000 - at);
  const open: (() => void)[] = [];
  made.answer = () => new Promise(resolve => open.push(() => resolve({ kind: 'accepted' })));
  await receiver.start();
  await clock.look(3);
  for (let answered = 0; answered < 6; answered++) {
    await until(() => open.length === Math.min(6, answered + 2), 'files on their way');
    open[answered]!();
  }
  await settle();
  const names = made.seen.map(({ batch }) => batch.profiles[0]!.attributes.get('service_name'));
  assert.deepEqual(new Set(names.slice(0, 2)), new Set(['f5', 'f4']));
  assert.equal(names.length, 6);
});

test('while no pipeline names it, nothing is read', async t => {
  let wanted = false;
  const { clock, made, receiver, put, arrived, settle } = rig(t, {}, { wanted: () => wanted });
  put('in/a.pb', numbered(1));
  await receiver.start();
  await clock.look(3);
  assert.equal(made.seen.length, 0);
  wanted = true;
  await clock.look();
  await arrived(1);
  await settle();
});

test('where there is no memory a file waits', async t => {
  const memory = new SlabPool({ budgetBytes: 1 << 20, poison: true });
  const { clock, made, receiver, put, arrived, settle } = rig(t, {}, { memory });
  put('in/a.pb', numbered(1));
  const all = memory.lease(1 << 20)!;
  await receiver.start();
  await clock.look(2);
  await receiver.stop(far());
  assert.deepEqual([made.seen.length, made.rejections], [0, 0]);
  memory.release(all.bytes);
  await receiver.start();
  await clock.look(2);
  await arrived(1);
  await settle();
});

test('a receiver and the one that a reload puts in its place read nothing twice, and miss nothing', async t => {
  const { clock, made, receiver, make, put, arrived } = rig(t);
  put('in/a.pb', numbered(1));
  await receiver.start();
  await clock.look();
  await arrived(1);
  const next = make();
  t.after(() => next.stop(AbortSignal.abort()));
  await receiver.stop(far());
  await receiver.start();
  await clock.look(2);
  await arrived(2);
  // Stopped and started it knew nothing any more; held by its successor it does.
  await next.start();
  await receiver.stop(far());
  put('in/b.pb', numbered(2));
  await clock.look(3);
  await arrived(3);
  await next.stop(far());
  assert.equal(made.seen.at(-1)!.batch.profiles[0]!.attributes.get('service_name'), 'b');
});

test('with storage a restart reads nothing again, also what it passed over and what was rejected', async t => {
  let dir = '';
  const extension = (() => ({ queueFile: { file: join(dir, 'state/queue.db') } })) as unknown as Host['extension'];
  const made = rig(t, { storage: 'file_storage', start_at: 'end' }, { extension });
  dir = made.dir;
  made.put('in/old.pb', numbered(1));
  await made.receiver.start();
  await made.clock.looked();
  made.put('in/new.pb', numbered(2));
  made.put('in/bad.pb', 'nothing that anybody knows');
  await made.clock.look(2);
  await made.arrived(1);
  await until(() => made.made.rejections === 1, 'the rejection');
  await made.receiver.stop(far());
  const journal = join(dir, 'state/x.read.jsonl');
  assert.equal(readFileSync(journal, 'utf8').trim().split('\n').length, 3);
  // The process died while it wrote.
  appendFileSync(journal, '{"key":"1:');
  made.put('in/meanwhile.pb', numbered(3));
  await made.receiver.start();
  await made.clock.look(3);
  await made.arrived(2);
  await made.settle();
  assert.equal(made.made.seen[1]!.batch.profiles[0]!.attributes.get('service_name'), 'meanwhile');
  assert.equal(made.made.rejections, 1);
});

test('a file that grew and was read twice is not read again by a restart', async t => {
  let dir = '';
  const extension = (() => ({ queueFile: { file: join(dir, 'state/queue.db') } })) as unknown as Host['extension'];
  const made = rig(t, { storage: 'file_storage' }, { extension });
  dir = made.dir;
  made.put('in/grows.folded', 'main;work 1\n');
  await made.receiver.start();
  await made.clock.look(2);
  await made.arrived(1);
  made.put('in/grows.folded', 'main;work 1\nmain;work 2\n');
  await made.clock.look(3);
  await made.arrived(2);
  await made.receiver.stop(far());
  made.put('in/last.folded', 'main 1\n');
  await made.receiver.start();
  await made.clock.look(3);
  await made.arrived(3);
  await made.settle();
  assert.equal(made.made.seen[2]!.batch.profiles[0]!.payload.bytes.length, 'main 1\n'.length);
});

test('storage that does not run is an error at start', async t => {
  const { receiver } = rig(t, { storage: 'file_storage' });
  await assert.rejects(receiver.start(), /`file_storage` is no file_storage extension that service.extensions lists/);
});

test('a missing folder is said, once, and so is that it came', async t => {
  const { dir, clock, made, receiver, put, arrived } = rig(t);
  rmSync(join(dir, 'in'), { recursive: true });
  await receiver.start();
  await clock.look(2);
  assert.deepEqual(made.health, ['degraded']);
  put('in/a.pb', numbered(1));
  await clock.look(2);
  await arrived(1);
  assert.deepEqual(made.health, ['degraded', 'ok']);
});

test('the deadline of stop ends the wait for a pipeline that does not answer', async t => {
  const { clock, made, receiver, put, arrived, settle } = rig(t);
  put('in/a.pb', numbered(1));
  made.answer = (_batch, abort) =>
    new Promise(resolve =>
      abort.addEventListener('abort', () => resolve({ kind: 'retryable', error: new Error('gave up') }), {
        once: true,
      }),
    );
  await receiver.start();
  await clock.look();
  await arrived(1);
  const deadline = new AbortController();
  const stopped = receiver.stop(deadline.signal);
  deadline.abort();
  await stopped;
  assert.ok(made.only.abort.aborted);
  await settle();
});

test('keys that contradict each other are refused', () => {
  for (const config of [
    { include: [] },
    { include: ['a'], mode: 'once', start_at: 'end' },
    { include: ['a'], delete_after_read: true, start_at: 'end' },
    { include: ['a'], poll_interval: '1ms' },
    { include: ['{a'] },
    { include: ['a'], exclude: ['[z-a]'] },
    { include: ['a'], labels: { '': 'x' } },
  ])
    assert.ok(!Config.safeParse(config).success, JSON.stringify(config));
});

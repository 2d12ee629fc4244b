import assert from 'node:assert/strict';
import { test } from 'node:test';
import { REMEMBER_MS, Recent } from '../../../../src/pipeline/outbox/disk/recent.ts';
import { packTook, unpackTook } from '../../../../src/pipeline/outbox/disk/recent-rows.ts';

const startMs = 1_700_000_000_000;
const none = new Set<string>();

test('an id is known for ten minutes, whatever came since, and not for longer than fifteen', () => {
  const recent = new Recent();
  recent.add('x', startMs);
  for (let ms = 0; ms < REMEMBER_MS; ms += 1000) {
    recent.add(`other ${ms}`, startMs + ms);
    assert.ok(recent.has('x', startMs + ms), `${ms}`);
  }
  assert.ok(!recent.has('x', startMs + 1.5 * REMEMBER_MS));
  assert.ok(!recent.has('y', startMs));
  recent.add('x', startMs + 2 * REMEMBER_MS);
  assert.ok(recent.has('x', startMs + 2 * REMEMBER_MS + 1), 'again');
});

test('an id does not last when the clock is set back', () => {
  const recent = new Recent();
  recent.add('x', 1_700_000_000_000);
  assert.ok(!recent.has('x', 1_600_000_000_000));
});

test('a thousand batches a second for ten minutes to three queues: all are known, none is invented', () => {
  const recent = new Recent();
  const count = 600_000;
  for (let n = 0; n < count; n++) recent.note(Recent.key(`${n}`), ['a', 'b', 'c'], startMs + n);
  const nowMs = startMs + count - 1;
  for (let n = 0; n < count; n += 7) {
    assert.equal(recent.queues(Recent.key(`${n}`), nowMs).size, 3, `${n}`);
    assert.equal(recent.queues(Recent.key(`other ${n}`), nowMs).size, 0, `${n}`);
  }
  assert.ok(recent.bytes < 24 * 1024 * 1024, `${recent.bytes}`);
});

test('a bound in bytes holds; the oldest go first, and it says since when it knows', () => {
  const maxBytes = 1024 * 1024;
  const recent = new Recent(maxBytes);
  for (let n = 0; n < 400_000; n++) {
    recent.add(`${n}`, startMs + (n >> 10));
    assert.ok(recent.bytes <= maxBytes);
  }
  const nowMs = startMs + (400_000 >> 10);
  assert.ok(recent.has('399999', nowMs));
  assert.ok(!recent.has('0', nowMs));
  const sinceMs = recent.sinceMs(nowMs);
  assert.ok(sinceMs > startMs && sinceMs < nowMs);
  for (let n = (sinceMs + 1 - startMs) << 10; n < 400_000; n++) assert.ok(recent.has(`${n}`, nowMs), `${n}`);
});

test('each queue is known for itself, however many sets of them there are', () => {
  const recent = new Recent();
  const key = Recent.key('x');
  assert.deepEqual(recent.queues(key, startMs), none);
  recent.note(key, ['a'], startMs);
  recent.note(key, ['b', 'c'], startMs);
  assert.deepEqual(recent.queues(key, startMs), new Set(['a', 'b', 'c']));
  for (let n = 0; n < 1000; n++) recent.note(Recent.key(`${n}`), [`queue ${n}`], startMs);
  for (let n = 0; n < 1000; n++) assert.deepEqual([...recent.queues(Recent.key(`${n}`), startMs)], [`queue ${n}`]);
});

test('rows of the file: what is packed comes back, rows of an earlier version too, and a damaged one does no harm', () => {
  const took = { queues: ['pyroscope/a', 'dead stage:profiles/ä/x'], keys: ['1', '2', '3'].map(Recent.key) };
  const row = packTook(took);
  assert.equal(row.length, 2 + Buffer.byteLength(took.queues.join('\n')) + 3 * 8);
  assert.deepEqual(unpackTook(row), [took]);
  const line = `${'0a'.repeat(20)} abc`;
  assert.deepEqual(unpackTook(`a ${line}\nb ${line}`), [
    { queues: ['a'], keys: [Recent.key(line)] },
    { queues: ['b'], keys: [Recent.key(line)] },
  ]);
  for (let length = 0; length < row.length; length++) unpackTook(row.subarray(0, length));
  for (let at = 0; at < row.length; at++) unpackTook(row.with(at, 255));
});

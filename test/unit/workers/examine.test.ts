import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Meter } from '../../../src/api/index.ts';
import { DecodeError } from '../../../src/wire/decode-error.ts';
import { Examiner } from '../../../src/workers/examine.ts';
import { Pool } from '../../../src/workers/pool.ts';
import { SlabPool } from '../../../src/workers/slabs.ts';
import { profileOfSize } from '../../bench/body.ts';
import { numbered } from '../../kit/pprof.ts';
import { silent } from '../pipeline/fixtures.ts';

const instrument = { record() {} };
const meter: Meter = { counter: () => instrument, gauge: () => instrument, histogram: () => instrument };
const MAX = 1 << 26;

function examiner(t: { after(fn: () => unknown): void }, budgetBytes = 1 << 28, queueBytes = 1 << 26) {
  const settings = { threads: 1, taskTimeoutMs: 10_000, memoryBytes: 1 << 28, queueBytes };
  const preload = new URL('../../../src/self.ts', import.meta.url).href;
  const pool = new Pool({ settings, preload, log: silent, meter });
  const memory = new SlabPool({ budgetBytes });
  t.after(async () => {
    await pool.stop(AbortSignal.abort());
    assert.equal(memory.usage.heldBytes, 0, 'all room was given back');
  });
  return { pool, examiner: new Examiner(pool, memory) };
}
const gzipped = (bytes: Uint8Array) => ({ form: 'pprof' as const, encoding: 'gzip' as const, bytes });
const small = gzipped(gzipSync(numbered(7)));
const large = gzipped(profileOfSize(60_000));

test('small profiles are looked at here, large ones on a thread, with the same result', async t => {
  const { pool, examiner: one } = examiner(t);
  const here = await one.examine(small, MAX);
  assert.equal(here.summary.types[0]?.total, 7n);
  assert.equal(pool.usage.threads, 0);
  const there = await one.examine(large, MAX);
  assert.equal(pool.usage.threads, 1);
  assert.ok(there.summary.samples > 100);
  assert.ok(there.inflatedBytes > large.bytes.length);
});

test('what is wrong with a large profile is said as for a small one', async t => {
  const { examiner: one } = examiner(t);
  const cut = gzipped(large.bytes.subarray(0, 50_000));
  await assert.rejects(one.examine(cut, MAX), { constructor: DecodeError, reason: 'bad_compression' });
  await assert.rejects(one.examine(large, 1000), { constructor: DecodeError, reason: 'decompressed_too_large' });
});

test('when the threads have enough to do, or there is no room, the sender is told when to come again', async t => {
  const { examiner: busy } = examiner(t, 1 << 28, 100_000);
  const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => busy.examine(large, MAX)));
  const refused = outcomes.flatMap(one => (one.status === 'rejected' ? [one.reason as DecodeError] : []));
  assert.ok(refused.length > 0 && refused.length < 5, `${refused.length} refused`);
  for (const { reason, retryAfterMs } of refused) assert.deepEqual([reason, retryAfterMs], ['memory_limit', 1000]);
  const { examiner: poor } = examiner(t, 1000);
  await assert.rejects(poor.examine(large, MAX), { reason: 'memory_limit' });
});

test('an acknowledged profile is looked at once, whatever else there is to do; what is none has no summary', async t => {
  const { examiner: one } = examiner(t, 1000, 1);
  const payload = large;
  const [first, second] = await Promise.all([one.summary({ payload, part: 0 }), one.summary({ payload, part: 0 })]);
  assert.ok(first && first === second);
  assert.equal(await one.summary({ payload: gzipped(large.bytes.subarray(0, 50_000)), part: 0 }), undefined);
  assert.equal(await one.summary({ payload: { ...small, form: 'jfr' }, part: 0 }), undefined);
});

test('a form that must be decoded is looked at here only where it is small and not compressed, whatever it says it becomes', async t => {
  const { pool, examiner: one } = examiner(t);
  const text = Buffer.from('main;work 3\n');
  const here = await one.examine({ form: 'groups', encoding: 'identity', bytes: text }, MAX);
  assert.deepEqual([here.summary.types[0]?.total, pool.usage.threads], [3n, 0]);
  const there = await one.examine({ form: 'groups', encoding: 'gzip', bytes: gzipSync(text) }, MAX);
  assert.deepEqual([there.summary.types[0]?.total, pool.usage.threads], [3n, 1]);
});

test('labels beside a small recording are not read here either; what is wrong with us is not told to senders', async t => {
  const { pool, examiner: one } = examiner(t);
  const small = { form: 'groups', encoding: 'identity', bytes: Buffer.from('main;work 3\n') } as const;
  await one.examine(small, MAX, { door: 'ingest', query: 'name=app', parts: { labels: Buffer.of(0) } });
  assert.equal(pool.usage.threads, 1);
  const failing = { run: async () => ({ kind: 'failed', reason: 'bug', message: 'RangeError\n at /srv/secret.ts' }) };
  const broken = new Examiner(failing as never, new SlabPool({ budgetBytes: 1 << 28 }));
  await assert.rejects(broken.examine(large, MAX), (error: unknown) => {
    assert.ok(error instanceof DecodeError && error.reason === 'unreadable');
    return !error.message.includes('secret');
  });
});

// Profiles that are sound, small on the wire, and larger than a thread once decoded or edited: they cost themselves and no thread.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Profile } from '../../../../src/model/batch.ts';
import { Crossing } from '../../../../src/pipeline/stages/crossing.ts';
import { Pool } from '../../../../src/workers/pool.ts';
import { SlabPool } from '../../../../src/workers/slabs.ts';
import { groupOf } from '../../../../src/workers/stages/task.ts';
import { bytes, number, text, varint } from '../../../kit/protobuf.ts';
import { silent } from '../fixtures.ts';

const MIB = 1024 * 1024;
const instrument = { record() {} };
const meter = { counter: () => instrument, gauge: () => instrument, histogram: () => instrument };
const labels = new URL('../../../../src/processors/labels/stage.ts', import.meta.url).href;

const times = (count: number, message: readonly number[]) =>
  Buffer.alloc(count * message.length, Uint8Array.from(message));
const head = Buffer.from([...bytes(1, [...number(1, 1), ...number(2, 1)]), ...text(6, ''), ...text(6, 'a')]);
/** An unknown field that does not compress, since what inflates too far is refused elsewhere. */
const ballast = Buffer.concat([Buffer.from([...varint(16 * 8 + 2), ...varint(400_000)]), randomBytes(400_000)]);
const label = bytes(3, number(1, 1));

async function crossed(raw: Buffer) {
  const settings = { threads: 1, taskTimeoutMs: 60_000, memoryBytes: 512 * MIB, queueBytes: 64 * MIB };
  const preload = new URL('../../../../src/self.ts', import.meta.url).href;
  const pool = new Pool({ settings, preload, log: silent, meter });
  const group = groupOf('large', [
    { id: 'labels', module: labels, config: { actions: [{ action: 'set', key: 'k', value: 'v' }] } },
  ]);
  const crossing = new Crossing(
    { pool, memory: new SlabPool({ budgetBytes: 256 * MIB }), group, receivedMs: 0, rewrite: false },
    new AbortController().signal,
  );
  const payload = { form: 'pprof', encoding: 'gzip', bytes: gzipSync(raw, { level: 1 }) } as const;
  assert.ok(payload.bytes.length < 1e6);
  try {
    await crossing.run([{ attributes: new Map(), payload, part: 0 } as unknown as Profile], undefined);
    assert.deepEqual(crossing.lost, [], 'no thread was lost');
    return crossing.outcomes[0]!;
  } finally {
    crossing.release();
    await pool.stop(AbortSignal.abort());
  }
}

test('a sound profile that takes too much decoded is refused, and ends no thread', async () => {
  const samples = times(3_900_000, bytes(2, [...number(2, 1), ...label, ...label]));
  const outcome = await crossed(Buffer.concat([head, samples, times(3_900_000, text(6, 'b')), ballast]));
  assert.equal(outcome.kind, 'undecodable');
  assert.match((outcome as { message: string }).message, /^the profile takes more than \d+ bytes decoded$/);
});

test('a sound profile that takes too much once edited fails in its stage, and ends no thread', async () => {
  const outcome = await crossed(
    Buffer.concat([head, times(3_900_000, bytes(2, [...number(2, 1), ...label])), ballast]),
  );
  assert.equal(outcome.kind, 'failed');
  assert.equal((outcome as { message: string }).message, 'columns grow beyond their limit');
});

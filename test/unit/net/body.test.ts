// What a body may hold while it arrives, without a socket.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Arriving } from '../../../src/net/arriving.ts';
import { BodyReader } from '../../../src/net/body.ts';
import { SlabPool } from '../../../src/workers/slabs.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const LIMITS = { maxBytes: 16 * MIB, maxInflatedBytes: 64 * MIB };
const source = { flow() {}, giveUp() {} };
const noise = Buffer.from(Array.from({ length: 256 * KIB }, (_none, n) => (n * 7919) & 255));

function rig(budgetBytes = 64 * MIB) {
  const memory = new SlabPool({ budgetBytes, poison: true });
  const arriving = new Arriving(memory);
  const start = (length: number | undefined) => {
    const reader = new BodyReader({ headers: {}, length }, arriving, source);
    const outcome = reader.read(LIMITS);
    return { reader, outcome };
  };
  return { memory, arriving, start };
}

test('who announces much and sends little holds little', () => {
  const { memory, start } = rig();
  const idle = start(16 * MIB);
  assert.equal(memory.usage.heldBytes, 0, 'nothing for a promise');
  idle.reader.take(noise, 0, 1);
  assert.equal(memory.usage.heldBytes, 4 * KIB);
  let sent = 1;
  for (; sent < 8 * MIB; sent += 100 * KIB) {
    idle.reader.take(noise, 0, 100 * KIB);
    assert.ok(memory.usage.heldBytes <= 6 * (sent + 100 * KIB), `${memory.usage.heldBytes} held for ${sent}`);
  }
  idle.reader.close();
  idle.reader.release();
  assert.equal(memory.usage.heldBytes, 0);
});

test('a body that comes at once has a slab of its size, one that comes in pieces arrives whole', async () => {
  for (const piece of [200 * KIB, 64 * KIB, 1000, 7])
    for (const length of [200 * KIB, undefined]) {
      const { memory, arriving, start } = rig();
      const { reader, outcome } = start(length);
      for (let at = 0; at < 200 * KIB; at += piece) reader.take(noise, at, Math.min(200 * KIB, at + piece));
      if (piece === 200 * KIB && length !== undefined) {
        assert.equal(memory.usage.heldBytes, 256 * KIB);
        assert.equal(arriving.heldBytes, 0, 'it never was one that arrives');
      } else assert.ok(arriving.heldBytes > 0);
      reader.end();
      assert.equal(arriving.heldBytes, 0);
      const body = await outcome;
      assert.ok(body.kind === 'body' && body.bytes.equals(noise.subarray(0, 200 * KIB)), `${piece} ${length}`);
      reader.release();
      assert.deepEqual([memory.usage.heldBytes, arriving.heldBytes], [0, 0]);
    }
});

test('bodies that are not whole hold at most half of the budget; one that comes at once still has room', async () => {
  const { arriving, memory, start } = rig(4 * MIB);
  const slow = Array.from({ length: 100 }, () => start(MIB));
  for (const { reader } of slow) reader.take(noise, 0, 32 * KIB);
  await new Promise(resolve => setImmediate(resolve));
  const answers = await Promise.all(slow.map(({ outcome }) => Promise.race([outcome, 'arrives'])));
  const refused = answers.filter(answer => typeof answer === 'object' && answer.kind === 'problem');
  assert.ok(refused.length > 0 && refused.every(answer => (answer as { reason: string }).reason === 'memory_limit'));
  assert.ok(arriving.heldBytes <= 2 * MIB && arriving.heldBytes > MIB);
  const quick = start(200 * KIB);
  quick.reader.take(noise, 0, 200 * KIB);
  quick.reader.end();
  assert.equal((await quick.outcome).kind, 'body');
  for (const { reader } of [...slow, quick]) {
    reader.close();
    reader.release();
  }
  assert.deepEqual([memory.usage.heldBytes, arriving.heldBytes], [0, 0]);
});

test('what cannot fit is refused before a byte is asked for', async () => {
  const { start } = rig(MIB);
  const outcome = await start(2 * MIB).outcome;
  assert.deepEqual(
    [outcome.kind, outcome.kind === 'problem' && outcome.reason, outcome.kind === 'problem' && outcome.retryAfterMs],
    ['problem', 'memory_limit', 1000],
  );
});

test('a sender is given up for silence, for a trickle, and for taking too long; not for a pause of ours', () => {
  const { start } = rig();
  const stallMs = 30_000;
  const swept = (bytesPerSecond: number, seconds: number) => {
    const { reader } = start(16 * MIB);
    for (let second = 1; second <= seconds; second++) {
      if (bytesPerSecond > 0) reader.take(noise, 0, bytesPerSecond);
      // Silence is told by the clock, which hardly moves here.
      if (reader.overdue(reader.progressMs + 1, 1000, stallMs)) return second;
    }
    return undefined;
  };
  assert.equal(swept(1, 60), 11, 'a byte now and then');
  assert.equal(swept(1000, 60), 11);
  assert.equal(swept(1100, 299), undefined, 'slow, but it gets there');
  assert.equal(swept(20_000, 400), 301, 'a body has five minutes');
  const { reader } = start(16 * MIB);
  assert.equal(reader.overdue(reader.progressMs + stallMs + 1, 1000, stallMs), true);
});

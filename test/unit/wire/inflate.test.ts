import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import type { Encoding } from '../../../src/model/payload.ts';
import { inflatedSize } from '../../../src/wire/gzip.ts';
import { inflate } from '../../../src/wire/inflate.ts';
import { SlabPool } from '../../../src/workers/slabs.ts';

const MIB = 1024 * 1024;
const LIMIT = 64 * MIB;
/** Compresses to an eighth or so, which is what a profile does. */
const text = (size: number) => Buffer.alloc(size, randomBytes(size / 64).toString('base64'));
const compressed: Record<'gzip' | 'zstd', (bytes: Uint8Array) => Buffer> = {
  gzip: bytes => gzipSync(bytes),
  zstd: bytes => zstdCompressSync(bytes),
};

/** A room that remembers what was asked of it. */
function rig(budgetBytes = 1 << 30) {
  const memory = new SlabPool({ budgetBytes });
  const asked: number[] = [];
  const room = {
    reserve: (size: number, must?: boolean) => {
      asked.push(size);
      return memory.reserve(size, must);
    },
  };
  return { memory, asked, room };
}

for (const encoding of ['gzip', 'zstd'] as const) {
  const pack = compressed[encoding];

  test(`${encoding}: room is taken for what the stream says, and given back with the bytes`, async () => {
    const { memory, asked, room } = rig();
    const plain = text(5 * MIB);
    const bytes = pack(plain);
    let kept: Uint8Array | undefined;
    const held = await inflate({ encoding, bytes }, LIMIT, { room }, raw => {
      kept = raw;
      assert.ok(plain.equals(raw));
      return memory.usage.heldBytes;
    });
    assert.deepEqual([asked, held], [[plain.length], plain.length]);
    assert.equal(memory.usage.heldBytes, 0);
    assert.equal(kept!.length, 0, 'whoever keeps them has nothing');
  });

  test(`${encoding}: without room it is refused for the moment, and what use throws frees the room too`, async () => {
    const { memory, room } = rig(4 * MIB);
    const bytes = pack(text(5 * MIB));
    await assert.rejects(
      inflate({ encoding, bytes }, LIMIT, { room }, () => 0),
      { reason: 'memory_limit', retryAfterMs: 1000 },
    );
    assert.equal(await inflate({ encoding, bytes }, LIMIT, { room, must: true }, raw => raw.length), 5 * MIB);
    await assert.rejects(
      inflate({ encoding, bytes: pack(text(3 * MIB)) }, LIMIT, { room }, () => {
        throw new Error('no');
      }),
      /no/,
    );
    assert.equal(memory.usage.heldBytes, 0);
  });

  test(`${encoding}: too large, cut off, and followed by other bytes`, async () => {
    const { memory, room } = rig();
    const bytes = pack(text(5 * MIB));
    const of = (these: Uint8Array, maxBytes = LIMIT) =>
      inflate({ encoding, bytes: these }, maxBytes, { room }, raw => raw.length);
    await assert.rejects(of(bytes, 4 * MIB), { reason: 'decompressed_too_large' });
    await assert.rejects(of(pack(Buffer.alloc(40 * MIB))), { reason: 'decompressed_too_large' });
    await assert.rejects(of(bytes.subarray(0, -5)), { reason: 'bad_compression' });
    await assert.rejects(of(Buffer.concat([bytes, Buffer.from([0, 0])])), { reason: 'bad_compression' });
    assert.equal(memory.usage.heldBytes, 0);
  });
}

test('a stream that says too little gets more room step by step', async () => {
  const { asked, room } = rig();
  // The size that counts is the last member's.
  const bytes = Buffer.concat([gzipSync(text(20 * MIB)), gzipSync('')]);
  const sizes: number[] = [];
  assert.equal(await inflate({ encoding: 'gzip', bytes }, LIMIT, { room }, raw => sizes.push(raw.length)), 1);
  assert.deepEqual(sizes, [20 * MIB]);
  assert.ok(asked.at(-1)! < LIMIT * 2 && asked.length > 1, String(asked));
});

test('small bodies ask for no room', async () => {
  const { asked, room } = rig(0);
  assert.equal(
    await inflate({ encoding: 'gzip', bytes: gzipSync(text(MIB / 2)) }, LIMIT, { room }, raw => raw.length),
    MIB / 2,
  );
  assert.equal(
    await inflate({ encoding: 'identity', bytes: text(2 * MIB) }, LIMIT, { room }, raw => raw.length),
    2 * MIB,
  );
  assert.deepEqual(asked, []);
});

test('what a stream says of its size is read from its end or its header', () => {
  const size = (bytes: Uint8Array, encoding: Encoding) => inflatedSize(bytes, encoding);
  for (const length of [0, 1, 100, 255, 256, 300, 65_535, 65_792, 100_000, 3 * MIB]) {
    const plain = Buffer.alloc(length, 'abc');
    assert.equal(size(gzipSync(plain), 'gzip'), length);
    // A hint is worth reading where a frame is not tiny.
    const frame = zstdCompressSync(plain);
    if (frame.length >= 18) assert.equal(size(frame, 'zstd'), length);
  }
});

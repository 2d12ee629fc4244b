import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SlabPool, sizeClass } from '../../../src/workers/slabs.ts';

const MIB = 1024 * 1024;

test('a size class holds the size and wastes at most a third', () => {
  fc.assert(
    fc.property(fc.integer({ min: 4096, max: 256 * MIB }), size => {
      const capacity = sizeClass(size);
      assert.ok(capacity >= size && (capacity - size) / capacity <= 1 / 3 + 1e-9, `${size} → ${capacity}`);
    }),
  );
});

test('a slab lies in shared memory, comes back after its last release and is reused', () => {
  const pool = new SlabPool({ budgetBytes: MIB });
  const slab = pool.lease(20_000)!;
  assert.ok(slab.bytes.buffer instanceof SharedArrayBuffer);
  assert.equal(pool.usage.heldBytes, 24_576);
  const part = slab.bytes.subarray(100, 200);
  pool.retain(part);
  pool.release(slab.bytes);
  assert.equal(pool.usage.heldBytes, 24_576, 'the part still holds it');
  pool.release(part);
  assert.deepEqual([pool.usage.heldBytes, pool.usage.freeBytes], [0, 24_576]);
  assert.equal(pool.lease(20_001)!.bytes.buffer, slab.bytes.buffer);
});

test('a lease beyond the budget is refused until something is released', () => {
  const pool = new SlabPool({ budgetBytes: 64 * 1024 });
  const first = pool.lease(40_000)!;
  assert.equal(pool.lease(40_000), undefined);
  pool.release(first.bytes);
  assert.ok(pool.lease(40_000));
});

test('the smallest limit rules until it is undone', () => {
  const pool = new SlabPool({ budgetBytes: MIB });
  const undo = pool.limit(8192);
  assert.equal(pool.lease(16_384), undefined);
  const looser = pool.limit(64 * 1024);
  assert.equal(pool.usage.budgetBytes, 8192);
  undo();
  undo();
  assert.equal(pool.usage.budgetBytes, 64 * 1024);
  looser();
  assert.ok(pool.lease(16_384));
});

test('a second release and a late retain fail loudly', () => {
  const pool = new SlabPool({ budgetBytes: MIB });
  const { bytes } = pool.lease(10)!;
  pool.release(bytes);
  assert.throws(() => pool.release(bytes), /released a slab twice/);
  assert.throws(() => pool.retain(bytes), /released already/);
});

test('poisoning overwrites what a late reader would see', () => {
  const pool = new SlabPool({ budgetBytes: MIB, poison: true });
  const { bytes } = pool.lease(10)!;
  bytes.write('profile');
  pool.release(bytes);
  assert.ok(bytes.every(byte => byte === 0xdb));
});

test('bytes that are in no slab are left to the garbage collector', () => {
  const pool = new SlabPool({ budgetBytes: MIB });
  const plain = Buffer.alloc(10);
  pool.retain(plain);
  pool.release(plain);
  pool.release(plain);
  assert.equal(pool.holds(plain), false);
});

test('the pool keeps a bounded amount for reuse', () => {
  const pool = new SlabPool({ budgetBytes: 1024 * MIB });
  const held = Array.from({ length: 10 }, () => pool.lease(16 * MIB)!);
  for (const { bytes } of held) pool.release(bytes);
  assert.ok(pool.usage.freeBytes <= 64 * MIB);
});

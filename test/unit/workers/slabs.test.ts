import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Slab } from '../../../src/model/memory.ts';
import { SlabPool, sizeClass } from '../../../src/workers/slabs.ts';

const MIB = 1024 * 1024;

test('a size class holds the size and wastes at most a third', () => {
  fc.assert(
    fc.property(fc.integer({ min: 256, max: 256 * MIB }), size => {
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

test('small slabs share a chunk, do not touch, and hold what they are asked for', () => {
  const pool = new SlabPool({ budgetBytes: MIB, poison: true });
  const slabs = Array.from({ length: 100 }, () => pool.lease(300)!);
  assert.equal(new Set(slabs.map(({ bytes }) => bytes.buffer)).size, 1);
  assert.equal(pool.usage.heldBytes, 100 * 384);
  for (const [n, { bytes }] of slabs.entries()) bytes.fill(n);
  const [first, second] = slabs as [Slab, Slab];
  pool.release(first.bytes);
  assert.ok(first.bytes.every(byte => byte === 0xdb));
  for (const [n, { bytes }] of slabs.entries()) if (n > 0) assert.ok(bytes.every(byte => byte === n));
  const part = second.bytes.subarray(10, 20);
  assert.equal(pool.slabOf(part), second);
  pool.retain(part);
  pool.release(second.bytes);
  assert.equal(pool.lease(300)!.bytes, first.bytes, 'a cell that came back goes first');
  pool.release(part);
  assert.throws(() => pool.release(part), /released a slab twice/);
  assert.throws(() => pool.retain(second.bytes), /released already/);
});

test('slabs of every small size are held, counted and given back', () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 5000 }), { maxLength: 300 });
  fc.assert(
    fc.property(sizes, fc.infiniteStream(fc.boolean()), (wanted, keep) => {
      const pool = new SlabPool({ budgetBytes: 16 * MIB });
      const held = new Map<Slab, number>();
      for (const size of wanted) {
        const slab = pool.lease(size)!;
        assert.ok(!held.has(slab) && slab.bytes.length === sizeClass(size));
        held.set(slab, slab.bytes.length);
        for (const [one, length] of held)
          if (!keep.next().value) {
            pool.release(one.bytes);
            held.delete(one);
            assert.equal(one.bytes.length, length);
          }
        assert.equal(
          pool.usage.heldBytes,
          [...held.values()].reduce((sum, length) => sum + length, 0),
        );
      }
      for (const { bytes } of held.keys()) pool.release(bytes);
      assert.equal(pool.usage.heldBytes, 0);
    }),
  );
});

test('no cell of a chunk with a retired one is given out again, and the chunk goes with its last cell', () => {
  const pool = new SlabPool({ budgetBytes: MIB });
  const [first, second] = [pool.lease(1000)!, pool.lease(1000)!];
  pool.retire(first.bytes);
  pool.retire(second.bytes);
  assert.equal(pool.usage.freeBytes, 0);
  const third = pool.lease(1000)!;
  assert.notEqual(third.bytes.buffer, first.bytes.buffer);
  const free = pool.usage.freeBytes;
  pool.release(first.bytes);
  pool.release(second.bytes);
  assert.equal(pool.usage.freeBytes, free);
  assert.equal(pool.holds(first.bytes), false);
});

test('chunks that nobody needs go when the pool has enough', () => {
  const pool = new SlabPool({ budgetBytes: 1024 * MIB });
  const held = Array.from({ length: 100_000 }, () => pool.lease(1024)!);
  for (const { bytes } of held) pool.release(bytes);
  assert.deepEqual([pool.usage.heldBytes, pool.usage.freeBytes <= 64 * MIB], [0, true]);
});

test('who can make room is asked for what is missing before a lease is refused', () => {
  const pool = new SlabPool({ budgetBytes: 64 * 1024 });
  const held = Array.from({ length: 16 }, () => pool.lease(4096)!);
  const asked: number[] = [];
  pool.onShortage(bytes => {
    asked.push(bytes);
    for (let freed = 0; freed < bytes && held.length > 4; freed += 4096) pool.release(held.pop()!.bytes);
  });
  assert.ok(pool.lease(8192));
  assert.deepEqual([asked, held.length], [[8192], 14]);
  assert.equal(pool.makeRoom(6000), 8192);
  assert.equal(pool.lease(60 * 1024), undefined, 'there is no more to let go');
});

test('what is charged counts as held', () => {
  const pool = new SlabPool({ budgetBytes: 64 * 1024 });
  pool.charge(60_000);
  assert.equal(pool.lease(8192), undefined);
  pool.charge(-60_000);
  assert.ok(pool.lease(8192));
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

test('an empty view belongs to no slab, wherever it lies', () => {
  const pool = new SlabPool({ budgetBytes: 1 << 20 });
  const slab = pool.lease(256)!;
  const empty = slab.bytes.subarray(slab.bytes.length);
  pool.retain(empty);
  pool.release(empty);
  pool.release(empty);
  pool.release(slab.bytes);
  assert.equal(pool.usage.heldBytes, 0);
});

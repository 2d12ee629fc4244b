// Encodings that are undone as the body is read: within the limits, into slabs that go back.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { deflateRawSync, deflateSync } from 'node:zlib';
import { Arriving } from '../../../src/net/arriving.ts';
import { BodyReader } from '../../../src/net/body.ts';
import { SlabPool } from '../../../src/workers/slabs.ts';

const { compress } = createRequire(import.meta.url)('snappyjs') as { compress(bytes: Buffer): Buffer };
const MIB = 1024 * 1024;
const plain = Buffer.alloc(300_000, 'profile profile ');

async function read(coding: string, bytes: Buffer, maxInflatedBytes = MIB, budgetBytes = 16 * MIB) {
  const memory = new SlabPool({ budgetBytes, poison: true });
  const head = { headers: { 'content-encoding': coding }, length: bytes.length };
  const reader = new BodyReader(head, new Arriving(memory), { flow() {}, giveUp() {} });
  const outcome = reader.read({ maxBytes: MIB, maxInflatedBytes });
  reader.take(bytes, 0, bytes.length);
  reader.end();
  const body = await outcome;
  const got = body.kind === 'problem' ? body.reason : [body.encoding, Buffer.from(body.bytes).equals(plain)];
  reader.release();
  assert.equal(memory.usage.heldBytes, 0);
  return got;
}

test('deflate with and without its header, snappy: what comes out is plain', async () => {
  for (const [coding, bytes] of [
    ['deflate', deflateSync(plain)],
    ['deflate', deflateRawSync(plain)],
    ['zlib', deflateSync(plain)],
    ['snappy', compress(plain)],
    ['Snappy', compress(plain)],
  ] as const)
    assert.deepEqual(await read(coding, bytes), ['identity', true], coding);
});

test('more than allowed, damaged, or followed by other bytes', async () => {
  for (const [coding, bytes] of [
    ['deflate', deflateSync(plain)],
    ['deflate', deflateRawSync(plain)],
    ['snappy', compress(plain)],
  ] as const) {
    assert.equal(await read(coding, bytes, 200_000), 'decompressed_too_large', coding);
    assert.equal(await read(coding, bytes.subarray(0, 100)), 'bad_compression', coding);
    assert.equal(await read(coding, Buffer.concat([bytes, Buffer.alloc(3)])), 'bad_compression', coding);
    assert.equal(await read(coding, Buffer.alloc(0)), 'bad_compression', coding);
  }
  const bomb = deflateSync(Buffer.alloc(50 * MIB));
  assert.equal(await read('deflate', bomb, 64 * MIB), 'decompressed_too_large');
  assert.equal(await read('deflate', deflateSync(plain), 8 * MIB, MIB / 2), 'memory_limit');
  assert.equal(await read('br', plain), 'unsupported_encoding');
});

// Blocks against what snappyjs writes, framed streams by hand with a checksum of another make.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError } from '../../../src/wire/decode-error.ts';
import { isFramedSnappy, snappyLength, unsnap } from '../../../src/wire/snappy.ts';

const { compress } = createRequire(import.meta.url)('snappyjs') as { compress(bytes: Buffer): Buffer };

function decode(bytes: Uint8Array): Buffer {
  const out = Buffer.alloc(snappyLength(bytes));
  unsnap(bytes, out);
  return out;
}

const someBytes = fc.oneof(
  fc.uint8Array({ maxLength: 3000 }),
  fc.string({ maxLength: 200 }).map(text => Buffer.from(text.repeat(50))),
);

test('what snappyjs writes is read, from shared memory into shared memory too', () => {
  fc.assert(
    fc.property(someBytes, plain => {
      const packed = compress(Buffer.from(plain));
      assert.deepEqual(decode(packed), Buffer.from(plain));
      const shared = new Uint8Array(new SharedArrayBuffer(packed.length));
      shared.set(packed);
      const out = new Uint8Array(new SharedArrayBuffer(plain.length));
      unsnap(shared, out);
      assert.deepEqual(Buffer.from(out), Buffer.from(plain));
    }),
  );
  assert.deepEqual(decode(compress(Buffer.alloc(300_000, 'profile'))), Buffer.alloc(300_000, 'profile'));
});

test('a block that ends early, says too little, or copies from nowhere is damaged', () => {
  const packed = compress(Buffer.from('profile profile profile profile and more'));
  for (let cut = 0; cut < packed.length; cut++)
    assert.throws(() => decode(packed.subarray(0, cut)), DecodeError, `cut at ${cut}`);
  const short = Buffer.from(packed);
  short[0]!--;
  assert.throws(() => decode(short), /longer than it says/);
  for (const bytes of [
    [4, 0b0000_0001, 1],
    [4, 0b0000_0001, 0],
    [8, 0, 65, 0b0001_0001, 9],
    [0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  ])
    assert.throws(() => decode(Buffer.from(bytes)), DecodeError);
});

test('any bytes give content or a DecodeError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, framed) => {
      const all = framed ? Buffer.concat([STREAM_ID, bytes]) : Buffer.from(bytes);
      try {
        if (snappyLength(all) < 1_000_000) decode(all);
      } catch (error) {
        assert.ok(error instanceof DecodeError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

const STREAM_ID = Buffer.from('ff060000734e61507059', 'hex');

/** Bit by bit (RFC 3720 appendix B.4), masked. */
function masked(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes)
    for (let bit = 0; bit < 8; bit++) {
      const low = (crc ^ (byte >>> bit)) & 1;
      crc = (crc >>> 1) ^ (low ? 0x82f63b78 : 0);
    }
  crc = ~crc >>> 0;
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

function chunk(type: number, ...parts: Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(4);
  head.writeUInt32LE(type | (body.length << 8));
  return Buffer.concat([head, body]);
}
function checksum(bytes: Uint8Array): Buffer {
  const sum = Buffer.alloc(4);
  sum.writeUInt32LE(masked(bytes));
  return sum;
}

test('a framed stream: compressed, plain, padding, several streams; every checksum counts', () => {
  const [a, b] = [Buffer.alloc(60_000, 'compressed '), Buffer.from('plain')];
  const stream = Buffer.concat([
    STREAM_ID,
    chunk(0, checksum(a), compress(a)),
    chunk(0xfe, Buffer.alloc(7)),
    chunk(1, checksum(b), b),
    STREAM_ID,
    chunk(0, checksum(b), compress(b)),
  ]);
  assert.ok(isFramedSnappy(stream));
  assert.deepEqual(decode(stream), Buffer.concat([a, b, b]));
  for (const at of [14, stream.length - 1, stream.length - 12]) {
    const wrong = Buffer.from(stream);
    wrong[at]! ^= 1;
    assert.throws(() => decode(wrong), DecodeError, `byte ${at}`);
  }
  assert.throws(() => decode(Buffer.concat([STREAM_ID, chunk(2, b)])), /unknown type/);
  assert.throws(() => decode(Buffer.concat([STREAM_ID, chunk(1, Buffer.alloc(70_000))])), /too long/);
});

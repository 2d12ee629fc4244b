// Bodies made to cost more than they weigh, and streams that end otherwise than they claim.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { inflatedLimit, peekGunzip } from '../../../src/wire/gzip.ts';
import { inflate } from '../../../src/wire/inflate.ts';
import { parseMultipart } from '../../../src/wire/multipart.ts';
import { readConnectError } from '../../../src/wire/pyroscope/connect.ts';
import { decodePush, decodePushJson } from '../../../src/wire/pyroscope/push.ts';

const MIB = 1024 * 1024;
/** Bytes that do not compress, the same each time. */
function noise(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  let state = 1;
  for (let n = 0; n < size; n++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    bytes[n] = state >>> 24;
  }
  return bytes;
}

const gunzip = (bytes: Uint8Array, maxBytes: number): Promise<Buffer> =>
  inflate({ encoding: 'gzip', bytes }, maxBytes, {}, raw => Buffer.from(raw));

test('series that hold nothing are counted like any other', () => {
  const empty = new Uint8Array(8 * MIB).map((_none, n) => (n % 2 ? 0 : 0x0a));
  const before = process.memoryUsage().heapUsed;
  assert.throws(() => decodePush(empty), { reason: 'too_many_elements' });
  assert.ok(process.memoryUsage().heapUsed - before < 64e6);
});

test('JSON of brackets or commas is refused before it is parsed', () => {
  for (const unit of ['[],', '0,', '{},'])
    assert.throws(
      () => decodePushJson(Buffer.from(`{"series":[${unit.repeat(300_000)}0]}`)),
      { reason: 'too_many_elements' },
      unit,
    );
  const nested = `${'['.repeat(100_000)}`;
  assert.throws(() => decodePushJson(Buffer.from(nested)), { reason: 'bad_json' });
});

test('JSON is UTF-8, and profiles in it are base64 of either alphabet', () => {
  const push = (rawProfile: string) => Buffer.from(JSON.stringify({ series: [{ samples: [{ rawProfile }] }] }));
  const raw = (value: string) => [...decodePushJson(push(value))[0]!.samples[0]!.rawProfile];
  assert.deepEqual(raw('+/8='), [0xfb, 0xff]);
  assert.deepEqual(raw('-_8'), [0xfb, 0xff]);
  for (const bad of ['a', '*', 'ab==c', 'abcde'])
    assert.throws(() => decodePushJson(push(bad)), { reason: 'bad_json' }, bad);
  assert.throws(() => decodePushJson(Buffer.from('{"series":[],"x":"\xff"}', 'latin1')), { reason: 'bad_string' });
});

test('whatever follows a gzip stream is refused, on this thread and in the pool', async () => {
  for (const plain of [Buffer.from('small'), noise(2 * MIB)]) {
    const stream = gzipSync(plain);
    assert.deepEqual(await gunzip(stream, 64 * MIB), plain);
    assert.deepEqual(await gunzip(Buffer.concat([stream, stream]), 64 * MIB), Buffer.concat([plain, plain]));
    for (const tail of [[0], [0, 0, 0, 0], [0, 1, 2], [1, 2, 3], [0x1f, 0x8b]])
      await assert.rejects(gunzip(Buffer.concat([stream, Buffer.from(tail)]), 64 * MIB), { reason: 'bad_compression' });
    for (const cut of [1, 8, 9])
      await assert.rejects(gunzip(stream.subarray(0, -cut), 64 * MIB), { reason: 'bad_compression' });
  }
});

test('a stream that lies about its size is inflated up to the limit and no further', async () => {
  for (const said of [0, 1, 0xffffffff]) {
    const member = gzipSync(Buffer.concat([noise(20_000), Buffer.alloc(3 * MIB - 20_000)]));
    // Two members: only the last one's size counts as a hint, and here it is not true.
    const stream = Buffer.concat([member, gzipSync('')]);
    assert.equal((await gunzip(stream, 64 * MIB)).length, 3 * MIB, `${said}`);
    const lie = Buffer.from(member);
    lie.writeUInt32LE(said, lie.length - 4);
    await assert.rejects(gunzip(lie, 64 * MIB), { reason: 'bad_compression' });
  }
  const bomb = gzipSync(Buffer.alloc(32 * MIB));
  await assert.rejects(gunzip(bomb, 64 * MIB), { reason: 'decompressed_too_large' });
  await assert.rejects(gunzip(gzipSync('x'.repeat(100)), 10), { reason: 'decompressed_too_large' });
  assert.equal(inflatedLimit(10, 64 * MIB), MIB);
  assert.equal(inflatedLimit(MIB, 64 * MIB), 64 * MIB);
});

test('gzip in shared memory is read in place, and peeked at', async () => {
  const stream = gzipSync(noise(MIB));
  const shared = new Uint8Array(new SharedArrayBuffer(stream.length + 5), 5);
  shared.set(stream);
  assert.deepEqual(await gunzip(shared, 64 * MIB), noise(MIB));
  assert.deepEqual(peekGunzip(shared, 64), noise(64));
});

test('a code that only objects have is not a Connect code', () => {
  for (const code of ['toString', '__proto__', 'constructor'])
    assert.equal(readConnectError(Buffer.from(JSON.stringify({ code, message: 'm' }))).code, '');
  assert.equal(readConnectError(Buffer.from('{"code":"unavailable"}')).code, 'unavailable');
});

test('a form is read with a preamble, padding, bare names, and quotes that try to pass for a name', () => {
  const type = 'multipart/form-data; boundary=b';
  const form = (disposition: string, before = '', padding = '') =>
    Buffer.from(`${before}--b${padding}\r\nContent-Disposition: form-data${disposition}\r\n\r\nX\r\n--b--\r\n`);
  const names = (body: Buffer) => [...parseMultipart(body, type).keys()];
  assert.deepEqual(names(form('; name="profile"; filename="f"', 'preamble\r\n')), ['profile']);
  assert.deepEqual(names(form('; name="profile"', '\r\n', ' \t')), ['profile']);
  assert.deepEqual(names(form('; name=profile')), ['profile']);
  assert.deepEqual(names(form('; filename="x; name=\\"evil\\""; name="profile"')), ['profile']);
  for (const bad of [form(''), form('; filename="name=x"'), form('; name=""'), Buffer.from('--b'), Buffer.alloc(0)])
    assert.throws(() => parseMultipart(bad, type), { reason: 'bad_multipart' });
});

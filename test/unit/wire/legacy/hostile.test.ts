// Legacy texts that would take time, memory or the stack of a thread without end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { receiveProfile } from '../../../../src/wire/convert/receive.ts';
import { DecodeError } from '../../../../src/wire/decode-error.ts';
import { decodeLegacy } from '../../../../src/wire/legacy/decode.ts';

const decode = (text: string) => decodeLegacy(Buffer.from(text, 'latin1'));
const refused = (act: () => unknown, reason: string) =>
  assert.throws(act, (error: unknown) => error instanceof DecodeError && error.reason === reason, reason);

test('a stack of millions of frames is refused, whichever text it stands in', () => {
  const frames = ' 0x1'.repeat(3_000_000);
  refused(() => decode(`goroutine profile: total 1\n1 @${frames}\n`), 'too_deep');
  refused(() => decode(`heap profile: 1: 1 [1: 1] @ heap/1\n1: 1 [1: 1] @${frames}\n`), 'too_deep');
  refused(() => decode(`--- threadz 1 ---\n--- Thread 1 (name: a/1) stack: ---\n${frames}\n`), 'too_deep');
  refused(
    () => decode(`--- threadz 1 ---\n--- Thread 1 (name: a/1) stack: ---\n${'0x1\n'.repeat(100_000)}`),
    'too_deep',
  );
  const count = 100_000;
  const binary = Buffer.alloc(4 * (count + 10));
  for (const [at, word] of [0, 3, 0, 1, 0, 1, count].entries()) binary.writeUInt32LE(word, 4 * at);
  refused(() => decodeLegacy(binary), 'too_deep');
});

test('as many inlined names as there are lines', () => {
  const columns = decode(`goroutine profile: total 1\n1 @ 0x1\n${'#\t0x0\ta+0x1\ta:1\n'.repeat(300_000)}`);
  assert.equal(columns.samples.count, 1);
});

test('what stands between count and addresses of Go is no address', () => {
  refused(() => decode('goroutine profile: total 1\n1 @ 0x1 xx\n'), 'bad_legacy');
});

test('names in a memory map are short, and looked for so often only', () => {
  const head = 'heap profile: 1: 1 [1: 1] @ heap/1\n1: 1 [1: 1] @ 0x1\n--- Memory map: ---\n';
  const names = Array.from({ length: 64 }, (_none, at) => `${'$'.repeat(60)}${String.fromCharCode(65 + at)}=v\n`);
  refused(() => decode(`${head}${names.join('')}${`${'$'.repeat(4090)}\n`.repeat(1000)}`), 'too_many_elements');
  const columns = decode(`${head}root=/opt\n  00000000-00001000: $root/server\n`);
  assert.equal(columns.strings.text(columns.mappings.file[1]!), '/opt/server');
});

test('a range whose offset is behind its begin is no part of a file in front of it', () => {
  const columns = decode(
    'goroutine profile: total 5\n5 @ 0x5000\n--- Memory map: ---\n5000-7000 r-xp 00006000 08:01 3 /low\n',
  );
  const { locations, mappings, strings } = columns;
  const texts = Array.from({ length: mappings.count - 1 }, (_none, at) => [
    strings.text(mappings.file[at + 1]!),
    BigInt.asUintN(64, mappings.start.at(at + 1)),
  ]);
  assert.deepEqual(texts[0], ['/low', 0x5000n]);
  assert.equal(strings.text(mappings.file[locations.mapping[1]!]!), '', 'the address is in none of the map');
});

test('what was allocated says nothing where the title does not tell it apart', () => {
  const columns = decode('heap profile: 1: 5 [0: 17] @ growth\n1: 5 [0: 17] @ 0x1\n');
  assert.equal(columns.samples.count, 1);
});

test('the legacy profiles of one request share what they may inflate to', async () => {
  const body = gzipSync(`goroutine profile: total 1\n${'1 @ 0x1\n'.repeat(1000)}`);
  const budget = { leftBytes: 12_000 };
  assert.equal((await receiveProfile(body, 'full', budget)).form, 'legacy');
  assert.ok(budget.leftBytes < 5000, String(budget.leftBytes));
  await assert.rejects(receiveProfile(body, 'full', budget), { reason: 'decompressed_too_large' });
});

// Recordings that lie, go in circles, or ask for more than their bytes can pay for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DecodeError } from '../../../../src/wire/decode-error.ts';
import { decodeJfr, type JfrOptions } from '../../../../src/wire/jfr/decode.ts';
import { malformed } from '../../../kit/corpus.ts';
import { sentJfr } from '../../../kit/jfr.ts';
import { Coder, jfr, type MadeChunk, type MadeType, USUAL } from '../../../kit/jfr-writer.ts';

const coder = new Coder();
/** Far above what any takes, far below what a stall would. */
const SLOW_MS = 5000;

function refused(raw: Uint8Array, reason: string, options?: JfrOptions): void {
  const start = performance.now();
  assert.throws(
    () => decodeJfr(raw, options),
    (error: unknown) => {
      assert.ok(error instanceof DecodeError, String(error));
      assert.equal(error.reason, reason, error.message);
      return true;
    },
  );
  assert.ok(performance.now() - start < SLOW_MS);
}

const METHOD: NonNullable<MadeChunk['checkpoints']>[number] = {
  'jdk.types.Method': [[1n, coder.longs(1, 1, 0)]],
  'java.lang.Class': [[1n, Buffer.concat([coder.long(1), coder.int(0)])]],
  'jdk.types.Symbol': [[1n, coder.string('m')]],
};
const live = (stack: number) => ['profiler.LiveObject', coder.long(stack)] as const;
const SOUND = jfr({
  checkpoints: [{ 'jdk.types.StackTrace': [[1n, coder.stack([[1n, 1]])]], ...METHOD }],
  events: [live(1), live(1)],
});
const patched = (change: (raw: Buffer) => void) => {
  const raw = Buffer.from(SOUND);
  change(raw);
  return raw;
};

test('the malformed ones of the corpus are refused with their reason', t => {
  const all = malformed('jfr');
  if (all.length === 0) return t.skip('the fixtures have none of this format');
  assert.ok(all.length >= 6);
  for (const { bytes, expect } of all) refused(bytes, expect.reason!);
});

test('a recording that ends anywhere but at its end is refused', () => {
  const { raw } = sentJfr().find(({ raw }) => raw.length < 30_000) ?? { raw: SOUND };
  assert.doesNotThrow(() => decodeJfr(raw));
  for (let cut = 0; cut < SOUND.length; cut++) refused(SOUND.subarray(0, cut), 'bad_jfr');
  for (let cut = 1; cut < raw.length; cut += 997) refused(raw.subarray(0, cut), 'bad_jfr');
  refused(Buffer.concat([SOUND, raw.subarray(0, -1)]), 'bad_jfr');
  refused(Buffer.concat([SOUND, Buffer.of(0)]), 'bad_jfr');
});

test('heads that lie are refused', () => {
  refused(
    patched(raw => raw.writeUInt16BE(1, 4)),
    'unsupported_version',
  );
  refused(
    patched(raw => raw.writeUInt16BE(3, 4)),
    'unsupported_version',
  );
  for (const value of [0n, 67n, BigInt(SOUND.length), 2n ** 62n, 2n ** 64n - 1n]) {
    for (const offset of [16, 24])
      if (value !== 0n || offset !== 16)
        refused(
          patched(raw => raw.writeBigUInt64BE(value, offset)),
          'bad_jfr',
        );
    if (value !== BigInt(SOUND.length))
      refused(
        patched(raw => raw.writeBigUInt64BE(value, 8)),
        'bad_jfr',
      );
  }
  for (const offset of [32, 40, 56])
    refused(
      patched(raw => raw.writeBigUInt64BE(2n ** 63n, offset)),
      'bad_jfr',
    );
  refused(
    patched(raw => raw.writeBigUInt64BE(0n, 56)),
    'bad_jfr',
  );
});

test('an event that ends inside a field is refused, one that goes on is not', () => {
  const checkpoints = [{ 'jdk.types.StackTrace': [[1n, coder.stack([])]], ...METHOD }] as const;
  refused(jfr({ checkpoints, events: [['profiler.LiveObject', Buffer.alloc(0)]] }), 'bad_jfr');
  refused(jfr({ checkpoints, events: [['profiler.LiveObject', Buffer.of(0x81)]] }), 'bad_jfr');
  const longer = jfr({ checkpoints, events: [['profiler.LiveObject', Buffer.of(1, 2, 3)]] });
  assert.equal(decodeJfr(longer).profiles.length, 1);
});

test('a chain of checkpoints ends, and does not leave its chunk', () => {
  const metadata = SOUND.subarray(Number(SOUND.readBigUInt64BE(24)));
  /** Checkpoints of 9 to 17 bytes without constants, the chain beginning at the last; deltas as they are. */
  const chained = (...deltas: bigint[]) => {
    const checkpoints = deltas.map(delta =>
      coder.event(1, Buffer.concat([coder.longs(1, 1, delta), Buffer.of(0), coder.int(0)])),
    );
    const made = Buffer.concat([SOUND.subarray(0, 68), ...checkpoints, metadata]);
    const size = checkpoints.reduce((sum, { length }) => sum + length, 0);
    made.writeBigUInt64BE(BigInt(made.length), 8);
    made.writeBigUInt64BE(BigInt(68 + size - checkpoints.at(-1)!.length), 16);
    made.writeBigUInt64BE(BigInt(68 + size), 24);
    return made;
  };
  const bytes = coder.event(1, Buffer.concat([coder.longs(1, 1, 1), Buffer.of(0), coder.int(0)])).length;
  assert.doesNotThrow(() => decodeJfr(chained(0n)));
  assert.doesNotThrow(() => decodeJfr(chained(0n, -BigInt(bytes))));
  refused(chained(BigInt(bytes), -BigInt(bytes)), 'bad_jfr');
  refused(chained(0n, -BigInt(bytes) - 1n), 'bad_jfr');
  for (const delta of [-40n, -1_000_000n, 1_000_000n, 2n ** 62n, -(2n ** 63n)]) refused(chained(delta), 'bad_jfr');
});

test('types that contain themselves, or more than they can, are refused where they are needed', () => {
  const with_ = (types: readonly MadeType[], name: string) => ({
    types: [...types, ...USUAL],
    checkpoints: [{ [name]: [[1n, Buffer.alloc(8, 1)]] } as const],
  });
  const self = [{ id: 300, name: 'A', fields: [{ name: 'a', type: 'A' }] }];
  refused(jfr(with_(self, 'A')), 'bad_jfr');
  const array = [{ id: 300, name: 'A', fields: [{ name: 'a', type: 'A', array: true }] }];
  refused(jfr(with_(array, 'A')), 'bad_jfr');
  const round = [
    { id: 300, name: 'A', fields: [{ name: 'b', type: 'B' }] },
    { id: 301, name: 'B', fields: [{ name: 'a', type: 'A' }] },
  ];
  refused(jfr(with_(round, 'A')), 'bad_jfr');
  const nothing = [{ id: 300, name: 'A', fields: [{ name: 'b', type: 'Nowhere' }] }];
  refused(jfr(with_(nothing, 'A')), 'bad_jfr');
  // 10^12 fields in 120 lines; and as many of no bytes.
  const nested = (leaf: readonly MadeType['fields'][number][]) =>
    Array.from({ length: 13 }, (_, at) => ({
      id: 300 + at,
      name: `T${at}`,
      fields: at === 12 ? leaf : Array.from({ length: 10 }, (_, f) => ({ name: `f${f}`, type: `T${at + 1}` })),
    }));
  refused(jfr(with_(nested([{ name: 's', type: 'java.lang.String' }]), 'T0')), 'too_many_elements');
  refused(jfr(with_(nested([{ name: 'n', type: 'long' }]), 'T0')), 'too_many_elements');
  const empty = jfr({ types: [...nested([]), ...USUAL], checkpoints: [{ T0: [[1n, Buffer.alloc(0)]] }] });
  assert.equal(decodeJfr(empty).events, 0);
  // Nobody needs them: nobody looks.
  assert.equal(decodeJfr(jfr({ types: [...round, ...USUAL], events: [['A', Buffer.of(1)]] })).events, 1);
});

test('counts are believed as far as bytes go', () => {
  const huge = coder.int(2 ** 31 - 1);
  const pool = (type: string, fields: Buffer, types: readonly MadeType[] = []) =>
    jfr({ types: [...types, ...USUAL], checkpoints: [{ [type]: [[1n, fields]] }], events: [live(1)] });
  refused(pool('jdk.types.StackTrace', Buffer.concat([Buffer.of(0), huge])), 'bad_jfr');
  refused(pool('jdk.types.StackTrace', Buffer.concat([Buffer.of(0), coder.int(-1)])), 'bad_jfr');
  for (const encoding of [3, 4, 5])
    refused(pool('jdk.types.Symbol', Buffer.concat([Buffer.of(encoding), huge])), 'bad_jfr');
  refused(pool('jdk.types.Symbol', Buffer.of(6)), 'bad_jfr');
  // 2^31 frames of no bytes cost nothing.
  const frameless = USUAL.map(type => (type.name === 'jdk.types.StackFrame' ? { ...type, fields: [] } : type));
  const made = jfr({
    types: frameless,
    checkpoints: [{ 'jdk.types.StackTrace': [[1n, Buffer.concat([Buffer.of(0), huge])]] }],
    events: [live(1)],
  });
  const start = performance.now();
  assert.equal(decodeJfr(made).profiles[0]!.columns.samples.count, 1);
  assert.ok(performance.now() - start < SLOW_MS);
});

test('constants that name each other in circles come to nothing', () => {
  const symbols = {
    ...METHOD,
    'jdk.types.StackTrace': [[1n, coder.stack([[1n, 1]])] as const],
    'jdk.types.Symbol': [[1n, coder.stringKey(1n)] as const],
    'java.lang.String': [[1n, coder.stringKey(2n)] as const, [2n, coder.stringKey(1n)] as const],
  };
  const { profiles } = decodeJfr(jfr({ checkpoints: [symbols], events: [live(1)] }));
  assert.equal(profiles[0]!.columns.samples.count, 1);
});

test('work is linear: what many events name is read once, and what they multiply is bounded', () => {
  const frames = Array.from({ length: 10_000 }, (_, at) => [1n, at] as const);
  const checkpoints = [{ ...METHOD, 'jdk.types.StackTrace': [[1n, coder.stack(frames)]] }] as const;
  const one = jfr({ checkpoints, events: Array.from({ length: 50_000 }, () => live(1)) });
  const start = performance.now();
  const { columns } = decodeJfr(one).profiles[0]!;
  assert.equal(columns.samples.count, 1);
  assert.equal(columns.samples.values.at(0), 50_000n);
  assert.ok(performance.now() - start < SLOW_MS);
  const spans = Array.from(
    { length: 50_000 },
    (_, at) => ['jdk.ExecutionSample', coder.longs(0, 1, 0, 0, at + 1, 0, 0, 0)] as const,
  );
  refused(jfr({ checkpoints, events: spans }), 'too_many_elements');
  // One text of 1 MB, 20 000 times the name of a method, and of a class.
  const text = coder.string('x'.repeat(1_000_000));
  const keys = Array.from({ length: 20_000 }, (_, at) => BigInt(at + 1));
  const named = jfr({
    checkpoints: [
      {
        'jdk.types.Symbol': [[1n, text]],
        'java.lang.Class': keys.map(key => [key, Buffer.concat([coder.long(1), coder.int(0)])] as const),
        'jdk.types.Method': keys.map(key => [key, coder.longs(key, 1, 0)] as const),
        'jdk.types.StackTrace': [[1n, coder.stack(keys.map(key => [key, 1] as const))]],
      },
    ],
    events: [live(1)],
  });
  const before = performance.now();
  assert.equal(decodeJfr(named).profiles[0]!.columns.functions.count, 2);
  assert.ok(performance.now() - before < SLOW_MS);
});

test('what all profiles of a recording take together is bounded', () => {
  const { raw } = sentJfr()[0]!;
  assert.doesNotThrow(() => decodeJfr(raw, { maxBytes: 16 * 1024 * 1024 }));
  refused(raw, 'too_many_elements', { maxBytes: 10_000 });
  // Chunks of a hundred bytes take more than that once they are read.
  const tiny = jfr({ types: [] });
  refused(Buffer.concat(Array.from({ length: 2000 }, () => tiny)), 'too_many_elements', { maxBytes: 4 * 1024 * 1024 });
});

test('labels that are no protobuf are refused, with a reason of their own', () => {
  for (const labels of [
    Buffer.of(0x0a, 5, 1),
    Buffer.of(0x12, 4, 0x08, 1, 0x12, 9),
    Buffer.of(0x12, 5, 0x08, 1, 0x12, 1, 0xff),
    Buffer.of(0x08, 1),
    Buffer.from('not protobuf'),
  ])
    refused(SOUND, 'bad_labels', { labels });
  refused(SOUND, 'too_many_elements', {
    labels: Buffer.alloc(1_000_000, Buffer.of(0x12, 0)),
    maxBytes: 4 * 1024 * 1024,
  });
});

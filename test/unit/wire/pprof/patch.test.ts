// The patch says what editing columns says, and touches nothing else.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError } from '../../../../src/wire/decode-error.ts';
import { decodePprof } from '../../../../src/wire/pprof/decode.ts';
import { patchLabels } from '../../../../src/wire/pprof/patch.ts';
import { scanPprof } from '../../../../src/wire/pprof/scan.ts';
import { made } from '../../../kit/made.ts';
import { byProtobufjs } from '../../../kit/oracles.ts';
import type { PlainProfile } from '../../../kit/plain.ts';
import { plainOf } from '../../../kit/plain.ts';
import { soundProfiles } from '../../../kit/profiles.ts';

const word = fc.constantFrom('cpu', 'main', 'é', 'x'.repeat(130), 'new', 'newer', '');
const labels = fc.array(fc.record({ key: word.filter(key => key !== ''), value: word }), {
  minLength: 1,
  maxLength: 3,
});

/** What must come out. */
function patched(plain: PlainProfile, set: readonly { key: string; value: string }[]): PlainProfile {
  const byKey = new Map(set.map(({ key, value }) => [key, value]));
  const texts = [...new Set([...byKey].flat())].filter(text => !plain.strings.includes(text));
  return {
    ...plain,
    strings: [...plain.strings, ...texts],
    samples: plain.samples.map(sample => ({
      ...sample,
      labels: [
        ...sample.labels.filter(({ key }) => !byKey.has(key)),
        ...[...byKey].map(([key, text]) => ({ key, text, number: 0n, unit: '' })),
      ],
    })),
  };
}

test('labels are set on every sample of random profiles, and all else stays', () => {
  fc.assert(
    fc.property(made, labels, ({ raw, plain }, set) => {
      const before = Buffer.from(raw);
      const written = patchLabels(raw, set);
      assert.deepEqual(plainOf(decodePprof(written)), patched(plain, set));
      assert.ok(before.equals(raw), 'the source is only read');
      const rewritten = patchLabels(written, set);
      assert.ok(Buffer.from(written).equals(rewritten), 'setting them again changes nothing');
    }),
    { numRuns: 300 },
  );
});

test('real profiles keep their totals, and other decoders find the labels', () => {
  const set = [
    { key: 'env', value: 'production' },
    { key: 'thread_name', value: 'x'.repeat(200) },
  ];
  for (const { file, raw } of soundProfiles()) {
    const written = patchLabels(raw, set);
    assert.deepEqual(scanPprof(written), scanPprof(raw), file);
    if (raw.length < 100_000) assert.deepEqual(byProtobufjs(written), patched(byProtobufjs(raw), set), file);
  }
});

test('damaged profiles are patched or refused with a reason, never anything else', () => {
  let refused = 0;
  fc.assert(
    fc.property(made, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }), labels, ({ raw }, edits, set) => {
      const damaged = Buffer.from(raw);
      for (const [at, byte] of edits) damaged[at % damaged.length] = byte;
      try {
        patchLabels(damaged, set);
      } catch (error) {
        assert.ok(error instanceof DecodeError, String(error));
        refused++;
      }
    }),
    { numRuns: 1000 },
  );
  assert.ok(refused > 50, `${refused} refused`);
});

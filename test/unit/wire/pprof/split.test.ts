import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodePprof } from '../../../../src/wire/pprof/decode.ts';
import { encodePprof } from '../../../../src/wire/pprof/encode.ts';
import { scanPprof } from '../../../../src/wire/pprof/scan.ts';
import { splitPprof } from '../../../../src/wire/pprof/split.ts';
import { plainOf } from '../../../kit/plain.ts';
import { soundProfiles } from '../../../kit/profiles.ts';

const json = (value: unknown) =>
  JSON.stringify(value, (_key, inner) => (typeof inner === 'bigint' ? `${inner}` : inner));

const NOW = 1_700_000_000_000_000_000n;

/** Samples with their stacks as text: rows move when others go. */
function samplesOf(raw: Uint8Array): string[] {
  const { samples, locations, functions } = plainOf(decodePprof(raw));
  const names = new Map(functions.map(({ id, name }) => [id, name]));
  const frames = new Map(
    locations.map(({ id, address, lines }) => [id, json([address, lines.map(line => names.get(line.function))])]),
  );
  return samples.map(({ locations, values, labels }) => json([locations.map(id => frames.get(id)), values, labels]));
}

test('the pieces have every sample once and are within the limits', () => {
  const profiles = soundProfiles().filter(({ raw }) => raw.length < 200_000);
  fc.assert(
    fc.property(fc.constantFrom(...profiles), fc.integer({ min: 1, max: 40 }), ({ raw, file }, parts) => {
      const { samples } = scanPprof(raw);
      if (samples === 0) return;
      const limit = Math.ceil(samples / parts);
      const pieces = splitPprof(raw, { samples: limit, bytes: Number.MAX_SAFE_INTEGER }, NOW);
      for (const piece of pieces) assert.ok(scanPprof(piece).samples <= limit, file);
      assert.deepEqual(pieces.flatMap(samplesOf), samplesOf(raw), file);
      assert.equal(new Set(pieces.map(piece => scanPprof(piece).startNs)).size, pieces.length);
    }),
    { numRuns: 60 },
  );
});

test('bytes bound a piece too: what only old samples name goes with them', () => {
  const raw = soundProfiles().find(({ raw }) => raw.length > 20_000 && scanPprof(raw).samples > 50)!.raw;
  const limit = Math.ceil(raw.length / 2);
  const pieces = splitPprof(raw, { samples: 1_000_000, bytes: limit }, NOW);
  assert.ok(pieces.length > 1);
  for (const piece of pieces) assert.ok(piece.length <= limit);
  assert.deepEqual(pieces.flatMap(samplesOf), samplesOf(raw));
});

test('what is within the limits is the same bytes; what one sample exceeds is refused', () => {
  const { raw } = soundProfiles().find(({ raw }) => scanPprof(raw).samples > 2)!;
  assert.equal(splitPprof(raw, { samples: 1_000_000, bytes: raw.length }, NOW)[0], raw);
  assert.throws(() => splitPprof(raw, { samples: 1, bytes: 10 }, NOW), { reason: 'too_large' });
});

test('pieces of a profile without a time have that of its arrival: a store refuses any of 1970', () => {
  const columns = decodePprof(
    soundProfiles().find(({ raw }) => raw.length < 50_000 && scanPprof(raw).samples > 2)!.raw,
  );
  columns.timeNanos = 0n;
  columns.edited = true;
  const raw = new Uint8Array(encodePprof(columns));
  const times = splitPprof(raw, { samples: 1, bytes: 1 << 26 }, NOW).map(piece => scanPprof(piece).startNs);
  assert.deepEqual(times.slice(0, 2), [NOW, NOW + 1n]);
});

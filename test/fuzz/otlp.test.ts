// Requests with fields cut, doubled, retyped, or given huge numbers and lengths, at what reads OTLP: it reads them or throws a
// DecodeError, and what it writes is bounded. The seed is fixed and printed; FUZZ_SEED and FUZZ_RUNS go further.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Plain } from '../../src/model/attributes.ts';
import { relayout } from '../../src/wire/otlp/relayout.ts';
import { skeletonOf } from '../../src/wire/otlp/skeleton.ts';
import { spliced } from '../../src/wire/otlp/splice.ts';
import { type WireVersion, wireVersionOf } from '../../src/wire/otlp/version.ts';
import { malformed } from '../kit/corpus.ts';
import { CURRENT, capture, dictionary, noCorpus, request } from '../kit/otlp.ts';
import { holds, mutated } from '../kit/otlp-fuzz.ts';
import { bytes, number, text } from '../kit/protobuf.ts';

const seed = Number(process.env.FUZZ_SEED ?? 20261126);
const numRuns = Number(process.env.FUZZ_RUNS ?? 2000);
const settings = { seed, numRuns };

const referring = [
  ...bytes(1, [...number(3, 4), ...bytes(2, number(8, 5))]),
  ...bytes(1, [
    ...text(1, 'k'),
    ...bytes(2, bytes(6, bytes(1, [...number(3, 1), ...bytes(2, bytes(5, bytes(1, number(8, 3))))]))),
  ]),
];
const sample = bytes(2, [
  ...number(1, 1),
  ...bytes(2, [1, 0]),
  ...bytes(
    5,
    Array.from({ length: 16 }, () => 1),
  ),
]);
const sources = [
  request([...bytes(1, number(1, 1)), ...sample, ...bytes(7, []), ...number(8, 1)], dictionary(5), bytes(1, referring)),
  request([...sample, ...bytes(7, [1]), ...bytes(8, []), ...bytes(12, [1])], dictionary(5), bytes(1, referring)),
  ...(noCorpus ? [] : [...CURRENT, 'ebpf-profile.v1_8.pb', 'ebpf-profile.v1_9.pb'].map(capture)),
  ...malformed('otlp')
    .filter(({ file }) => file.endsWith('.pb'))
    .map(one => one.bytes),
];

const input = mutated(sources);

test(`only classified errors come out of OTLP (seed ${seed}, ${numRuns} runs each)`, async t => {
  t.diagnostic(`FUZZ_SEED=${seed} FUZZ_RUNS=${numRuns}`);
  await t.test('layouts', () => {
    const sound = holds(input, settings, raw => {
      const from = wireVersionOf(raw, 'auto');
      for (const to of ['1.8', '1.9', '1.10'] as WireVersion[]) {
        const result = relayout(raw, from, to);
        assert.ok(result.length <= raw.length, 'fields are renumbered or dropped, never added');
        relayout(result, to, from);
      }
    });
    assert.ok(sound > numRuns / 20, `${sound} were read to the end`);
  });
  await t.test('skeleton and splice', () => {
    const sound = holds(input, settings, raw => {
      const skeleton = skeletonOf(raw);
      const profiles = skeleton.parts.map(({ attributes }, part) => ({
        part,
        attributes: new Map<string, Plain>(attributes).set('gateway', ['flamegate', 1n]),
      }));
      for (const references of ['inline', 'intern'] as const) {
        const result = Buffer.concat(spliced(skeleton, profiles, references));
        const again = skeletonOf(result).parts;
        assert.deepEqual(
          again.map(({ attributes }) => new Map(attributes)),
          profiles.map(({ attributes }) => attributes),
        );
        if (references === 'intern') assert.ok(result.length <= raw.length + 100 + 60 * profiles.length);
      }
    });
    assert.ok(sound > numRuns / 20, `${sound} were read to the end`);
  });
});

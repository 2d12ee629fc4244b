// pprof → OTLP → pprof says the same: held against decoders that share nothing with src.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { otlpToPprof } from '../../../../src/wire/convert/otlp-to-pprof.ts';
import { pprofToOtlp } from '../../../../src/wire/convert/pprof-to-otlp.ts';
import { made } from '../../../kit/made.ts';
import { byProtobufjs } from '../../../kit/oracles.ts';
import { treeOf } from '../../../kit/otlp-tree.ts';
import type { PlainLabel, PlainProfile } from '../../../kit/plain.ts';
import { soundProfiles } from '../../../kit/profiles.ts';

const attributes = new Map([['service.name', 'shop']]);
const RECEIVED_MS = 1_700_000_000_000;
const there = (raw: Uint8Array) => {
  const { bytes, losses } = pprofToOtlp([{ attributes, raw, receivedMs: RECEIVED_MS }]);
  return { bytes: new Uint8Array(bytes), losses };
};
const string = (value: unknown) => JSON.stringify(value, (_key, one) => (typeof one === 'bigint' ? `${one}n` : one));

/** What one stack, label and value is, without ids and without the order of labels of different keys. */
function meaning(profile: PlainProfile) {
  const none = '["","","","0n"]';
  const functions = new Map(
    profile.functions.map(fn => [fn.id, string([fn.name, fn.systemName, fn.file, fn.startLine])]),
  );
  const mappings = new Map(profile.mappings.map(({ id, ...mapping }) => [id, string(mapping)] as const));
  const noMapping = string({
    start: 0n,
    limit: 0n,
    offset: 0n,
    file: '',
    buildId: '',
    flags: [false, false, false, false],
  });
  const locations = new Map(
    profile.locations.map(({ id, mapping, lines, ...rest }) => [
      id,
      string([
        rest,
        mappings.get(mapping) ?? noMapping,
        lines.map(line => [functions.get(line.function) ?? none, line.line, line.column]),
      ]),
    ]),
  );
  const labels = (list: readonly PlainLabel[]) =>
    [...Map.groupBy(list, ({ key }) => key)].map(([, same]) => string(same)).sort();
  return {
    types: profile.sampleTypes,
    defaultType: profile.defaultSampleType,
    samples: profile.samples
      .map(sample => string([sample.locations.map(id => locations.get(id)), labels(sample.labels), sample.values]))
      .sort(),
    period: [profile.periodType, profile.period],
    time: profile.timeNanos > 0n ? profile.timeNanos : BigInt(RECEIVED_MS) * 1_000_000n,
    duration: profile.durationNanos < 0n ? 0n : profile.durationNanos,
    texts: [profile.dropFrames, profile.keepFrames, profile.docUrl, profile.comments],
  };
}

function same(raw: Uint8Array, file = ''): void {
  const { bytes } = there(raw);
  const { profiles } = otlpToPprof(bytes, 0);
  assert.equal(profiles.length, 1, file);
  assert.deepEqual(meaning(byProtobufjs(profiles[0]!)), meaning(byProtobufjs(raw)), file);
}

test('real profiles come back as the same multiset of stack, labels and values, with their types and default', () => {
  let compared = 0;
  for (const { file, raw } of soundProfiles()) {
    if (raw.length > 400_000) continue;
    same(raw, file);
    compared++;
  }
  assert.ok(compared > 10, `${compared} compared`);
});

test('so do random profiles', () => {
  fc.assert(
    fc.property(made, ({ raw }) => same(raw)),
    { numRuns: 400 },
  );
});

test('the dictionary has no orphans and no duplicates, and the bytes are the same each time', () => {
  fc.assert(
    fc.property(made, ({ raw }) => {
      const { bytes } = there(raw);
      const { orphans, duplicates } = treeOf(bytes);
      assert.deepEqual([orphans, duplicates], [[], []]);
      assert.deepEqual(there(raw).bytes, bytes);
    }),
    { numRuns: 200 },
  );
});

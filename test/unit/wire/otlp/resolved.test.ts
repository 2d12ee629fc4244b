// What is done to OTLP bytes, held against a decoder that shares nothing with it: every index resolved, unknown fields included.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { toPprof } from '../../../../src/wire/convert/to-pprof.ts';
import { fromJson } from '../../../../src/wire/otlp/json-read.ts';
import { toJson } from '../../../../src/wire/otlp/json-write.ts';
import { mergeOtlp } from '../../../../src/wire/otlp/merge.ts';
import { skeletonOf } from '../../../../src/wire/otlp/skeleton.ts';
import { spliced } from '../../../../src/wire/otlp/splice.ts';
import { splitOtlp } from '../../../../src/wire/otlp/split.ts';
import { corpusDir, recordings } from '../../../kit/corpus.ts';
import { CURRENT, capture, noCorpus } from '../../../kit/otlp.ts';
import {
  attributesOf,
  profilesIn,
  type ResolvedResource,
  resolvedProfiles,
  sumOf,
} from '../../../kit/otlp-resolved.ts';
import type { Plain } from '../../../kit/otlp-schema.ts';
import { factsOf } from '../../../kit/pprof.ts';

interface Named {
  readonly name: string;
  readonly raw: Buffer;
}
const files = ['004-ap-cpu', '005-ap-wall-threads', '006-ap-alloc'];
/** Real requests of three producers, a fourth by its agent. */
const requests = (): Named[] => [
  ...CURRENT.map(name => ({ name, raw: capture(name) })),
  ...files.map(name => ({ name, raw: readFileSync(resolve(corpusDir!, `traffic/async-profiler-4.6/${name}.otlp`)) })),
  ...recordings()
    .filter(({ path }) => path === '/v1development/profiles')
    .map(({ file, body }) => ({ name: file, raw: gunzipSync(body) })),
];

const without = (resource: ResolvedResource, key: string): unknown => ({
  ...resource,
  resource: {
    // A resource that was not there is one without attributes.
    entityRefs: [],
    ...resource.resource,
    attributes: ((resource.resource?.attributes ?? []) as Plain[]).filter(one => one.key !== key),
  },
});

test('a splice changes the attribute and nothing else', { skip: noCorpus }, () => {
  for (const { name, raw } of requests())
    for (const references of ['inline', 'intern'] as const) {
      const skeleton = skeletonOf(raw);
      const edited = skeleton.parts.map(({ attributes }, part) => ({
        part,
        attributes: new Map([...attributes, ['gateway', 'flamegate'] as const]),
      }));
      const result = resolvedProfiles(Buffer.concat(spliced(skeleton, edited, references)));
      for (const { resource } of result) assert.equal(attributesOf(resource).gateway, 'flamegate', name);
      const before = resolvedProfiles(raw).map(one => without(one, 'gateway'));
      assert.deepEqual(
        result.map(one => without(one, 'gateway')),
        before,
        `${name}, ${references}`,
      );
    }
});

test('merged requests say all that each said, a part that was split off what it said', { skip: noCorpus }, () => {
  const all = requests();
  const merged = resolvedProfiles(mergeOtlp(all.map(({ raw }) => raw)));
  assert.deepEqual(
    merged,
    all.flatMap(({ raw }) => resolvedProfiles(raw)),
  );
  for (const { name, raw } of all)
    for (const [part, resource] of resolvedProfiles(raw).entries())
      assert.deepEqual(resolvedProfiles(splitOtlp(raw, [part])), [resource], `${name}, part ${part}`);
});

test('JSON and back says the same', { skip: noCorpus }, () => {
  for (const { name, raw } of requests()) {
    const back = fromJson(Buffer.concat(toJson(raw, 'profiles')), 'profiles');
    assert.deepEqual(resolvedProfiles(back), resolvedProfiles(raw), name);
  }
});

test('what becomes pprof keeps every sum', { skip: noCorpus }, () => {
  for (const { name, raw } of requests()) {
    const due = resolvedProfiles(raw).map(({ scopes }) => scopes.flatMap(({ profiles }) => profiles.map(sumOf)));
    for (const [part, sums] of due.entries()) {
      const facts = toPprof('otlp', raw, { part }).profiles.map(factsOf);
      const found = facts.flatMap(one => one.sums.map(BigInt));
      assert.deepEqual(found, sums, `${name}, part ${part} of ${profilesIn(raw).length}`);
    }
  }
});

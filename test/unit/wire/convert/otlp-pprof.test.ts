// OTLP → pprof: what pprof has a field for arrives there, what it has none for is counted; and back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { LOSSES, type Loss } from '../../../../src/wire/convert/losses.ts';
import { toOtlp } from '../../../../src/wire/convert/to-otlp.ts';
import { toPprof } from '../../../../src/wire/convert/to-pprof.ts';
import { wireVersionOf } from '../../../../src/wire/otlp/version.ts';
import { scanPprof } from '../../../../src/wire/pprof/scan.ts';
import { corpusDir, recordings } from '../../../kit/corpus.ts';
import { byProtobufjs } from '../../../kit/oracles.ts';
import { CURRENT, capture, noCorpus } from '../../../kit/otlp.ts';
import { madeRequest } from '../../../kit/otlp-made.ts';
import { requestProto, treeOf } from '../../../kit/otlp-tree.ts';
import type { PlainProfile } from '../../../kit/plain.ts';

/** A request of one resource; strings of tables are found by their text. */
function written(what: {
  scope?: object;
  profiles: { type?: string; more?: object; samples?: object[] }[];
  attributes?: [key: string, value: object, unit?: string][];
  tables?: object;
}): Uint8Array {
  const strings = ['', 'count', 'main'];
  const row = (text: string) => {
    if (!strings.includes(text)) strings.push(text);
    return strings.indexOf(text);
  };
  const attributeTable = [
    {},
    ...(what.attributes ?? []).map(([key, value, unit = '']) => ({
      keyStrindex: row(key),
      value,
      unitStrindex: row(unit),
    })),
  ];
  const profiles = what.profiles.map(({ type = 'samples', more, samples = [] }) => ({
    sampleType: { typeStrindex: row(type), unitStrindex: 1 },
    timeUnixNano: 5,
    ...more,
    samples,
  }));
  const dictionary = {
    mappingTable: [{}],
    locationTable: [{}, { lines: [{ functionIndex: 1 }] }],
    functionTable: [{}, { nameStrindex: 2 }],
    linkTable: [{}],
    stackTable: [{}, { locationIndices: [1] }],
    attributeTable,
    ...what.tables,
    stringTable: strings,
  };
  const object = { resourceProfiles: [{ scopeProfiles: [{ scope: what.scope, profiles }] }], dictionary };
  return requestProto.encode(requestProto.fromObject(object)).finish();
}

const one = (request: Uint8Array): PlainProfile & { losses: readonly Loss[] } => {
  const { profiles, losses } = toPprof('otlp', request, { part: 0 });
  assert.equal(profiles.length, 1);
  return { ...byProtobufjs(profiles[0]!), losses };
};
const labelsOf = (profile: PlainProfile) =>
  profile.samples[0]!.labels.map(({ key, text, number, unit }) => [key, text || number, unit]);
const all = (count: number) => Array.from({ length: count }, (_none, at) => at + 1);

test('types are joined by stack, attributes and link, in whatever order they come', () => {
  const sample = (stackIndex: number, attributeIndices: number[], value: number) => ({
    stackIndex,
    attributeIndices,
    values: [value],
  });
  const profile = one(
    written({
      attributes: [
        ['a', { stringValue: 'x' }],
        ['b', { stringValue: 'y' }],
      ],
      profiles: [
        { type: 'alloc', samples: [sample(1, [1, 2], 1), sample(1, [], 2), sample(1, [1], 3)] },
        { type: 'inuse', samples: [sample(1, [1], 30), sample(0, [], 40), sample(1, [2, 1], 10)] },
      ],
    }),
  );
  assert.deepEqual(
    profile.sampleTypes.map(({ type }) => type),
    ['alloc', 'inuse'],
  );
  assert.deepEqual(
    profile.samples.map(({ values }) => values),
    [
      [1n, 10n],
      [2n, 0n],
      [3n, 30n],
      [0n, 40n],
    ],
  );
  assert.equal(profile.defaultSampleType, 'alloc', 'without an order, the first is the default');
  assert.deepEqual(profile.losses, []);
});

test('order and default of the types are restored from the scope', () => {
  const types = (scope: object) =>
    one(written({ scope, profiles: [{ type: 'last' }, { type: 'first' }, { type: 'second' }] }));
  const order = {
    key: 'pprof.scope.sample_type_order',
    value: { arrayValue: { values: [2, 0, 1].map(intValue => ({ intValue })) } },
  };
  const named = { key: 'pprof.scope.default_sample_type', value: { stringValue: 'second' } };
  const unset = types({ attributes: [order] });
  assert.deepEqual(
    unset.sampleTypes.map(({ type }) => type),
    ['first', 'second', 'last'],
  );
  assert.equal(unset.defaultSampleType, '');
  assert.equal(types({ attributes: [order, named] }).defaultSampleType, 'second');
  assert.equal(types({ attributes: [named] }).defaultSampleType, 'second');
  assert.deepEqual(types({ attributes: [named] }).losses, []);
  assert.deepEqual(types({ name: 'agent', attributes: [named] }).losses, [{ reason: 'otlp_scope', items: 1 }]);
});

test('profiles that differ in time, duration, period or attributes stay apart, and those of one type', () => {
  const request = written({
    attributes: [['a', { stringValue: 'x' }]],
    profiles: [
      {},
      { more: { timeUnixNano: 6 } },
      { more: { durationNano: 1 } },
      { more: { period: 2 } },
      { more: { attributeIndices: [1] } },
      { type: 'other' },
      {},
    ],
  });
  const { profiles, losses } = toPprof('otlp', request, { part: 0 });
  assert.deepEqual(
    profiles.map(raw => scanPprof(raw).types.length),
    [2, 1, 1, 1, 1, 1],
  );
  assert.deepEqual(losses, [{ reason: 'otlp_profile_attribute', items: 1 }]);
});

test('timestamps count 1 each, values of a sample add up, and both are counted as lost', () => {
  const profile = one(
    written({
      profiles: [
        {
          samples: [
            { stackIndex: 1, timestampsUnixNano: [5, 6, 7] },
            { stackIndex: 0, values: [4, -1], timestampsUnixNano: [5, 6] },
            { stackIndex: 0, values: [9] },
          ],
        },
      ],
    }),
  );
  assert.deepEqual(
    profile.samples.map(({ values }) => values),
    [[3n], [3n], [9n]],
  );
  assert.deepEqual(profile.losses, [
    { reason: 'otlp_timestamp', items: 5 },
    { reason: 'otlp_values', items: 1 },
  ]);
});

test('attributes become labels: strings, numbers with their unit, lists, and JSON of all else', () => {
  const list = (...values: object[]) => ({ arrayValue: { values } });
  const request = written({
    attributes: [
      ['string', { stringValue: 'x' }],
      ['size', { intValue: '-5' }, 'bytes'],
      ['many', list({ stringValue: 'a' }, { intValue: 2 })],
      ['single', list({ stringValue: 'a' })],
      ['bool', { boolValue: true }],
      ['double', { doubleValue: 1.5 }, 's'],
      ['bytes', { bytesValue: Buffer.from('hi') }],
      ['map', { kvlistValue: { values: [{ key: 'k', value: { intValue: '9007199254740993' } }] } }],
      ['none', {}],
    ],
    profiles: [{ samples: [{ stackIndex: 1, attributeIndices: all(9), values: [1] }] }],
  });
  const profile = one(request);
  assert.deepEqual(labelsOf(profile), [
    ['string', 'x', ''],
    ['size', -5n, 'bytes'],
    ['many', 'a', ''],
    ['many', 2n, ''],
    ['single', 'a', ''],
    ['bool', 'true', ''],
    ['double', '1.5', 's'],
    ['bytes', '"aGk="', ''],
    ['map', '{"k":9007199254740993}', ''],
    ['none', 'null', ''],
  ]);
  assert.deepEqual(profile.losses, [{ reason: 'otlp_attribute_value', items: 6 }]);
});

const TRACE = '0123456789abcdef0123456789abcdef';
const SPAN = '00000000000000ff';

test('a link becomes two labels, and they a link again; other labels of these names stay', () => {
  const link = { traceId: Buffer.from(TRACE, 'hex'), spanId: Buffer.from(SPAN, 'hex') };
  const request = written({
    tables: { linkTable: [{}, link] },
    profiles: [{ samples: [{ stackIndex: 1, linkIndex: 1, values: [1] }] }],
  });
  const { profiles, losses } = toPprof('otlp', request, { part: 0 });
  assert.deepEqual(losses, []);
  assert.deepEqual(labelsOf(byProtobufjs(profiles[0]!)), [
    ['trace_id', TRACE, ''],
    ['span_id', SPAN, ''],
  ]);
  const { bytes } = toOtlp([{ attributes: new Map(), form: 'pprof', raw: profiles[0]!, about: { receivedMs: 1 } }]);
  const [resource] = treeOf(new Uint8Array(bytes)).resources as [{ scopes: [{ profiles: [{ samples: string[] }] }] }];
  const sample = JSON.parse(resource.scopes[0].profiles[0].samples[0]!);
  assert.deepEqual([sample.link, sample.attributes], [[TRACE, SPAN], []]);

  const taken = one(
    written({
      attributes: [['trace_id', { stringValue: 'mine' }]],
      tables: { linkTable: [{}, link] },
      profiles: [{ samples: [{ stackIndex: 1, linkIndex: 1, attributeIndices: [1], values: [1] }] }],
    }),
  );
  assert.deepEqual(labelsOf(taken), [
    ['trace_id', 'mine', ''],
    ['span_id', SPAN, ''],
  ]);
  assert.deepEqual(taken.losses, [{ reason: 'otlp_link', items: 1 }]);
});

test('comments are read in three forms, and the other texts of a profile', () => {
  const list = { arrayValue: { values: [{ stringValue: 'a' }, { stringValue: '' }] } };
  const comments = (...attributes: [string, object][]) =>
    one(written({ attributes, profiles: [{ more: { attributeIndices: all(attributes.length) } }] }));
  assert.deepEqual(comments(['pprof.profile.comment', list]).comments, ['a', '']);
  assert.deepEqual(
    comments(
      ['pprof.profile.comment.10', { stringValue: 'second' }],
      ['pprof.profile.comment.2', { stringValue: 'first' }],
    ).comments,
    ['first', 'second'],
  );
  assert.deepEqual(comments(['pprof.profile.comment', { stringValue: 'a,b' }]).comments, ['a', 'b']);
  const texts = comments(
    ['pprof.profile.drop_frames', { stringValue: 'd' }],
    ['pprof.profile.keep_frames', { stringValue: 'k' }],
    ['pprof.profile.doc_url', { stringValue: 'https://doc' }],
    ['other', { stringValue: 'o' }],
  );
  assert.deepEqual([texts.dropFrames, texts.keepFrames, texts.docUrl], ['d', 'k', 'https://doc']);
  assert.deepEqual(texts.losses, [{ reason: 'otlp_profile_attribute', items: 1 }]);
  assert.ok(!texts.strings.includes('o'), 'what is lost is not in the strings either');
});

test('mappings and locations get build id and flags from their attributes', () => {
  const profile = one(
    written({
      attributes: [
        ['process.executable.build_id.htlhash', { stringValue: 'hash' }],
        ['process.executable.build_id.go', { stringValue: 'a/b' }],
        ['pprof.mapping.has_functions', { boolValue: true }],
        ['pprof.mapping.has_inline_frames', { boolValue: false }],
        ['pprof.location.is_folded', { boolValue: true }],
        ['profile.frame.type', { stringValue: 'go' }],
      ],
      tables: {
        mappingTable: [{}, { attributeIndices: [1, 2, 3, 4] }],
        locationTable: [{}, { mappingIndex: 1, address: 16, attributeIndices: [5, 6] }],
      },
      profiles: [{ samples: [{ stackIndex: 1, values: [1] }] }],
    }),
  );
  assert.equal(profile.mappings[0]!.buildId, 'a/b');
  assert.deepEqual(profile.mappings[0]!.flags, [true, false, false, false]);
  assert.deepEqual([profile.locations[0]!.folded, profile.locations[0]!.address], [true, 16n]);
  assert.deepEqual(profile.losses, [
    { reason: 'otlp_mapping_attribute', items: 1 },
    { reason: 'otlp_location_attribute', items: 1 },
  ]);
});

test('real captures become sound pprof with the sums they had', { skip: noCorpus }, () => {
  const sums = Object.fromEntries(
    CURRENT.map(name => {
      const request = capture(name);
      const parts = treeOf(request).resources.length;
      const totals = Array.from({ length: parts }, (_none, part) => toPprof('otlp', request, { part }).profiles).flat();
      return [name, totals.map(raw => scanPprof(raw).types[0]!.total).reduce((sum, total) => sum + total)];
    }),
  );
  assert.deepEqual(sums, {
    'ebpf-k8s-1.v1_10.pb': 58n,
    'ebpf-k8s-2.v1_10.pb': 107n,
    'ebpf-profile.v1_10.pb': 189n,
    'java-async-wall.v1_10.pb': 26246n,
  });
});

test('what the Java agent sends over OTLP, values that are not packed, is 1.10 and has the sums of the manifest', () => {
  interface Facts {
    readonly resourceProfiles: { readonly profiles: { readonly sum: string; readonly samples: number }[] }[];
  }
  const sent = recordings().filter(({ path }) => path === '/v1development/profiles');
  for (const { file, body, headers, parts } of sent) {
    const gzipped = headers.some(([name, value]) => name.toLowerCase() === 'content-encoding' && value === 'gzip');
    const request = gzipped ? gunzipSync(body) : body;
    assert.equal(wireVersionOf(request, 'auto'), '1.10', file);
    const facts = parts[0]!.facts as unknown as Facts;
    for (const [part, { profiles }] of facts.resourceProfiles.entries())
      assert.deepEqual(
        toPprof('otlp', request, { part }).profiles.map(raw => {
          const { types, samples } = scanPprof(raw);
          return [String(types[0]!.total), samples];
        }),
        profiles.map(({ sum, samples }) => [sum, samples]),
        file,
      );
  }
  if (corpusDir) assert.ok(sent.length >= 3, `${sent.length} recordings`);
});

test('whatever a request holds, its pprof is sound, and every loss is in the table', () => {
  fc.assert(
    fc.property(madeRequest, request => {
      const parts = treeOf(request).resources.length;
      for (let part = 0; part < parts; part++) {
        const { profiles, losses } = toPprof('otlp', request, { part });
        for (const raw of profiles) scanPprof(raw);
        for (const { reason, items } of losses) {
          assert.equal(LOSSES[reason].from, 'otlp');
          assert.ok(items > 0);
        }
      }
    }),
    { numRuns: 200 },
  );
});

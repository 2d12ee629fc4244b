// pprof → OTLP → pprof says the same: held against decoders that share nothing with src.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { toOtlp } from '../../../../src/wire/convert/to-otlp.ts';
import { toPprof } from '../../../../src/wire/convert/to-pprof.ts';
import { decodePprof } from '../../../../src/wire/pprof/decode.ts';
import { made } from '../../../kit/made.ts';
import { byProtobufjs, profileProto } from '../../../kit/oracles.ts';
import { treeOf } from '../../../kit/otlp-tree.ts';
import type { PlainLabel, PlainProfile } from '../../../kit/plain.ts';
import { soundProfiles } from '../../../kit/profiles.ts';

const attributes = new Map([['service.name', 'shop']]);
const RECEIVED_MS = 1_700_000_000_000;
const there = (raw: Uint8Array) => {
  const { bytes, losses } = toOtlp([{ attributes, form: 'pprof', raw, about: { receivedMs: RECEIVED_MS } }]);
  return { bytes: new Uint8Array(bytes), losses };
};
const string = (value: unknown) => JSON.stringify(value, (_key, one) => (typeof one === 'bigint' ? `${one}n` : one));

/** What one stack, label and value is, without ids and without the order of labels of different keys. @param known a number per frame */
function meaning(profile: PlainProfile, known: Map<string, number>) {
  const numbered = (frame: string) => {
    if (!known.has(frame)) known.set(frame, known.size);
    return known.get(frame)!;
  };
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
      numbered(
        string([
          rest,
          mappings.get(mapping) ?? noMapping,
          lines.map(line => [functions.get(line.function) ?? none, line.line, line.column]),
        ]),
      ),
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
  const { profiles } = toPprof('otlp', bytes, { part: 0 });
  assert.equal(profiles.length, 1, file);
  const known = new Map<string, number>();
  assert.deepEqual(meaning(byProtobufjs(profiles[0]!), known), meaning(byProtobufjs(raw), known), file);
}

test('real profiles come back as the same multiset of stack, labels and values, with their types and default', () => {
  let compared = 0;
  for (const { file, raw } of soundProfiles()) {
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

/** A pprof of two types whose samples all have the stack `main`. */
function pprof(
  samples: { value: number[]; labels?: [key: string, value: string | number, unit?: string][] }[],
  more = {},
) {
  const strings = ['', 'alloc', 'inuse', 'bytes', 'main'];
  const row = (text: string) => {
    if (!strings.includes(text)) strings.push(text);
    return strings.indexOf(text);
  };
  const object = {
    sampleType: [
      { type: 1, unit: 3 },
      { type: 2, unit: 3 },
    ],
    sample: samples.map(({ value, labels = [] }) => ({
      locationId: [1],
      value,
      label: labels.map(([key, one, unit = '']) => ({
        key: row(key),
        ...(typeof one === 'string' ? { str: row(one) } : { num: one }),
        numUnit: row(unit),
      })),
    })),
    location: [{ id: 1, line: [{ functionId: 1, line: 3 }] }],
    function: [{ id: 1, name: 4 }],
    timeNanos: 5,
    ...more,
    stringTable: strings,
  };
  return profileProto.encode(profileProto.fromObject(object)).finish();
}

// biome-ignore lint/suspicious/noExplicitAny: a tree of plain values
const scopeOf = (raw: Uint8Array): any => (treeOf(there(raw).bytes).resources[0] as any).scopes[0];
/** Values by type, in the order of the profile. */
const valuesOf = (raw: Uint8Array) =>
  Object.fromEntries(
    // biome-ignore lint/suspicious/noExplicitAny: a tree of plain values
    scopeOf(raw).profiles.map((profile: any) => [
      profile.type[0],
      profile.samples.map((sample: string) => JSON.parse(sample).values[0]),
    ]),
  );

test('zeros are left out, unless a sample is zero in all types or has a twin', () => {
  const alone = [
    { value: [1, 0], labels: [['a', 'x'] as [string, string]] },
    { value: [0, 0], labels: [['a', 'y'] as [string, string]] },
  ];
  assert.deepEqual(valuesOf(pprof(alone)), { alloc: ['1'], inuse: ['0'] });
  const twins = [{ value: [1, 0] }, { value: [0, 2] }, { value: [3, 4] }];
  assert.deepEqual(valuesOf(pprof(twins)), { alloc: ['0', '1', '3'], inuse: ['0', '2', '4'] });
  same(pprof(alone));
  same(pprof(twins));
});

test('the default type comes first: the one that is named, else the last', () => {
  const attribute = (raw: Uint8Array) => scopeOf(raw).attributes;
  assert.deepEqual(attribute(pprof([])), [['pprof.scope.sample_type_order', [{ int: '1' }, { int: '0' }]]]);
  assert.deepEqual(attribute(pprof([], { defaultSampleType: 1 })), [
    ['pprof.scope.default_sample_type', 'alloc'],
    ['pprof.scope.sample_type_order', [{ int: '0' }, { int: '1' }]],
  ]);
  // One that names no type is kept all the same.
  same(pprof([], { defaultSampleType: 4 }));
});

test('labels of spans become links only where they are told from links again', () => {
  const TRACE = '0123456789abcdef0123456789abcdef';
  const SPAN = '00000000000000ff';
  const linked = (...labels: [string, string | number, string?][]) => {
    const raw = pprof([{ value: [1, 2], labels }, { value: [3, 4] }]);
    same(raw);
    return scopeOf(raw)
      .profiles[0].samples.map((sample: string) => JSON.parse(sample))
      .find(({ values }: { values: string[] }) => values[0] === '1' || values[0] === '2');
  };
  const both = linked(['trace_id', TRACE], ['other', 'x'], ['span_id', SPAN]);
  assert.deepEqual([both.link, both.attributes], [[TRACE, SPAN], ['["other","x",""]']]);
  for (const labels of [
    [['span_id', SPAN]],
    [['trace_id', TRACE]],
    [
      ['trace_id', TRACE.toUpperCase()],
      ['span_id', SPAN],
    ],
    [
      ['trace_id', '0'.repeat(32)],
      ['span_id', SPAN],
    ],
    [
      ['trace_id', TRACE],
      ['span_id', SPAN],
      ['span_id', SPAN],
    ],
    [
      ['trace_id', TRACE],
      ['span_id', 5],
    ],
  ] as [string, string | number][][])
    assert.equal(linked(...labels).link, null, JSON.stringify(labels));
});

test('labels of one key become a list, with their units where they have some', () => {
  const attributesOf = (...labels: [string, string | number, string?][]) => {
    const raw = pprof([{ value: [1, 2], labels }]);
    same(raw);
    return JSON.parse(scopeOf(raw).profiles[0].samples[0]).attributes.map((one: string) => JSON.parse(one));
  };
  assert.deepEqual(attributesOf(['a', 'x'], ['b', 1], ['a', 2]), [
    ['a', ['x', { int: '2' }], ''],
    ['b', { int: '1' }, ''],
  ]);
  assert.deepEqual(attributesOf(['a', 1, 'ms'], ['a', 2, 'ms']), [['a', [{ int: '1' }, { int: '2' }], 'ms']]);
  const mixed = [
    {
      kvlist: [
        ['value', { int: '1' }],
        ['unit', 'ms'],
      ],
    },
    { int: '2' },
  ];
  assert.deepEqual(attributesOf(['a', 1, 'ms'], ['a', 2]), [['a', mixed, '']]);
});

test('what OTLP cannot carry is counted', () => {
  const losses = (more: object) => there(pprof([{ value: [1, 2] }], more)).losses;
  assert.deepEqual(losses({}), []);
  assert.deepEqual(losses({ timeNanos: 0, durationNanos: -1 }), [
    { reason: 'pprof_no_time', items: 1 },
    { reason: 'pprof_negative_duration', items: 1 },
  ]);
  assert.deepEqual(losses({ mapping: [{ id: 1 }], function: [{ id: 1 }, { id: 2 }] }), [
    { reason: 'pprof_unreferenced', items: 2 },
  ]);
  const both = [{ locationId: [1], value: [1, 1], label: [{ key: 1, str: 2, num: 3 }] }];
  assert.deepEqual(losses({ sample: both }), [{ reason: 'pprof_label_number', items: 1 }]);
  const unknown = Uint8Array.from([...pprof([{ value: [1, 2] }]), 0x98, 0x06, 0x01]);
  assert.deepEqual(there(unknown).losses, [{ reason: 'pprof_unknown_field', items: 1 }]);
});

test('profile n is part n, over one dictionary', () => {
  const raws = [pprof([{ value: [1, 2] }]), pprof([{ value: [3, 4] }])];
  const { bytes } = toOtlp(
    raws.map((raw, at) => ({
      attributes: new Map([['at', BigInt(at)]]),
      form: 'pprof',
      raw,
      about: { receivedMs: RECEIVED_MS },
    })),
  );
  const request = new Uint8Array(bytes);
  const tree = treeOf(request);
  assert.deepEqual(
    // biome-ignore lint/suspicious/noExplicitAny: a tree of plain values
    tree.resources.map((resource: any) => resource.attributes),
    [[['at', { int: '0' }]], [['at', { int: '1' }]]],
  );
  assert.deepEqual([tree.orphans, tree.duplicates], [[], []]);
  const byAndBy = toOtlp(
    raws.map((raw, at) => ({
      attributes: new Map([['at', BigInt(at)]]),
      form: 'pprof',
      raw,
      about: { receivedMs: RECEIVED_MS },
    })),
    decodePprof(raws[0]!).heldBytes + 100,
  );
  assert.notDeepEqual(new Uint8Array(byAndBy.bytes), request, 'merged, so that rows stand in another order');
  assert.deepEqual(treeOf(byAndBy.bytes), tree, 'also where they do not fit decoded at once');
  const known = new Map<string, number>();
  for (const [at, raw] of raws.entries()) {
    const [back] = toPprof('otlp', request, { part: at }).profiles;
    assert.deepEqual(meaning(byProtobufjs(back!), known), meaning(byProtobufjs(raw), known));
  }
});

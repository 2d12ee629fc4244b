import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { DecodeError } from '../../../../src/wire/decode-error.ts';
import { examineOtlp } from '../../../../src/wire/otlp/examine.ts';
import { examineTraces } from '../../../../src/wire/otlp/examine-traces.ts';
import { MAX_PARTS } from '../../../../src/wire/otlp/limits.ts';
import { relayout } from '../../../../src/wire/otlp/relayout.ts';
import { wireVersionOf } from '../../../../src/wire/otlp/version.ts';
import { corpusDir, malformed, recordings } from '../../../kit/corpus.ts';
import { CURRENT, capture, dictionary as dictionaryOf, noCorpus, request } from '../../../kit/otlp.ts';
import { encoded, tree } from '../../../kit/otlp-proto.ts';
import { bytes, number, text, varint } from '../../../kit/protobuf.ts';

interface Tree {
  readonly dictionary: { readonly stringTable: string[]; readonly locationTable?: unknown[] };
  readonly resourceProfiles: {
    readonly scopeProfiles: {
      readonly profiles: {
        readonly sampleType: { readonly typeStrindex?: number; readonly unitStrindex?: number };
        readonly samples: { readonly values?: string[]; readonly timestampsUnixNano?: string[] }[];
        readonly timeUnixNano: string;
        readonly period?: string;
      }[];
    }[];
  }[];
}

/** What a request holds, told by protobufjs. */
function facts(raw: Buffer) {
  const { dictionary, resourceProfiles } = tree('profiles', raw) as Tree;
  const string = (row = 0) => dictionary.stringTable[row];
  return resourceProfiles.map(({ scopeProfiles }) => {
    const profiles = scopeProfiles.flatMap(one => one.profiles);
    const totals = new Map<string, bigint>();
    for (const { sampleType, samples } of profiles) {
      const type = `${string(sampleType.typeStrindex)} ${string(sampleType.unitStrindex)}`;
      for (const { values, timestampsUnixNano } of samples) {
        const sum = values?.length
          ? values.reduce((all, one) => all + BigInt(one), 0n)
          : BigInt(timestampsUnixNano?.length ?? 0);
        totals.set(type, (totals.get(type) ?? 0n) + sum);
      }
    }
    return {
      types: [...totals],
      samples: profiles.reduce((all, one) => all + one.samples.length, 0),
      profiles: profiles.length,
      start: BigInt(profiles[0]!.timeUnixNano),
      period: BigInt(profiles[0]!.period ?? 0),
    };
  });
}

const told = (raw: Uint8Array) =>
  examineOtlp(raw).parts.map(({ summary, samples, profiles }) => ({
    types: summary.types.map(({ type, unit, total }) => [`${type} ${unit}`, total]),
    samples,
    profiles,
    start: summary.startNs,
    period: summary.period,
  }));

test('real requests are sound, and are summed up as protobufjs sums them up', { skip: noCorpus }, () => {
  const bodies = [
    ...CURRENT.map(capture),
    ...recordings()
      .filter(one => one.parts[0]?.format === 'otlp-profiles')
      .map(({ body }) => (body[0] === 0x1f ? gunzipSync(body) : body)),
  ];
  assert.ok(bodies.length >= CURRENT.length + 3);
  for (const raw of bodies) {
    assert.deepEqual(told(raw), facts(raw));
    const shared = Buffer.from(new SharedArrayBuffer(raw.length + 1), 1);
    raw.copy(shared);
    assert.deepEqual(told(shared), facts(raw));
  }
});

test('real traces are sound', { skip: corpusDir ? false : noCorpus }, () => {
  const bodies = recordings().filter(one => one.parts[0]?.format === 'otlp-traces');
  assert.ok(bodies.length > 10);
  for (const { body } of bodies) {
    const raw = body[0] === 0x1f ? gunzipSync(body) : body;
    const { resourceSpans } = tree('traces', raw) as { resourceSpans: { scopeSpans: { spans: [] }[] }[] };
    const spans = resourceSpans.flatMap(one => one.scopeSpans.flatMap(scope => scope.spans)).length;
    assert.deepEqual(examineTraces(raw), { spans });
  }
});

test('malformed requests are answered as the manifest has it', () => {
  const files = malformed('otlp').filter(({ file }) => file.endsWith('.pb'));
  assert.ok(files.length > 0);
  for (const { file, bytes: raw, expect } of files) {
    const read = () => examineOtlp(relayout(raw, wireVersionOf(raw, 'auto'), '1.10'));
    // The manifest refuses what the gateway, which upgrades 1.9, can read.
    if (expect.status === 200 || file.includes('v1_9'))
      assert.equal(read().parts[0]!.summary.types[0]!.total, 5n, file);
    else assert.throws(read, (error: DecodeError) => error.reason === expect.reason, file);
  }
});

const type = { typeStrindex: 1, unitStrindex: 2 };
const dictionary = {
  mappingTable: [{}, { filenameStrindex: 3, attributeIndices: [1] }],
  locationTable: [{}, { mappingIndex: 1, lines: [{ functionIndex: 1 }], attributeIndices: [1] }],
  functionTable: [{}, { nameStrindex: 3 }],
  linkTable: [{}, { traceId: Buffer.alloc(16, 1), spanId: Buffer.alloc(8, 1) }],
  stringTable: ['', 'cpu', 'nanoseconds', 'main'],
  attributeTable: [{}, { keyStrindex: 3, value: { stringValueStrindex: 3 }, unitStrindex: 2 }],
  stackTable: [{}, { locationIndices: [1, 0, 1] }],
};
const sample = { stackIndex: 1, attributeIndices: [1], linkIndex: 1, values: ['7', '-2'] };
const profile = { sampleType: type, samples: [sample], profileId: Buffer.alloc(16, 1), attributeIndices: [1] };
const whole = (change: object = {}, profiles: object[] = [profile], resource: object = {}) =>
  encoded('profiles', {
    resourceProfiles: [{ resource, scopeProfiles: [{ profiles }] }],
    dictionary: { ...dictionary, ...change },
  });
const withSample = (change: object) => whole({}, [{ ...profile, samples: [sample, { ...sample, ...change }] }]);
const attribute = (value: object) => whole({}, [profile], { attributes: [{ key: 'k', value }] });
/** A KeyValue whose value lies this deep; protobufjs does not write as many. */
function nested(depth: number): number[] {
  let value = text(1, 'x');
  for (let level = 1; level < depth; level++) value = bytes(5, bytes(1, value));
  return [...text(1, 'k'), ...bytes(2, value)];
}
const deep = (depth: number) => Buffer.from(bytes(1, bytes(1, bytes(1, nested(depth)))));

test('totals of one type are summed over the profiles of a part, in the order of first appearance', () => {
  const count = { typeStrindex: 3, unitStrindex: 0 };
  const stamped = { timestampsUnixNano: ['5', '6', '7'] };
  const raw = whole({}, [
    profile,
    { sampleType: count, samples: [stamped, { ...stamped, values: ['1', '2', String(2n ** 63n - 1n)] }] },
    { ...profile, samples: [{ values: [String(-(2n ** 63n))] }, { values: [String(-(2n ** 63n))] }] },
    { originalPayloadFormat: 'jfr', originalPayload: Buffer.from('x') },
  ]);
  const { parts } = examineOtlp(raw);
  assert.equal(parts.length, 1);
  assert.deepEqual(parts[0]!.summary.types, [
    { type: 'cpu', unit: 'nanoseconds', total: 5n - 2n ** 64n },
    { type: 'main', unit: '', total: 3n + 3n + 2n ** 63n - 1n },
  ]);
  assert.deepEqual([parts[0]!.profiles, parts[0]!.samples], [4, 5]);
});

test('numbers that are not packed, fields that come twice and unknown fields are read', () => {
  const stamps = [...varint(5 * 8 + 1), ...Array(8).fill(1)];
  const unpacked = [...number(1, 1), ...number(2, 0), ...number(4, 7), ...number(4, -9n), ...stamps, ...stamps];
  const twice = [...bytes(1, number(1, 1)), ...bytes(1, number(2, 2)), ...text(99, 'new')];
  const dict = [...['', 'a', 'b'].flatMap(one => text(5, one)), ...bytes(7, []), ...bytes(7, number(1, 0))];
  const { summary } = examineOtlp(request([...bytes(2, [...unpacked, ...number(90, 1)]), ...twice], bytes(2, dict)))
    .parts[0]!;
  assert.deepEqual(summary.types, [{ type: 'a', unit: 'b', total: -2n }]);
});

test('an empty request, a part without profiles and tables without rows are sound', () => {
  assert.deepEqual(examineOtlp(new Uint8Array(0)), { parts: [], references: false });
  assert.deepEqual(told(Buffer.from(bytes(1, []))), [{ types: [], samples: 0, profiles: 0, start: 0n, period: 0n }]);
  const bare = encoded('profiles', {
    resourceProfiles: [{ scopeProfiles: [{ profiles: [{ samples: [{ values: [1] }] }] }] }],
  });
  assert.deepEqual(told(bare)[0]!.types, [[' ', 1n]]);
});

test('says whether any attribute is a reference, wherever it stands', () => {
  const sample = bytes(2, [...number(1, 1), ...bytes(4, [7])]);
  const keyed = [...text(1, 'k'), ...bytes(2, text(1, 'v'))];
  const resource = (attribute: number[]) => bytes(1, bytes(1, attribute));
  const said = (...parts: [profile: number[], dictionary?: number[], resource?: number[]]) =>
    examineOtlp(request(...parts)).references;
  assert.equal(said(sample, undefined, resource(keyed)), false);
  assert.equal(said(sample, undefined, resource([...number(3, 4), ...bytes(2, text(1, 'v'))])), true);
  assert.equal(said(sample, undefined, resource([...text(1, 'k'), ...bytes(2, number(8, 0))])), true);
  const nested = bytes(2, bytes(5, bytes(1, number(8, 1))));
  assert.equal(said(sample, undefined, resource([...text(1, 'k'), ...nested])), true);
  const table = dictionaryOf(3);
  assert.equal(said(sample, table), false, 'keys and units of the attribute table are always rows');
});

const bigTable = dictionaryOf(2400);
const wrong: [what: string, raw: Buffer, reason: string, sentence: RegExp][] = [
  [
    'a stack',
    withSample({ stackIndex: 2 }),
    'bad_reference',
    /^stack_index .* stack_table, which has 2; resource_profiles 0, profile 0, sample 1$/,
  ],
  ['a negative stack', withSample({ stackIndex: -1 }), 'bad_reference', /stack_index/],
  ['an attribute of a sample', withSample({ attributeIndices: [1, 2] }), 'bad_reference', /attribute_table.*sample 1/],
  ['a link', withSample({ linkIndex: 9 }), 'bad_reference', /link_index/],
  [
    'an attribute of a profile',
    whole({}, [profile, { ...profile, attributeIndices: [5] }]),
    'bad_reference',
    /profile 1$/,
  ],
  [
    'a type',
    whole({}, [{ ...profile, sampleType: { typeStrindex: 4 } }]),
    'bad_reference',
    /type_strindex.*profile 0$/,
  ],
  ['a period type', whole({}, [{ ...profile, periodType: { unitStrindex: 4 } }]), 'bad_reference', /unit_strindex/],
  [
    'a location',
    whole({ stackTable: [{}, {}, { locationIndices: [1, 2] }] }),
    'bad_reference',
    /location_table.*; stack_table row 2$/,
  ],
  [
    'a mapping',
    whole({ locationTable: [{}, { mappingIndex: 2 }] }),
    'bad_reference',
    /mapping_table.*; location_table row 1$/,
  ],
  [
    'a function',
    whole({ locationTable: [{}, { lines: [{}, { functionIndex: 300 }] }] }),
    'bad_reference',
    /function_table/,
  ],
  [
    'an attribute of a location',
    whole({ locationTable: [{}, { attributeIndices: [2] }] }),
    'bad_reference',
    /attribute_table/,
  ],
  [
    'a name',
    whole({ functionTable: [{}, { nameStrindex: 4 }] }),
    'bad_reference',
    /name_strindex.*function_table row 1$/,
  ],
  ['a file', whole({ functionTable: [{}, { filenameStrindex: 70000 }] }), 'bad_reference', /filename_strindex/],
  ['a mapped file', whole({ mappingTable: [{ filenameStrindex: 4 }] }), 'bad_reference', /mapping_table row 0$/],
  ['a key', whole({ attributeTable: [{}, { keyStrindex: 4 }] }), 'bad_reference', /key_strindex/],
  ['a unit', whole({ attributeTable: [{}, { unitStrindex: 4 }] }), 'bad_reference', /unit_strindex/],
  [
    'a value',
    whole({ attributeTable: [{}, { value: { stringValueStrindex: 4 } }] }),
    'bad_reference',
    /string_value_strindex/,
  ],
  [
    'a value of a resource',
    attribute({ arrayValue: { values: [{ stringValueStrindex: -1 }] } }),
    'bad_reference',
    /resource_profiles 0$/,
  ],
  ['a key of a resource', whole({}, [], { attributes: [{ keyStrindex: 4 }] }), 'bad_reference', /key_strindex/],
  ['no dictionary', request([...bytes(1, number(1, 1))], []), 'bad_reference', /has 0/],
  [
    'a trace id',
    whole({ linkTable: [{}, { traceId: Buffer.alloc(15) }] }),
    'id_length',
    /trace_id has 15 bytes, not 16; link_table row 1/,
  ],
  ['a span id', whole({ linkTable: [{}, { spanId: Buffer.alloc(16) }] }), 'id_length', /span_id/],
  ['a profile id', whole({}, [{ ...profile, profileId: Buffer.alloc(17) }]), 'id_length', /profile_id/],
  ['the first string', whole({ stringTable: ['x', 'cpu', 'nanoseconds', 'main'] }), 'string_table', /row 0$/],
  [
    'values for timestamps',
    withSample({ timestampsUnixNano: ['1'] }),
    'value_count',
    /2 values for 1 timestamps.*sample 1/,
  ],
  ['neither', withSample({ values: [] }), 'value_count', /neither.*sample 1/],
  ['depth', deep(65), 'too_deep', /64/],
  ['two dictionaries', Buffer.from([...bytes(2, []), ...bytes(2, [])]), 'duplicate_field', /dictionary/],
  ['two resources', Buffer.from(bytes(1, [...bytes(1, []), ...bytes(1, [])])), 'duplicate_field', /resource/],
  ['a string', Buffer.from(bytes(2, [...text(5, ''), ...bytes(5, [0xff])])), 'bad_string', /string_table row 1$/],
  ['a schema url', Buffer.from(bytes(1, bytes(3, [0xc0, 0x80]))), 'bad_string', /schema_url/],
  ['a format', request(bytes(9, [0xed, 0xa0, 0x80]), []), 'bad_string', /original_payload_format/],
  ['a wire type', request(number(2, 1), []), 'bad_protobuf', /Profile.samples has wire type 0/],
  ['a wire type in a sample', request(bytes(2, text(1, 'x')), []), 'bad_protobuf', /sample 0/],
  ['a packed number that may come once', request(bytes(6, [1]), []), 'bad_protobuf', /Profile.period/],
  ['timestamps', request(bytes(2, bytes(5, [1, 2, 3])), []), 'bad_protobuf', /multiple of 8/],
  ['a group', request([0x63, 0x64], []), 'bad_protobuf', /wire type 3/],
  ['a cut message', whole().subarray(0, -1), 'bad_protobuf', /longer than what holds it/],
  ['a packed row at the end that is cut', request(bytes(2, bytes(2, [0x80])), []), 'bad_protobuf', /inside a number/],
  // With the byte behind it, the tag of the next sample, this were row 2305, which is there.
  [
    'a packed row that is cut',
    request([...bytes(2, bytes(2, [0x81])), ...bytes(2, [])], bigTable),
    'bad_protobuf',
    /inside a number.*sample 0/,
  ],
  [
    'a row of a profile that is cut',
    request([...bytes(11, [0x81]), ...bytes(2, [])], bigTable),
    'bad_protobuf',
    /inside a number/,
  ],
  [
    'parts',
    Buffer.alloc((MAX_PARTS + 1) * 2, Buffer.from(bytes(1, []))),
    'too_many_elements',
    /100000 resource_profiles/,
  ],
];

test('what is wrong is refused with its place', () => {
  examineOtlp(whole());
  examineOtlp(deep(64));
  for (const [what, raw, reason, sentence] of wrong)
    assert.throws(
      () => examineOtlp(raw),
      (error: unknown) => {
        assert.ok(error instanceof DecodeError, `${what}: ${error}`);
        assert.equal(error.reason, reason, `${what}: ${error.message}`);
        assert.match(error.message, sentence, what);
        return true;
      },
      what,
    );
});

test('no byte of a sound request can be cut off without being noticed', () => {
  const raw = whole();
  for (let end = 1; end < raw.length; end++)
    try {
      // Where a field of the request ends, what is left is a request again, but the dictionary is missing.
      examineOtlp(raw.subarray(0, end));
      assert.fail(`cut at ${end}`);
    } catch (error) {
      assert.ok(error instanceof DecodeError, `${error}`);
    }
});

test('traces with ids of other lengths, bad text or deep values are refused', () => {
  const span = (change: object) =>
    encoded('traces', { resourceSpans: [{ scopeSpans: [{ spans: [{ traceId: Buffer.alloc(16), ...change }] }] }] });
  assert.deepEqual(examineTraces(span({ parentSpanId: Buffer.alloc(8) })), { spans: 1 });
  // A reference is for profiles; in traces it is passed over.
  assert.deepEqual(examineTraces(span({ attributes: [{ keyStrindex: 7 }] })), { spans: 1 });
  const reasons = [
    span({ spanId: Buffer.alloc(4) }),
    Buffer.from(bytes(1, bytes(2, bytes(2, bytes(9, nested(65)))))),
    Buffer.from(bytes(1, bytes(2, bytes(2, bytes(5, [0xff]))))),
    span({ name: 'x' }).subarray(0, -1),
  ].map(raw => {
    try {
      return examineTraces(raw);
    } catch (error) {
      return (error as DecodeError).reason;
    }
  });
  assert.deepEqual(reasons, ['id_length', 'too_deep', 'bad_string', 'bad_protobuf']);
});

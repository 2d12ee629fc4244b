import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { DecodeError } from '../../../../src/wire/decode-error.ts';
import { wholeNumber } from '../../../../src/wire/json-number.ts';
import { examineOtlp } from '../../../../src/wire/otlp/examine.ts';
import { fromJson } from '../../../../src/wire/otlp/json-read.ts';
import { toJson } from '../../../../src/wire/otlp/json-write.ts';
import { malformed, recordings } from '../../../kit/corpus.ts';
import { CURRENT, capture, noCorpus } from '../../../kit/otlp.ts';
import { encoded, PROTO, tree } from '../../../kit/otlp-proto.ts';
import { bytes, number, text } from '../../../kit/protobuf.ts';

const read = (json: unknown, signal: 'profiles' | 'traces' = 'profiles') =>
  tree(signal, fromJson(Buffer.from(typeof json === 'string' ? json : JSON.stringify(json)), signal));
const written = (raw: Uint8Array, signal: 'profiles' | 'traces' = 'profiles') =>
  Buffer.concat(toJson(raw, signal)).toString();
const refused = (reason: string) => (error: unknown) => {
  assert.ok(error instanceof DecodeError, `${error}`);
  assert.equal(error.reason, reason, error.message);
  return true;
};
const profile = (fields: object) => ({ resourceProfiles: [{ scopeProfiles: [{ profiles: [fields] }] }] });
const value = (any: object) => ({ resourceProfiles: [{ resource: { attributes: [{ key: 'k', value: any }] } }] });

test('the capture that is there as JSON and as protobuf is the same request', { skip: noCorpus }, () => {
  const raw = capture('ebpf-profile.v1_10.pb');
  const json = capture('ebpf-profile.v1_10.json');
  // The Collector that wrote the JSON left out two things: schema_url of a scope, and the empty value of attribute 0.
  const inJson = JSON.stringify(tree('profiles', raw), (key, one) => {
    if (key === 'attributeTable') return [{}, ...one.slice(1)];
    return key === 'scopeProfiles' ? one.map((scope: object) => ({ ...scope, schemaUrl: undefined })) : one;
  });
  assert.deepEqual(tree('profiles', fromJson(json, 'profiles')), JSON.parse(inJson));
  const shared = Buffer.from(new SharedArrayBuffer(json.length));
  json.copy(shared);
  assert.deepEqual(fromJson(shared, 'profiles'), fromJson(json, 'profiles'));
});

test('real requests come back from JSON as they were', { skip: noCorpus }, () => {
  const profiles = CURRENT.map(name => ['profiles', capture(name)] as const);
  const traces = recordings()
    .filter(one => one.parts[0]?.format === 'otlp-traces')
    .map(({ body }) => ['traces', body[0] === 0x1f ? gunzipSync(body) : body] as const);
  assert.ok(traces.length > 10);
  for (const [signal, raw] of [...profiles, ...traces]) {
    const json = written(raw, signal);
    JSON.parse(json);
    assert.deepEqual(tree(signal, fromJson(Buffer.from(json), signal)), tree(signal, raw));
  }
});

// Random requests as protobufjs objects, by the schema that protobufjs has.
const LEAVES: Record<string, fc.Arbitrary<unknown>> = {
  string: fc.string({ unit: 'binary', maxLength: 12 }),
  bytes: fc.uint8Array({ maxLength: 20 }).map(one => Buffer.from(one)),
  bool: fc.boolean(),
  int32: fc.integer(),
  uint32: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  fixed32: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  int64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  uint64: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String),
  fixed64: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String),
  double: fc.double(),
};
type Type = typeof PROTO.profiles;
function objects(type: Type, depth: number): fc.Arbitrary<object> {
  const fields = Object.values(type.fields).flatMap(field => {
    const { resolvedType, repeated, name } = field.resolve();
    if (resolvedType && depth === 0) return [];
    const one = resolvedType ? objects(resolvedType as Type, depth - 1) : LEAVES[field.type]!;
    return [[name, repeated ? fc.array(one, { maxLength: 3 }) : one] as const];
  });
  if (type.name === 'AnyValue')
    return fc.oneof(...fields.map(([name, one]) => fc.record({ [name]: one }, { noNullPrototype: true })));
  return fc.record(Object.fromEntries(fields), { requiredKeys: [], noNullPrototype: true });
}

for (const signal of ['profiles', 'traces'] as const) {
  test(`random ${signal} go to JSON and come back, and protobufjs agrees`, () => {
    fc.assert(
      fc.property(objects(PROTO[signal], 8), object => {
        const raw = encoded(signal, object);
        const json = written(raw, signal);
        assert.deepEqual(tree(signal, fromJson(Buffer.from(json), signal)), tree(signal, raw));
        // By its own reading of JSON, to which hex is text of its own kind.
        const type = PROTO[signal];
        const isId = (key: string) => /^(?:traceId|spanId|parentSpanId|profileId)$/.test(key);
        const parsed = JSON.parse(json, (key, one) => (isId(key) ? Buffer.from(one, 'hex') : one));
        assert.deepEqual(tree(signal, type.encode(type.fromObject(parsed)).finish()), tree(signal, raw));
      }),
      { numRuns: 300 },
    );
  });
}

test('64-bit numbers are exact, as numbers and as strings', () => {
  const max = String(2n ** 63n - 1n);
  const expected = profile({ samples: [{ values: [max, max, `-${2n ** 63n}`, '0', '9007199254740993'] }] });
  const samples = `[{"values":[${max},"${max}",-${2n ** 63n},-0,9007199254740993]}]`;
  assert.deepEqual(read(`{"resourceProfiles":[{"scopeProfiles":[{"profiles":[{"samples":${samples}}]}]}]}`), expected);
  const zeros: [string, bigint | undefined][] = [
    ['1e3', 1000n],
    ['-12.50e1', -125n],
    ['1.0', 1n],
    ['0.5', undefined],
    ['5e-1', undefined],
    ['50e-1', 5n],
    ['0e999', 0n],
    ['1e21', undefined],
    ['', undefined],
    ['0x1', undefined],
    ['1e9999', undefined],
  ];
  for (const [written, exact] of zeros) assert.equal(wholeNumber(written), exact, written);
});

test('numbers out of range, and what is no number, are refused', () => {
  const bad = [
    { timeUnixNano: -1 },
    { timeUnixNano: String(2n ** 64n) },
    { period: String(2n ** 63n) },
    { period: 1.5 },
    { period: '' },
    { droppedAttributesCount: 2 ** 32 },
    { samples: [{ stackIndex: 2 ** 31 }] },
    { samples: [{ stackIndex: -(2 ** 31) - 1 }] },
    { profileId: 'xyz' },
    { profileId: 'abc' },
    { originalPayload: 'a' },
    { originalPayload: '§' },
  ];
  for (const fields of bad) assert.throws(() => read(profile(fields)), refused('bad_value'), JSON.stringify(fields));
  for (const one of ['1e999', '"1e999"', '"x"', '""'])
    assert.throws(() => read(JSON.stringify(value({ doubleValue: '?' })).replace('"?"', one)), refused('bad_value'));
  assert.throws(
    () => read({ resourceSpans: [{ scopeSpans: [{ spans: [{ kind: 'SPAN_KIND_SERVER' }] }] }] }, 'traces'),
    refused('bad_value'),
  );
});

test('doubles have names where they are no numbers', () => {
  for (const one of ['NaN', 'Infinity', '-Infinity']) {
    const raw = encoded('profiles', value({ doubleValue: Number(one) }));
    assert.ok(written(raw).includes(`{"doubleValue":"${one}"}`));
    assert.deepEqual(read(value({ doubleValue: one })), value({ doubleValue: Number(one) }));
  }
  assert.ok(written(fromJson(Buffer.from(JSON.stringify(value({ doubleValue: '-0' }))), 'profiles')).includes(':-0}'));
});

test('a zero in a oneof is a value, elsewhere it is nothing', () => {
  for (const one of [
    { stringValue: '' },
    { boolValue: false },
    { intValue: '0' },
    { doubleValue: 0 },
    { bytesValue: '' },
    { stringValueStrindex: 0 },
  ])
    assert.ok(written(fromJson(Buffer.from(JSON.stringify(value(one))), 'profiles')).includes(JSON.stringify(one)));
  assert.deepEqual(
    read(profile({ period: '0', timeUnixNano: 0, originalPayloadFormat: '', profileId: '' })),
    profile({}),
  );
});

test('ids are hex in any case, that of a profile may be base64', () => {
  const id = 'hex 00112233445566778899aabbccddeeff';
  for (const profileId of ['00112233445566778899aabbCCDDEEFF', 'ABEiM0RVZneImaq7zN3u/w=='])
    assert.deepEqual(read(profile({ profileId })), profile({ profileId: id }));
  const link = (traceId: string) => ({ dictionary: { linkTable: [{ traceId, spanId: '0011223344556677' }] } });
  assert.deepEqual(read(link('00112233445566778899AABBCCDDEEFF')), {
    dictionary: { linkTable: [{ traceId: id, spanId: 'hex 0011223344556677' }] },
  });
  assert.throws(() => read(link('ABEiM0RVZneImaq7zN3u/w==')), refused('bad_value'));
});

test('names in snake_case and of 1.8 are read, null and unknown members are as if absent', () => {
  const snake = {
    resource_profiles: [
      { scope_profiles: [{ profiles: [{ sample: [{ stack_index: 3, values: [1] }], sample_type: null }] }] },
    ],
    dictionary: { location_table: [{ line: [{ function_index: 2 }] }], attribute_table: [{ key_strindex: 1 }] },
    other: [{ deep: [null, true, false, -1.5e3, '\u2028"\\/\n'] }, {}],
  };
  assert.deepEqual(read(snake), {
    ...profile({ samples: [{ stackIndex: 3, values: ['1'] }] }),
    dictionary: { locationTable: [{ lines: [{ functionIndex: 2 }] }], attributeTable: [{ keyStrindex: 1 }] },
  });
});

test('references stay references', () => {
  const json = value({ kvlistValue: { values: [{ value: { stringValueStrindex: 0 }, keyStrindex: 2 }] } });
  assert.equal(written(fromJson(Buffer.from(JSON.stringify(json)), 'profiles')), JSON.stringify(json));
});

test('what is no JSON in UTF-8 is refused', () => {
  const deep = malformed('any').find(({ file }) => file === 'json-deep.json')?.bytes ?? Buffer.from('['.repeat(20_000));
  const bad: [Buffer, string][] = [
    ...[
      '',
      ' ',
      '[]',
      '1',
      '"x"',
      'null',
      '{',
      '{}{}',
      '{,}',
      '{"a":1,}',
      "{'a':1}",
      '{"a":01}',
      '{"a":tru}',
      '{"a":"\n"}',
    ]
      .concat([
        '{"a":"\\x"}',
        '{"a"',
        '{"a":',
        '{"a":"',
        '{"a":"\\',
        '{"a":-}',
        '{"a":1.}',
        '{"a":[1 2]}',
        '{"resourceProfiles":{}}',
      ])
      .concat([
        '{"resourceProfiles":[null]}',
        '{"dictionary":{"stringTable":[1]}}',
        '{"dictionary":{"stringTable":["\\x"]}}',
      ])
      .map((one): [Buffer, string] => [Buffer.from(one), 'bad_json']),
    [Buffer.from('\ufeff{}'), 'bad_json'],
    [Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 'bad_string'],
    [Buffer.from('{"dictionary":{"stringTable":["\\ud800"]}}'), 'bad_string'],
    [Buffer.from(`{"a":${'['.repeat(600)}`), 'too_deep'],
    [Buffer.from(`{"a":${'{"a":'.repeat(1e6)}`), 'too_deep'],
    [deep, 'bad_json'],
  ];
  for (const [text, reason] of bad)
    assert.throws(() => fromJson(text, 'profiles'), refused(reason), text.toString('latin1', 0, 60));
  // The deepest that attribute values may lie.
  let any: object = { stringValue: 'x' };
  for (let level = 1; level < 64; level++) any = { kvlistValue: { values: [{ key: 'k', value: any }] } };
  examineOtlp(fromJson(Buffer.from(JSON.stringify(value(any))), 'profiles'));
});

test('the JSON of the corpus is answered as the manifest has it', () => {
  const files = malformed('otlp', 'speedscope').filter(({ file }) => /^otlp.*json|^json-truncated/.test(file));
  for (const { file, bytes: raw, expect } of files) {
    const examined = () => examineOtlp(fromJson(raw, 'profiles'));
    if (expect.status === 200) assert.equal(examined().parts[0]!.summary.types[0]!.total, 3n, file);
    else assert.throws(examined, refused(expect.reason!), file);
  }
});

test('fields that come twice are merged, and of a oneof the last counts', () => {
  const any = [
    ...bytes(5, bytes(1, text(1, 'a'))),
    ...text(1, 'b'),
    ...bytes(6, []),
    ...bytes(5, bytes(1, number(3, 1))),
  ];
  const again = [...any, ...bytes(5, bytes(1, number(2, 1)))];
  const raw = Buffer.from([
    ...bytes(1, [
      ...bytes(1, bytes(1, [...text(1, 'x'), ...text(1, 'k'), ...bytes(2, again)])),
      ...bytes(1, number(2, 7)),
    ]),
    ...bytes(9, [1, 2, 3]),
  ]);
  assert.equal(
    written(raw),
    '{"resourceProfiles":[{"resource":{"attributes":[{"key":"k","value":{"arrayValue":{"values":[{"intValue":"1"},{"boolValue":true}]}}}],"droppedAttributesCount":7}}]}',
  );
  for (const bad of [bytes(1, bytes(3, [0xff])), bytes(1, number(3, 1)), bytes(2, bytes(5, [0xc0])), [0x0a, 5]])
    assert.throws(() => toJson(Buffer.from(bad), 'profiles'), DecodeError);
});

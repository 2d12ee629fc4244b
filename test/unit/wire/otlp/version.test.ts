import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { DecodeError } from '../../../../src/wire/decode-error.ts';
import { commentsLost, relayout } from '../../../../src/wire/otlp/relayout.ts';
import { type WireVersion, wireVersionOf } from '../../../../src/wire/otlp/version.ts';
import { malformed, recordings } from '../../../kit/corpus.ts';
import { CURRENT, capture, dictionary, noCorpus, request } from '../../../kit/otlp.ts';
import { bytes, number, text, varint } from '../../../kit/protobuf.ts';

const packed = (field: number, ...values: number[]) =>
  bytes(
    field,
    values.flatMap(value => varint(value)),
  );
const fixed = (field: number, count: number) =>
  bytes(
    field,
    Array.from({ length: count * 8 }, () => 1),
  );
const time = [...varint(3 * 8 + 1), 1, 2, 3, 4, 5, 6, 7, 8];
const id = bytes(
  7,
  Array.from({ length: 16 }, () => 7),
);
const sample = (...fields: number[][]) => bytes(2, [...number(1, 1), ...fields.flat()]);
const oldTable = bytes(2, bytes(6, [...text(1, 'key'), ...bytes(2, text(1, 'v'))]));
/** Attribute table of 5 rows. */
const five = dictionary(5);

// What opentelemetry-proto v1.5.0 to v1.10.0 look like, row by row; `refused` is what the sentence names.
const table: [what: string, raw: Buffer, verdict: WireVersion | { refused: RegExp }][] = [
  [
    'no dictionary, tables in Profile',
    request([...bytes(3, []), ...bytes(4, []), ...number(11, 9)], []),
    { refused: /1\.5/ },
  ],
  ['the same without mappings', request([...bytes(4, []), ...number(11, 9)], []), { refused: /1\.5/ }],
  ['top-level field 3', Buffer.from([...bytes(1, []), ...bytes(2, []), ...bytes(3, [])]), { refused: /1\.6/ }],
  ['top-level field 8', Buffer.from([...bytes(1, []), ...bytes(8, [])]), { refused: /1\.6/ }],
  ['Profile 3 LEN', request(packed(3, 1)), { refused: /1\.7/ }],
  ['Profile 5 VARINT, the duration of 1.7', request(number(5, 1)), { refused: /1\.7/ }],
  ['Profile 3 I64', request(time), '1.10'],
  ['attribute table of KeyValue', request([], oldTable), { refused: /1\.7/ }],
  ['attribute table of KeyValueAndUnit', request([], five), '1.10'],
  [
    'Profile 8 LEN',
    request(
      bytes(
        8,
        Array.from({ length: 16 }, () => 7),
      ),
    ),
    '1.8',
  ],
  ['Profile 9 VARINT', request(number(9, 3)), '1.8'],
  ['Profile 12', request(packed(12, 1)), '1.8'],
  ['Profile 7 VARINT, a comment', request(number(7, 1)), '1.8'],
  ['Profile 7 LEN, an empty id', request([...bytes(7, []), ...sample(packed(4, 5))]), '1.10'],
  ['Profile 8 VARINT and old samples', request([...number(8, 3), ...sample(packed(2, 5), packed(3, 1))]), '1.9'],
  ['Profile 9 LEN and new samples', request([...text(9, 'jfr'), ...sample(packed(4, 5))]), '1.10'],
  ['Profile 8 LEN and old samples', request([...bytes(8, [1]), ...sample(packed(2, 5), packed(3, 1))]), '1.8'],
  ['Sample 3 LEN', request([...id, ...sample(packed(2, 1), packed(3, 1))]), '1.9'],
  ['Sample 4 VARINT', request(sample(packed(2, 1), number(4, 0))), '1.9'],
  ['Sample 4 VARINT beside timestamps only', request(sample(fixed(5, 1), number(4, 0))), '1.9'],
  [
    'the same, as small as a link, with an attribute that is not packed',
    request(sample(number(2, 1), number(4, 0)), five),
    '1.10',
  ],
  ['the same with a link', request(sample(number(3, 1), number(4, 5))), '1.10'],
  [
    'Sample 2 and 3 VARINT, value and attribute that are not packed',
    request(sample(number(2, 5), number(3, 1))),
    '1.9',
  ],
  ['Sample 4 VARINT alone, a value that is not packed', request(sample(number(1, 0), number(4, 0))), '1.10'],
  ['Sample 4 VARINT beyond the link table', request(sample(packed(2, 1), number(4, 7))), '1.10'],
  ['Sample 4 VARINT twice', request(sample(packed(2, 1), number(4, 0), number(4, 0))), '1.10'],
  ['Sample 3 VARINT', request(sample(packed(2, 1), number(3, 1), fixed(5, 1))), '1.10'],
  ['Sample 4 LEN', request(sample(packed(2, 0), packed(4, 1))), '1.10'],
  ['Sample of 1 and 2', request(sample(packed(2, 1)), five), '1.9'],
  ['Sample of 1 and 5', request(sample(fixed(5, 2)), five), '1.10'],
  ['ambiguous, attributes in range', request(sample(packed(2, 1, 2), fixed(5, 2)), five), '1.10'],
  ['ambiguous, an entry 0', request(sample(packed(2, 1, 0), fixed(5, 2)), five), '1.9'],
  ['ambiguous, an entry repeated', request(sample(packed(2, 1, 2, 1), fixed(5, 3)), five), '1.9'],
  ['ambiguous, an entry beyond the table', request(sample(packed(2, 1, 5), fixed(5, 2)), five), '1.9'],
  ['ambiguous, the last entry of the table', request(sample(packed(2, 1, 4), fixed(5, 2)), five), '1.10'],
  [
    'ambiguous, one sample of other lengths',
    request([...sample(packed(2, 0), fixed(5, 1)), ...sample(packed(2, 1), fixed(5, 2))], five),
    '1.10',
  ],
  [
    'ambiguous, the same row in two samples is no repeat',
    request([...sample(packed(2, 1), fixed(5, 1)), ...sample(packed(2, 1), fixed(5, 1))], five),
    '1.10',
  ],
  [
    'a decisive sample behind ambiguous ones',
    request([...sample(packed(2, 0), fixed(5, 1)), ...sample(packed(4, 1))], five),
    '1.10',
  ],
  ['the dictionary in front', Buffer.from([...five, ...request(sample(packed(2, 1, 4), fixed(5, 2)), [])]), '1.10'],
  ['empty', Buffer.alloc(0), '1.10'],
];

for (const [what, raw, verdict] of table)
  test(`${what}: ${typeof verdict === 'string' ? verdict : `refused as ${verdict.refused.source}`}`, () => {
    if (typeof verdict === 'string') assert.equal(wireVersionOf(raw, 'auto'), verdict);
    else
      assert.throws(
        () => wireVersionOf(raw, 'auto'),
        (error: unknown) =>
          error instanceof DecodeError && error.reason === 'unsupported_version' && verdict.refused.test(error.message),
      );
  });

test('what the setting says is taken as true', () => {
  for (const version of ['1.8', '1.9', '1.10'] as const)
    assert.equal(wireVersionOf(request(packed(12, 1)), version), version);
});

test('what is too old is refused whatever the setting says', () => {
  for (const [what, raw, verdict] of table)
    for (const version of ['1.8', '1.9', '1.10'] as const)
      if (typeof verdict !== 'string')
        assert.throws(
          () => wireVersionOf(raw, version),
          (error: unknown) => error instanceof DecodeError && error.reason === 'unsupported_version',
          what,
        );
});

const LAYOUTS = { '1.8': 'ebpf-profile.v1_8.pb', '1.9': 'ebpf-profile.v1_9.pb', '1.10': 'ebpf-profile.v1_10.pb' };
const VERSIONS = Object.keys(LAYOUTS) as WireVersion[];

test('one capture in three layouts: told apart, and each written from each', { skip: noCorpus }, () => {
  for (const from of VERSIONS) {
    const raw = capture(LAYOUTS[from]);
    assert.equal(wireVersionOf(raw, 'auto'), from);
    for (const to of VERSIONS) assert.ok(capture(LAYOUTS[to]).equals(relayout(raw, from, to)), `${from} to ${to}`);
  }
});

test('captures of other senders are what they are', { skip: noCorpus }, () => {
  for (const name of CURRENT) assert.equal(wireVersionOf(capture(name), 'auto'), '1.10', name);
  // The Java agent does not pack a single value.
  const java = recordings().filter(({ path }) => path === '/v1development/profiles');
  assert.ok(java.length > 0);
  for (const { file, body } of java) assert.equal(wireVersionOf(gunzipSync(body), 'auto'), '1.10', file);
  const framed = capture('ebpf-k8s.v1_8.framed.bin');
  let at = 0;
  for (const name of ['ebpf-k8s-1.v1_10.pb', 'ebpf-k8s-2.v1_10.pb']) {
    const end = at + 4 + framed.readUInt32BE(at);
    const raw = framed.subarray(at + 4, end);
    assert.equal(wireVersionOf(raw, 'auto'), '1.8');
    assert.ok(capture(name).equals(relayout(raw, '1.8', '1.10')), name);
    at = end;
  }
});

test('a sample in the 1.9 layout becomes the control, its link aside', { skip: noCorpus }, () => {
  const of = (name: string) => malformed('otlp').find(({ file }) => file === name)!.bytes;
  const raw = of('otlp-v1_9-sample-layout.pb');
  assert.equal(wireVersionOf(raw, 'auto'), '1.9');
  const upgraded = Buffer.from(relayout(raw, '1.9', '1.10')).toString('hex');
  // Stack 1, value 5 in field 4, link 0 in field 3.
  assert.ok(upgraded.includes(Buffer.from(sample([...packed(4, 5), ...number(3, 0)])).toString('hex')));
  assert.equal(wireVersionOf(of('ok-otlp.pb'), 'auto'), '1.10');
});

const unknown = [...number(99, 7), ...text(100, 'kept')];

test('comments of 1.8 go, all that is unknown stays', () => {
  const one = (...fields: number[][]) =>
    request([...unknown, ...fields.flat(), ...sample(packed(2, 5), unknown), ...unknown]);
  const long = text(10, 'x'.repeat(200));
  const raw = one(packed(7, 1, 2), number(9, 3), long, number(7, 3));
  const expected = one(number(8, 3), text(9, 'x'.repeat(200)));
  assert.deepEqual(Buffer.from(relayout(raw, '1.8', '1.9')), expected);
  assert.equal(commentsLost(raw, '1.8', '1.10'), 3);
  assert.equal(commentsLost(raw, '1.8', '1.8'), 0);
  assert.equal(commentsLost(expected, '1.9', '1.10'), 0);
});

test('towards 1.8 a field 12 goes, since it would be read as attributes', () => {
  const raw = request([...packed(11, 1), ...packed(12, 2), ...packed(13, 3)]);
  assert.deepEqual(Buffer.from(relayout(raw, '1.10', '1.8')), request([...packed(12, 1), ...packed(13, 3)]));
});

test('padded tags are renumbered too, shared memory is left as it was', () => {
  const padded = (field: number, type: number) => varint(field * 8 + type, 2);
  const of = (field: number) => request(bytes(2, [...padded(field, 2), 1, 5]));
  const shared = Buffer.from(new SharedArrayBuffer(of(2).length));
  of(2).copy(shared);
  assert.deepEqual(Buffer.from(relayout(shared, '1.9', '1.10')), of(4));
  assert.deepEqual(Buffer.from(shared), of(2));
});

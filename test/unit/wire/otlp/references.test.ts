// References in attributes: a few bytes each, and each stands for a whole string.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DecodeError } from '../../../../src/wire/decode-error.ts';
import { receiveOtlp } from '../../../../src/wire/otlp/receive.ts';
import { MAX_RESOLVED_BYTES } from '../../../../src/wire/otlp/resolved-bytes.ts';
import { skeletonFor, skeletonOf } from '../../../../src/wire/otlp/skeleton.ts';
import { spliced } from '../../../../src/wire/otlp/splice.ts';
import { bytes, number, text, varint } from '../../../kit/protobuf.ts';

const MEGABYTE = 1024 * 1024;
const field = (number: number, ...content: Uint8Array[]): Buffer => {
  const all = Buffer.concat(content);
  return Buffer.concat([Buffer.from([...varint(number * 8 + 2), ...varint(all.length)]), all]);
};
const buffer = (...content: number[][]) => Buffer.from(content.flat());
const repeated = (count: number, unit: Uint8Array) => Buffer.alloc(count * unit.length, unit);

/** A dictionary of these strings and rows of the attribute table, behind the row that stands for none. */
const dictionary = (strings: Buffer[], attributes: Buffer = Buffer.alloc(0)) =>
  field(
    2,
    buffer(bytes(1, []), bytes(2, []), bytes(3, []), bytes(4, [])),
    ...strings.map(one => field(5, one)),
    buffer(bytes(6, [])),
    attributes,
    buffer(bytes(7, [])),
  );
const words = ['', 'key', 'böx'].map(one => Buffer.from(one));
const strings = [...words, Buffer.alloc(MEGABYTE, 'x')];
/** An AnyValue in its field: a list of so many references to a row. */
const list = (count: number, row: number) => field(2, field(5, repeated(count, buffer(bytes(1, number(8, row))))));
const attribute = (number: number, value: Buffer) => field(number, buffer(text(1, 'list')), value);
const inResource = (count: number, row: number) => field(1, field(1, attribute(1, list(count, row))));
const inScope = (count: number, row: number) => field(1, field(2, field(1, attribute(3, list(count, row)))));
/** Attributes whose key is the reference. */
const keys = (count: number, row: number) =>
  field(1, field(1, repeated(count, buffer(bytes(1, [...number(3, row), ...bytes(2, number(3, 1))])))));
/** Rows of the attribute table, with one reference each. */
const rows = (count: number, row: number) =>
  repeated(count, buffer(bytes(6, [...number(1, 1), ...bytes(2, number(8, row))])));
const noPart = field(1);

const hostile: [where: string, raw: Buffer][] = [
  ['a resource', Buffer.concat([inResource(4000, 3), dictionary(strings)])],
  ['a resource behind the dictionary', Buffer.concat([dictionary(strings), inResource(4000, 3)])],
  ['the keys of a resource', Buffer.concat([keys(4000, 3), dictionary(strings)])],
  ['a scope', Buffer.concat([inScope(4000, 3), dictionary(strings)])],
  ['the attribute table', Buffer.concat([noPart, dictionary(strings, rows(1500, 3))])],
  [
    'the attribute table, in a list',
    Buffer.concat([noPart, dictionary(strings, field(6, buffer(number(1, 1)), list(1500, 3)))]),
  ],
  ['all three together', Buffer.concat([inResource(30, 3), inScope(30, 3), dictionary(strings, rows(30, 3))])],
];
const tooLarge = (error: unknown) =>
  error instanceof DecodeError && error.reason === 'too_large' && error.message.includes(`${MAX_RESOLVED_BYTES}`);

/** Runs it, and holds it to 1 s and 16 MB. */
function cheaply(run: () => void): void {
  const start = performance.now();
  const before = process.memoryUsage();
  run();
  const after = process.memoryUsage();
  assert.ok(performance.now() - start < 1000);
  assert.ok(after.heapUsed + after.external - before.heapUsed - before.external < 16 * MEGABYTE);
}

const asked = (validate: 'full' | 'header') =>
  ({ signal: 'profiles', wire: 'protobuf', version: '1.10', validate }) as const;
const validations = ['full', 'header'] as const;

for (const [where, raw] of hostile) {
  for (const validate of validations)
    test(`references to a long string in ${where} are refused at the door, validate: ${validate}`, () => {
      cheaply(() => assert.throws(() => receiveOtlp(raw, asked(validate)), tooLarge));
    });
  test(`references to a long string in ${where} are refused where a payload is written out`, () => {
    cheaply(() =>
      assert.throws(() => {
        const skeleton = skeletonFor({ bytes: raw });
        const all = skeleton.parts.map(({ attributes }, part) => ({ part, attributes }));
        spliced(skeleton, all, 'inline');
      }, tooLarge),
    );
  });
}

test('the skeleton of a payload refuses resources before their attributes are asked for', () => {
  assert.throws(() => skeletonFor({ bytes: hostile[0]![1] }), tooLarge);
  // Known to be without: nothing is looked at.
  assert.equal(skeletonFor({ bytes: hostile[0]![1], references: false }).parts.length, 1);
});

test('up to the limit all is taken, a byte more is not', () => {
  const most = MAX_RESOLVED_BYTES / MEGABYTE;
  const parts = (resource: number, scope: number, table: number, more: number) =>
    Buffer.concat([
      inResource(resource, 3),
      inResource(more, 4),
      inScope(scope, 3),
      dictionary([...strings, Buffer.from('y')], rows(table, 3)),
    ]);
  for (const validate of validations) {
    receiveOtlp(parts(most - 20, 10, 10, 0), asked(validate));
    assert.throws(() => receiveOtlp(parts(most - 20, 10, 10, 1), asked(validate)), tooLarge);
  }
});

test('many references to short strings pass, and are written in place', () => {
  const count = 50_000;
  const raw = Buffer.concat([inResource(count, 2), inScope(count, 2), dictionary(words, rows(count, 2))]);
  for (const validate of validations) receiveOtlp(raw, asked(validate));
  const skeleton = skeletonOf(raw);
  const all = skeleton.parts.map(({ attributes }, part) => ({ part, attributes }));
  const inPlace = field(2, field(5, repeated(count, buffer(bytes(1, text(1, 'böx'))))));
  const expected = Buffer.concat([
    field(1, field(1, attribute(1, inPlace))),
    field(1, field(2, field(1, attribute(3, inPlace)))),
    dictionary(words, repeated(count, buffer(bytes(6, [...number(1, 1), ...bytes(2, text(1, 'böx'))])))),
  ]);
  assert.ok(expected.equals(Buffer.concat(spliced(skeleton, all, 'inline'))));
});

test('a row that is named many times is one string', () => {
  const count = 60;
  const raw = Buffer.concat([inResource(count, 3), dictionary(strings)]);
  const skeleton = skeletonFor({ bytes: raw });
  const expected = 'x'.repeat(MEGABYTE);
  let values: string[] = [];
  cheaply(() => {
    values = skeleton.parts[0]!.attributes.get('list') as string[];
  });
  assert.equal(values.length, count);
  assert.ok(values.every(value => value === expected));
});

test('a row that is not there is still refused by who reads it', () => {
  const skeleton = skeletonOf(Buffer.concat([inResource(1, 9), dictionary(words)]));
  assert.throws(
    () => skeleton.parts[0]!.attributes,
    (error: unknown) => error instanceof DecodeError && error.reason === 'bad_reference',
  );
});

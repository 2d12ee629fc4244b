// Requests made to cost more than they weigh: 8 MiB of whatever is smallest on the wire.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DecodeError } from '../../../../src/wire/decode-error.ts';
import { examineOtlp } from '../../../../src/wire/otlp/examine.ts';
import { examineTraces } from '../../../../src/wire/otlp/examine-traces.ts';
import { fromJson } from '../../../../src/wire/otlp/json-read.ts';
import { toJson } from '../../../../src/wire/otlp/json-write.ts';
import { varint } from '../../../kit/protobuf.ts';

const SIZE = 8 * 1024 * 1024;
/** Far above what any takes here; what is quadratic takes minutes. */
const SLOW_MS = 5000;

const repeated = (unit: number[], size: number) => Buffer.alloc(size - (size % unit.length), Buffer.from(unit));
/** A field around this content, and so on outwards. */
const inside = (content: Buffer, ...fields: number[]) =>
  fields.reduce(
    (inner, field) => Buffer.concat([Buffer.from([...varint(field * 8 + 2), ...varint(inner.length)]), inner]),
    content,
  );
const profileOf = (content: Buffer) => inside(content, 2, 2, 1);
const tables = inside(Buffer.from([0x2a, 0, 0x32, 0, 0x3a, 0]), 2);

/** Runs it, and says how it ended. */
function outcome(run: () => unknown, maxBytes: number): string {
  const start = performance.now();
  const before = process.memoryUsage();
  let reason = 'sound';
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof DecodeError, `${error}`);
    reason = error.reason;
  }
  assert.ok(performance.now() - start < SLOW_MS);
  const after = process.memoryUsage();
  const grown = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers;
  assert.ok(grown < maxBytes, `${reason}: ${grown} bytes more`);
  return reason;
}

const requests = (size: number): [what: string, raw: Buffer, outcome: string][] => [
  ['parts', repeated([0x0a, 0], size), 'too_many_elements'],
  ['scopes', inside(repeated([0x12, 0], size), 1), 'sound'],
  ['profiles', inside(repeated([0x12, 0], size), 2, 1), 'too_many_elements'],
  ['samples of nothing', profileOf(repeated([0x12, 0], size)), 'value_count'],
  ['samples', profileOf(repeated([0x12, 2, 0x20, 1], size)), 'sound'],
  ['values', Buffer.concat([profileOf(inside(inside(repeated([1], size), 4), 2)), tables]), 'sound'],
  ['negative values', profileOf(inside(repeated([0x20, ...varint(-(2n ** 63n))], size), 2)), 'sound'],
  ['rows 0', profileOf(inside(inside(repeated([0], size), 2), 2)), 'value_count'],
  ['padded rows 0', profileOf(inside(inside(repeated([0x80, 0x80, 0], size), 2), 2)), 'value_count'],
  ['sample types', profileOf(repeated([0x0a, 2, 8, 0], size)), 'sound'],
  ['strings', inside(repeated([0x2a, 0], size), 2), 'too_many_elements'],
  ['locations', inside(repeated([0x12, 0], size - 2), 2), 'too_many_elements'],
  ['lines', inside(repeated([0x1a, 0], size), 2, 2), 'sound'],
  ['unknown fields', repeated([0x78, 1], size), 'sound'],
  ['attributes', inside(repeated([0x0a, 0], size), 1, 1), 'sound'],
  ['one string', inside(repeated([0x61], size), 9, 2, 2, 1), 'sound'],
];

test('the check costs by bytes and keeps nothing', () => {
  for (const [what, raw, expected] of requests(SIZE))
    assert.equal(
      outcome(() => examineOtlp(raw), 64e6),
      expected,
      what,
    );
  assert.equal(
    outcome(() => examineTraces(inside(repeated([0x12, 0], SIZE), 2, 1)), 64e6),
    'sound',
  );
});

test('JSON costs by bytes, both ways', () => {
  const json = (unit: string, [before, after]: [string, string]) =>
    Buffer.from(`${before}${unit.repeat(SIZE / 4 / unit.length)}${unit.slice(0, -1)}${after}`);
  const samples: [string, string] = ['{"resourceProfiles":[{"scopeProfiles":[{"profiles":[{"samples":[', ']}]}]}]}'];
  const values: [string, string] = [`${samples[0]}{"values":[`, `]}${samples[1]}`];
  const texts: [string, Buffer, string][] = [
    ['samples', json('{},', samples), 'sound'],
    ['values', json('1,', values), 'sound'],
    ['numbers in strings', json('"1",', values), 'sound'],
    ['values that are long', json('-9223372036854775808,', values), 'sound'],
    ['strings', json('"",', ['{"dictionary":{"stringTable":[', ']}}']), 'sound'],
    ['unknown members', json('[{"a":null}],', ['{"x":[', ']}']), 'sound'],
    ['commas', json(',,', ['{"x":[', ']}']), 'bad_json'],
    ['open brackets', Buffer.alloc(SIZE, '['), 'bad_json'],
    ['open objects', Buffer.from('{"a":'.repeat(SIZE / 5)), 'too_deep'],
    ['one number', Buffer.from(`{"x":${'1'.repeat(SIZE)}}`), 'bad_json'],
    [
      'a number in a string',
      Buffer.from(`{"resourceProfiles":[{"resource":{"droppedAttributesCount":"${'1'.repeat(SIZE)}"}}]}`),
      'bad_value',
    ],
    ['escapes', Buffer.from(`{"resourceProfiles":[{"schemaUrl":"${'\\n'.repeat(SIZE / 2)}"}]}`), 'sound'],
  ];
  for (const [what, text, expected] of texts)
    assert.equal(
      outcome(() => fromJson(text, 'profiles'), 150e6),
      expected,
      what,
    );
  for (const [, raw] of requests(SIZE / 8)) outcome(() => toJson(raw, 'profiles'), 200e6);
});

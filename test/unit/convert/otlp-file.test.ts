// OTLP as files hold it: behind lengths, one request a line, or one document over many lines.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readOtlpFile } from '../../../src/convert/otlp-file.ts';
import { Losses } from '../../../src/wire/convert/losses.ts';
import { examineOtlp } from '../../../src/wire/otlp/examine.ts';
import { toJson } from '../../../src/wire/otlp/json-write.ts';
import { framed, request } from '../../kit/otlp.ts';
import { bytes, number } from '../../kit/protobuf.ts';

/** One profile of type samples/count with a sample of this value. */
const one = (value: number) =>
  request([...bytes(1, [...number(1, 1), ...number(2, 2)]), ...bytes(2, bytes(4, [value]))]);
const json = (each: Uint8Array) => Buffer.concat(toJson(each, 'profiles')).toString();
const totals = (file: Uint8Array) => {
  const { request: read, version } = readOtlpFile(file, new Losses());
  return { version, totals: examineOtlp(read).parts.map(({ summary }) => summary.types[0]!.total) };
};

test('one request is itself, byte for byte', () => {
  const file = one(7);
  const { request: read, version } = readOtlpFile(file, new Losses());
  assert.equal(read, file);
  assert.equal(version, 'OTLP 1.10');
});

test('requests behind their lengths are one', () => {
  const all = { version: 'OTLP 1.10, 2 requests behind their lengths', totals: [7n, 9n] };
  assert.deepEqual(totals(framed([one(7), one(9)])), all);
  assert.deepEqual(totals(framed([one(7)])).totals, [7n]);
});

test('JSON is one request a line, or one over many lines', () => {
  const lines = Buffer.from(`${json(one(7))}\r\n\n${json(one(9))}\n`);
  assert.deepEqual(totals(lines), { version: 'OTLP JSON, 2 requests, one a line', totals: [7n, 9n] });
  const pretty = Buffer.from(JSON.stringify(JSON.parse(json(one(7))), undefined, 2));
  assert.deepEqual(totals(pretty), { version: 'OTLP JSON', totals: [7n] });
});

// Merge and split: the decoded trees are those of the requests, and the dictionary holds what they lead to, once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError } from '../../../../src/wire/decode-error.ts';
import { mergeOtlp } from '../../../../src/wire/otlp/merge.ts';
import { splitOtlp } from '../../../../src/wire/otlp/split.ts';
import { CURRENT, capture, dictionary, noCorpus, request } from '../../../kit/otlp.ts';
import { madeRequest } from '../../../kit/otlp-made.ts';
import { treeOf } from '../../../kit/otlp-tree.ts';
import { bytes, fieldsOf, number, text } from '../../../kit/protobuf.ts';

const clean = (written: Uint8Array) => {
  const tree = treeOf(written);
  assert.deepEqual([tree.orphans, tree.duplicates], [[], []]);
  return tree.resources;
};

test('captures merge into one dictionary that is smaller than theirs', { skip: noCorpus }, () => {
  const requests = CURRENT.map(capture);
  const merged = mergeOtlp(requests);
  assert.deepEqual(
    clean(merged),
    requests.flatMap(one => treeOf(one).resources),
  );
  assert.ok(merged.length < requests.reduce((sum, { length }) => sum + length, 0));
});

test('random requests merge, and each part splits off again', () => {
  fc.assert(
    fc.property(fc.array(madeRequest, { maxLength: 3 }), requests => {
      const due = requests.flatMap(one => treeOf(one).resources);
      const merged = mergeOtlp(requests);
      assert.deepEqual(clean(merged), due);
      for (const [part, one] of due.entries()) assert.deepEqual(clean(splitOtlp(merged, [part])), [one]);
      assert.deepEqual(clean(splitOtlp(merged, [...due.keys()].reverse())), [...due].reverse());
    }),
    { numRuns: 200 },
  );
});

test('unknown fields stay in every message that is taken', () => {
  const unknown = number(99, 7);
  const sample = bytes(2, [...number(1, 1), ...bytes(2, [1]), ...bytes(4, [5]), ...unknown]);
  const raw = Buffer.from([...request([...sample, ...unknown], dictionary(2)), ...unknown]);
  const count = (message: Uint8Array) =>
    Buffer.from(message).toString('latin1').split(Buffer.from(unknown).toString('latin1')).length - 1;
  assert.equal(count(splitOtlp(raw, [0])), count(raw));
});

test('rows that do not exist, and parts that do not, are told', () => {
  const sample = bytes(2, [...bytes(2, [9]), ...bytes(4, [5])]);
  assert.throws(
    () => splitOtlp(request(sample), [0]),
    (error: DecodeError) => error.reason === 'bad_reference',
  );
  assert.throws(() => splitOtlp(request([]), [1]), RangeError);
});

test('attribute values may not lie too deep', () => {
  let value = text(1, 'x');
  for (let depth = 0; depth < 200; depth++) value = bytes(5, bytes(1, value));
  const resource = bytes(1, bytes(1, [...text(1, 'deep'), ...bytes(2, value)]));
  assert.throws(
    () => mergeOtlp([request([], dictionary(), resource)]),
    (error: unknown) => error instanceof DecodeError && error.reason === 'too_deep',
  );
});

test('a request without parts is one', () => {
  const merged = mergeOtlp([]);
  assert.deepEqual(treeOf(merged).resources, []);
  assert.equal(fieldsOf(merged).length, 1);
});

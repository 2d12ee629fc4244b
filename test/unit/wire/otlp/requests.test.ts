import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { documentsIn, formOfFile, isFramed, requestsOf } from '../../../../src/wire/otlp/requests.ts';
import { framed } from '../../../kit/otlp.ts';

const parsed = (text: string) => documentsIn(Buffer.from(text)).map(one => JSON.parse(Buffer.from(one).toString()));

test('lines come apart again, however they are written, and one document stays one', () => {
  const object = fc.dictionary(fc.string(), fc.jsonValue());
  const border = fc.constantFrom('\n', '\r\n', '\n\n', ' \n\t');
  const indent = fc.constantFrom(undefined, 1, '\t');
  fc.assert(
    fc.property(fc.array(fc.tuple(object, indent, border), { minLength: 1, maxLength: 5 }), all => {
      const plain = all.map(([value]) => JSON.parse(JSON.stringify(value)));
      const text = all.map(([value, indent, border]) => JSON.stringify(value, undefined, indent) + border).join('');
      assert.deepEqual(parsed(text), plain);
    }),
  );
});

test('more documents than anybody writes into one file are refused', () => {
  assert.equal(documentsIn(Buffer.from('{}\n'.repeat(10_000))).length, 10_000);
  assert.throws(() => documentsIn(Buffer.from('{}\n'.repeat(10_001))), { reason: 'too_large' });
});

test('messages come apart again behind their lengths, and no other file is taken for that', () => {
  const message = fc.uint8Array({ minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(fc.array(message, { minLength: 1, maxLength: 5 }), all => {
      const file = framed(all);
      assert.equal(formOfFile(file), 'otlp');
      const { wire, requests, isFramed: behind } = requestsOf(file);
      assert.deepEqual(
        { wire, behind, requests: requests.map(one => [...one]) },
        {
          wire: 'protobuf',
          behind: true,
          requests: all.map(one => [...one]),
        },
      );
      for (const other of [
        file.subarray(0, -1),
        Buffer.concat([file, Buffer.from([0])]),
        Buffer.concat([file, Buffer.alloc(4)]),
      ])
        assert.equal(isFramed(other), false);
    }),
  );
  for (const other of [Buffer.alloc(0), Buffer.alloc(4), Buffer.alloc(8)]) assert.equal(isFramed(other), false);
});

test('more messages behind lengths than anybody writes into one file are refused', () => {
  const tiny = Buffer.from([1]);
  assert.equal(requestsOf(framed(Array.from({ length: 10_000 }, () => tiny))).requests.length, 10_000);
  assert.throws(() => requestsOf(framed(Array.from({ length: 10_001 }, () => tiny))), { reason: 'too_large' });
});

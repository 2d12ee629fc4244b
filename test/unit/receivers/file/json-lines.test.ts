import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { documentsIn } from '../../../../src/receivers/file/json-lines.ts';

const parsed = (text: string) => documentsIn(Buffer.from(text)).map(one => JSON.parse(String(one)));

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

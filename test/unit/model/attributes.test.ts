import assert from 'node:assert/strict';
import { test } from 'node:test';
import { labelText, type Plain } from '../../../src/model/attributes.ts';

test('a label of bytes is their base64, in lists and maps too', () => {
  const bytes = new Uint8Array([222, 173, 190, 239]);
  const texts: [Plain, string | undefined][] = [
    [bytes, '3q2+7w=='],
    [Buffer.from(bytes), '3q2+7w=='],
    [[bytes, Buffer.from(bytes), 7n], '["3q2+7w==","3q2+7w==","7"]'],
    [{ a: { b: bytes } }, '{"a":{"b":"3q2+7w=="}}'],
    [true, 'true'],
    [null, undefined],
  ];
  for (const [value, text] of texts) assert.equal(labelText(value), text);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fields } from '../../../src/api/index.ts';

const said = (text: string) => fields.duration().safeParse(text).error?.issues[0]?.message;

test('a duration has an end: what is longer than ten years was mistyped', () => {
  assert.equal(fields.duration().parse('3650d'), 3650 * 86_400_000);
  for (const text of ['3651d', '99999999h', `${'9'.repeat(400)}s`])
    assert.equal(said(text), `"${text}" is too long: at most 3650d`);
});

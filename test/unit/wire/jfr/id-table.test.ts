import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mixed } from '../../../../src/wire/jfr/id-table.ts';

test('keys that were prepared to undo each other spread like any others', () => {
  const bits = 7;
  const found = new Set<number>();
  for (let one = 0; one < 2 ** bits; one++)
    for (let other = 0; other < 2 ** bits; other++) {
      const top = (other << (32 - bits)) >>> 0;
      found.add(mixed((one << (32 - bits)) >>> 0, (top ^ (top >>> 15)) >>> 0));
    }
  assert.ok(found.size > 0.9 * 2 ** (2 * bits), `${found.size} of ${2 ** (2 * bits)}`);
});

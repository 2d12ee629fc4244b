import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { editDistance, nearest } from '../../../src/config/nearest.ts';

test('finds the word that was meant, and none when nothing is near', () => {
  const words = ['timeout', 'endpoint', 'headers', 'tls'];
  assert.equal(nearest('timeot', words), 'timeout');
  assert.equal(nearest('tiemout', words), 'timeout');
  assert.equal(nearest('Endpoint', words), 'endpoint');
  assert.equal(nearest('tsl', words), 'tls');
  assert.equal(nearest('compression', words), undefined);
  assert.equal(nearest('x'.repeat(1000), ['x'.repeat(999)]), undefined);
});
test('edit distance is symmetric, zero only for equals, and at most the longer length', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (a, b) => {
      const distance = editDistance(a, b);
      assert.equal(distance, editDistance(b, a));
      assert.equal(distance === 0, a === b);
      assert.ok(distance <= Math.max(a.length, b.length) && distance >= Math.abs(a.length - b.length));
    }),
  );
});

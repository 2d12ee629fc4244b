import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { combine, type Result } from '../../../src/api/result.ts';

const accepted: Result = { kind: 'accepted' };
const dropped: Result = { kind: 'accepted', drops: [{ items: 1, reason: 'max_age' }] };
const refused: Result = { kind: 'refused', reason: 'full', retryAfterMs: 1000 };
const retryable: Result = { kind: 'retryable', error: new Error('down'), retryAfterMs: 5000 };
const permanent: Result = { kind: 'permanent', error: new Error('bad'), fault: 'sender' };

test('the truth table of fan-out', () => {
  assert.equal(combine(3, [accepted, accepted]).kind, 'accepted');
  assert.deepEqual(combine(3, [accepted, permanent]), {
    kind: 'accepted',
    drops: [{ items: 3, reason: 'rejected', message: 'bad' }],
  });
  assert.deepEqual(combine(3, [dropped, permanent]), {
    kind: 'accepted',
    drops: [
      { items: 1, reason: 'max_age' },
      { items: 3, reason: 'rejected', message: 'bad' },
    ],
  });
  assert.deepEqual(combine(3, [permanent, permanent]), permanent);
  assert.deepEqual(combine(3, [retryable, refused, accepted]), { ...refused, retryAfterMs: 5000 });
  assert.deepEqual(combine(3, [accepted, retryable, permanent]), retryable);
  assert.deepEqual(combine(3, []), accepted);
});

test('one branch is its own answer, and order does not change the kind', () => {
  const any = fc.constantFrom(accepted, dropped, refused, retryable, permanent);
  fc.assert(fc.property(any, one => combine(1, [one]) === one));
  fc.assert(
    fc.property(fc.array(any, { minLength: 1 }), many => combine(1, many).kind === combine(1, many.toReversed()).kind),
  );
});

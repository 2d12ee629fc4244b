import assert from 'node:assert/strict';
import { test } from 'node:test';
import { REMEMBER_MS, Recent } from '../../../../src/pipeline/outbox/disk/recent.ts';

test('an id is known for ten minutes, whatever came since, and no longer', () => {
  const recent = new Recent();
  const startMs = 1_700_000_000_000;
  recent.add('x', startMs);
  for (let ms = 0; ms < REMEMBER_MS; ms += 1000) {
    recent.add(`other ${ms}`, startMs + ms);
    assert.ok(recent.has('x', startMs + ms), `${ms}`);
  }
  assert.ok(!recent.has('x', startMs + REMEMBER_MS));
  assert.ok(!recent.has('y', startMs));
  recent.add('x', startMs + REMEMBER_MS);
  assert.ok(recent.has('x', startMs + REMEMBER_MS + 1), 'again');
});

test('an id does not last when the clock is set back', () => {
  const recent = new Recent();
  recent.add('x', 1_700_000_000_000);
  assert.ok(!recent.has('x', 1_600_000_000_000));
});

test('at least the later half of what there is room for is known', () => {
  const recent = new Recent(100);
  for (let n = 0; n < 1000; n++) recent.add(`${n}`, 5);
  for (let n = 950; n < 1000; n++) assert.ok(recent.has(`${n}`, 5));
  assert.ok(!recent.has('800', 5));
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { change, human, percentOf, percentText, timeText } from '../../../src/convert/units.ts';
import { plain, table } from '../../../src/terminal.ts';

test('three digits and the unit that fits', () => {
  assert.equal(human(1_730_000_000n, 'nanoseconds'), '1.73 s');
  assert.equal(human(320n, 'milliseconds'), '320 ms');
  assert.equal(human(90n, 'seconds'), '1.50 min');
  assert.equal(human(0n, 'nanoseconds'), '0 ns');
  assert.equal(human(1536n, 'bytes'), '1.50 KiB');
  assert.equal(human(173n, 'count'), '173');
  assert.equal(human(1_234_567n, 'count'), '1.23 M');
  assert.equal(human(-2_000_000_000n, 'nanoseconds'), '-2 s');
  assert.equal(human((1n << 70n) - 1n, 'nobody knows'), '1180591621 T');
});

test('changes have a sign, shares of nothing are none', () => {
  assert.equal(change(5n, 'count'), '+5');
  assert.equal(change(-5n, 'count'), '-5');
  assert.equal(change(0, 'count'), '0');
  assert.equal(percentText(percentOf(1n, 3n), '+'), '+33.33 %');
  assert.equal(percentText(percentOf(1n, 0n)), '-');
});

test('times are RFC 3339 to the nanosecond', () => {
  assert.equal(timeText(1_677_488_315_039_823_000n), '2023-02-27T08:58:35.039823Z');
  assert.equal(timeText(1_700_000_000_000_000_001n), '2023-11-14T22:13:20.000000001Z');
  assert.equal(timeText(1_700_000_000_000_000_000n), '2023-11-14T22:13:20Z');
  assert.equal(timeText((1n << 63n) - 1n), '2262-04-11T23:47:16.854775807Z');
});

test('a table is as wide as its cells, and what came from outside cannot steer the terminal', () => {
  assert.equal(
    table('lr', [
      ['a', '1'],
      ['long', '22'],
    ]),
    'a      1\nlong  22\n',
  );
  assert.equal(plain('a\u001b[31m\u202eb'), 'a\\u{1b}[31m\\u{202e}b');
});

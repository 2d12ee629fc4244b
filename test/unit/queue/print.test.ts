import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ageText, bytesText, entryText, tallyTable } from '../../../src/queue/print.ts';
import { plain } from '../../../src/terminal.ts';

test('sizes and ages are short', () => {
  assert.deepEqual([0, 1023, 1024, 20_000, 3 * 2 ** 30].map(bytesText), [
    '0 B',
    '1023 B',
    '1.0 KiB',
    '19.5 KiB',
    '3.0 GiB',
  ]);
  assert.deepEqual([-5, 999, 61_000, 3_600_000, 90_000_000].map(ageText), ['0s', '0s', '1m1s', '1h0m', '1d1h']);
});

test('what a sender or a store wrote cannot steer the terminal', () => {
  assert.equal(plain('a\u001b[31m\r\nb\u202ec\u2028'), 'a\\u{1b}[31m\\u{d}\\u{a}b\\u{202e}c\\u{2028}');
  const evil = '\u001b]0;x\u0007';
  const entry = {
    ...{
      id: 1,
      queue: 'a',
      state: 'dead' as const,
      batch: evil,
      bytes: 1,
      storedMs: 0,
      attempts: 1,
      deadMs: 0,
      reason: evil,
    },
    ...{ message: evil, signal: 'profiles', tenant: evil, dialect: 'pyroscope', problem: evil },
    profiles: [
      {
        ...{ labels: { __name__: evil, [evil]: evil }, form: 'pprof', encoding: 'gzip', part: 0, at: 0, bytes: 1 },
        origin: { door: evil },
      },
    ],
  } as const;
  const tally = {
    queue: evil,
    read: false,
    pending: { batches: 0, bytes: 0 },
    inFlight: 0,
    dead: [{ reason: evil, batches: 1, bytes: 1 }],
  };
  for (const text of [entryText(entry, 0), tallyTable([tally], 0)]) assert.doesNotMatch(text, /[^\P{Cc}\n]/u);
});

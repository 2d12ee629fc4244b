import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Found, holdLedger, Ledger, MAX_FILES } from '../../../../src/receivers/file/ledger.ts';
import { SlabPool } from '../../../../src/workers/slabs.ts';

const HOUR_MS = 60 * 60 * 1000;
const file = (key: string, size = 1, modifiedNs = 1n): Found => ({ key, path: `/${key}`, size, modifiedNs });
const keys = (files: readonly Found[]) => files.map(({ key }) => key);

test('a file is due at the second look that finds it the same, once', () => {
  const ledger = new Ledger();
  assert.deepEqual(ledger.look([file('a')], 0, 'read', true), []);
  assert.deepEqual(ledger.look([file('a', 2)], 0, 'read', true), [], 'it grew');
  assert.deepEqual(ledger.look([file('a', 2, 2n)], 0, 'read', true), [], 'it was written over');
  const [due] = ledger.look([file('a', 2, 2n)], 0, 'read', true);
  assert.equal(due!.key, 'a');
  assert.deepEqual([ledger.claim(due!), ledger.claim(due!)], [0, undefined]);
  assert.deepEqual(ledger.look([due!], 0, 'read', true), [], 'while it is read');
  ledger.done(due!);
  assert.deepEqual(
    keys(ledger.look([{ ...due!, path: '/renamed' }], 0, 'read', true)),
    [],
    'a name is not an identity',
  );
  assert.deepEqual(ledger.look([file('a', 3, 3n)], 0, 'read', true), []);
  assert.deepEqual(keys(ledger.look([file('a', 3, 3n)], 0, 'read', true)), ['a'], 'changed, it is read again');
});

test('what changes while it is read is read again', () => {
  const ledger = new Ledger();
  ledger.look([file('a')], 0, 'read', true);
  const [due] = ledger.look([file('a')], 0, 'read', true);
  ledger.claim(due!);
  ledger.look([file('a', 9, 9n)], 0, 'read', true);
  ledger.done(due!);
  ledger.look([file('a', 9, 9n)], 0, 'read', true);
  assert.deepEqual(keys(ledger.look([file('a', 9, 9n)], 0, 'read', true)), ['a']);
});

test('the oldest comes first, an empty file not at all', () => {
  const ledger = new Ledger();
  const all = [file('b', 1, 20n), file('empty', 0, 1n), file('a', 1, 10n)];
  ledger.look(all, 0, 'read', true);
  assert.deepEqual(keys(ledger.look(all, 0, 'read', true)), ['a', 'b']);
  assert.equal(ledger.open, 2);
});

test('what was put off comes back after its delay, longer each time', () => {
  const ledger = new Ledger();
  ledger.look([file('a')], 0, 'read', true);
  const double = (tries: number) => 100 * 2 ** tries;
  let nowMs = 0;
  for (const [tries, delay] of [100, 200, 400].entries()) {
    const [due] = ledger.look([file('a')], nowMs, 'read', true);
    assert.equal(ledger.claim(due!), tries);
    ledger.again(due!, double, nowMs);
    assert.deepEqual(ledger.look([file('a')], nowMs + delay - 1, 'read', true), []);
    nowMs += delay;
  }
  assert.deepEqual(keys(ledger.look([file('a')], nowMs, 'read', true)), ['a']);
});

test('strangers are read, passed over until they change, or not noted at all', () => {
  const ledger = new Ledger();
  ledger.look([file('old')], 0, 'pass over', true);
  for (let look = 0; look < 3; look++) assert.deepEqual(ledger.look([file('old'), file('new')], 0, 'ignore', true), []);
  ledger.look([file('old'), file('new')], 0, 'read', true);
  assert.deepEqual(keys(ledger.look([file('old'), file('new')], 0, 'read', true)), ['new']);
  ledger.look([file('old', 2)], 0, 'read', true);
  assert.deepEqual(keys(ledger.look([file('old', 2)], 0, 'read', true)), ['old']);
});

test('what was read is remembered for an hour after it was seen last, unless not all was looked at', () => {
  const ledger = new Ledger();
  ledger.restore(file('a'), 0);
  const isKnown = () => [...ledger.settled()].length === 1;
  ledger.look([], HOUR_MS, 'read', true);
  assert.ok(isKnown());
  ledger.look([], 2 * HOUR_MS, 'read', false);
  assert.ok(isKnown(), 'a folder could not be read');
  ledger.look([], 2 * HOUR_MS, 'read', true);
  assert.ok(!isKnown());
});

test('what was never read and is gone is not waited for', () => {
  const ledger = new Ledger();
  ledger.look([file('a')], 0, 'read', true);
  assert.equal(ledger.open, 1);
  ledger.look([], 0, 'read', true);
  assert.equal(ledger.open, 0);
});

test('memory is bounded: when it is crowded, files that are gone are forgotten at once', () => {
  const ledger = new Ledger();
  for (let at = 0; at < 3 * MAX_FILES; at++) ledger.restore(file(`r${at}`), 0);
  assert.equal([...ledger.settled()].length, 2 * MAX_FILES);
  ledger.look([file('r1')], 0, 'read', true);
  assert.deepEqual(keys([...ledger.settled()]), ['r1']);
});

test('a receiver and its successor share a ledger, until nobody holds it', () => {
  const memory = new SlabPool({ budgetBytes: 1 });
  const first = holdLedger(memory, 'file');
  const other = holdLedger(memory, 'file/b');
  const second = holdLedger(memory, 'file');
  assert.deepEqual([first.isNew, second.isNew, other.isNew], [true, false, true]);
  assert.ok(first.ledger === second.ledger && first.ledger !== other.ledger);
  first.leave();
  assert.equal(holdLedger(memory, 'file').ledger, second.ledger);
  second.leave();
  second.leave();
  assert.notEqual(holdLedger(memory, 'file').ledger, second.ledger);
});

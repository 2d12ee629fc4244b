import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../../src/telemetry/clock.ts';
import { after, deadlineIn } from '../../../src/telemetry/timer.ts';

const LONGEST_MS = 2 ** 31 - 1;

/** Timers that fire when told to. What they are asked for is what Node.js would be asked for. */
function timers(context: TestContext) {
  const set: { act: () => void; ms: number }[] = [];
  context.mock.method(globalThis, 'setTimeout', (act: () => void, ms: number) => {
    set.push({ act, ms });
    return set.length;
  });
  const fire = () => set.shift()!.act();
  return { set, fire };
}

test('a delay longer than a timer keeps is waited for in pieces', context => {
  const { set, fire } = timers(context);
  let fired = 0;
  after(LONGEST_MS * 2 + 5, () => fired++);
  const pieces: number[] = [];
  while (set.length > 0) {
    assert.equal(fired, 0);
    pieces.push(set[0]!.ms);
    fire();
  }
  assert.deepEqual([pieces, fired], [[LONGEST_MS, LONGEST_MS, 5], 1]);
});

test('for ever is never', context => {
  const { set, fire } = timers(context);
  after(Number.POSITIVE_INFINITY, () => assert.fail('fired'));
  for (let n = 0; n < 100; n++) fire();
  assert.deepEqual(
    set.map(({ ms }) => ms),
    [LONGEST_MS],
  );
});

test('the clock sleeps for 30 days and not for a millisecond', async context => {
  const { set, fire } = timers(context);
  let awake = false;
  const slept = systemClock.sleep(30 * 86_400_000).then(() => {
    awake = true;
  });
  fire();
  await null;
  assert.deepEqual([awake, set.length], [false, 1]);
  fire();
  await slept;
});

test('a deadline can be moved up, and does not fire once it was met', context => {
  const { set, fire } = timers(context);
  const one = deadlineIn(1000);
  one.cut();
  assert.equal(one.signal.aborted, true);
  const other = deadlineIn(1000);
  fire();
  fire();
  assert.equal(other.signal.aborted, true);
  assert.equal(set.length, 0);
});

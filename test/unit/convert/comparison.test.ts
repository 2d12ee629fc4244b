import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compare, overLimit, type Side, sideOf } from '../../../src/convert/comparison.ts';
import { named } from '../../../src/convert/select.ts';
import { ColumnsBuilder } from '../../../src/model/columns/builder.ts';

/** A function is a leaf of its own value under `main`. */
function side(values: Readonly<Record<string, bigint>>, durationNs = 0n): Side {
  const total = Object.values(values).reduce((sum, value) => sum + value, 0n);
  const leaves = Object.entries(values).map(([name, value]) => [name, { name, self: value, total: value }] as const);
  return { total, durationNs, functions: new Map([...leaves, ['main', { name: 'main', self: 0n, total }]]) };
}
const overNames = (a: Side, b: Side, percent: number, perSecond = false) =>
  overLimit(compare(a, b, perSecond), percent).map(({ name }) => name ?? 'all');

test('functions come by how much their own value changed, each with points of the total of A', () => {
  const { total, changes } = compare(side({ f: 60n, g: 40n }), side({ f: 50n, h: 70n, g: 40n }), false);
  assert.deepEqual(total, { a: 100n, b: 160n, change: 60, points: 60 });
  assert.deepEqual(
    changes.map(({ name, self, total: all }) => [name, self.change, self.points, all.points]),
    [
      ['h', 70, 70, 70],
      ['f', -10, -10, -10],
      ['main', 0, 0, 60],
    ],
  );
});

test('the limit is a share of the total of A, for the total and for each function with its callees', () => {
  const a = side({ f: 900n, g: 100n });
  // g doubled and a half, which is 15 % of A; f gave as much up.
  assert.deepEqual(overNames(a, side({ f: 750n, g: 250n }), 5), ['g']);
  assert.deepEqual(overNames(a, side({ f: 750n, g: 250n }), 15), [], 'as much as the limit is not over it');
  assert.deepEqual(overNames(a, side({ f: 970n, g: 100n }), 5), ['all', 'f', 'main'], 'the largest first');
  // 7 % of 1000 is no exact double; 70 is exactly the limit.
  assert.deepEqual(overNames(a, side({ f: 970n, g: 100n }), 7), []);
  assert.deepEqual(overNames(a, side({ f: 100n }), 0), [], 'what shrank is never over');
});

test('where A is nothing any growth is over, and nothing is not', () => {
  assert.deepEqual(overNames(side({}), side({ f: 1n }), 100), ['all', 'f', 'main']);
  assert.deepEqual(overNames(side({}), side({}), 0), []);
});

test('of a negative total the size counts', () => {
  assert.deepEqual(overNames(side({ f: -100n }), side({ f: -80n }), 10), ['all', 'f', 'main']);
  assert.deepEqual(overNames(side({ f: -100n }), side({ f: -120n }), 10), []);
});

test('per second twice the time with twice the value is no change', () => {
  const a = side({ f: 100n }, 1_000_000_000n);
  const b = side({ f: 200n }, 2_000_000_000n);
  assert.deepEqual(overNames(a, b, 5), ['all', 'f', 'main']);
  assert.deepEqual(compare(a, b, true).changes, []);
  assert.equal(compare(a, side({ f: 300n }, 2_000_000_000n), true).total.points, 50);
});

test('values beyond 2^53 that differ by one are told apart', () => {
  const huge = 1n << 62n;
  assert.equal(compare(side({ f: huge }), side({ f: huge + 1n }), false).total.change, 1);
});

test('profiles of one name add up, and last as long as one of them ran', () => {
  const profile = (from: bigint, lasted: bigint) => {
    const builder = new ColumnsBuilder([{ type: 'cpu', unit: 'nanoseconds' }]);
    const leaf = builder.location({ function: builder.function({ name: builder.string('f') }) });
    builder.sample([leaf], 1, 10n);
    builder.columns.timeNanos = from;
    builder.columns.durationNanos = lasted;
    return { columns: builder.columns, attributes: new Map(), resource: new Map(), part: 0 };
  };
  const lasted = (...profiles: ReturnType<typeof profile>[]) => sideOf(named(profiles), 'cpu');
  assert.equal(lasted(profile(0n, 60n), profile(0n, 60n)).total, 20n);
  assert.equal(lasted(profile(100n, 60n), profile(100n, 60n)).durationNs, 60n, 'beside each other');
  assert.equal(lasted(profile(160n, 60n), profile(100n, 60n)).durationNs, 120n, 'behind each other');
  assert.equal(lasted(profile(100n, 60n), profile(130n, 60n), profile(500n, 5n)).durationNs, 95n);
  assert.equal(lasted(profile(100n, 60n), profile(100n, 0n)).durationNs, 0n, 'one does not say');
});

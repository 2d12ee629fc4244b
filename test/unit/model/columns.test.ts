// The tables of columns where decoders and stages lean on them: strings, ids, labels, samples, unknown fields.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Columns } from '../../../src/model/columns/columns.ts';
import { Ids } from '../../../src/model/columns/ids.ts';
import { Int64s } from '../../../src/model/columns/int64.ts';
import { Strings } from '../../../src/model/columns/strings.ts';
import { Ranges } from '../../../src/model/columns/unknown.ts';
import { decodePprof } from '../../../src/wire/pprof/decode.ts';
import { made } from '../../kit/made.ts';
import { plainOf, sumsOf } from '../../kit/plain.ts';

const id = fc.oneof(
  fc.bigInt({ min: 1n, max: 30n }),
  fc.bigInt({ min: (1n << 32n) - 3n, max: (1n << 32n) + 3n }),
  fc.bigInt({ min: (1n << 64n) - 4n, max: (1n << 64n) - 1n }),
);
/** Halves of either sign, as decoders have them. */
const halves = (value: bigint) => [Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))] as const;
const unsigned = (value: bigint) => halves(value).map(half => half >>> 0) as [number, number];

test('ids find their rows, sequential or not, and fresh ones are free', () => {
  const step = fc.oneof(id, fc.constant('next' as const), fc.constant('fresh' as const));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), steps => {
      const ids = new Ids();
      const model = new Map<bigint, number>();
      for (const one of steps) {
        const row = ids.count;
        if (one === 'fresh') {
          assert.equal(ids.addFresh(), row);
          const given = (BigInt(ids.hi(row)) << 32n) | BigInt(ids.lo(row));
          assert.ok(given !== 0n && !model.has(given));
          model.set(given, row);
          continue;
        }
        const value = one === 'next' ? BigInt(row) : one;
        assert.equal(ids.add(...halves(value)), !model.has(value));
        if (!model.has(value)) model.set(value, row);
      }
      assert.equal(ids.count, model.size + 1);
      for (const [value, row] of model) {
        assert.equal(ids.rowOf(...unsigned(value)), row);
        assert.deepEqual([ids.lo(row), ids.hi(row)], unsigned(value));
      }
      for (const value of [0n, 31n, 1n << 40n, (1n << 64n) - 9n])
        if (!model.has(value)) assert.equal(ids.rowOf(...unsigned(value)), 0);
    }),
  );
});

test('texts are found and interned as in a map, by scan and by index', () => {
  const word = fc.oneof(fc.constantFrom('', 'a', 'b', 'ab', 'é', 'ä'), fc.string({ unit: 'grapheme', maxLength: 4 }));
  fc.assert(
    fc.property(fc.array(word, { maxLength: 20 }), fc.array(word, { maxLength: 60 }), (table, asked) => {
      const strings = new Strings();
      const parts = ['', ...table].map(one => Buffer.from(one));
      strings.clear(Buffer.concat(parts));
      let at = 0;
      for (const part of parts) {
        strings.add(at, at + part.length);
        at += part.length;
      }
      const rows = ['', ...table];
      for (const one of asked) {
        assert.equal(strings.find(one), rows.indexOf(one));
        const row = strings.intern(one);
        assert.equal(row, rows.includes(one) ? rows.indexOf(one) : rows.length);
        if (row === rows.length) rows.push(one);
      }
      assert.deepEqual(
        rows.map((_one, row) => strings.text(row)),
        rows,
      );
      assert.deepEqual(
        rows.map((_one, row) => Buffer.from(strings.bytes(row)).toString()),
        rows,
      );
      assert.equal(strings.sourceCount, parts.length);
    }),
  );
});

test('a row appended twice is two rows, and cleared strings know nothing of it', () => {
  const strings = new Strings();
  strings.clear(Buffer.from('x'));
  strings.add(0, 0);
  strings.add(0, 1);
  assert.deepEqual([strings.append('y'), strings.append('y'), strings.find('y')], [2, 3, 2]);
  assert.ok(strings.same(2, 3) && !strings.same(1, 2));
  strings.clear(Buffer.from('y'));
  strings.add(0, 0);
  assert.equal(strings.find('y'), -1);
  strings.add(0, 1);
  assert.deepEqual([strings.count, strings.find('y')], [2, 1]);
});

test('64-bit numbers are exact through growth', () => {
  const column = new Int64s(1);
  const numbers = [-1n, 0n, (1n << 63n) - 1n, -(1n << 63n), 1n << 32n, 0xffffffffn];
  for (const [row, value] of numbers.entries()) {
    column.ensure(row + 1);
    column.set(row, value);
  }
  assert.deepEqual(
    numbers.map((_value, row) => column.at(row)),
    numbers,
  );
  assert.deepEqual([...column.halves.subarray(0, 2)], [0xffffffff, 0xffffffff]);
});

test('unknown fields are found by row, joined where they touch, and forgotten', () => {
  const ranges = new Ranges();
  for (const [row, from, to] of [
    [0, 0, 2],
    [0, 2, 5],
    [0, 9, 10],
    [3, 20, 21],
    [7, 30, 31],
  ] as const)
    ranges.add(row, from, to);
  const list = () =>
    Array.from({ length: ranges.length }, (_none, at) =>
      [ranges.rows, ranges.from, ranges.to].map(column => column.items[at]),
    );
  assert.deepEqual(list(), [
    [0, 0, 5],
    [0, 9, 10],
    [3, 20, 21],
    [7, 30, 31],
  ]);
  assert.deepEqual(
    [0, 1, 3, 4, 8].map(row => ranges.first(row)),
    [0, 2, 2, 3, 4],
  );
  ranges.remove(3);
  assert.deepEqual(list()[2], [3, 20, 20]);
  ranges.keep(row => (row === 0 ? -1 : row - 1));
  assert.deepEqual(list(), [
    [2, 20, 20],
    [6, 30, 31],
  ]);
});

test('samples that are kept keep their values, stacks, labels and unknown fields', () => {
  fc.assert(
    fc.property(made, fc.infiniteStream(fc.boolean()), ({ raw, plain }, stream) => {
      const keep = plain.samples.map(() => stream.next().value as boolean);
      const columns = decodePprof(raw);
      columns.filterSamples(sample => keep[sample]!);
      const after = plainOf(columns);
      assert.deepEqual(
        after.samples,
        plain.samples.filter((_sample, at) => keep[at]),
      );
      assert.equal(columns.edited, keep.includes(false));
      if (!columns.edited) assert.deepEqual(sumsOf(after), sumsOf(plain));
    }),
  );
});

test('a label is one per key once it is set, in place of the first', () => {
  const columns = new Columns();
  columns.clear(new Uint8Array(0));
  columns.strings.add(0, 0);
  const [key, other, one, two] = ['key', 'other', 'one', 'two'].map(text => columns.strings.append(text));
  columns.samples.ensure(1, 0, 0);
  columns.samples.firstLabel[0] = 0;
  columns.samples.count = 1;
  const list = () => plainOf(columns).samples[0]!.labels.map(label => `${label.key}=${label.text || label.number}`);
  columns.setLabel(0, key!, one!);
  columns.setLabel(0, other!, two!);
  assert.deepEqual(list(), ['key=one', 'other=two']);
  columns.edited = false;
  columns.setLabel(0, other!, two!);
  assert.equal(columns.edited, false, 'nothing changed');
  columns.labels.next[2] = columns.labels.add(key!, two!);
  columns.labels.number.set(1, 5n);
  columns.setLabel(0, key!, two!);
  assert.deepEqual(list(), ['key=two', 'other=two']);
  columns.deleteLabel(0, key!);
  assert.deepEqual(list(), ['other=two']);
  assert.equal(columns.findLabel(0, key!), 0);
  columns.deleteLabel(0, other!);
  assert.deepEqual(list(), []);
});

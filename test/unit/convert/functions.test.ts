// Self and total per function, held against a count over plain values that shares nothing with src.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FunctionTotals } from '../../../src/convert/functions.ts';
import { ColumnsBuilder } from '../../../src/model/columns/builder.ts';
import type { Columns } from '../../../src/model/columns/columns.ts';
import { decodePprof } from '../../../src/wire/pprof/decode.ts';
import { type PlainProfile, plainOf } from '../../kit/plain.ts';
import { soundProfiles } from '../../kit/profiles.ts';

const totalsOf = (columns: readonly Columns[], type: number) => {
  const totals = new FunctionTotals();
  for (const one of columns) totals.add(one, type);
  return totals;
};

/** By name: self and total, and what all samples come to. */
function counted({ samples, locations, functions, mappings }: PlainProfile, type: number) {
  const names = new Map(functions.map(one => [one.id, one.name || one.systemName]));
  const files = new Map(mappings.map(one => [one.id, one.file]));
  const frames = new Map(
    locations.map(({ id, lines, mapping }) => {
      const file = files.get(mapping) ?? '';
      const instead = file === '' ? '<unknown>' : `[${file.split('/').at(-1)}]`;
      const found = lines.map(line => names.get(line.function) || instead);
      return [id, found.length === 0 ? [instead] : found] as const;
    }),
  );
  const self = new Map<string, bigint>();
  const total = new Map<string, bigint>();
  let all = 0n;
  for (const { locations: stack, values } of samples) {
    const value = values[type]!;
    all += value;
    const names = stack.flatMap(id => frames.get(id)!);
    if (names.length > 0) self.set(names[0]!, (self.get(names[0]!) ?? 0n) + value);
    for (const name of new Set(names)) total.set(name, (total.get(name) ?? 0n) + value);
  }
  return { self, total, all };
}

test('every sound profile at hand: self and total of each function are those of an independent count', () => {
  const profiles = soundProfiles();
  assert.ok(profiles.length > 10);
  for (const { file, raw } of profiles) {
    const columns = decodePprof(raw);
    const plain = plainOf(columns);
    for (const type of columns.sampleTypes.keys()) {
      const expected = counted(plain, type);
      const totals = totalsOf([columns], type);
      assert.equal(totals.all, expected.all, file);
      for (const { name, self, total } of totals.values()) {
        assert.equal(self, expected.self.get(name) ?? 0n, `${file}: self of ${name}`);
        assert.equal(total, expected.total.get(name) ?? 0n, `${file}: total of ${name}`);
        expected.total.delete(name);
      }
      assert.deepEqual([...expected.total.keys()], [], `${file}: functions that were not counted`);
    }
  }
});

const stacks = fc.array(
  fc.record({
    stack: fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 5 }),
    value: fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }),
  }),
  { maxLength: 20 },
);

function columnsOf(samples: readonly { readonly stack: readonly string[]; readonly value: bigint }[]): Columns {
  const builder = new ColumnsBuilder([{ type: 'cpu', unit: 'nanoseconds' }]);
  for (const { stack, value } of samples) {
    const rows = stack.map(name => builder.location({ function: builder.function({ name: builder.string(name) }) }));
    builder.sample(rows, rows.length, value);
  }
  return builder.columns;
}

test('recursion counts once a sample, sums beyond 64 bits are exact, and profiles add up', () => {
  fc.assert(
    fc.property(stacks, stacks, (one, other) => {
      const totals = totalsOf([columnsOf(one), columnsOf(other)], 0);
      const both = [...one, ...other];
      const sum = (having: (stack: readonly string[]) => boolean) =>
        both.filter(({ stack }) => having(stack)).reduce((all, { value }) => all + value, 0n);
      assert.equal(
        totals.all,
        sum(() => true),
      );
      for (const { name, self, total } of totals.values()) {
        assert.equal(
          self,
          sum(stack => stack[0] === name),
        );
        assert.equal(
          total,
          sum(stack => stack.includes(name)),
        );
      }
    }),
  );
});

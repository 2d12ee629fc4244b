// The scan where producers differ from the textbook: ids that are sparse, huge or out of order, lists that are not packed, fields
// in any order, numbers that leave 64 bits. Held against sets and sums of BigInt.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError } from '../../../src/wire/decode-error.ts';
import { MAX_INFLATED_BYTES } from '../../../src/wire/gzip.ts';
import { AsciiCheck } from '../../../src/wire/pprof/ascii.ts';
import { IdSet } from '../../../src/wire/pprof/id-set.ts';
import { checkPprofHeader, examinePprof } from '../../../src/wire/pprof/payload.ts';
import { scanPprof } from '../../../src/wire/pprof/scan.ts';
import { Totals } from '../../../src/wire/pprof/total.ts';
import { malformed } from '../../kit/corpus.ts';

const halves = (value: bigint) => {
  const bits = BigInt.asUintN(64, value);
  return [Number(bits & 0xffffffffn), Number(bits >> 32n)] as const;
};
function varint(value: bigint): number[] {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest >= 0x80n; rest >>= 7n) out.push(Number(rest & 0x7fn) | 0x80);
  return [...out, Number(rest)];
}
const number = (field: number, value: bigint | number) => [...varint(BigInt(field * 8)), ...varint(BigInt(value))];
const bytes = (field: number, content: number[]) => [
  ...varint(BigInt(field * 8 + 2)),
  ...varint(BigInt(content.length)),
  ...content,
];
const text = (field: number, value: string) => bytes(field, [...Buffer.from(value)]);

const id = fc.oneof(
  fc.bigInt({ min: 1n, max: 40n }),
  fc.bigInt({ min: 1n, max: 1n << 23n }),
  fc.bigInt({ min: (1n << 32n) - 3n, max: (1n << 32n) + 3n }),
  fc.bigInt({ min: (1n << 64n) - 4n, max: (1n << 64n) - 1n }),
);

test('a set of ids answers as a set of BigInt does', () => {
  fc.assert(
    fc.property(fc.array(id, { maxLength: 400 }), fc.array(id, { maxLength: 50 }), (added, asked) => {
      const ids = new IdSet();
      const model = new Set<bigint>();
      for (const one of added) {
        assert.equal(ids.add(...halves(one)), !model.has(one));
        model.add(one);
      }
      for (const one of [...asked, ...added]) assert.equal(ids.has(...halves(one)), model.has(one));
      assert.equal(ids.has(0, 0), false);
      assert.equal(ids.size, model.size);
      const sorted = [...model].sort((a, b) => (a < b ? -1 : 1));
      assert.equal(
        ids.dense,
        sorted.every((one, at) => one === BigInt(at + 1)),
      );
    }),
  );
});

test('a million ids without any order stay exact within 64 MB', () => {
  const ids = new IdSet();
  const before = process.memoryUsage().arrayBuffers;
  for (let n = 1; n <= 1_000_000; n++) assert.ok(ids.add(7, n));
  assert.ok(process.memoryUsage().arrayBuffers - before < 64e6);
  assert.ok(ids.has(7, 1_000_000) && !ids.has(7, 1_000_001) && !ids.has(8, 5));
});

test('sums are exact whatever the order and size of the values', () => {
  const value = fc.oneof(
    fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }),
    fc.bigInt({ min: -(1n << 53n), max: 1n << 53n }),
    fc.constantFrom((1n << 52n) - 1n, -(1n << 52n), 1n << 52n, (1n << 63n) - 1n, -(1n << 63n)),
  );
  fc.assert(
    fc.property(fc.array(value, { maxLength: 60 }), values => {
      const totals = new Totals();
      for (const one of values) totals.addHalves(1, ...halves(one));
      assert.equal(
        totals.value(1),
        values.reduce((sum, one) => sum + one, 0n),
      );
      assert.equal(totals.value(0), 0n);
      for (const [at, one] of values.entries()) totals.addHalves(at + 2, ...halves(one));
      for (const [at, one] of values.entries()) assert.equal(totals.value(at + 2), one);
    }),
  );
});

test('the ASCII check is right at every alignment', () => {
  const buffer = new SharedArrayBuffer(64);
  for (let offset = 0; offset < 6; offset++)
    for (let length = 0; length <= 24; length++) {
      const view = new Uint8Array(buffer, offset, length).fill(0x7f);
      for (let from = 0; from <= length; from++)
        for (let to = from; to <= length; to++) {
          const check = new AsciiCheck(view);
          assert.equal(check.holds(from, to), true);
          for (const at of [from - 1, from, to - 1, to]) {
            if (at < 0 || at >= length) continue;
            view[at] = 0x80;
            assert.equal(check.holds(from, to), at < from || at >= to, `${offset} ${length} ${from} ${to} ${at}`);
            view[at] = 0x7f;
          }
        }
    }
});

interface Model {
  readonly locations: readonly bigint[];
  readonly functions: readonly bigint[];
  readonly stacks: readonly (readonly number[])[];
  readonly values: readonly bigint[];
  readonly packed: boolean;
  readonly tableFirst: boolean;
  readonly shared: boolean;
}
const model: fc.Arbitrary<Model> = fc.record({
  locations: fc.uniqueArray(id, { minLength: 1, maxLength: 30 }),
  functions: fc.uniqueArray(id, { minLength: 1, maxLength: 10 }),
  stacks: fc.array(fc.array(fc.nat(), { maxLength: 20 }), { maxLength: 10 }),
  values: fc.array(fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }), { minLength: 10, maxLength: 10 }),
  packed: fc.boolean(),
  tableFirst: fc.boolean(),
  shared: fc.boolean(),
});

function encode(
  { locations, functions, stacks, values, packed, tableFirst, shared }: Model,
  stray?: bigint,
): Uint8Array {
  const list = (field: number, items: readonly bigint[]) =>
    packed
      ? bytes(
          field,
          items.flatMap(one => varint(one)),
        )
      : items.flatMap(one => number(field, one));
  const samples = stacks.map((stack, at) => {
    const ids = stack.map(n => locations[n % locations.length]!);
    if (stray !== undefined && at === 0) ids.push(stray);
    return bytes(2, [...list(1, ids), ...list(2, [values[at]!]), ...bytes(3, [...number(1, 1), ...number(2, 2)])]);
  });
  const fields = [
    bytes(1, [...number(1, 1), ...number(2, 2)]),
    ...samples,
    ...locations.map((one, at) =>
      bytes(4, [...number(1, one), ...number(3, 1n << 40n), ...bytes(4, number(1, functions[at % functions.length]!))]),
    ),
    ...functions.map(one => bytes(5, [...number(1, one), ...number(2, 3)])),
    text(200, 'a field that nobody knows'),
  ];
  const table = ['', 'cpu', 'nanoseconds', 'é'].map(one => text(6, one));
  const flat = (tableFirst ? [...table, ...fields.reverse()] : [...fields, ...table]).flat();
  const raw = new Uint8Array(shared ? new SharedArrayBuffer(flat.length + 3) : new ArrayBuffer(flat.length + 3), 3);
  raw.set(flat);
  return raw;
}

test('sound profiles of every shape are summed up exactly, in shared memory too', () => {
  fc.assert(
    fc.property(model, one => {
      const { types, samples, locations, functions } = scanPprof(encode(one));
      const total = one.values.slice(0, one.stacks.length).reduce((sum, value) => sum + value, 0n);
      assert.deepEqual(types, [{ type: 'cpu', unit: 'nanoseconds', total }]);
      assert.deepEqual(
        [samples, locations, functions],
        [one.stacks.length, one.locations.length, one.functions.length],
      );
    }),
  );
});

test('a location that does not exist is found among ids of every shape', () => {
  fc.assert(
    fc.property(
      model.filter(({ stacks }) => stacks.length > 0),
      fc.oneof(id, fc.constant(0n)),
      (one, stray) => {
        fc.pre(!one.locations.includes(stray));
        assert.throws(() => scanPprof(encode(one, stray)), { reason: 'bad_reference' });
      },
    ),
  );
});

test('every listed malformed profile is refused by the full check with the reason listed', async () => {
  let refused = 0;
  for (const { file, expect, bytes: body } of malformed('pprof', 'any')) {
    const check = async () => examinePprof({ encoding: checkPprofHeader(body), bytes: body }, MAX_INFLATED_BYTES);
    if (file === 'string-not-utf8.pb') await assert.rejects(check, { reason: 'bad_string' }, file);
    else if (expect.status === 200) await check();
    else {
      refused++;
      await assert.rejects(check, (error: unknown) => {
        assert.ok(error instanceof DecodeError, file);
        assert.equal(error.reason, expect.reason, file);
        return true;
      });
    }
  }
  assert.ok(refused > 20, `${refused} refused`);
});

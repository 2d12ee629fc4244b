// What was decoded and written again says the same, to this decoder and to others, unknown fields included.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Columns } from '../../../../src/model/columns/columns.ts';
import { BackWriter } from '../../../../src/wire/pprof/back-writer.ts';
import { decodePprof } from '../../../../src/wire/pprof/decode.ts';
import { encodePprof } from '../../../../src/wire/pprof/encode.ts';
import { scanPprof } from '../../../../src/wire/pprof/scan.ts';
import { made } from '../../../kit/made.ts';
import { byPprofFormat, byProtobufjs } from '../../../kit/oracles.ts';
import { plainOf } from '../../../kit/plain.ts';
import { soundProfiles } from '../../../kit/profiles.ts';
import { bytes, fieldsOf, number, text } from '../../../kit/protobuf.ts';

/** Messages within messages, by field: the path of every one that may hold unknown fields. */
interface Schema {
  readonly last: number;
  readonly inner?: Readonly<Record<number, Schema>>;
}
const VALUE_TYPE: Schema = { last: 2 };
const PROFILE: Schema = {
  last: 15,
  inner: {
    1: VALUE_TYPE,
    2: { last: 3, inner: { 3: { last: 4 } } },
    3: { last: 10 },
    4: { last: 5, inner: { 4: { last: 3 } } },
    5: { last: 5 },
    11: VALUE_TYPE,
  },
};

/** The unknown fields of a message and of those in it, by path, in order. */
function unknownOf(message: Uint8Array, { last, inner }: Schema, path = ''): Record<string, string> {
  const found: Record<string, string> = {};
  const fields = fieldsOf(message);
  const own = fields.filter(({ field }) => field > last).map(({ raw }) => raw);
  if (own.length > 0) found[path] = Buffer.concat(own).toString('hex');
  const seen: Record<number, number> = {};
  for (const { field, content } of fields) {
    if (!inner?.[field]) continue;
    const at = seen[field] ?? 0;
    seen[field] = at + 1;
    Object.assign(found, unknownOf(content, inner[field], `${path}/${field}.${at}`));
  }
  return found;
}

/** Up to here a profile is compared value by value, which is slow; beyond, by its summary and by the bytes of a second round. */
const COMPARED_BYTES = 100_000;

test('real profiles survive decode and encode, and are stable from then on', () => {
  const reused = new Columns();
  let compared = 0;
  for (const { file, raw } of soundProfiles()) {
    const first = Buffer.from(encodePprof(decodePprof(raw, reused)));
    assert.deepEqual(scanPprof(first), scanPprof(raw), file);
    if (raw.length < COMPARED_BYTES) {
      assert.deepEqual(unknownOf(first, PROFILE), unknownOf(raw, PROFILE), file);
      assert.deepEqual(plainOf(decodePprof(first)), plainOf(decodePprof(raw)), file);
      assert.deepEqual(byProtobufjs(first), byProtobufjs(raw), file);
      assert.deepEqual(byPprofFormat(first), byPprofFormat(raw), file);
    }
    assert.ok(first.equals(encodePprof(decodePprof(first, reused))), file);
    assert.ok(first.length < raw.length * 1.02, `${file} does not grow`);
    compared++;
  }
  assert.ok(compared > 10, `${compared} compared`);
});

test('random profiles survive decode and encode, whatever their form', () => {
  let unknown = 0;
  fc.assert(
    fc.property(made, ({ raw, plain }) => {
      const written = Buffer.from(encodePprof(decodePprof(raw)));
      assert.deepEqual(plainOf(decodePprof(written)), plain);
      assert.deepEqual(byProtobufjs(written), plain);
      const kept = unknownOf(raw, PROFILE);
      assert.deepEqual(unknownOf(written, PROFILE), kept);
      unknown += Object.keys(kept).length;
    }),
    { numRuns: 400 },
  );
  assert.ok(unknown > 100, `${unknown} messages with unknown fields`);
});

const table = (...texts: string[]) => texts.flatMap(one => text(6, one));
const type = bytes(1, [...number(1, 1), ...number(2, 2)]);
const location = (id: number, fn: number) => bytes(4, [...number(1, id), ...bytes(4, number(1, fn))]);
const fn = (id: number, name: number) => bytes(5, [...number(1, id), ...number(2, name)]);
const sample = (at: number, value: number, ...labels: number[][]) =>
  bytes(2, [...bytes(1, [at]), ...bytes(2, [value]), ...labels.flatMap(label => bytes(3, label))]);
const gone = (raw: Uint8Array) => !Buffer.from(raw).includes('secret');

/** Two samples, of which the second alone leads to a mapping, a location, a function and strings. */
function two(...more: number[][]): Columns {
  const mapping = (id: number, file: number) => bytes(3, [...number(1, id), ...number(5, file)]);
  const second = bytes(4, [...number(1, 2), ...number(2, 2), ...bytes(4, number(1, 2))]);
  return decodePprof(
    Uint8Array.from([
      ...type,
      ...sample(1, 1),
      ...sample(2, 2, [...number(1, 5), ...number(2, 6)]),
      ...[mapping(1, 3), mapping(2, 7), location(1, 1), second, fn(1, 3), fn(2, 4)].flat(),
      ...table('', 'cpu', 'ns', 'main', 'secret name', 'secret key', 'secret text', 'secret file'),
      ...more.flat(),
    ]),
  );
}

test('what nothing refers to after an edit does not leave, and the rest keeps its row and id', () => {
  const columns = two();
  columns.filterSamples(row => row === 0);
  const written = Buffer.from(encodePprof(columns));
  assert.ok(gone(written));
  const { strings, locations, functions, mappings, samples } = byProtobufjs(written);
  assert.deepEqual(strings, ['', 'cpu', 'ns', 'main', '', '', '', '']);
  assert.deepEqual([samples.length, locations.length, functions.length], [1, 1, 1]);
  assert.deepEqual(
    mappings.map(({ id, file }) => [id, file]),
    [[1n, 'main']],
    'mapping 1 was not referred to before either: it says what was loaded',
  );
});

test('without an edit everything leaves as it came', () => {
  const columns = two(table('never referred to'));
  assert.ok(!gone(encodePprof(columns)));
  assert.deepEqual(plainOf(decodePprof(Buffer.from(encodePprof(columns)))), plainOf(columns));
});

test('where there are unknown fields, what nothing referred to before the edit stays, since they may', () => {
  const columns = two(table('for field 99', 'secret name'), fn(9, 8), number(99, 8));
  columns.filterSamples(row => row === 0);
  const written = Buffer.from(encodePprof(columns));
  assert.ok(gone(written));
  const { strings, functions } = byProtobufjs(written);
  assert.deepEqual(strings.slice(3), ['main', '', '', '', '', 'for field 99', '']);
  assert.deepEqual(
    functions.map(({ id, name }) => [id, name]),
    [
      [1n, 'main'],
      [9n, 'for field 99'],
    ],
  );
});

test('appended rows get ids and string rows that nothing has', () => {
  fc.assert(
    fc.property(made, ({ raw, plain }) => {
      const columns = decodePprof(raw);
      const name = columns.strings.append('appended');
      const added = columns.functions.add(name);
      const place = columns.locations.add(0);
      columns.locations.lines.add(added);
      columns.locations.lineEnd[place]!++;
      const { samples } = columns;
      for (let row = 0; row < samples.count; row++)
        if (samples.stackEnd[row]! > samples.stackStart[row]!) samples.stack[samples.stackStart[row]!] = place;
      columns.edited = true;
      const after = plainOf(decodePprof(Buffer.from(encodePprof(columns))));
      const leaf = after.samples.find(({ locations }) => locations.length > 0)?.locations[0];
      if (leaf === undefined) return;
      assert.ok(!plain.locations.some(({ id }) => id === leaf));
      const to = after.locations.find(({ id }) => id === leaf)!.lines[0]!.function;
      assert.ok(!plain.functions.some(({ id }) => id === to));
      assert.equal(after.functions.find(({ id }) => id === to)!.name, 'appended');
      assert.deepEqual(
        after.samples.map(({ values }) => values),
        plain.samples.map(({ values }) => values),
      );
    }),
  );
});

test('an output that outgrows the source many times over is right', () => {
  const raw = Uint8Array.from([
    ...type,
    ...Array.from({ length: 5000 }, (_none, row) => sample(1, row % 100)).flat(),
    ...location(1, 0),
    ...table('', 'cpu', 'ns'),
  ]);
  const columns = decodePprof(raw);
  for (const key of ['a', 'b', 'c', 'd'].map(one => columns.strings.append(one)))
    for (let row = 0; row < columns.samples.count; row++) columns.setLabel(row, key, key);
  const due = plainOf(columns);
  const written = Buffer.from(encodePprof(columns));
  assert.ok(written.length > raw.length * 3);
  assert.deepEqual(plainOf(decodePprof(written)), due);
});

test('the memory of a large output is let go, that of a usual one is used again', () => {
  const writer = new BackWriter();
  writer.clear(1000);
  const { bytes: usual } = writer;
  writer.release();
  writer.clear(1000);
  assert.equal(writer.bytes, usual);
  writer.room(9_000_000);
  writer.release();
  assert.equal(writer.bytes.length, 0);
  writer.head(0x32, writer.written);
  assert.deepEqual([...writer.bytes.subarray(writer.at)], [0x32, 0]);
});

// What we write is a speedscope file by its own schema, says what the columns say, and comes back as it was where the form allows.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { Ajv } from 'ajv';
import fc from 'fast-check';
import { ColumnsBuilder } from '../../../../src/model/columns/builder.ts';
import { Losses } from '../../../../src/wire/convert/losses.ts';
import { DecodeError } from '../../../../src/wire/decode-error.ts';
import { decodePprof } from '../../../../src/wire/pprof/decode.ts';
import { encodePprof } from '../../../../src/wire/pprof/encode.ts';
import { decodeSpeedscope } from '../../../../src/wire/speedscope/decode.ts';
import { encodeSpeedscope, type SpeedscopeSource } from '../../../../src/wire/speedscope/encode.ts';
import { made } from '../../../kit/made.ts';
import { soundProfiles } from '../../../kit/profiles.ts';
import { file, naive, stacksOf, typesOf } from '../../../kit/speedscope.ts';

const schema = createRequire(import.meta.url).resolve('speedscope/dist/release/file-format-schema.json');
const isValid = new Ajv().compile(JSON.parse(readFileSync(schema, 'utf8')));

interface Written {
  readonly name: string;
  readonly exporter: string;
  readonly activeProfileIndex: number;
  readonly profiles: readonly { name: string; unit: string; endValue: number; weights: number[] }[];
}

/** Writes, and holds it against the schema. */
function written(sources: readonly SpeedscopeSource[], losses?: Losses) {
  const bytes = Buffer.from(encodeSpeedscope(sources, losses));
  const json = JSON.parse(bytes.toString()) as Written;
  assert.ok(isValid(json), JSON.stringify(isValid.errors));
  return { bytes, json };
}

const max = (one: bigint) => (one < 0n ? 0n : one);
/** What a file can say of the values. */
const positive = (stacks: ReturnType<typeof stacksOf>) =>
  stacks.map(({ frames, values }) => ({ frames, values: values.map(max) }));

test('random profiles come back with types, units, values, stacks and frames as they were', () => {
  let samples = 0;
  const name = fc.string().filter(text => text.isWellFormed());
  fc.assert(
    fc.property(fc.array(fc.tuple(name, made), { maxLength: 3 }), list => {
      const sources = list.map(([title, { raw }]) => ({ name: title, columns: decodePprof(raw) }));
      // It only says what is shown first.
      for (const { columns } of sources) columns.defaultSampleType = 0;
      const { bytes } = written(sources);
      const read = decodeSpeedscope(bytes);
      assert.deepEqual(
        read.map(profile => [profile.name, typesOf(profile.columns), stacksOf(profile.columns)]),
        sources.map(source => [source.name, typesOf(source.columns), positive(stacksOf(source.columns))]),
      );
      // Once it went through the form nothing is lost any more.
      const losses = new Losses();
      assert.ok(written(read, losses).bytes.equals(bytes));
      assert.deepEqual(losses.list(), []);
      samples += read.reduce((sum, { columns }) => sum + columns.samples.count, 0);
    }),
    { numRuns: 300 },
  );
  assert.ok(samples > 100, `${samples} samples`);
});

test('other programs read the same: each sample type is a profile of all samples', () => {
  fc.assert(
    fc.property(made, ({ raw }) => {
      const columns = decodePprof(raw);
      const { bytes, json } = written([{ name: 'app cpu', columns }]);
      const stacks = positive(stacksOf(columns));
      for (const [type, profile] of json.profiles.entries()) {
        const weights = stacks.map(({ values }) => Number(values[type]!));
        assert.deepEqual(profile.weights, weights);
        assert.equal(profile.endValue, Number(stacks.reduce((sum, { values }) => sum + values[type]!, 0n)));
      }
      // As by a program that passes over our member; `naive` knows nothing of it.
      if (!typesOf(columns).every(([, unit]) => ['', 'cpu', 'main', 'é'].includes(unit!))) return;
      const read = naive(bytes.toString());
      for (const [type, { stacks: one }] of read.entries())
        assert.deepEqual(
          one,
          stacks.map(({ frames, values }) => ({ frames, values: [values[type]!] })),
        );
    }),
    { numRuns: 200 },
  );
});

test('files of others that were read and written again say the same in nanoseconds', () => {
  fc.assert(
    fc.property(file, text => {
      const read = decodeSpeedscope(Buffer.from(text));
      const again = decodeSpeedscope(written(read).bytes);
      assert.deepEqual(
        again.map(({ name, columns }) => [name, typesOf(columns), stacksOf(columns)]),
        read.map(({ name, columns }) => [name, typesOf(columns), stacksOf(columns)]),
      );
    }),
    { numRuns: 200 },
  );
});

test('captured profiles go through the form and back, and as pprof then too', t => {
  let count = 0;
  for (const { file: path, raw } of soundProfiles()) {
    if (raw.length > 300_000) continue;
    const columns = decodePprof(raw);
    const expected = positive(stacksOf(columns));
    const [read, more] = decodeSpeedscope(written([{ name: 'app', columns }]).bytes);
    assert.equal(more, undefined);
    const again = decodePprof(Buffer.from(encodePprof(read!.columns)));
    assert.deepEqual(typesOf(again), typesOf(columns), path);
    assert.deepEqual(stacksOf(again), expected, path);
    count++;
  }
  t.diagnostic(`${count} profiles`);
  assert.ok(count > 5);
});

/** A profile of these types with a sample of these values for each stack of names. */
function columnsOf(types: readonly (readonly [string, string])[], rows: readonly (readonly [string, bigint[]])[]) {
  const builder = new ColumnsBuilder(types.map(([type, unit]) => ({ type, unit })));
  for (const [stack, values] of rows) {
    const locations = stack
      .split(';')
      .map(name => builder.location({ function: builder.function({ name: builder.string(name) }) }))
      .reverse();
    const sample = builder.sample(locations, locations.length, values[0]!);
    for (const [at, value] of values.entries()) builder.value(sample, at, value);
  }
  return builder.columns;
}
const heap = () =>
  columnsOf(
    [
      ['alloc_objects', 'count'],
      ['alloc_space', 'bytes'],
      ['delay', 'microseconds'],
      ['odd', 'none'],
    ],
    [
      ['main;a', [1n, (1n << 63n) - 1n, 2n, 3n]],
      ['main;b', [0n, (1n << 62n) + 1n, 0n, 0n]],
    ],
  );

test('names are for people: the unit stands where speedscope shows none, the source where there are several', () => {
  const columns = heap();
  columns.defaultSampleType = columns.sampleTypes[1]!.type;
  const one = written([{ name: 'shop memory', columns }]).json;
  assert.deepEqual([one.name, one.exporter, one.activeProfileIndex], ['shop memory', 'flamegate@1', 1]);
  assert.deepEqual(
    one.profiles.map(({ name, unit }) => [name, unit]),
    [
      ['alloc_objects (count)', 'none'],
      ['alloc_space', 'bytes'],
      ['delay', 'microseconds'],
      ['odd', 'none'],
    ],
  );
  const cpu = columnsOf([['cpu', 'nanoseconds']], []);
  const two = written([
    { name: 'shop memory', columns },
    { name: '', columns: cpu },
  ]).json;
  assert.equal(two.name, 'shop memory and 1 more');
  assert.deepEqual([two.profiles[0]!.name, two.profiles[4]!.name], ['shop memory alloc_objects (count)', 'cpu']);
  assert.deepEqual(written([]).json.profiles, []);
});

test('values and their sum are written in full', () => {
  const text = written([{ name: '', columns: heap() }]).bytes.toString();
  assert.ok(text.includes(`"weights":[${(1n << 63n) - 1n},${(1n << 62n) + 1n}]`));
  assert.ok(text.includes(`"endValue":${(1n << 63n) + (1n << 62n)}`));
});

test('profiles that no longer have the same samples stay apart', () => {
  // Numbers that JSON.parse keeps.
  const text = written([{ name: 'app', columns: heap() }]).bytes.toString();
  const whole = JSON.parse(text.replace(/[0-9]{19}/g, '8'));
  const read = (edit: (profiles: Record<string, unknown>[]) => void) => {
    const copy = structuredClone(whole);
    edit(copy.profiles);
    return decodeSpeedscope(Buffer.from(JSON.stringify(copy))).map(({ columns }) => columns.sampleTypes.length);
  };
  assert.deepEqual(
    read(() => {}),
    [4],
  );
  assert.deepEqual(
    read(profiles => profiles.splice(1, 1)),
    [3],
  );
  assert.deepEqual(
    read(profiles => Object.assign(profiles[2]!, { samples: [[0, 1], [0]] })),
    [2, 1, 1],
  );
  assert.deepEqual(
    read(profiles => Object.assign(profiles[1]!, { flamegate: { source: 7, name: 'app', type: 'x', unit: 'y' } })),
    [1, 1, 2],
  );
  for (const { flamegate } of whole.profiles) flamegate.source = -1;
  assert.throws(
    () => read(() => {}),
    (error: unknown) => error instanceof DecodeError && error.reason === 'missing_field',
  );
  // Without what we said of them they are profiles of any program.
  const bare = read(profiles => {
    for (const profile of profiles) delete profile.flamegate;
  });
  assert.deepEqual(bare, [1, 1, 1, 1]);
});

test('what a file cannot say is counted', () => {
  const types = [
    { type: 'cpu', unit: 'nanoseconds' },
    { type: 'n', unit: 'count' },
  ];
  const builder = new ColumnsBuilder(types);
  const { columns } = builder;
  const plain = builder.function({ name: builder.string('f'), file: builder.string('f.c') });
  const mangled = builder.function({ name: builder.string('g'), systemName: builder.string('_Zg') });
  const same = builder.function({ name: builder.string('h'), systemName: builder.string('h') });
  const places = [
    builder.location({ function: plain, line: 3, column: 4 }),
    builder.location({ function: plain, address: 0xffn }),
    builder.location({ function: plain, mapping: builder.mapping('lib.so') }),
    builder.location({ function: mangled }),
    builder.location({ function: same }),
    builder.location({ function: builder.function({ name: builder.string('i'), startLine: 7 }) }),
    builder.location({ function: 0, address: 0xabcdn }),
  ];
  builder.location({ function: mangled, line: 99 });
  const sample = builder.sample(places, places.length, -5n);
  builder.value(sample, 1, -6n);
  builder.label(builder.string('thread'), builder.string('1'));
  builder.numberLabel(builder.string('n'), 2n);
  builder.sample(places, 1, 5n);
  columns.timeNanos = 5n;
  const losses = new Losses();
  const text = written([{ name: '', columns }], losses).bytes.toString();
  assert.deepEqual(losses.list(), [
    { reason: 'speedscope_negative', items: 1 },
    { reason: 'speedscope_labels', items: 2 },
    { reason: 'speedscope_symbol', items: 6 },
    { reason: 'speedscope_profile_field', items: 1 },
  ]);
  assert.ok(text.includes('{"name":"f","file":"f.c","line":3,"col":4}'));
  assert.ok(text.includes('{"name":"0xabcd"}'));
  assert.equal(text.split('{"name":"f","file":"f.c"}').length, 2, 'equal frames are one');
  assert.ok(text.includes('"weights":[0,5]'));
  assert.deepEqual(stacksOf(decodeSpeedscope(Buffer.from(text))[0]!.columns), positive(stacksOf(columns)));
});

test('a file that stacks of many sample types would make huge is refused', () => {
  const types = Array.from({ length: 250 }, (_none, at) => [`t${at}`, 'count'] as const);
  const columns = columnsOf(types, [[Array(2000).fill('f').join(';'), Array(250).fill(1n)]]);
  const { samples } = columns;
  // The same long stack again and again: ranges may not overlap, so the columns are written as they are, in a loop.
  const stack = samples.stack.slice(0, 2000);
  samples.ensure(300, 300 * 2000, 300 * 250);
  for (let row = 1; row < 300; row++) {
    samples.stack.set(stack, row * 2000);
    samples.stackStart[row] = row * 2000;
    samples.stackEnd[row] = (row + 1) * 2000;
    samples.firstLabel[row] = 0;
  }
  samples.count = 300;
  samples.stackLength = 300 * 2000;
  assert.throws(
    () => encodeSpeedscope([{ name: '', columns }]),
    (error: unknown) => error instanceof DecodeError && error.reason === 'too_large',
  );
});

/** A profile of one function with a name of this length, at as many lines. */
function long(name: number, lines: number, types: readonly { type: string; unit: string }[]): SpeedscopeSource {
  const builder = new ColumnsBuilder(types);
  const fn = builder.function({ name: builder.string('n'.repeat(name)) });
  for (let line = 1; line <= lines; line++) builder.sample([builder.location({ function: fn, line })], 1, 1n);
  return { name: 'long', columns: builder.columns };
}
const CPU = [{ type: 'cpu', unit: 'nanoseconds' }];

test('frames that share a long name are put together only where they can become a file', () => {
  assert.throws(() => encodeSpeedscope([long(1_000_000, 1000, CPU)]), { reason: 'too_large' });
  const sound = encodeSpeedscope([long(1_000_000, 3, CPU)]);
  assert.equal(JSON.parse(Buffer.from(sound).toString()).shared.frames[2].line, 3);
});

test('a source without a sample type is left out and counted', () => {
  const losses = new Losses();
  const file = encodeSpeedscope([long(1, 2, []), long(1, 2, CPU)], losses);
  assert.equal(decodeSpeedscope(file).length, 1);
  assert.equal(losses.list().find(({ reason }) => reason === 'speedscope_no_type')?.items, 2);
});

test('a file of ours does not grow more sample types than a profile may have', () => {
  const types = Array.from({ length: 257 }, (_none, at) => ({ type: `t${at}`, unit: 'count' }));
  assert.throws(() => decodeSpeedscope(encodeSpeedscope([long(1, 1, types)])), { reason: 'too_many_elements' });
});

// What is written is read back as it was, or counted.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { ColumnsBuilder } from '../../../../src/model/columns/builder.ts';
import type { Columns } from '../../../../src/model/columns/columns.ts';
import { Losses, type LossReason } from '../../../../src/wire/convert/losses.ts';
import { DecodeError } from '../../../../src/wire/decode-error.ts';
import { decodeFolded } from '../../../../src/wire/folded/decode.ts';
import { encodeFolded } from '../../../../src/wire/folded/encode.ts';
import { decodePprof } from '../../../../src/wire/pprof/decode.ts';
import { corpusDir } from '../../../kit/corpus.ts';
import { anyFrame, columnsOf, count, type PlainSample, samplesOf, sayable, stackHash } from '../../../kit/folded.ts';

const COUNT = { type: 0, values: 'count', labels: true } as const;
/** Larger profiles say nothing new here, and take seconds. */
const COMPARED_BYTES = 300_000;
const LINES = { type: 0, values: 'lines', labels: true } as const;

function written(columns: Columns, options: Parameters<typeof encodeFolded>[1] = COUNT) {
  const losses = new Losses();
  const text = Buffer.from(encodeFolded(columns, options, losses)).toString();
  const lost: Partial<Record<LossReason, number>> = {};
  for (const { reason, items } of losses.list()) lost[reason] = items;
  return { text, lost };
}
const reread = (text: string, values: 'count' | 'lines' = 'count') =>
  samplesOf(decodeFolded(Buffer.from(text), { values, badLines: 'refuse' }));
const sample = (stack: string[], value: bigint, labels: [string, string][] = []): PlainSample => ({
  stack,
  labels,
  value,
});
/** Frames and labels of samples as they come back. */
const came = (samples: PlainSample[], options = COUNT as Parameters<typeof encodeFolded>[1]) => {
  const { text, lost } = written(columnsOf(samples), options);
  return { back: reread(text, options.values), lost, text };
};

test('one line for each sample, in their order, never combined', () => {
  const { text, lost } = written(columnsOf([sample(['main', 'a'], 3n), sample([], 0n), sample(['main', 'a'], 3n)]));
  assert.equal(text, 'main;a 3\n 0\nmain;a 3\n');
  assert.deepEqual(lost, {});
  assert.equal(written(columnsOf([])).text, '');
});

test('samples come back as they were where the text can say them, else it is counted', () => {
  let unfaithful = 0;
  fc.assert(
    fc.property(sayable, samples => {
      const { back, lost } = came(samples);
      const { folded_frame_text: altered = 0, ...others } = lost;
      assert.deepEqual(others, {});
      const differ = samples.filter(
        ({ stack }, at) => stack.join(';') !== back[at]!.stack.join(';') || stack.length !== back[at]!.stack.length,
      );
      assert.equal(altered, differ.length, 'exactly those that differ are counted');
      assert.deepEqual(
        back.map(({ labels, value }) => ({ labels, value })),
        samples.map(({ labels, value }) => ({ labels, value })),
      );
      unfaithful += altered;
    }),
    { numRuns: 2000 },
  );
  assert.ok(unfaithful > 0, 'what looks like comments and labels was among them');
});

test('any names: the second round is the identity, and only what differs is counted', () => {
  const any = fc.array(
    fc.record({ stack: fc.array(anyFrame, { maxLength: 4 }), labels: fc.constant([]), value: count }),
    { minLength: 1, maxLength: 8 },
  );
  fc.assert(
    fc.property(any, samples => {
      const { back, text, lost } = came(samples);
      const same = samples.filter(({ stack }, at) => JSON.stringify(stack) === JSON.stringify(back[at]!.stack));
      assert.equal(lost.folded_frame_text ?? 0, samples.length - same.length);
      assert.equal(back.length, samples.length);
      const again = came(back);
      assert.equal(again.text, text);
      assert.deepEqual(again.back, back);
    }),
    { numRuns: 2000 },
  );
});

test('a text in the normal form comes back byte for byte', () => {
  const line = fc
    .tuple(fc.array(fc.stringMatching(/^[A-Za-z_$<>:]{0,8}$/), { minLength: 1, maxLength: 6 }), count)
    .map(([stack, value]) => `${stack.join(';')} ${value}\n`)
    .filter(text => !text.startsWith('//'));
  fc.assert(
    fc.property(fc.array(line, { minLength: 1, maxLength: 20 }), lines => {
      const text = lines.join('');
      const columns = decodeFolded(Buffer.from(text), { values: 'count', badLines: 'refuse' });
      assert.deepEqual(written(columns), { text, lost: {} });
    }),
  );
});

test('names that a line cannot say are altered in a way that can be seen', () => {
  const names: [string, string][] = [
    ['f(Ljava/lang/String;)V', 'f(Ljava/lang/String|)V'],
    ['a\nb\x00c\x7f', 'a␊b␀c␡'],
    ['#a', ' #a'],
    ['//a', ' //a'],
    ['a {b="c"}', 'a {b="c"} '],
  ];
  for (const [name, becomes] of names) {
    const { back, lost } = came([sample([name], 1n)]);
    assert.deepEqual(back, [sample([becomes], 1n)]);
    assert.deepEqual(lost, { folded_frame_text: 1 });
  }
  assert.deepEqual(came([sample(['\ufeffa'], 1n)]).back, [sample([' \ufeffa'], 1n)]);
  assert.deepEqual(came([sample(['a'], 1n), sample(['\ufeffa'], 1n)]).lost, {}, 'a mark is one at the begin only');
  assert.deepEqual(came([sample(['f {a="x', 'y"}'], 1n)]).lost, { folded_frame_text: 1 });
  assert.deepEqual(came([sample([''], 1n)]).lost, { folded_frame_text: 1 });
  for (const name of ['a ', ' a', '\ta', 'a 1', '/a', 'f::{{closure}}', 'f {…}', 'a {b="c"} x'])
    assert.deepEqual(came([sample([name], 1n)]), { back: [sample([name], 1n)], lost: {}, text: `${name} 1\n` });
});

test('occurrences are lines', () => {
  const samples = [sample(['b', 'a'], 3n, [['k', 'v']]), sample(['c'], 5n), sample([' '], 1n), sample([], 2n)];
  const { text, back, lost } = came(samples, LINES);
  assert.equal(text, `${'b;a {k="v"}\n'.repeat(3)}${'c\n'.repeat(5)}${'[no stack]\n'.repeat(3)}`);
  assert.deepEqual(back, [samples[0], samples[1], sample(['[no stack]'], 3n)]);
  assert.deepEqual(lost, { folded_frame_text: 2 });
  assert.deepEqual(written(columnsOf([sample(['a'], 0n), sample(['b'], 1n)]), LINES), {
    text: 'b\n',
    lost: { folded_negative: 1, folded_symbol: 1 },
  });
  assert.deepEqual(came([sample([], 2n, [['k', 'v']])], LINES).back, [sample([], 2n, [['k', 'v']])]);
  assert.equal(came([sample(['a'], 10_000_000n)], LINES).back[0]!.value, 10_000_000n);
  for (const values of [[10_000_001n], [10_000_000n, 1n], [2n ** 62n]])
    assert.throws(
      () => encodeFolded(columnsOf(values.map(value => sample(['a'], value))), LINES),
      (error: unknown) => error instanceof DecodeError && error.reason === 'too_large',
    );
});

test('what beside names a place is known by, other types and fields of the profile are counted', () => {
  const builder = new ColumnsBuilder([
    { type: 'cpu', unit: 'nanoseconds' },
    { type: 'samples', unit: 'count' },
    { type: 'x', unit: 'y' },
  ]);
  const { columns } = builder;
  const fn = (name: string, file = 0) => builder.function({ name: builder.string(name), file });
  const plain = builder.location({ function: fn('plain') });
  const lined = builder.location({ function: fn('lined'), line: 7 });
  const filed = builder.location({ function: fn('filed', builder.string('a.c')) });
  const bare = builder.location({ function: 0, address: 0xfedcba9876543210n });
  const inlined = builder.location({ function: fn('inlined'), line: 1 });
  columns.locations.lines.add(fn('caller'));
  columns.locations.lineEnd[inlined] = columns.locations.lines.count;
  builder.location({ function: fn('unused') });
  const row = builder.sample([inlined, bare, filed, lined, plain], 5, 9n);
  builder.value(row, 1, 12n);
  builder.numberLabel(builder.string('bytes'), 512n, builder.string('bytes'));
  builder.label(builder.string('span name'), builder.string('x'));
  builder.label(builder.string('k'), builder.string('a\x01"'));
  builder.value(builder.sample([plain], 1, 1n), 1, -4n);
  columns.timeNanos = 1n;
  const symbols = { folded_sample_type: 2, folded_symbol: 5, folded_negative: 1, folded_profile_field: 1 };
  const stack = 'plain;lined;filed;0xfedcba9876543210;caller;inlined';
  assert.deepEqual(written(columns, { ...COUNT, type: 1 }), {
    text: `${stack} {bytes="512",k="a␁\\""} 12\n`,
    lost: { ...symbols, folded_labels: 1, folded_label_value: 2 },
  });
  assert.deepEqual(written(columns, { type: 1, values: 'count', labels: false }), {
    text: `${stack} 12\n`,
    lost: { ...symbols, folded_labels: 3 },
  });
  assert.throws(
    () => encodeFolded(columns, { ...COUNT, type: 3 }),
    (error: unknown) => error instanceof DecodeError && error.reason === 'no_sample_type',
  );
});

test('addresses are hex without leading zeros', () => {
  for (const address of [
    0n,
    1n,
    0xfn,
    0x10n,
    0xffffffffn,
    0x100000000n,
    0xf00000000n,
    2n ** 64n - 1n,
    0x7f00_0000_0abcn,
  ]) {
    const builder = new ColumnsBuilder([{ type: 'samples', unit: 'count' }]);
    builder.sample([builder.location({ function: 0, address })], 1, 1n);
    assert.equal(written(builder.columns).text, `0x${address.toString(16)} 1\n`);
  }
});

test('names that are not UTF-8 are written as text that is', () => {
  const source = Buffer.from('ab\xff', 'latin1');
  const builder = new ColumnsBuilder([{ type: 'samples', unit: 'count' }], source);
  builder.sample([builder.location({ function: builder.function({ name: builder.stringAt(0, 3) }) })], 1, 1n);
  builder.label(builder.string('k'), builder.stringAt(1, 3));
  assert.deepEqual(written(builder.columns), {
    text: 'ab\ufffd {k="b\ufffd"} 1\n',
    lost: { folded_frame_text: 1, folded_label_value: 1 },
  });
});

test('a text has an end, whatever samples share', () => {
  const builder = new ColumnsBuilder([{ type: 'samples', unit: 'count' }]);
  const place = builder.location({ function: builder.function({ name: builder.string('x'.repeat(1_000_000)) }) });
  for (let at = 0; at < 200; at++) builder.sample([place], 1, 1n);
  assert.throws(
    () => encodeFolded(builder.columns, COUNT),
    (error: unknown) => error instanceof DecodeError && error.reason === 'too_large',
  );
});

test('pprof of the corpus as folded text has the stacks of its facts', {
  skip: corpusDir === undefined && 'the shared corpus is not beside the checkout',
}, () => {
  const dir = corpusDir ?? '';
  const { files } = JSON.parse(readFileSync(resolve(dir, 'MANIFEST.json'), 'utf8')) as {
    files: { file: string; facts: { foldedSha256PerType?: string[]; nonUtf8Strings?: number } }[];
  };
  let compared = 0;
  for (const { file, facts } of files) {
    if (!/^pprof\/.*\.pb(\.gz)?$/.test(file) || !facts.foldedSha256PerType) continue;
    const raw = readFileSync(resolve(dir, file));
    if (raw.length > COMPARED_BYTES) continue;
    let columns: Columns;
    try {
      columns = decodePprof(raw[0] === 0x1f ? gunzipSync(raw) : raw);
    } catch (error) {
      assert.ok(error instanceof DecodeError, file);
      continue;
    }
    for (const [type, hash] of facts.foldedSha256PerType.entries()) {
      const { text, lost } = written(columns, { type, values: 'count', labels: false });
      if (text === '' || lost.folded_negative || lost.folded_frame_text) continue;
      const samples = reread(text).filter(({ value }) => value !== 0n);
      assert.equal(stackHash(samples), hash, `${file} ${type}`);
      compared++;
    }
  }
  assert.ok(compared > 20, `${compared} compared`);
});

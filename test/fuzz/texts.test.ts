// Folded text, trees and tries with bytes changed, cut, doubled and repeated: they are read, or there is a DecodeError; and what was read is
// written, and read again as it was. The seed is fixed and printed; FUZZ_SEED and FUZZ_RUNS go further.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Losses } from '../../src/wire/convert/losses.ts';
import { decodeFolded } from '../../src/wire/folded/decode.ts';
import { encodeFolded } from '../../src/wire/folded/encode.ts';
import { decodeTree, decodeTrie } from '../../src/wire/tree/decode.ts';
import { malformed } from '../kit/corpus.ts';
import { samplesOf } from '../kit/folded.ts';
import { holds } from '../kit/otlp-fuzz.ts';
import { nodeBytes, treeOf, trieOf } from '../kit/trees.ts';

const seed = Number(process.env.FUZZ_SEED ?? 20261126);
const numRuns = Number(process.env.FUZZ_RUNS ?? 2000);
const settings = { seed, numRuns };

const text = [
  'main;work {vehicle="bike",n="a\\"b"} 12',
  '# comment',
  'main;work;f::{{closure}} 3',
  'main;work;f {x="y"} {a="b"} 0',
  'main;operator new 9223372036854775807',
  ' 4',
  'é;日本;;b  7\r',
  '',
].join('\n');
const stacks = new Map([
  ['main;work', 300n],
  ['main;worker;é', 1n],
  ['main;worker;è', 2n ** 62n],
  ['other', 5n],
]);
const texts = [
  Buffer.from(text),
  Buffer.from(`\ufeff${text}`),
  Buffer.from(`\ufeff${text}`, 'utf16le'),
  ...malformed('folded').map(({ bytes }) => bytes),
];

/** Bytes that matter to one of the forms, and any. */
const byte = fc.oneof(fc.constantFrom(...Buffer.from('\n\r\t ;{}"=,\\-#/019a'), 0, 1, 0x7f, 0x80, 0xff), fc.nat(255));
const edit = fc.record({
  kind: fc.constantFrom('set', 'insert', 'cut', 'drop', 'double', 'repeat'),
  at: fc.nat(1_000_000),
  size: fc.nat(40),
  byte,
});
type Edit = typeof edit extends fc.Arbitrary<infer T> ? T : never;

function edited(raw: Buffer, { kind, at, size, byte }: Edit): Buffer {
  const from = at % (raw.length + 1);
  const before = raw.subarray(0, from);
  const span = raw.subarray(from, from + size);
  const rest = raw.subarray(from + size);
  switch (kind) {
    case 'set':
      return Buffer.concat([before, Buffer.from([byte]), raw.subarray(from + 1)]);
    case 'insert':
      return Buffer.concat([before, Buffer.from([byte]), raw.subarray(from)]);
    case 'cut':
      return before;
    case 'drop':
      return Buffer.concat([before, rest]);
    case 'double':
      return Buffer.concat([before, span, span, rest]);
    default:
      return Buffer.concat([before, ...Array(size * 20).fill(span), rest]);
  }
}

const mutated = (sources: readonly Buffer[]) =>
  fc
    .tuple(fc.constantFrom(...sources), fc.array(edit, { maxLength: 4 }))
    .map(([source, edits]) => edits.reduce(edited, source));

test(`only classified errors come out of texts and trees (seed ${seed}, ${numRuns} runs each)`, async t => {
  t.diagnostic(`FUZZ_SEED=${seed} FUZZ_RUNS=${numRuns}`);
  for (const values of ['count', 'lines'] as const)
    for (const badLines of ['refuse', 'skip'] as const)
      await t.test(`folded, ${values}, ${badLines}`, () => {
        const sound = holds(mutated(texts), settings, raw => {
          const columns = decodeFolded(raw, { values, badLines }, new Losses());
          const losses = new Losses();
          const written = encodeFolded(columns, { type: 0, values, labels: true }, losses);
          assert.deepEqual(losses.list(), [], 'what was read can be written');
          const again = decodeFolded(Buffer.from(written), { values, badLines: 'refuse' });
          assert.deepEqual(samplesOf(again), samplesOf(columns));
        });
        assert.ok(sound > numRuns / 20, `${sound} were read to the end`);
      });
  for (const [name, decode, source] of [
    ['tree', decodeTree, nodeBytes(treeOf(stacks))],
    ['trie', decodeTrie, nodeBytes(trieOf(stacks))],
  ] as const)
    await t.test(name, () => {
      const sound = holds(mutated([source]), settings, raw => {
        const columns = decode(raw);
        encodeFolded(columns, { type: 0, values: 'count', labels: true });
      });
      assert.ok(sound > numRuns / 20, `${sound} were read to the end`);
    });
});

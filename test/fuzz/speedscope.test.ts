// Speedscope files with pieces cut, doubled, moved and replaced: they are read, or a DecodeError says why not, and what was read can be
// written and read again. The seed is fixed and printed; FUZZ_SEED and FUZZ_RUNS go further.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeSpeedscope } from '../../src/wire/speedscope/decode.ts';
import { encodeSpeedscope } from '../../src/wire/speedscope/encode.ts';
import { corpusDir, malformed } from '../kit/corpus.ts';
import { holds } from '../kit/otlp-fuzz.ts';
import { file, stacksOf, typesOf } from '../kit/speedscope.ts';

const seed = Number(process.env.FUZZ_SEED ?? 20261126);
const numRuns = Number(process.env.FUZZ_RUNS ?? 2000);

const sources = malformed('speedscope').map(({ bytes }) => bytes.toString());
if (corpusDir)
  for (const path of ['speedscope/evented-0.0.1.speedscope.json', 'speedscope/python-pyspy.speedscope.json'])
    sources.push(readFileSync(join(corpusDir, path), 'utf8'));
sources.push(...sources.flatMap(rewritten));

/** The same as we write it. */
function rewritten(text: string): string[] {
  try {
    return [Buffer.from(encodeSpeedscope(decodeSpeedscope(Buffer.from(text)))).toString()];
  } catch {
    return [];
  }
}

/** What may stand where something else stood. */
const TOKENS = [
  ...['', '0', '-1', '1', '2', '1e999', '-0.5', '1e-400', '9223372036854775807', '4294967296', '0.1', '1'.repeat(500)],
  ...[
    'null',
    'true',
    '{}',
    '[]',
    '[[]]',
    '""',
    '"\\u0000"',
    '"\\ud800"',
    '"O"',
    '"C"',
    '"sampled"',
    '"evented"',
    '"seconds"',
  ],
  ...['"flamegate":{"source":0,"name":"","type":"a","unit":"b"},', '"unit":"none",', '\ufeff', ' ', '\u0000', ','],
  '['.repeat(600),
];
const TOKEN = /"(?:[^"\\]|\\.)*"|[-+.0-9eE]+|[[\]{},:]/g;

const edit = fc.record({
  at: fc.nat(5000),
  kind: fc.constantFrom('replace', 'replace', 'insert', 'drop', 'double', 'swap', 'cut'),
  other: fc.nat(5000),
});

function edited(text: string, { at, kind, other }: typeof edit extends fc.Arbitrary<infer E> ? E : never): string {
  const tokens = [...text.matchAll(TOKEN)];
  if (tokens.length === 0) return text;
  const one = tokens[at % tokens.length]!;
  const from = one.index;
  const to = from + one[0].length;
  const token = TOKENS[other % TOKENS.length]!;
  switch (kind) {
    case 'replace':
      return text.slice(0, from) + token + text.slice(to);
    case 'insert':
      return text.slice(0, from) + token + text.slice(from);
    case 'drop':
      return text.slice(0, from) + text.slice(to + (other % 40));
    case 'double':
      return text.slice(0, to + (other % 60)) + text.slice(from);
    case 'swap': {
      const two = tokens[other % tokens.length]!;
      return text.slice(0, from) + two[0] + text.slice(to);
    }
    default:
      return text.slice(0, from + (other % (one[0].length + 1)));
  }
}

const input = fc
  .tuple(fc.oneof(fc.constantFrom(...sources), file), fc.array(edit, { maxLength: 3 }))
  .map(([text, edits]) => Buffer.from(edits.reduce(edited, text)));

test(`only classified errors come out of speedscope files (seed ${seed}, ${numRuns} runs)`, t => {
  t.diagnostic(`FUZZ_SEED=${seed} FUZZ_RUNS=${numRuns}`);
  const sound = holds(input, { seed, numRuns }, raw => {
    const read = decodeSpeedscope(raw, undefined, 1 << 24);
    for (const { columns } of read) {
      const { samples, locations } = columns;
      for (let at = 0; at < samples.stackLength; at++)
        assert.ok(samples.stack[at]! > 0 && samples.stack[at]! < locations.count);
    }
    const said = read.map(({ columns }) => [typesOf(columns), stacksOf(columns)]);
    const again = decodeSpeedscope(encodeSpeedscope(read.map(({ name, columns }) => ({ name, columns }))));
    assert.deepEqual(
      again.map(({ columns }) => [typesOf(columns), stacksOf(columns)]),
      said,
    );
  });
  t.diagnostic(`${sound} were read to the end`);
  assert.ok(sound > numRuns / 20 && sound < numRuns, `${sound} were read to the end`);
});

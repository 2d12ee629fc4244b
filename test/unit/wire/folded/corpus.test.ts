// Every folded text that was recorded, against the facts of its manifest, a reader by patterns, and readers of pprof.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { Losses } from '../../../../src/wire/convert/losses.ts';
import { DecodeError } from '../../../../src/wire/decode-error.ts';
import { decodeFolded } from '../../../../src/wire/folded/decode.ts';
import { encodeFolded } from '../../../../src/wire/folded/encode.ts';
import { encodePprof } from '../../../../src/wire/pprof/encode.ts';
import { corpusDir, malformed } from '../../../kit/corpus.ts';
import { naive, samplesOf, stackHash, sumOf } from '../../../kit/folded.ts';
import { byPprofFormat, byProtobufjs } from '../../../kit/oracles.ts';

const skip = corpusDir === undefined ? 'the shared corpus is not beside the checkout' : false;

interface Facts {
  readonly textEncoding: string;
  readonly lines: number;
  readonly invalidLines: readonly number[];
  readonly distinctStacks: number;
  readonly distinctFrames: number;
  readonly maxDepth: number;
  readonly valueSum: string;
  readonly stackSha256: string;
}
interface Entry<T> {
  readonly file: string;
  readonly format?: string;
  readonly parts?: readonly { readonly format: string; readonly facts: T }[];
  readonly facts: T;
}

const read = (...path: string[]) => readFileSync(resolve(corpusDir ?? '', ...path));
function entries<T>(...path: string[]): Entry<T>[] {
  return (JSON.parse(read(...path).toString()) as { files: Entry<T>[] }).files;
}

function textOf(bytes: Buffer): string {
  if (bytes[0] === 0xff) return bytes.toString('utf16le', 2);
  return bytes[0] === 0xfe ? Buffer.from(bytes).swap16().toString('utf16le', 2) : bytes.toString();
}

const isComment = (line: string) => line.startsWith('#') || line.startsWith('//');

test('the folded texts of the corpus say what their facts are', { skip }, async t => {
  const folded = entries<Facts>('MANIFEST.json').filter(({ format }) => format === 'folded');
  assert.ok(folded.length >= 12);
  for (const { file, facts } of folded)
    await t.test(file, () => {
      const bytes = read(file);
      const text = textOf(bytes);
      const losses = new Losses();
      const columns = decodeFolded(bytes, { values: 'count', badLines: 'skip' }, losses);
      const samples = samplesOf(columns);
      assert.deepEqual(samples, naive(text, 'count'));
      assert.equal(String(sumOf(samples)), facts.valueSum);
      assert.equal(samples.length, facts.lines);
      assert.equal(new Set(samples.map(({ stack }) => stack.join(';'))).size, facts.distinctStacks);
      assert.equal(new Set(samples.flatMap(({ stack }) => stack)).size, facts.distinctFrames);
      assert.equal(Math.max(...samples.map(({ stack }) => stack.length)), facts.maxDepth);
      assert.equal(stackHash(samples), facts.stackSha256);

      const lines = text.split('\n');
      const bad = facts.invalidLines.filter(number => !isComment(lines[number - 1]!));
      assert.deepEqual(losses.list(), bad.length > 0 ? [{ reason: 'folded_bad_line', items: bad.length }] : []);
      if (bad.length > 0)
        assert.throws(
          () => decodeFolded(bytes, { values: 'count', badLines: 'refuse' }),
          (error: DecodeError) => error.reason === 'bad_line' && error.message.endsWith(`at line ${bad[0]}`),
        );
      sameByOthers(columns, facts.valueSum, samples.length);

      const written = encodeFolded(columns, { type: 0, values: 'count', labels: true }, losses);
      const kept = lines
        .map(line => line.replace(/\r$/, ''))
        .filter((line, at) => line !== '' && !facts.invalidLines.includes(at + 1));
      assert.equal(Buffer.from(written).toString(), `${kept.join('\n')}\n`);
    });
});

test('folded texts that profilers wrote say what their facts are', { skip }, () => {
  let seen = 0;
  for (const { file, parts } of entries<{ stacks: number; sum: string; maxDepth: number }>('traffic', 'MANIFEST.json'))
    for (const { format, facts } of parts ?? []) {
      if (format !== 'folded' || !facts) continue;
      const columns = decodeFolded(read('traffic', file), { values: 'count', badLines: 'refuse' });
      const samples = samplesOf(columns);
      assert.equal(samples.length, facts.stacks, file);
      assert.equal(String(sumOf(samples)), facts.sum, file);
      assert.equal(Math.max(...samples.map(({ stack }) => stack.length)), facts.maxDepth, file);
      assert.deepEqual(samples, naive(read('traffic', file).toString(), 'count'), file);
      sameByOthers(columns, facts.sum, samples.length);
      seen++;
    }
  assert.ok(seen >= 3, `${seen} seen`);
});

test('malformed texts are refused for the reason that their manifest gives', () => {
  const all = malformed('folded');
  assert.ok(all.length >= 4);
  for (const { file, bytes, expect } of all)
    assert.throws(
      () => decodeFolded(bytes, { values: 'count', badLines: 'refuse' }),
      (error: unknown) => error instanceof DecodeError && error.reason === expect.reason,
      file,
    );
  const bad = all.find(({ file }) => file === 'folded-bad-line.txt')!.bytes;
  const losses = new Losses();
  assert.equal(sumOf(samplesOf(decodeFolded(bad, { values: 'count', badLines: 'skip' }, losses))), 7n);
  assert.deepEqual(losses.list(), [{ reason: 'folded_bad_line', items: 1 }]);
});

/** As pprof it has the same sum and number of samples by decoders that share nothing with src. */
function sameByOthers(columns: Parameters<typeof encodePprof>[0], sum: string, count: number): void {
  const pprof = Buffer.from(encodePprof(columns));
  for (const profile of [byPprofFormat(pprof), byProtobufjs(pprof)]) {
    const total = profile.samples.reduce((all, { values }) => all + BigInt(values[0]!), 0n);
    assert.equal(String(total), sum);
    assert.equal(profile.samples.length, count);
  }
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MISUSED, Refusal } from '../../../src/convert/refusal.ts';
import { targetOf } from '../../../src/convert/target.ts';

const CASES: readonly [string, string | undefined, string, string][] = [
  ['a.pb', undefined, 'pprof', 'identity'],
  ['a.pb.gz', undefined, 'pprof', 'gzip'],
  ['a.PB.ZST', undefined, 'pprof', 'zstd'],
  ['a.pprof', undefined, 'pprof', 'gzip'],
  ['a.prof', undefined, 'pprof', 'gzip'],
  ['a.otlp', undefined, 'otlp', 'identity'],
  ['a.otlp.pb', undefined, 'otlp', 'identity'],
  ['a.json', undefined, 'otlp_json', 'identity'],
  ['a.otlp.jsonl.gz', undefined, 'otlp_json', 'gzip'],
  ['a.folded', undefined, 'folded', 'identity'],
  ['a.collapsed', undefined, 'folded', 'identity'],
  ['a.txt', undefined, 'folded', 'identity'],
  ['a.lines', undefined, 'lines', 'identity'],
  ['a.speedscope.json', undefined, 'speedscope', 'identity'],
  ['a.speedscope', undefined, 'speedscope', 'identity'],
  ['-', 'pprof', 'pprof', 'identity'],
  ['a.prof', 'folded', 'folded', 'identity'],
  ['a.json.gz', 'speedscope', 'speedscope', 'gzip'],
];

for (const [file, to, format, encoding] of CASES)
  test(`${file}${to ? ` --to ${to}` : ''} is ${format}, ${encoding}`, () => {
    assert.deepEqual(targetOf(file, to), { format, encoding });
  });

for (const [file, to, said] of [
  ['-', undefined, /a pipe has no ending .* --to pprof \| otlp/],
  ['a', undefined, /^a: its ending does not say/],
  ['a.gz', undefined, /^a\.gz: its ending does not say/],
  ['a.pb', 'perf', /^--to is one of .*, not `perf`/],
] as const)
  test(`${file} --to ${to} is a mistake on the command line`, () => {
    assert.throws(
      () => targetOf(file, to),
      (error: Refusal) => error instanceof Refusal && error.code === MISUSED && said.test(error.message),
    );
  });

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ColumnsBuilder } from '../../../src/model/columns/builder.ts';
import { encodePprof } from '../../../src/wire/pprof/encode.ts';
import { run, scratch } from './run.ts';

/** CPU time by leaf under `main`, in milliseconds, over so many seconds. */
function cpu(leaves: Readonly<Record<string, number>>, seconds = 0): Uint8Array {
  const builder = new ColumnsBuilder([{ type: 'cpu', unit: 'nanoseconds' }]);
  const at = (name: string) => builder.location({ function: builder.function({ name: builder.string(name) }) });
  for (const [name, ms] of Object.entries(leaves)) builder.sample([at(name), at('main')], 2, BigInt(ms) * 1_000_000n);
  builder.columns.durationNanos = BigInt(seconds) * 1_000_000_000n;
  return new Uint8Array(encodePprof(builder.columns));
}

function pair(t: TestContext, a: Uint8Array, b: Uint8Array): [string, string] {
  const dir = scratch(t);
  const files = [join(dir, 'a.pb'), join(dir, 'b.pb')] as const;
  writeFileSync(files[0], a);
  writeFileSync(files[1], b);
  return [...files];
}

const A = { parse: 900, hash: 100 };
const B = { parse: 850, hash: 180, log: 20 };

test('what grew and shrank, the largest change first', async t => {
  const files = pair(t, cpu(A), cpu(B));
  const { code, out, err } = await run('diff', files);
  assert.deepEqual([code, err], [0, '']);
  const lines = out.trimEnd().split('\n');
  assert.equal(lines[0], 'process_cpu cpu: +50 ms, +5.00 %');
  assert.match(lines[1]!, /^A {2}.*a\.pb +1 s +1000000000 nanoseconds$/);
  const rows = lines.slice(5).map(line => line.trim().split(/ {2,}/));
  assert.deepEqual(rows, [
    ['100 ms', '180 ms', '+8.00 %', '100 ms', '180 ms', '+8.00 %', 'hash'],
    ['900 ms', '850 ms', '-5.00 %', '900 ms', '850 ms', '-5.00 %', 'parse'],
    ['0 ns', '20 ms', '+2.00 %', '0 ns', '20 ms', '+2.00 %', 'log'],
    ['0 ns', '0 ns', '0.00 %', '1 s', '1.05 s', '+5.00 %', 'main'],
  ]);
});

test('small changes and those behind the first N are left out, and counted', async t => {
  const files = pair(t, cpu(A), cpu(B));
  const min = await run('diff', files, { min: 6 });
  assert.match(min.out, /hash\n3 more changed/);
  const top = await run('diff', files, { top: 2 });
  assert.match(top.out, /parse\n2 more changed; --top N and --min 0% show them\n$/);
});

test('over the limit it exits 1 and says why; at the limit it does not', async t => {
  const files = pair(t, cpu(A), cpu(B));
  const over = await run('diff', files, { failOver: 5 });
  assert.equal(over.code, 1);
  assert.equal(over.err, "flamegate: hash grew by 80 ms, 8.00 % of A's total: over 5 %\n");
  const total = await run('diff', files, { failOver: 4.9, min: 50, top: 0 });
  assert.equal(total.code, 1);
  assert.match(total.err, /^flamegate: the total grew by 50 ms, 5\.00 % of A's total: over 4\.9 %$/m);
  assert.equal((await run('diff', files, { failOver: 8 })).code, 0);
  assert.equal((await run('diff', [files[1], files[0]], { failOver: 4 })).code, 1, 'parse came back');
});

test('per second: twice the time with twice the work is no change', async t => {
  const files = pair(t, cpu(A, 10), cpu({ parse: 1800, hash: 200 }, 20));
  assert.equal((await run('diff', files, { failOver: 5 })).code, 1);
  const { code, out } = await run('diff', files, { failOver: 0, perSecond: true });
  assert.equal(code, 0);
  assert.match(out, /no function changed/);
  const silent = await run('diff', pair(t, cpu(A, 10), cpu(A)), { perSecond: true });
  assert.equal(silent.code, 1);
  assert.match(silent.err, /b\.pb: does not say how long it lasted/);
});

test('the document has exact values as strings and what is over', async t => {
  const [a, b] = pair(t, cpu(A), cpu(B));
  const { code, out } = await run('diff', [a, b], { json: true, failOver: 5, top: 1 });
  assert.equal(code, 1);
  const hash = { a: '100000000', b: '180000000', points: 8 };
  assert.deepEqual(JSON.parse(out), {
    profile: 'process_cpu',
    type: 'cpu',
    unit: 'nanoseconds',
    a: { file: a, total: '1000000000', durationNs: '0' },
    b: { file: b, total: '1050000000', durationNs: '0' },
    perSecond: false,
    total: { a: '1000000000', b: '1050000000', points: 5 },
    changed: 4,
    functions: [{ name: 'hash', self: hash, total: hash }],
    failOver: 5,
    over: [{ function: 'hash', ...hash }],
  });
});

test('profiles of different forms are compared by function and type', async t => {
  const [a] = pair(t, cpu(A), cpu(A));
  const dir = scratch(t);
  for (const name of ['a.otlp', 'a.json', 'a.speedscope.json']) {
    await run('convert', [a, join(dir, name)]);
    const { code, out, err } = await run('diff', [a, join(dir, name)], { failOver: 0 });
    assert.equal(code, 0, err);
    assert.match(out, /no function changed/);
  }
});

test('what cannot be compared is one line', async t => {
  const [a] = pair(t, cpu(A), cpu(A));
  const folded = join(scratch(t), 'f.folded');
  writeFileSync(folded, 'main 1\n');
  const { code, err } = await run('diff', [a, folded]);
  assert.equal(code, 1);
  assert.match(
    err,
    /f\.folded: has no sample type cpu \(nanoseconds\), which is compared; there are: samples \(count\);/,
  );
  assert.equal((await run('diff', ['-', '-'])).code, 2);
});

test('threads that are called otherwise in each run are compared together', async t => {
  const file = (names: readonly string[], weight: number) =>
    Buffer.from(
      JSON.stringify({
        $schema: 'https://www.speedscope.app/file-format-schema.json',
        shared: { frames: [{ name: 'main' }] },
        profiles: names.map(name => ({
          ...{ type: 'sampled', name, unit: 'seconds', startValue: 0, endValue: weight },
          samples: [[0]],
          weights: [weight],
        })),
      }),
    );
  const files = pair(t, file(['Thread 1', 'Thread 2'], 1), file(['Thread 8', 'Thread 9'], 1));
  const { code, out, err } = await run('diff', files, { failOver: 1 });
  assert.deepEqual([code, err], [0, '']);
  assert.match(out, /^wall wall: 0 ns, 0\.00 %\n.* 2 s .*\n.* 2 s /);
});

test('what was not read is said', async t => {
  const files = pair(t, Buffer.from('main;work 3\nmain;a 1\nmain;b 1\nmain\n'), Buffer.from('main;work 3\n'));
  const { code, err } = await run('diff', files);
  assert.equal(code, 0);
  assert.match(err, /lost 1 × line \(folded_bad_line\)/);
});

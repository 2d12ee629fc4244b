// `perf script`, as perf 6.1 wrote it and as its options make it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Losses } from '../../../../src/wire/convert/losses.ts';
import { DecodeError } from '../../../../src/wire/decode-error.ts';
import { decodePerf, isPerf } from '../../../../src/wire/perf/decode.ts';
import { corpusDir } from '../../../kit/corpus.ts';
import { mappedFiles, said, shared } from '../../../kit/said.ts';

const decode = (text: string, losses?: Losses) => decodePerf(Buffer.from(text), losses);
const one = (text: string, losses?: Losses) => {
  const profiles = decode(text, losses);
  assert.equal(profiles.length, 1);
  return profiles[0]!.columns;
};

test('a recording of a Go program', {
  skip: corpusDir ? false : 'the shared corpus is not beside this checkout',
}, () => {
  const raw = readFileSync(join(corpusDir!, 'traffic/linux-perf-6.1/001-perf.script.txt'));
  const [profile, ...others] = decodePerf(raw);
  assert.equal(others.length, 0);
  assert.equal(profile!.event, 'cpu-clock');
  const { columns } = profile!;
  assert.deepEqual(said(columns).types, ['samples/count', 'cpu/nanoseconds']);
  // 86 samples by the manifest; each has the period 10101010.
  assert.deepEqual(said(columns).sums, [86n, 86n * 10_101_010n]);
  assert.deepEqual(mappedFiles(columns), ['/app/demo/go/demo', '[kernel.kallsyms]', '[vdso]']);
  assert.equal(columns.durationNanos, 3_868_204_000n);
  assert.ok(said(columns).samples.some(sample => sample.includes('main.burn;crypto/sha256.Sum256;')));
});

const HEADER = '# captured on: Thu Nov 27 2025\n# event : name = cycles\n#\n';
const MIXED = `${HEADER}
my app:2 4711/4712 [003] 12.000000001: 100 cycles:u:
\t          1f cafe::brew(int, char)+0x10 (/opt/cafe (deleted))
\t          20 operator new(unsigned long)+0x1 (/opt/cafe (deleted))
\tffffffff8100 do_syscall_64+0x71 ([kernel.kallsyms])
\t          30 [unknown] (/lib/libc.so.6)
\t           0 [unknown] ([unknown])

swapper     0/0     [000] 11.5: 7 sched:sched_switch: prev_comm=swapper/0 prev_pid=0 ==> next_comm=x
\t          1f cafe::brew(int, char)+0x10 (/opt/cafe (deleted))

my app:2 4711/4712 [001] 13.000000001: 23 cycles:u:
\t          1f cafe::brew(int, char)+0x10 (/opt/cafe (deleted))
\t          20 operator new(unsigned long)+0x1 (/opt/cafe (deleted))
\tffffffff8100 do_syscall_64+0x71 ([kernel.kallsyms])
\t          30 [unknown] (/lib/libc.so.6)
\t           0 [unknown] ([unknown])
`;

test('a profile per event; equal stacks of a task are one sample; names may have blanks and brackets', () => {
  const losses = new Losses();
  const profiles = decode(MIXED, losses);
  assert.deepEqual(
    profiles.map(({ event, columns }) => [event, ...said(columns).types]),
    [
      ['cycles:u', 'samples/count', 'cycles:u/count'],
      ['sched:sched_switch', 'samples/count', 'sched:sched_switch/count'],
    ],
  );
  assert.deepEqual(said(profiles[0]!.columns).samples, [
    '[unknown];0x30;do_syscall_64;operator new(unsigned long);cafe::brew(int, char) 2 123 comm=my app:2 pid=4711 tid=4712',
  ]);
  assert.deepEqual(mappedFiles(profiles[0]!.columns), ['/opt/cafe (deleted)', '[kernel.kallsyms]', '/lib/libc.so.6']);
  assert.equal(profiles[0]!.columns.durationNanos, 1_000_000_000n);
  assert.deepEqual(said(profiles[1]!.columns).samples, ['cafe::brew(int, char) 1 7 comm=swapper pid=0 tid=0']);
  assert.deepEqual(losses.list(), [{ reason: 'perf_event_text', items: 1 }]);
});

test('shared memory, CR LF and a missing last empty line make no difference', () => {
  const due = decode(MIXED).map(({ columns }) => said(columns));
  const again = decodePerf(shared(Buffer.from(MIXED))).map(({ columns }) => said(columns));
  assert.deepEqual(again, due);
  assert.deepEqual(
    decode(MIXED.replaceAll('\n', '\r\n')).map(({ columns }) => said(columns)),
    due,
  );
  assert.deepEqual(
    decode(`${MIXED}\n\n`).map(({ columns }) => said(columns)),
    due,
  );
});

test('one line per sample, where no stacks were taken', () => {
  const columns = one(
    '            perf  2044 [000] 10.1:          1 cycles:  ffffffff9a  native_write_msr+0x6 ([kernel.kallsyms])\n' +
      '            cafe  2045 [000] 10.2:         41 cycles:            bb  main+0x6 (/bin/cafe)\n' +
      '             bash 9 10.3: 2 cycles: \n',
  );
  assert.deepEqual(said(columns).samples, [
    'native_write_msr 1 1 comm=perf tid=2044',
    'main 1 41 comm=cafe tid=2045',
    ' 1 2 comm=bash tid=9',
  ]);
});

test('frames that were inlined are lines of the one they are in, with source lines where they are printed', () => {
  const columns = one(
    'a 1 1.0: 5 cycles:\n\t10 leaf (inlined)\n  leaf.h:7\n\t10 middle (inlined)\n\t10 outer+0x4 (/bin/a)\n  a.c:12\n\t20 main+0x1 (/bin/a)\n\n' +
      'a 1 1.1: 5 cycles:\n\t10 outer+0x4 (/bin/a)\n\t10 leaf (inlined)\n\n',
  );
  assert.deepEqual(said(columns).samples, [
    'main;outer@a.c:12>middle>leaf@leaf.h:7 1 5 comm=a tid=1',
    'leaf;outer 1 5 comm=a tid=1',
  ]);
});

test('without a period an event counts 1, and of a clock only samples are counted', () => {
  assert.deepEqual(said(one('a 1 1.0: cycles:\n\t10 f (/a)\n')), {
    types: ['samples/count', 'cycles/count'],
    samples: ['f 1 1 comm=a tid=1'],
    sums: [1n, 1n],
  });
  assert.deepEqual(said(one('a 1 1.0: cpu-clock:ppp: \n\t10 f (/a)\n')).types, ['samples/count']);
  assert.deepEqual(said(one('a 1 cycles:\n\t10 f (/a)\n')).samples, ['f 1 1 comm=a tid=1']);
  assert.deepEqual(said(one('a 1 1.0: 9 task-clock:u: \n\t10\n')).samples, ['0x10 1 9 comm=a tid=1']);
});

test('a command that was cut inside a character is a text still', () => {
  const [profile] = decodePerf(
    Buffer.concat([Buffer.from('caf'), Buffer.from([0xc3]), Buffer.from(' 1 1.0: 5 cycles:\n\t10 \u00e0 (/\u00e0)\n')]),
  );
  assert.deepEqual(said(profile!.columns).samples, ['à 1 5 comm=caf\ufffd tid=1']);
  assert.deepEqual(mappedFiles(profile!.columns), ['/à']);
});

test('what is wrong is said with its line', () => {
  const fails = (text: string, reason: string, message: RegExp) =>
    assert.throws(
      () => decode(text),
      error => error instanceof DecodeError && error.reason === reason && message.test(error.message),
    );
  fails('', 'bad_perf', /no samples/);
  fails('# only\n', 'bad_perf', /no samples/);
  fails('\nhello world\n', 'bad_perf', /line 2$/);
  fails('a 1 1.0: 5 cycles:\n\tzz f (/a)\n', 'bad_perf', /line 2$/);
  fails('a 1 1.0: 5 cycles:\n\t10 f (/a)\nmain.c:1\n', 'bad_perf', /line 3$/);
  fails('a 1 1.0: 9223372036854775807 cycles:\n\na 1 1.0: 1 cycles:\n', 'value_overflow', /64 bits/);
  fails(`a 1 1.0: ${'9'.repeat(30)} cycles:\n`, 'value_overflow', /64 bits/);
  assert.throws(() => decodePerf(Buffer.from(MIXED), undefined, 1000), { reason: 'too_many_elements' });
});

test('a line that could be a header in many ways costs no more than its length', () => {
  const hostile = `${'1 '.repeat(4000)}\n`;
  const from = performance.now();
  assert.throws(() => decode(hostile.repeat(20)), { reason: 'bad_perf' });
  const blanks = ' '.repeat(400_000);
  const columns = one(`a 1 1.0: 5 cycles:\n\t10 ${'('.repeat(400_000)})\n\t20 f${blanks}x ${blanks}(/a)\n`);
  assert.equal(said(columns).sums[0], 1n);
  // Squared it would be minutes.
  assert.ok(performance.now() - from < 20_000);
});

test('perf is told by its first sample, not by any line with a number and a colon', () => {
  assert.ok(isPerf(Buffer.from(MIXED)));
  assert.ok(isPerf(Buffer.from('a 1 cycles:\n\t10 f (/a)\n')));
  for (const text of ['goroutine 1 [running]:\nmain.main()\n', 'version 3 notes:\nnothing\n', 'main;f 10\n', ''])
    assert.equal(isPerf(Buffer.from(text)), false, text);
});

test('a place of more inlined frames than any compiler makes is refused, as its own frame is behind them', () => {
  const inlined = Array.from({ length: 2500 }, (_none, at) => `\t 1f f${at} (inlined)\n`).join('');
  assert.throws(() => decode(`demo 12 1.000001: 1 cycles:\n${inlined}\t 1f main (/bin/prog)\n\n`), {
    reason: 'too_deep',
  });
});

// Text, JSON and binary profiles with bytes changed, parts cut, doubled and exchanged, and numbers made huge, at what reads the forms that are
// only read: they are read or refused with a DecodeError, in bounded time. The seed is fixed and printed; FUZZ_SEED and FUZZ_RUNS go further.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Columns } from '../../src/model/columns/columns.ts';
import { DecodeError } from '../../src/wire/decode-error.ts';
import { decodeLegacy } from '../../src/wire/legacy/decode.ts';
import { decodePerf } from '../../src/wire/perf/decode.ts';
import { decodePprof } from '../../src/wire/pprof/decode.ts';
import { encodePprof } from '../../src/wire/pprof/encode.ts';
import { formOf } from '../../src/wire/sniff.ts';
import { decodeCpuProfile } from '../../src/wire/v8/cpu-profile.ts';
import { decodeHeapProfile } from '../../src/wire/v8/heap-profile.ts';
import { corpusDir } from '../kit/corpus.ts';
import { goCount, goHeap, legacyVectors } from '../kit/legacy.ts';
import { said } from '../kit/said.ts';

const seed = Number(process.env.FUZZ_SEED ?? 20261126);
const numRuns = Number(process.env.FUZZ_RUNS ?? 1000);
/** Of one input, ms: a thousand times what the largest takes, as the machine may be busy. */
const MAX_MS = 5000;

const perf = `# comment
my app 4711/4712 [003] 12.000000001: 100 cycles:u:
\t          1f cafe::brew(int, char)+0x10 (/opt/cafe (deleted))
\t          20 leaf (inlined)
  leaf.h:7
\t          20 operator new(unsigned long)+0x1 ([kernel.kallsyms])

swapper     0/0     [000] 11.5: 7 sched:sched_switch: prev_comm=swapper/0 ==> next_comm=x
perf  2044 10.1: 1 cpu-clock:  ffffffff9a  native_write_msr+0x6 ([kernel.kallsyms])
`;
const frame = (functionName: string) => ({ functionName, scriptId: '1', url: 'a.js', lineNumber: 1, columnNumber: 2 });
const cpu = JSON.stringify({
  nodes: [
    { id: 1, callFrame: frame('(root)'), hitCount: 0, children: [2, 3] },
    { id: 2, callFrame: frame('f'), hitCount: 1, positionTicks: [{ line: 1, ticks: 1 }] },
    { id: 3, callFrame: frame(''), hitCount: 2, parent: 1 },
  ],
  startTime: 1000,
  endTime: 2000,
  samples: [2, 3, 3],
  timeDeltas: [10, 20, -5],
});
const heap = JSON.stringify({
  head: {
    ...{ callFrame: frame('(root)'), selfSize: 0, id: 1 },
    children: [{ callFrame: frame('f'), selfSize: 40, id: 2, children: [] }],
  },
  samples: [{ size: 40, nodeId: 2, ordinal: 1 }],
});

const sources: Record<string, Buffer[]> = {
  legacy: [...legacyVectors.values(), Buffer.from(goCount), Buffer.from(goHeap)],
  perf: [
    Buffer.from(perf),
    ...(corpusDir
      ? [readFileSync(join(corpusDir, 'traffic/linux-perf-6.1/001-perf.script.txt')).subarray(0, 4000)]
      : []),
  ],
  cpuprofile: [Buffer.from(cpu)],
  heapprofile: [Buffer.from(heap)],
};
/** What parsers trip over. */
const TOKENS = [
  '\n',
  '',
  ' ',
  '0',
  '-1',
  '9223372036854775807',
  '99999999999999999999',
  '1e999',
  '0x',
  '[',
  '{',
  '"',
  ':',
  '@',
  '=$a',
  '\0',
  '\xff',
  '--- Memory map: ---\n',
];

const edit = fc.record({
  kind: fc.constantFrom('byte', 'cut', 'double', 'token', 'number', 'small', 'small'),
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  length: fc.integer({ min: 1, max: 40 }),
  byte: fc.integer({ min: 0, max: 255 }),
  token: fc.constantFrom(...TOKENS),
});
type Edit = typeof edit extends fc.Arbitrary<infer T> ? T : never;

function edited(source: Buffer, { kind, at: place, length, byte, token }: Edit): Buffer {
  const at = Math.floor(place * source.length);
  const [before, after] = [source.subarray(0, at), source.subarray(at)];
  switch (kind) {
    case 'byte':
      return Buffer.concat([before, Buffer.from([byte]), after.subarray(1)]);
    case 'cut':
      return Buffer.concat([before, after.subarray(length)]);
    case 'double':
      return Buffer.concat([before, after.subarray(0, length), after]);
    case 'token':
      return Buffer.concat([before, Buffer.from(token, 'latin1'), after]);
    case 'small':
      return Buffer.from(before.toString('latin1') + after.toString('latin1').replace(/[0-9]+/, `${length}`), 'latin1');
    default:
      return Buffer.from(before.toString('latin1') + after.toString('latin1').replace(/[0-9]+/, token), 'latin1');
  }
}

const readers: Record<string, (raw: Buffer) => Columns[]> = {
  legacy: raw => [decodeLegacy(raw)],
  perf: raw => decodePerf(raw).map(({ columns }) => columns),
  cpuprofile: raw => [decodeCpuProfile(raw)],
  heapprofile: raw => [decodeHeapProfile(raw)],
};

for (const [form, read] of Object.entries(readers))
  test(`only classified errors come out of ${form} (FUZZ_SEED=${seed} FUZZ_RUNS=${numRuns})`, () => {
    const input = fc.tuple(fc.constantFrom(...sources[form]!), fc.array(edit, { minLength: 1, maxLength: 4 }));
    let sound = 0;
    fc.assert(
      fc.property(input, ([source, edits]) => {
        const raw = edits.reduce(edited, source);
        const from = performance.now();
        formOf(raw);
        try {
          // What was read is a profile: it says the same once written as pprof.
          for (const columns of read(raw)) assert.deepEqual(said(decodePprof(encodePprof(columns))), said(columns));
          sound++;
        } catch (error) {
          if (!(error instanceof DecodeError)) throw error;
        }
        assert.ok(performance.now() - from < MAX_MS);
      }),
      { seed, numRuns },
    );
    // Most edits leave no JSON.
    assert.ok(sound > numRuns / 200, `${sound} were read to the end`);
  });

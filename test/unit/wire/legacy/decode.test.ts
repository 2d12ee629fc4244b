// What pprof was before protobuf. That the values are those of google/pprof is for test/clients/legacy.test.ts to say.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { Losses } from '../../../../src/wire/convert/losses.ts';
import { DecodeError } from '../../../../src/wire/decode-error.ts';
import { decodeLegacy, isLegacy } from '../../../../src/wire/legacy/decode.ts';
import { unsampled } from '../../../../src/wire/legacy/heap-scale.ts';
import { RangeIndex } from '../../../../src/wire/legacy/memory-map.ts';
import { corpusDir } from '../../../kit/corpus.ts';
import { cpuWords, goCount, goHeap, legacyVectors, MAP, words } from '../../../kit/legacy.ts';
import { mappedFiles, said, shared } from '../../../kit/said.ts';

const vector = (name: string) => decodeLegacy(legacyVectors.get(name)!);
const fails = (text: string | Uint8Array, reason: string, message: RegExp) =>
  assert.throws(
    () => decodeLegacy(typeof text === 'string' ? Buffer.from(text) : text),
    error => error instanceof DecodeError && error.reason === reason && message.test(error.message),
  );

test('the corpus: sums of each', { skip: corpusDir ? false : 'the shared corpus is not beside this checkout' }, () => {
  const sums = (file: string) => said(decodeLegacy(readFileSync(join(corpusDir!, file)))).sums;
  assert.deepEqual(sums('legacy/tcmalloc-heap.txt'), [41063n, 80935293n]);
  assert.deepEqual(sums('legacy/gperftools-cpu.bin'), [305n, 3_050_000_000n]);
  assert.deepEqual(sums('legacy/java-contention.txt'), [700n, 1900n]);
  assert.deepEqual(sums('legacy/threadz.txt'), [4n]);
  const go = 'traffic/go-net-http-pprof-1.26.8';
  assert.deepEqual(sums(`${go}/014-goroutine-debug1.body`), [10n]);
  assert.deepEqual(sums(`${go}/017-mutex-debug1.body`), [7925n, 74_002_376_933n]);
});

test('every vector is told by its beginning, and read from shared memory too', () => {
  for (const [name, bytes] of legacyVectors) {
    assert.ok(isLegacy(bytes), name);
    assert.deepEqual(said(decodeLegacy(shared(bytes))), said(decodeLegacy(bytes)), name);
  }
});

test('sampled blocks stand for as many as were not', () => {
  // 1 / (1 - e^(-32 / 524288)) = 16384.5
  assert.deepEqual(said(vector('heapz_v2')), {
    types: ['objects/count', 'space/bytes'],
    samples: ['0x400200;0x400100 16384 524304 bytes=32', '0x400100 8192 524320 bytes=64'],
    sums: [24576n, 1_048_624n],
  });
  assert.equal(vector('heapz_v2').period, 524_288n);
  assert.deepEqual(unsampled(7n, 700n, 1n), [7n, 700n]);
  assert.throws(() => unsampled(2n ** 62n, 1n, 2n ** 62n), { reason: 'value_overflow' });
});

test('what was allocated comes first, where it is not what is in use', () => {
  assert.deepEqual(said(vector('heap_v2 with allocated')), {
    types: ['alloc_objects/count', 'alloc_space/bytes', 'inuse_objects/count', 'inuse_space/bytes'],
    samples: ['0x400100 3 99 1 32 bytes=32', '0x400300;0x400200 6 900 0 0 bytes=150'],
    sums: [9n, 999n, 1n, 32n],
  });
});

test('the memory map: names, ranges of one file joined, the program first, data left out', () => {
  const heap = vector('heapz_v2');
  assert.deepEqual(mappedFiles(heap), ['/opt/shop/server', '/lib/libc-2.15.so', '[vdso]']);
  assert.deepEqual([heap.mappings.start.at(2), heap.mappings.offset.at(2)], [0x7f47a4554000n, 0x1000n]);
  const joined = vector('heapprofile');
  assert.deepEqual(mappedFiles(joined), ['/opt/a', '']);
  assert.deepEqual([joined.mappings.start.at(1), joined.mappings.limit.at(1)], [0x400000n, 0x402000n]);
});

test('a name that stands for itself twice over does not grow a line without end', () => {
  const bomb = Array.from({ length: 60 }, (_none, at) => `a${at + 1}=$a${at}$a${at}`).join('\n');
  const columns = decodeLegacy(
    Buffer.from(
      `threadcreate profile: total 1\n1 @ 0x1\n--- Memory map: ---\na0=${'x'.repeat(100)}\n${bomb}\n1-2: $a60\n`,
    ),
  );
  assert.equal(columns.mappings.count, 2);
});

test('lines that could be read in many ways cost no more than their length', () => {
  const from = performance.now();
  const brackets = ' ('.repeat(300_000);
  const java = `--- contentionz 1 ---\nformat = java\nresolution = us\n1 1 @ 0x1\n\n0x1 f${brackets}:1\n0x1 f${brackets})\n`;
  assert.deepEqual(said(decodeLegacy(Buffer.from(java))).sums, [1n, 1n]);
  const blanks = `a${' '.repeat(4000)}\n`.repeat(500);
  assert.deepEqual(
    said(decodeLegacy(Buffer.from(`x profile: total 1\n1 @ 0x1\n--- Memory map: ---\n${blanks}`))).sums,
    [1n],
  );
  assert.throws(() => decodeLegacy(Buffer.from(`--- mutex:\n${'1'.repeat(300_000)}\n`)), { reason: 'bad_legacy' });
  assert.throws(() => decodeLegacy(Buffer.from(`${MAP}${'1-2\n'.repeat(100_001)}`)), { reason: 'bad_legacy' });
  assert.throws(() => decodeLegacy(Buffer.from(`x profile: total 0\n${MAP}${'1-2\n'.repeat(100_001)}`)), {
    reason: 'too_many_elements',
  });
  // Squared it would be minutes.
  assert.ok(performance.now() - from < 20_000);
});

test('the first range that holds an address is found, whatever the ranges', () => {
  const bound = fc.bigInt({ min: 0n, max: 40n });
  fc.assert(
    fc.property(fc.array(fc.tuple(bound, bound), { maxLength: 12 }), ranges => {
      const index = new RangeIndex(ranges);
      for (let address = -1n; address < 42n; address++)
        assert.equal(
          index.find(address),
          ranges.findIndex(([from, to]) => from <= address && address < to),
        );
    }),
  );
});

test('contention is time by the clock, and scaled by the period', () => {
  const columns = vector('contention of C++');
  assert.deepEqual(said(columns), {
    types: ['contentions/count', 'delay/nanoseconds'],
    samples: ['0x400200;0x400100 2700 608881724', '0x7f47a45541ff;0x400100 100 23992'],
    sums: [2800n, 608_905_716n],
  });
  assert.equal(columns.durationNanos, 16_502_830_000_000n);
});

test('threads of one stack are one sample, with the names that the text has', () => {
  assert.deepEqual(said(vector('threads')).samples, ['main;helper(arg *) 2', '0x400500;0x400400;0x400301 1']);
  const losses = new Losses();
  decodeLegacy(legacyVectors.get('threads')!, losses);
  assert.deepEqual(losses.list(), [{ reason: 'legacy_thread_name', items: 3 }]);
});

test('names of Java: in a file, in a library, stubs, and the machine itself', () => {
  const columns = vector('contention of Java');
  assert.deepEqual(said(columns).samples, [
    'com.example.Shop.main@Shop.java;com.example.Shop.sell@Shop.java:12 100 100',
    'GC;STUB;JVM_Sleep@libjvm.so 300 1400',
  ]);
  assert.deepEqual(said(vector('heap of Java')).types, ['inuse_objects/count', 'inuse_space/bytes']);
});

test('a binary profile says the same in words of either size and order', () => {
  for (const isJava of [false, true]) {
    const due = said(decodeLegacy(words(cpuWords(isJava))));
    for (const size of [4, 8] as const)
      for (const isLittle of [true, false]) {
        const bytes = words(cpuWords(isJava), size, isLittle);
        assert.deepEqual(said(decodeLegacy(bytes)), due, `${size} ${isLittle}`);
        // Anywhere in memory.
        const odd = Buffer.concat([Buffer.from([1]), bytes]).subarray(1);
        assert.deepEqual(said(decodeLegacy(odd)), due);
      }
  }
});

test('a binary profile loses the frame of the signal handler and a second leaf', () => {
  assert.deepEqual(said(vector('cpu')), {
    types: ['samples/count', 'cpu/nanoseconds'],
    samples: ['0x4002ff;0x400100 2 20000000', '0x40030f;0x400110 5 50000000', '0x40031f;0x400120 1 10000000'],
    sums: [8n, 80_000_000n],
  });
  assert.deepEqual(said(vector('cpu of Java')).samples.length, 2);
});

test('comments of Go: names, inlined ones too, and labels', () => {
  const losses = new Losses();
  assert.deepEqual(said(decodeLegacy(Buffer.from(goCount), losses)).samples, [
    'main.contend.func1@example.com/demo/main.go:70;sync.(*Mutex).Lock@sync/mutex.go:46>internal/sync.(*Mutex).Lock@internal/sync/mutex.go:70;0x46c331 3 controller=order "bike" vehicle=bike',
    'main.contend.func1@example.com/demo/main.go:70 1',
  ]);
  assert.deepEqual(losses.list(), []);
  const heap = decodeLegacy(Buffer.from(goHeap), losses);
  assert.equal(heap.period, 524_288n);
  assert.equal(said(heap).samples.length, 1);
  assert.match(said(heap).samples[0]!, /^0x427864;main\.fill@main\.go:64 \d+ \d+ \d+ \d+ bytes=1024$/);
  assert.deepEqual(losses.list(), [{ reason: 'legacy_comment', items: 2 }]);
});

test('what is wrong is said with its line', () => {
  fails('', 'bad_legacy', /line 1$/);
  fails('<html>', 'bad_legacy', /line 1$/);
  fails('heap profile: 1: 2 [1: 2] @ heapz_v2/1\n\n1: 2 [1: 2] @ 0x1\nnonsense\n', 'bad_legacy', /line 4$/);
  fails('heap profile: 1: 2 [1: 2] @ heapz_v2/1\n0: 2 [0: 2] @ 0x1\n', 'bad_legacy', /line 2$/);
  fails('goroutine profile: total 1\n1 @ 0x11112222333344445\n', 'bad_legacy', /line 2$/);
  fails('goroutine profile: total 1\n99999999999999999999 @ 0x1\n', 'bad_legacy', /line 2$/);
  fails('--- contentionz 1 ---\nwhat = 1\n', 'bad_legacy', /line 2$/);
  fails(
    '--- contentionz 1 ---\nformat = java\nresolution = us\nsampling period = 9000000000000000000\n9 9 @ 0x1\n',
    'value_overflow',
    /64 bits/,
  );
  fails('--- heapz 1 ---\nformat = java\nresolution = bytes\n9 0 @ 0x1\n', 'bad_legacy', /line 4$/);
  fails(words([0, 3, 0, 1, 0, 1, 4, 1]), 'bad_legacy', /byte 40$/);
  fails(words([0, 3, 0, 1, 0, 1]), 'bad_legacy', /byte 40$/);
  fails(words([0, 3, 0, 1000, 0, 2n ** 62n, 1, 1]), 'value_overflow', /64 bits/);
  assert.throws(
    () =>
      decodeLegacy(
        Buffer.from(`goroutine profile: total 1\n${'1 @ 0x1 0x2 0x3\n'.repeat(9000)}${MAP}`),
        undefined,
        50_000,
      ),
    {
      reason: 'too_many_elements',
    },
  );
});

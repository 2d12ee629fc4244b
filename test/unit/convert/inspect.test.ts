import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { FileFinding } from '../../../src/convert/findings.ts';
import { ColumnsBuilder } from '../../../src/model/columns/builder.ts';
import { encodePprof } from '../../../src/wire/pprof/encode.ts';
import { corpusDir } from '../../kit/corpus.ts';
import { byProtobufjs } from '../../kit/oracles.ts';
import { inflated, recordedProfiles } from '../../kit/profiles.ts';
import { run, scratch } from './run.ts';

const inspected = async (file: string, options = {}): Promise<FileFinding> => {
  const { code, out, err } = await run('inspect', [file], { ...options, json: true });
  assert.equal(code, 0, err);
  return JSON.parse(out);
};

/** A stack `main → work` for each of two threads. */
function labelled(): Uint8Array {
  const builder = new ColumnsBuilder([
    { type: 'samples', unit: 'count' },
    { type: 'cpu', unit: 'nanoseconds' },
  ]);
  const [main, work] = ['main', 'work\u001b[31m'].map(name =>
    builder.location({ function: builder.function({ name: builder.string(name) }) }),
  );
  for (const [thread, nanos] of [
    ['a', 2_000_000_000n],
    ['b', (1n << 60n) + 1n],
    ['a', 5n],
  ] as const) {
    const sample = builder.sample([work!, main!], 2, 1n);
    builder.value(sample, 1, nanos);
    builder.label(builder.string('thread'), builder.string(thread));
  }
  const bytes = builder.string('bytes');
  builder.numberLabel(bytes, 64n, bytes);
  builder.period('cpu', 'nanoseconds', 10_000_000n);
  builder.columns.timeNanos = 1_700_000_000_000_000_000n;
  builder.columns.durationNanos = 10_000_000_000n;
  return new Uint8Array(encodePprof(builder.columns));
}

test('the document says everything exactly', async t => {
  const file = join(scratch(t), 'a.pb.gz');
  const raw = labelled();
  const bytes = gzipSync(raw);
  writeFileSync(file, bytes);
  const total = String(2_000_000_006n + (1n << 60n));
  assert.deepEqual(await inspected(file, { top: 1 }), {
    file,
    form: 'pprof',
    version: 'pprof',
    compression: ['gzip'],
    bytes: bytes.length,
    inflatedBytes: raw.length,
    profiles: [
      {
        name: 'process_cpu',
        types: [
          { type: 'samples', unit: 'count', total: '3' },
          { type: 'cpu', unit: 'nanoseconds', total },
        ],
        defaultType: 'cpu',
        samples: 3,
        startNs: '1700000000000000000',
        start: '2023-11-14T22:13:20Z',
        durationNs: '10000000000',
        period: { type: 'cpu', unit: 'nanoseconds', value: '10000000' },
        attributes: {},
        labels: [
          {
            key: 'thread',
            samples: 3,
            distinct: 2,
            values: [
              { value: 'a', samples: 2 },
              { value: 'b', samples: 1 },
            ],
          },
          { key: 'bytes', samples: 1, distinct: 1, values: [{ value: '64 bytes', samples: 1 }] },
        ],
        locations: 2,
        functions: 2,
        mappings: 0,
        buildIds: 0,
        comments: 0,
        top: {
          type: 'cpu',
          unit: 'nanoseconds',
          total,
          functions: [{ name: 'work\u001b[31m', self: total, total }],
        },
      },
    ],
  });
});

test('for people it is short, has a line a type, and steers no terminal', async t => {
  const file = join(scratch(t), 'a.pb');
  writeFileSync(file, labelled());
  const { code, out, err } = await run('inspect', [file], { type: 'samples' });
  assert.deepEqual([code, err], [0, '']);
  assert.equal(out.split('\n')[0], `${file}: pprof, ${labelled().length} B, 1 profile`);
  assert.match(out, /^process_cpu +3 +samples +count +3 +3$/m);
  assert.match(out, /^ +cpu \* +nanoseconds +320256 h +\d+$/m);
  assert.match(out, /^ +time +2023-11-14T22:13:20Z for 10 s$/m);
  assert.match(out, /^ +labels +thread: 3 samples, 2 values: "a" 2, "b" 1$/m);
  assert.match(out, /^ +3 +100\.00 % +3 +100\.00 % +work\\u\{1b\}\[31m$/m);
  assert.doesNotMatch(out, /\u001b/);
});

test('it says of our own recordings what an independent decoder says', async t => {
  const dir = scratch(t);
  const recorded = recordedProfiles();
  assert.ok(recorded.length > 0);
  for (const { raw, file } of recorded) {
    writeFileSync(join(dir, 'a'), raw);
    const [found] = (await inspected(join(dir, 'a'))).profiles;
    const due = byProtobufjs(raw);
    assert.equal(found!.samples, due.samples.length, file);
    assert.equal(found!.functions, due.functions.length, file);
    assert.equal(found!.locations, due.locations.length, file);
    assert.equal(found!.mappings, due.mappings.length, file);
    assert.equal(found!.startNs, due.timeNanos > 0n ? String(due.timeNanos) : null, file);
    const sums = due.sampleTypes.map((_type, at) => due.samples.reduce((sum, { values }) => sum + values[at]!, 0n));
    assert.deepEqual(
      found!.types,
      due.sampleTypes.map((one, at) => ({ ...one, total: String(sums[at]) })),
      file,
    );
  }
});

const skip = corpusDir ? false : 'the shared corpus is not beside the checkout';

test('versions are told', { skip }, async () => {
  const version = async (file: string) => (await inspected(resolve(corpusDir!, file), { top: 1 })).version;
  assert.equal(await version('otlp/ebpf-profile.v1_8.pb'), 'OTLP 1.8');
  assert.equal(await version('otlp/ebpf-profile.v1_9.pb'), 'OTLP 1.9');
  assert.equal(await version('otlp/ebpf-profile.v1_10.pb'), 'OTLP 1.10');
  assert.equal(await version('otlp/ebpf-profile.v1_10.json'), 'OTLP JSON');
  assert.equal(await version('otlp/ebpf-k8s.v1_8.framed.bin'), 'OTLP 1.8, 2 requests behind their lengths');
  assert.equal(await version('jfr/FastSlow_2024_01_16_180855.jfr.gz'), 'JFR 2.0 and 2.1, 3 chunks');
  assert.equal(await version('folded/simple-utf16-le.txt'), 'folded text');
  assert.equal(await version('legacy/gperftools-cpu.bin'), 'legacy pprof');
});

test('top functions, labels and totals of the corpus are those of the manifest', { skip }, async () => {
  const { files } = JSON.parse(readFileSync(resolve(corpusDir!, 'MANIFEST.json'), 'utf8'));
  let compared = 0;
  // biome-ignore lint/suspicious/noExplicitAny: facts as the manifest has them
  for (const { file, facts } of files as any[]) {
    if (!file.startsWith('pprof/')) continue;
    const raw = inflated(readFileSync(resolve(corpusDir!, file)));
    const [found] = (await inspected(resolve(corpusDir!, file), { top: 1_000_000 })).profiles;
    assert.deepEqual(
      found!.types.map(({ total }) => total),
      facts.valueSums,
      file,
    );
    for (const [key, { count, distinct }] of Object.entries<{ count: number; distinct: number }>(facts.labels.keys)) {
      const label = found!.labels.find(one => one.key === key)!;
      // The manifest counts labels, of which a sample may have several of one key.
      assert.ok(label.samples <= count, `${file}: ${key}`);
      assert.equal(label.distinct, distinct, `${file}: ${key}`);
    }
    const due = facts.topLeaf;
    if (!due || found!.types[due.sampleTypeIndex]?.type !== found!.top.type) continue;
    const names = new Set(byProtobufjs(raw).functions.map(({ name }) => name));
    for (const [name, self] of due.functions as [string, string][]) {
      if (!names.has(name)) continue;
      compared++;
      assert.equal(found!.top.functions.find(one => one.name === name)?.self ?? '0', self, `${file}: ${name}`);
    }
  }
  assert.ok(compared > 20, String(compared));
});

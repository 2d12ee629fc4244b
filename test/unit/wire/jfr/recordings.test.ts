// Real recordings, against what grafana/jfr-parser (goldens) and the JDK's jfr tool (traffic) say of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Losses } from '../../../../src/wire/convert/losses.ts';
import { decodeJfr, type JfrRecording } from '../../../../src/wire/jfr/decode.ts';
import { corpusDir } from '../../../kit/corpus.ts';
import { corpusFile, corpusJfr, foldedLines, labelsOf, sentJfr, sumsOf, typesOf } from '../../../kit/jfr.ts';

const skip = corpusDir ? false : 'the shared corpus is not beside the checkout';
const nameOf = (recording: JfrRecording, wanted: string) =>
  recording.profiles.find(
    ({ name, columns }) => `${name}_${typesOf(columns).join('_').replaceAll('/', '__')}` === wanted,
  );

test('stacks are those of the goldens, line by line', { skip }, () => {
  for (const [file, profile] of [
    ['wall', 'process_cpu_cpu__nanoseconds'],
    ['example', 'process_cpu_cpu__nanoseconds'],
    ['nativemem', 'memory_malloc_objects__count_malloc_bytes__bytes'],
  ] as const) {
    const index = { wall: 0, example: 3, nativemem: 0 }[file];
    const golden = `jfr-golden/${file}_${index}_${profile.replace('count_', 'count__')}_expected_collapsed.txt.gz`;
    const due = corpusFile(golden).toString().trimEnd().split('\n').sort();
    const recording = decodeJfr(corpusFile(`jfr/${file}.jfr.gz`), { sampleRate: 100 });
    assert.deepEqual(foldedLines(nameOf(recording, profile)!.columns), due, file);
  }
});

test('profiles, sums and numbers of events of every recording are those of the oracle', { skip }, () => {
  const all = corpusJfr();
  assert.ok(all.length >= 12);
  for (const { file, raw, facts, golden } of all) {
    const losses = new Losses();
    const recording = decodeJfr(raw, { sampleRate: 100 }, losses);
    assert.equal(recording.events, facts.events, file);
    assert.deepEqual(Object.fromEntries(recording.eventCounts), facts.eventTypes, file);
    if (golden.length > 0) assert.equal(recording.profiles.length, golden.length, file);
    for (const { path, valueSums, lines } of golden) {
      const wanted = /_\d+_([a-z]+_.*)_expected_collapsed/.exec(path)![1]!.replaceAll(' ', '_');
      const profile = nameOf(recording, wanted);
      assert.ok(profile, `${file}: ${wanted}`);
      assert.equal(foldedLines(profile.columns).length, lines, `${file}: ${wanted}`);
      const due = valueSums.map(BigInt);
      const sums = sumsOf(profile.columns);
      assert.equal(sums[0], due[0], `${file}: ${wanted}`);
      const [{ ticksPerSecond }] = facts.chunkInfo as [(typeof facts.chunkInfo)[number]];
      if (!wanted.includes('delay')) assert.deepEqual(sums, due, `${file}: ${wanted}`);
      else {
        // jfr-parser takes ticks for nanoseconds. Each event is rounded down once.
        const nanos = (due[1]! * 1_000_000_000n) / BigInt(ticksPerSecond);
        assert.ok(nanos - sums[1]! <= sums[0]! && sums[1]! <= nanos, `${file}: ${sums[1]} of ${nanos}`);
      }
    }
    const starts = facts.chunkInfo.map(one => BigInt(one.startNanos));
    const ends = facts.chunkInfo.map((one, at) => starts[at]! + BigInt(one.durationNanos));
    const inOrder = (one: bigint, two: bigint) => Number(one - two);
    const start = starts.sort(inOrder)[0]!;
    const end = ends.sort(inOrder).at(-1)!;
    for (const { columns } of recording.profiles) {
      assert.equal(columns.timeNanos, start, file);
      assert.equal(columns.durationNanos, end - start, file);
    }
  }
});

test('samples without a stack are counted, not lost in silence', { skip }, () => {
  const losses = new Losses();
  decodeJfr(corpusFile('jfr/dd-trace-java.jfr.gz'), {}, losses);
  assert.deepEqual(losses.list(), [
    { reason: 'jfr_no_stack', items: 1 },
    { reason: 'jfr_event_unused', items: 9 },
  ]);
  const others = new Losses();
  decodeJfr(corpusFile('jfr/object-allocation-sample.jfr.gz'), {}, others);
  assert.deepEqual(others.list(), [{ reason: 'jfr_no_stack', items: 5 }]);
});

test('without a word of the sender the recording says what a sample stands for', { skip }, () => {
  const periods = (file: string) =>
    decodeJfr(corpusFile(file)).profiles.map(({ name, columns }) => [name, columns.period]);
  assert.deepEqual(periods('jfr/jdk-heavy.jfr')[0], ['process_cpu', 20_000_000n]);
  assert.deepEqual(periods('jfr/dd-trace-java.jfr.gz')[0], ['process_cpu', 9_000_000n]);
  assert.deepEqual(periods('jfr/wall.jfr.gz'), [
    ['process_cpu', 10_000_000n],
    ['wall', 10_000_000n],
  ]);
});

test('labels beside a recording become labels of its samples', { skip }, () => {
  for (const [file, labels, due] of [
    ['dump1.jfr.gz', 'dump1.labels.pb.gz', { thread_name: /^pool-2-thread-[1357]$/ }],
    ['new_spancontext.jfr.gz', 'new_spancontext.labels.gz', { dyn1: /^v1$/, span_name: /^(Infinite|Fibonachi)$/ }],
  ] as const) {
    const losses = new Losses();
    const { profiles } = decodeJfr(corpusFile(`jfr/${file}`), { labels: corpusFile(`jfr/${labels}`) }, losses);
    const { columns } = profiles[0]!;
    const seen = new Map<string, number>();
    for (let at = 0; at < columns.samples.count; at++)
      for (const [key, text] of Object.entries(labelsOf(columns, at))) {
        seen.set(key, (seen.get(key) ?? 0) + 1);
        const pattern = (due as Record<string, RegExp>)[key];
        if (pattern) assert.match(text, pattern);
        if (key === 'span_id') assert.match(text, /^[0-9a-f]{16}$/);
      }
    for (const key of Object.keys(due)) assert.ok(seen.get(key)! > 0, `${file}: ${key} of ${[...seen.keys()]}`);
    assert.deepEqual(losses.list(), [], file);
  }
});

const SUMS: Readonly<Record<string, readonly [profile: string, field?: string]>> = {
  'jdk.ObjectAllocationInNewTLAB': [
    'memory_alloc_in_new_tlab_objects__count_alloc_in_new_tlab_bytes__bytes',
    'tlabSize',
  ],
  'jdk.JavaMonitorEnter': ['mutex_contentions__count_delay__nanoseconds', 'durationNanos'],
  'jdk.ThreadPark': ['block_contentions__count_delay__nanoseconds', 'durationNanos'],
  'profiler.LiveObject': ['memory_live__count'],
};

test('what agents sent has the events and sums that the JDK finds in it', () => {
  const all = sentJfr();
  assert.ok(all.length >= 3);
  for (const { file, raw, labels, facts, labelFacts, sampleRate } of all) {
    const losses = new Losses();
    const recording = decodeJfr(raw, { sampleRate, ...(labels && { labels }) }, losses);
    const { 'jdk.Metadata': _, 'jdk.CheckPoint': __, ...events } = facts.events;
    assert.deepEqual(Object.fromEntries(recording.eventCounts), events, file);
    assert.equal(recording.event, facts.settings.event ?? '', file);
    assert.deepEqual(losses.list(), [], file);
    const period = BigInt(Math.trunc(1e9 / sampleRate));
    for (const [event, sums] of Object.entries(facts.sums)) {
      const [profile, field] = SUMS[event] ?? [];
      if (event === 'jdk.ExecutionSample')
        assert.deepEqual(
          sumsOf(nameOf(recording, 'process_cpu_cpu__nanoseconds')!.columns),
          [BigInt(sums.count!) * period],
          file,
        );
      else if (event === 'profiler.WallClockSample')
        assert.deepEqual(
          sumsOf(nameOf(recording, 'wall_wall__nanoseconds')!.columns),
          [BigInt(sums.samples!) * period],
          file,
        );
      else {
        const due = [BigInt(sums.count!), ...(field ? [BigInt(sums[field]!)] : [])];
        assert.deepEqual(sumsOf(nameOf(recording, profile!)!.columns), due, `${file}: ${event}`);
      }
    }
    const seen = new Map<string, Set<string>>();
    for (const { columns } of recording.profiles)
      for (let at = 0; at < columns.samples.count; at++)
        for (const [key, text] of Object.entries(labelsOf(columns, at))) {
          if (!seen.has(key)) seen.set(key, new Set());
          seen.get(key)!.add(text);
        }
    if (facts.spanIds) assert.deepEqual([...seen.get('span_id')!].sort(), [...facts.spanIds].sort(), file);
    for (const [key, { values }] of Object.entries(labelFacts?.labels ?? {})) {
      const texts = seen.get(key) ?? new Set();
      for (const text of texts) assert.ok(values.includes(text), `${file}: ${key}=${text}`);
      if (facts.contextIds) assert.ok(texts.size > 0, `${file}: ${key}`);
    }
  }
});

test('memory that is shared is read as well', () => {
  const [{ raw, sampleRate }] = sentJfr() as [ReturnType<typeof sentJfr>[number]];
  const shared = new Uint8Array(new SharedArrayBuffer(raw.length + 3)).subarray(3);
  shared.set(raw);
  const [one, two] = [raw, shared].map(bytes =>
    decodeJfr(bytes, { sampleRate }).profiles.map(({ columns }) => foldedLines(columns)),
  );
  assert.deepEqual(one, two);
});

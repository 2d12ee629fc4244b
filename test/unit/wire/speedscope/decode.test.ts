// Speedscope files say in columns what a reader made of JSON.parse and fractions says of them.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { Losses } from '../../../../src/wire/convert/losses.ts';
import { DecodeError } from '../../../../src/wire/decode-error.ts';
import { decodeSpeedscope } from '../../../../src/wire/speedscope/decode.ts';
import { corpusDir, malformed } from '../../../kit/corpus.ts';
import { file, naive, stacksOf, typesOf } from '../../../kit/speedscope.ts';

const SCHEMA = '"$schema":"https://www.speedscope.app/file-format-schema.json"';
const decode = (text: string, losses?: Losses, maxBytes?: number) =>
  decodeSpeedscope(Buffer.from(text), losses, maxBytes).map(({ name, unit, columns }) => ({
    name,
    unit,
    stacks: stacksOf(columns),
  }));
/** A file of two frames with this profile. */
const withProfile = (profile: string) =>
  `{${SCHEMA},"profiles":[${profile}],"shared":{"frames":[{"name":"a"},{"name":"b"}]}}`;
const sampled = (unit: string, weights: string) =>
  `{"type":"sampled","unit":"${unit}","samples":[${weights.replace(/[^,]+/g, '[0]')}],"weights":[${weights}]}`;
const evented = (events: string, unit = 'none') => `{"type":"evented","unit":"${unit}","events":[${events}]}`;
const refused = (text: string, reason: string, maxBytes?: number) =>
  assert.throws(
    () => decode(text, undefined, maxBytes),
    (error: unknown) => error instanceof DecodeError && error.reason === reason,
    `${reason}: ${text.slice(0, 300)}`,
  );
const weightsOf = (unit: string, weights: string, losses?: Losses) =>
  decode(withProfile(sampled(unit, weights)), losses)[0]!.stacks.map(({ values }) => values[0]);

const MAX_INT64 = 2n ** 63n - 1n;

test('random files, as other programs write them, read as the oracle reads them', () => {
  let samples = 0;
  fc.assert(
    fc.property(file, fc.boolean(), (text, isShared) => {
      const bytes = Buffer.from(text);
      const raw = isShared ? Buffer.from(new SharedArrayBuffer(bytes.length)) : bytes;
      bytes.copy(raw);
      const wanted = naive(text);
      if (wanted.some(({ stacks }) => stacks.some(({ values }) => values[0]! > MAX_INT64))) {
        assert.throws(() => decodeSpeedscope(raw), { name: 'Error', reason: 'bad_value' });
        return;
      }
      const read = decodeSpeedscope(raw).map(({ name, unit, columns }) => ({ name, unit, stacks: stacksOf(columns) }));
      raw.fill(0);
      assert.deepEqual(read, wanted);
      samples += read.reduce((sum, { stacks }) => sum + stacks.length, 0);
    }),
    { numRuns: 500 },
  );
  assert.ok(samples > 500, `${samples} samples`);
});

interface Facts {
  readonly frames: number;
  readonly profiles: readonly {
    readonly type: string;
    readonly name: string;
    readonly unit: string;
    readonly samples?: number;
    readonly weightSum?: number;
    readonly sumWeights?: number;
    readonly busyTotal?: number;
    readonly maxDepth?: number;
    readonly distinctStacks?: number;
    readonly selfByFrame?: Readonly<Record<string, number>>;
  }[];
}
const SCALE: Readonly<Record<string, number>> = { seconds: 1e9, none: 1, bytes: 1 };

/** Files with their facts. */
function captures(): { readonly path: string; readonly facts: Facts; readonly isSound: boolean }[] {
  const dir = corpusDir!;
  const entries = (path: string) => JSON.parse(readFileSync(join(dir, path, 'MANIFEST.json'), 'utf8')).files;
  const files = entries('')
    .filter((entry: { format?: string }) => entry.format === 'speedscope')
    .map((entry: { file: string; special: string; facts: Facts }) => ({
      path: join(dir, entry.file),
      facts: entry.facts,
      isSound: !entry.special.startsWith('INVALID'),
    }));
  const traffic = entries('traffic').flatMap((entry: { file: string; parts?: { format: string; facts: Facts }[] }) =>
    (entry.parts ?? [])
      .filter(part => part.format === 'speedscope')
      .map(part => ({ path: join(dir, 'traffic', entry.file), facts: part.facts, isSound: true })),
  );
  return [...files, ...traffic];
}

test('captured files have the facts that are known of them', { skip: !corpusDir && 'no shared corpus' }, () => {
  const all = captures();
  assert.ok(all.filter(({ isSound }) => isSound).length >= 6);
  assert.ok(all.filter(({ isSound }) => !isSound).length >= 2);
  for (const { path, facts, isSound } of all) {
    const text = readFileSync(path, 'utf8');
    if (!isSound) {
      refused(text, 'bad_events');
      continue;
    }
    const losses = new Losses();
    const read = decode(text, losses);
    assert.deepEqual(losses.list(), [], path);
    assert.deepEqual(read, naive(text), path);
    assert.equal(read.length, facts.profiles.length);
    const frames: { name: string }[] = JSON.parse(text).shared.frames;
    assert.equal(frames.length, facts.frames);
    for (const [at, fact] of facts.profiles.entries()) {
      const { name, unit, stacks } = read[at]!;
      const scale = SCALE[unit]!;
      const sum = Number(stacks.reduce((all, { values }) => all + values[0]!, 0n)) / scale;
      assert.deepEqual([name, unit], [fact.name, fact.unit]);
      assert.ok(Math.abs(sum - (fact.weightSum ?? fact.sumWeights ?? fact.busyTotal)!) < 1e-9, `${path} ${sum}`);
      if (fact.samples !== undefined) assert.equal(stacks.length, fact.samples);
      if (fact.maxDepth) assert.equal(Math.max(...stacks.map(stack => stack.frames.length)), fact.maxDepth);
      const distinct = new Set(stacks.map(stack => stack.frames.map(Object.values).join(';'))).size;
      if (fact.distinctStacks) assert.equal(distinct, fact.distinctStacks);
      for (const [frame, self] of Object.entries(fact.selfByFrame ?? {})) {
        const own = stacks.filter(stack => stack.frames.at(-1)!.name === frames[Number(frame)]!.name);
        assert.equal(Number(own.reduce((all, { values }) => all + values[0]!, 0n)), self);
      }
    }
  }
});

test('sums of hundredths are exact, where doubles are not', { skip: !corpusDir && 'no shared corpus' }, () => {
  const raw = readFileSync(join(corpusDir!, 'traffic/py-spy-0.4.3/002-py-spy.speedscope'));
  const sums = decodeSpeedscope(raw).map(({ columns }) =>
    stacksOf(columns).reduce((sum, { values }) => sum + values[0]!, 0n),
  );
  assert.deepEqual(sums, [3_390_000_000n, 1_470_000_000n]);
  assert.deepEqual(
    decodeSpeedscope(raw).map(({ columns }) => columns.durationNanos),
    sums,
  );
});

test('malformed files are answered as expected', () => {
  const all = malformed('speedscope');
  assert.ok(all.length >= 5);
  for (const { file: path, expect, bytes } of all)
    if (expect.status === 200) assert.ok(decodeSpeedscope(bytes).length > 0, path);
    else refused(bytes.toString(), expect.reason!);
});

test('units say what is measured, and time becomes nanoseconds', () => {
  const read = (unit: string) => {
    const [profile] = decodeSpeedscope(
      Buffer.from(withProfile(sampled(unit, '3').replace('{', '{"endValue":5.25,"startValue":1.0,'))),
    );
    const { columns } = profile!;
    return [typesOf(columns)[0]!.join('/'), stacksOf(columns)[0]!.values[0], columns.durationNanos];
  };
  assert.deepEqual(read('none'), ['samples/count', 3n, 0n]);
  assert.deepEqual(read('bytes'), ['samples/bytes', 3n, 0n]);
  assert.deepEqual(read('nanoseconds'), ['wall/nanoseconds', 3n, 4n]);
  assert.deepEqual(read('microseconds'), ['wall/nanoseconds', 3000n, 4250n]);
  assert.deepEqual(read('milliseconds'), ['wall/nanoseconds', 3_000_000n, 4_250_000n]);
  assert.deepEqual(read('seconds'), ['wall/nanoseconds', 3_000_000_000n, 4_250_000_000n]);
});

test('weights are exact up to 64 bits, rounded half to even below a whole one, and that is counted', () => {
  const losses = new Losses();
  assert.deepEqual(weightsOf('seconds', '0.01,0.07,1e-9,9223372036.854775807,0.29000,1.1e1,0,-0.0', losses), [
    10_000_000n,
    70_000_000n,
    1n,
    (1n << 63n) - 1n,
    290_000_000n,
    11_000_000_000n,
    0n,
    0n,
  ]);
  assert.deepEqual(weightsOf('none', '9007199254740993,9223372036854775807.0', losses), [
    9007199254740993n,
    (1n << 63n) - 1n,
  ]);
  assert.deepEqual(losses.list(), []);
  assert.deepEqual(weightsOf('none', '0.5,1.5,2.5,2.51,1e-400,0.49', losses), [0n, 2n, 2n, 3n, 0n, 0n]);
  assert.deepEqual(losses.list(), [{ reason: 'speedscope_rounded', items: 6 }]);
  for (const weight of ['9223372036854775808', '1e19', '1e999', '1e99999999999999999999', '-1', '-0.6', '"1"'])
    refused(withProfile(sampled('none', weight)), 'bad_value');
  refused(withProfile(sampled('seconds', '9223372036.854775808')), 'bad_value');
  refused(withProfile(sampled('none', '1'.repeat(401))), 'bad_json');
});

test('a file that leaves out what it needs, or says it twice, is refused', () => {
  refused('', 'empty_body');
  refused('{}', 'unknown_format');
  refused('{"$schema":"https://example.com"}', 'unknown_format');
  refused(`{${SCHEMA},"profiles":[]}`, 'missing_field');
  refused(`{${SCHEMA},"shared":{"frames":[]}}`, 'missing_field');
  refused(`{${SCHEMA},"profiles":[],"profiles":[],"shared":{"frames":[]}}`, 'duplicate_field');
  refused(`{${SCHEMA},"profiles":[],"shared":{"frames":[],"frames":[]}}`, 'duplicate_field');
  refused(`{${SCHEMA},"profiles":[],"shared":{"frames":[{"file":"x"}]}}`, 'missing_field');
  refused(`{${SCHEMA},"profiles":[],"shared":{"frames":[{"name":"x","line":1.5}]}}`, 'bad_value');
  refused(`${withProfile(sampled('none', '1'))}{}`, 'bad_json');
  const whole = sampled('none', '1');
  refused(withProfile(whole.replace('"type":"sampled",', '')), 'missing_field');
  refused(withProfile(whole.replace('"unit":"none",', '')), 'missing_field');
  refused(withProfile(whole.replace('"none"', '"hertz"')), 'bad_value');
  refused(withProfile(whole.replace('sampled', 'traced')), 'bad_value');
  refused(withProfile(whole.replace('"weights":[1]', '"w":1')), 'missing_field');
  refused(withProfile(whole.replace('{', '{"unit":"seconds",')), 'duplicate_field');
  refused(withProfile(whole.replace('{', '{"events":[],')), 'bad_value');
  refused(withProfile(whole.replace('[[0]]', '[[-1]]')), 'bad_reference');
  refused(withProfile(whole.replace('[[0]]', '[[0.5]]')), 'bad_reference');
  refused(withProfile(whole.replace('[[0]]', '[[4294967296]]')), 'bad_reference');
  refused(withProfile(whole.replace('[[0]]', '[0]')), 'bad_json');
  assert.equal(decode(withProfile(whole.replace('[[0]]', '[[1.0]]')))[0]!.stacks[0]!.frames[0]!.name, 'b');
});

test('events that cannot be are refused', () => {
  const open = (frame: number, at: number) => `{"type":"O","frame":${frame},"at":${at}}`;
  const close = (frame: number, at: number) => `{"type":"C","frame":${frame},"at":${at}}`;
  for (const events of [
    [close(0, 1)],
    [open(0, 1)],
    [open(0, 2), close(0, 1)],
    [open(0, 1), open(1, 2), close(0, 3), close(1, 4)],
    [open(0, 1), close(0, 2), close(0, 3)],
  ])
    refused(withProfile(evented(events.join())), 'bad_events');
  refused(withProfile(evented('{"type":"O","frame":0}')), 'missing_field');
  refused(withProfile(evented('{"type":"X","frame":0,"at":1}')), 'bad_value');
  refused(withProfile(evented([open(7, 0), close(7, 1)].join())), 'bad_reference');
  const far = `${open(0, 0).replace('"at":0', '"at":-9223372036854775808')},${close(0, 1)}`;
  refused(withProfile(evented(far)), 'value_overflow');
});

test('what is open gets the time until the next event; nothing open gets none', () => {
  const events =
    '{"type":"O","frame":0,"at":1.5},{"type":"O","frame":1,"at":2},{"type":"C","frame":1,"at":5},{"type":"C","frame":0,"at":5}';
  const later = '{"type":"O","frame":0,"at":9},{"type":"C","frame":0,"at":9.25}';
  const [read] = decode(withProfile(evented(`${events},${later}`, 'seconds')));
  assert.deepEqual(
    read!.stacks.map(({ frames, values }) => [frames.map(frame => frame.name).join(';'), values[0]]),
    [
      ['a', 750_000_000n],
      ['a;b', 3_000_000_000n],
    ],
  );
});

test('what a file takes decoded is bounded', () => {
  const many = Array.from({ length: 2000 }, () => sampled('none', '1')).join();
  refused(withProfile(many), 'too_many_elements', 1 << 20);
  assert.equal(decode(withProfile(many)).length, 2000);
  // Stacks of half the events' number each: what they are all together grows by the square.
  const deep = Array.from({ length: 20_000 }, (_none, at) => `{"type":"O","frame":0,"at":${at}}`);
  const back = deep.map((event, at) => event.replace('O', 'C').replace(/"at":\d+/, `"at":${deep.length + at}`));
  refused(withProfile(evented([...deep, ...back].join())), 'too_many_elements');
  refused(withProfile(sampled('none', Array(100_000).fill('1').join())), 'too_many_elements', 1 << 20);
});

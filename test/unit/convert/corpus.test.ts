// Every file of the corpus becomes pprof and OTLP, and the sums are what the manifests say, as read by an independent decoder.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type TestContext, test } from 'node:test';
import { corpusDir } from '../../kit/corpus.ts';
import { byProtobufjs } from '../../kit/oracles.ts';
import { converted, otlpSums, pprofSums, type Sums, sumsOf } from './run.ts';

const skip = corpusDir ? false : 'the shared corpus is not beside the checkout';
/** Between two samples, nanoseconds. */
const GOLDEN_PERIOD = 10_000_000n;
/** What stands in the corpus as an example of what is no profile, or of one that is wrong. */
const NOT_PROFILES = new Set(['ap-traces', 'chrome-trace', 'csv', 'gprof2dot-json', 'json']);

// biome-ignore lint/suspicious/noExplicitAny: facts of many kinds, as the manifest has them
type Facts = any;
interface Entry {
  readonly file: string;
  readonly format: string;
  readonly facts: Facts;
  readonly golden?: readonly { readonly path: string; readonly valueSums?: readonly string[] }[];
}

const manifest = (name: string) =>
  (corpusDir ? JSON.parse(readFileSync(resolve(corpusDir, name), 'utf8')).files : []) as Facts[];

function entries(): Entry[] {
  const own = (manifest('MANIFEST.json') as Entry[]).filter(
    ({ file }) => !/labels/.test(file) || file.startsWith('pprof/'),
  );
  const recorded = manifest('traffic/MANIFEST.json').filter(({ direction }) => direction === 'file');
  return [
    ...own.filter(({ file }) => /^(folded|jfr|legacy|otlp|pprof|speedscope)\//.test(file)),
    ...recorded.map(({ file, parts: [part] }) => ({ file: `traffic/${file}`, format: part.format, facts: part.facts })),
  ];
}

/** What the manifest says of the sums; undefined where it says nothing. */
function expected({ format, facts, golden }: Entry): Sums | undefined {
  const typed = (types: Facts[], sums: string[]) =>
    sumsOf(types.map(({ type, unit }, at) => [`${type} ${unit}`, BigInt(sums[at]!)]));
  switch (format) {
    case 'pprof':
      return typed(facts.sampleTypes, facts.valueSums ?? facts.sums);
    case 'folded':
      return { 'samples count': facts.valueSum ?? facts.sum };
    case 'otlp': {
      const profiles = (facts.perFrame ?? [facts]).flatMap((frame: Facts) => frame.perProfile) as Facts[];
      return sumsOf(
        profiles.map(({ sampleType, effectiveValueSum }) => [
          `${sampleType.type} ${sampleType.unit}`,
          BigInt(effectiveValueSum),
        ]),
      );
    }
    case 'jfr':
      return golden && sumsOf(golden.flatMap(goldenSums));
    case 'speedscope':
      return sumsOf(
        facts.profiles.map(({ unit, weightSum, sumWeights, busyTotal }: Facts) => {
          const sum = weightSum ?? sumWeights ?? busyTotal;
          return unit === 'seconds' ? ['wall nanoseconds', BigInt(Math.round(sum * 1e9))] : [unit, BigInt(sum)];
        }),
      );
    default:
      return undefined;
  }
}

/** `example_2_mutex_contentions__count delay__nanoseconds_expected_…`: the types follow the name of the profile. */
function goldenSums({ path, valueSums }: NonNullable<Entry['golden']>[number]): [string, bigint][] {
  const [, types] = /_\d+_(?:memory|process_cpu|mutex|block|wall)_(.+)_expected_collapsed/.exec(path)!;
  return types!.split(' ').map((type, at) => [type.replace('__', ' '), BigInt(valueSums![at]!)]);
}

async function check(t: TestContext, entry: Entry): Promise<void> {
  const file = resolve(corpusDir!, entry.file);
  const { pprof, otlp, files, otlpFile } = await converted(t, file);
  if (NOT_PROFILES.has(entry.format) || entry.file.includes('/invalid-')) {
    assert.deepEqual([pprof.code, otlp.code], [1, 1]);
    assert.match(pprof.err, /^flamegate: .+\n$/, 'one line');
    return;
  }
  assert.deepEqual([pprof.code, otlp.code], [0, 0], pprof.err + otlp.err);
  const sums = pprofSums(files);
  assert.deepEqual(otlpSums(otlpFile), sums, 'pprof and OTLP say the same');
  const due = expected(entry);
  if (!due) return;
  if (entry.format !== 'jfr') {
    // Where a speedscope file has a unit and no type, the type is another's choice.
    const said = entry.format === 'speedscope' ? Object.values : (all: Sums) => all;
    assert.deepEqual(said(sums), said(due));
    return;
  }
  const cpu = files.find(name => name.endsWith('process_cpu.pb'));
  const period = cpu ? byProtobufjs(readFileSync(cpu)).period : GOLDEN_PERIOD;
  for (const [type, sum] of Object.entries(due)) {
    // The golden files have delays in ticks of the clock, whatever their name says, and CPU time of 100 samples a second, whatever the
    // recording says.
    const own = type === 'cpu nanoseconds' ? String((BigInt(sum) / GOLDEN_PERIOD) * period) : sum;
    if (type !== 'delay nanoseconds') assert.equal(sums[type], own, type);
  }
}

for (const entry of entries()) test(entry.file, t => check(t, entry));
test('the corpus has every form that is converted', { skip }, () => {
  const formats = new Set(entries().map(({ format }) => format));
  for (const format of ['pprof', 'otlp', 'jfr', 'folded', 'speedscope', 'legacy', 'perf-script'])
    assert.ok(formats.has(format), format);
});

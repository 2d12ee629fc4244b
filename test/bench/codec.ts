// The pprof codec beside protobufjs, pprof-format and, where Go is, google/pprof, on real profiles: node test/bench/codec.ts
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Profile } from 'pprof-format';
import { Columns } from '../../src/model/columns/columns.ts';
import { decodePprof } from '../../src/wire/pprof/decode.ts';
import { encodePprof } from '../../src/wire/pprof/encode.ts';
import { patchLabels } from '../../src/wire/pprof/patch.ts';
import { scanPprof } from '../../src/wire/pprof/scan.ts';
import { profileProto } from '../kit/oracles.ts';
import { corpusProfiles, recordedProfiles, type SoundProfile } from '../kit/profiles.ts';
import { measure } from './measure.ts';

/** Time for one measurement, ms. */
const MS = Number(process.env.CODEC_MS ?? 150);
const LABELS = [
  { key: 'env', value: 'production' },
  { key: 'region', value: 'eu-west-1' },
];

function works(work: () => void): boolean {
  try {
    work();
    return true;
  } catch {
    return false;
  }
}

function setLabels(columns: Columns): void {
  for (const { key, value } of LABELS) {
    const known = columns.labelKey(key);
    const keyRow = known < 0 ? columns.strings.append(key) : known;
    const valueRow = columns.strings.intern(value);
    for (let sample = 0; sample < columns.samples.count; sample++) columns.setLabel(sample, keyRow, valueRow);
  }
}

interface Go {
  readonly decode: number;
  readonly encode: number;
}

/** google/pprof on the same bytes; empty where there is no Go. */
function measureGo(profiles: readonly SoundProfile[]): Map<string, Go> {
  const dir = mkdtempSync(join(tmpdir(), 'flamegate-codec-'));
  try {
    const program = join(dir, 'bench');
    execFileSync('go', ['build', '-o', program, '.'], { cwd: join(import.meta.dirname, 'go'), stdio: 'inherit' });
    const files = profiles.map(({ raw }, at) => {
      const file = join(dir, `${at}.pb`);
      writeFileSync(file, raw);
      return file;
    });
    const lines = execFileSync(program, [String(MS), ...files], { encoding: 'utf8' })
      .trim()
      .split('\n');
    return new Map(lines.map((line, at) => [profiles[at]!.file, JSON.parse(line) as Go]));
  } catch (error) {
    console.error(`google/pprof is left out: ${error instanceof Error ? error.message.split('\n')[0] : error}`);
    return new Map();
  } finally {
    rmSync(dir, { recursive: true });
  }
}

const reused = new Columns();
const edited = new Columns();

/** µs per call of everything, for one profile. */
function measureOne({ raw }: SoundProfile, go: Go | undefined, ms = MS): Record<string, number> {
  decodePprof(raw, edited);
  setLabels(edited);
  const proto = profileProto.decode(raw);
  const format = Profile.decode(raw);
  const decoded = decodePprof(raw);
  const time = (work: () => void) => measure(work, ms);
  return {
    scan: time(() => scanPprof(raw)),
    decode: time(() => decodePprof(raw, reused)),
    'decode, new columns': time(() => decodePprof(raw)),
    encode: time(() => encodePprof(decoded)),
    'encode, edited': time(() => encodePprof(edited)),
    '2 labels on all': time(() => {
      setLabels(decodePprof(raw, reused));
      encodePprof(reused);
    }),
    'label patch': time(() => patchLabels(raw, LABELS)),
    'protobufjs decode': time(() => profileProto.decode(raw)),
    'protobufjs encode': time(() => profileProto.encode(proto).finish()),
    'pprof-format decode': time(() => Profile.decode(raw)),
    // pprof-format cannot write some of what it reads.
    'pprof-format encode': works(() => format.encode()) ? time(() => format.encode()) : Number.NaN,
    ...(go && { 'google/pprof decode': go.decode, 'google/pprof encode': go.encode }),
  };
}

/** What is compared with what: how many times as long the first takes. */
const RATIOS: readonly (readonly [string, string])[] = [
  ['google/pprof decode', 'decode'],
  ['google/pprof decode', 'decode, new columns'],
  ['google/pprof encode', 'encode'],
  ['protobufjs decode', 'decode'],
  ['protobufjs encode', 'encode'],
  ['pprof-format decode', 'decode'],
  ['pprof-format encode', 'encode'],
  ['2 labels on all', 'label patch'],
  ['decode', 'scan'],
];

const row = (cells: readonly (string | number)[]) => console.log(`| ${cells.join(' | ')} |`);
const median = (list: number[]) => list.sort((a, b) => a - b)[list.length >> 1]!;
const cell = (us: number, bytes: number) => (Number.isNaN(us) ? '' : `${digits(us)} (${(bytes / us).toFixed(0)})`);
const digits = (value: number) => (value < 10 ? value.toFixed(1) : value.toFixed(0));

const found = corpusProfiles();
const profiles = (found.length > 0 ? found : recordedProfiles()).sort((a, b) => a.raw.length - b.raw.length);
const go = measureGo(profiles);
// A worker that runs for days is warm; Go is from the start.
for (let n = 0; n < 3; n++) for (const one of profiles) measureOne(one, undefined, 3);
const results = profiles.map(one => ({ ...one, times: measureOne(one, go.get(one.file)) }));

console.log('µs of CPU per call (MB/s)\n');
const columns = Object.keys(results[0]!.times);
row(['profile', 'bytes', ...columns]);
row(Array.from({ length: columns.length + 2 }, () => '---'));
for (const { file, raw, times } of results)
  row([file.replace(/^pprof\//, ''), raw.length, ...columns.map(name => cell(times[name]!, raw.length))]);
console.log(`\nMedian of the ratios over ${results.length} profiles\n`);
row(['', 'takes … times as long as', 'ratio']);
row(['---', '---', '---']);
for (const [slow, fast] of RATIOS) {
  const ratios = results.map(({ times }) => times[slow]! / times[fast]!).filter(ratio => !Number.isNaN(ratio));
  if (ratios.length > 0) row([slow, fast, median(ratios).toFixed(2)]);
}

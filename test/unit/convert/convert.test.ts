import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { corpusDir } from '../../kit/corpus.ts';
import { sentJfr } from '../../kit/jfr.ts';
import { noCorpus } from '../../kit/otlp.ts';
import { factsOf, labelTexts } from '../../kit/pprof.ts';
import { recordedProfiles, trickyProfiles } from '../../kit/profiles.ts';
import { converted, otlpSums, pprofSums, run, scratch } from './run.ts';

const FOLDED = 'main;work;hash 30\nmain;work 10\nmain;idle 2\n';
/** Profiles of Pyroscope's Java agent, as it sent them. */
const jfr = sentJfr()[0]!;
const write = (dir: string, name: string, content: string | Uint8Array): string => {
  const file = join(dir, name);
  writeFileSync(file, content);
  return file;
};
const linesOf = (text: string) => text.trimEnd().split('\n').sort();

test('our own recordings become pprof and OTLP that say the same', async t => {
  const dir = scratch(t);
  for (const [at, { file, raw }] of [...recordedProfiles(), ...trickyProfiles()].entries()) {
    const found = await converted(t, write(dir, `${at}`, raw));
    assert.deepEqual([found.pprof.code, found.otlp.code], [0, 0], file + found.pprof.err + found.otlp.err);
    assert.deepEqual(readFileSync(found.files[0]!), raw, 'pprof stays what it is');
    if (factsOf(raw).sampleCount > 0) assert.deepEqual(otlpSums(found.otlpFile), pprofSums(found.files), file);
  }
});

test('folded text to every form and back is the same text', async t => {
  const dir = scratch(t);
  const first = write(dir, 'a.folded', FOLDED);
  for (const ending of [
    'pb',
    'pb.gz',
    'pprof',
    'otlp',
    'json',
    'speedscope.json',
    'speedscope.json.zst',
    'collapsed.gz',
  ]) {
    const there = join(dir, `b.${ending}`);
    const back = join(dir, `${ending}.txt`);
    assert.equal((await run('convert', [first, there])).code, 0, ending);
    const { code, err } = await run('convert', [there, back]);
    assert.equal(code, 0, err);
    assert.deepEqual(linesOf(readFileSync(back, 'utf8')), linesOf(FOLDED), ending);
  }
  assert.equal(gunzipSync(readFileSync(join(dir, 'b.pprof'))).length, readFileSync(join(dir, 'b.pb')).length);
  assert.match(zstdDecompressSync(readFileSync(join(dir, 'b.speedscope.json.zst'))).toString(), /speedscope/);
  assert.match(readFileSync(join(dir, 'b.json'), 'utf8'), /^\{"resourceProfiles":.*\}\n$/);
});

test('a file is read by its content, compressed even twice, whatever it is called', async t => {
  const dir = scratch(t);
  const twice = write(dir, 'cpu.jfr', gzipSync(zstdCompressSync(Buffer.from(FOLDED))));
  assert.equal((await run('convert', [twice, join(dir, 'a.pb')])).code, 0);
  assert.deepEqual(factsOf(readFileSync(join(dir, 'a.pb'))).sums, ['42']);
  let deep = Buffer.from(FOLDED);
  for (let layer = 0; layer < 4; layer++) deep = gzipSync(deep);
  const { code, err } = await run('convert', [write(dir, 'deep', deep), join(dir, 'b.pb')]);
  assert.equal(code, 1);
  assert.match(err, /compressed more than 3 times/);
});

test('a stack a line is read and written where it is named', async t => {
  const dir = scratch(t);
  const lines = write(dir, 'a', 'main;a\nmain;b\nmain;a\n');
  assert.equal((await run('convert', [lines, join(dir, 'a.pb')], { from: 'lines' })).code, 0);
  assert.deepEqual(factsOf(readFileSync(join(dir, 'a.pb'))).sums, ['3']);
  assert.equal((await run('convert', [join(dir, 'a.pb'), join(dir, 'b.lines')])).code, 0);
  assert.deepEqual(linesOf(readFileSync(join(dir, 'b.lines'), 'utf8')), ['main;a', 'main;a', 'main;b']);
});

test('of several profiles one is written, the others are named, and each can be had', async t => {
  const dir = scratch(t);
  const file = write(dir, 'a.jfr', jfr.raw);
  const names = JSON.parse((await run('inspect', [file], { json: true })).out).profiles.map(
    ({ name }: { name: string }) => name,
  );
  assert.ok(names.length > 1 && names.includes('process_cpu'), names.join());
  const others = names.filter((name: string) => name !== 'process_cpu');
  const { code, err } = await run('convert', [file, join(dir, 'cpu.pb.gz')]);
  assert.equal(code, 0);
  assert.match(err, new RegExp(`holds ${names.length} profiles; process_cpu is written, not ${others.join(', ')}`));
  assert.deepEqual(factsOf(readFileSync(join(dir, 'cpu.pb.gz'))).sampleTypes, [{ type: 'cpu', unit: 'nanoseconds' }]);
  for (const name of names) {
    const one = await run('convert', [file, join(dir, 'one.pb')], { profile: name });
    assert.equal(one.code, 0, one.err);
    assert.doesNotMatch(one.err, /is written, not/);
  }
  const { files, otlpFile } = await converted(t, file);
  assert.equal(files.length, names.length);
  assert.deepEqual(otlpSums(otlpFile), pprofSums(files));
  const unknown = await run('convert', [file, join(dir, 'x.pb')], { profile: 'gpu' });
  assert.deepEqual([unknown.code, existsSync(join(dir, 'x.pb'))], [1, false]);
  assert.match(unknown.err, /has no profile `gpu`; there are: /);
});

test('the labels that an agent sends beside its JFR become labels of samples', async t => {
  const dir = scratch(t);
  const out = join(dir, '{profile}.pb');
  let found = 0;
  for (const { raw, labels, labelFacts } of sentJfr()) {
    if (!labels) continue;
    const file = write(dir, 'a.jfr', raw);
    const jfrLabels = write(dir, 'labels', gzipSync(labels));
    for (const [key, { values }] of Object.entries(labelFacts?.labels ?? {})) {
      const texts = async (options = {}) => {
        const { code, err } = await run('convert', [file, out], options);
        assert.equal(code, 0, err);
        const names = [...err.matchAll(/^flamegate: wrote (.+)$/gm)].map(([, name]) => name!);
        return names.flatMap(name => labelTexts(readFileSync(name), key));
      };
      assert.deepEqual(await texts(), []);
      const own = await texts({ jfrLabels });
      assert.ok(own.every(text => values.includes(text)));
      found += own.length;
    }
  }
  assert.ok(found > 0, 'some sample has a label');
  const folded = await run('convert', [write(dir, 'f', FOLDED), out], { jfrLabels: join(dir, 'labels') });
  assert.equal(folded.code, 2);
});

test('folded text is of one sample type, which is the last unless named, and says which', async t => {
  const dir = scratch(t);
  const file = write(dir, 'a.pb', recordedProfiles().find(({ raw }) => factsOf(raw).sampleTypes.length > 1)!.raw);
  const { sampleTypes, sums } = factsOf(readFileSync(file));
  for (const [at, { type }] of sampleTypes.entries()) {
    const { code, err } = await run('convert', [file, join(dir, 'a.folded')], { type });
    assert.equal(code, 0, err);
    assert.match(err, new RegExp(`flamegate: ${type} of \\S+ is written, not `));
    const lines = readFileSync(join(dir, 'a.folded'), 'utf8').trimEnd().split('\n');
    assert.equal(String(lines.reduce((sum, line) => sum + BigInt(/\d+$/.exec(line)![0]), 0n)), sums[at]);
  }
});

test('what is lost is said, and is no failure', { skip: noCorpus }, async t => {
  const dir = scratch(t);
  const file = join(corpusDir!, 'otlp/java-async-wall.v1_10.pb');
  const { code, err } = await run('convert', [file, join(dir, 'a.pb')]);
  assert.equal(code, 0);
  assert.match(err, /^flamegate: lost 1780 × timestamp \(otlp_timestamp\): When a sample was taken/m);
  const none = await run('convert', [file, join(dir, 'a.otlp')]);
  assert.deepEqual([none.code, none.err], [0, '']);
});

test('attributes of a resource have no place in pprof, and are counted', { skip: noCorpus }, async t => {
  const dir = scratch(t);
  const file = join(corpusDir!, 'otlp/ebpf-profile.v1_8.pb');
  const { err } = await run('convert', [file, join(dir, '{profile}.pb')]);
  assert.match(err, /^flamegate: lost 12 × attribute \(resource_attribute\)/m);
  assert.equal(readdirSync(dir).length, 4);
});

test('one process of an OTLP file can be had as OTLP', { skip: noCorpus }, async t => {
  const dir = scratch(t);
  const file = join(corpusDir!, 'otlp/ebpf-profile.v1_9.pb');
  assert.equal((await run('convert', [file, join(dir, 'a.otlp')], { profile: 'process_cpu#1' })).code, 0);
  assert.deepEqual(otlpSums(join(dir, 'a.otlp')), { 'samples count': '168' });
  const { code, err } = await run('convert', [file, join(dir, 'a.pb')], { profile: 'process_cpu' });
  assert.equal(code, 1);
  assert.match(err, /`process_cpu` is the name of 4 profiles; say which: process_cpu#1, process_cpu#2/);
});

test('a file is replaced whole, with its mode, and behind a link', async t => {
  const dir = scratch(t);
  const file = write(dir, 'a.folded', FOLDED);
  const held = write(dir, 'held.pb', 'before');
  chmodSync(held, 0o640);
  symlinkSync(held, join(dir, 'link.pb'));
  assert.equal((await run('convert', [file, join(dir, 'link.pb')])).code, 0);
  assert.deepEqual(factsOf(readFileSync(held)).sums, ['42']);
  assert.equal(statSync(held).mode & 0o777, 0o640);
  assert.deepEqual(readdirSync(dir).sort(), ['a.folded', 'held.pb', 'link.pb'], 'nothing is left beside it');
});

test('what cannot be written leaves what is there, and nothing beside it', async t => {
  const dir = scratch(t);
  const file = write(dir, 'a.folded', FOLDED);
  mkdirSync(join(dir, 'folder.pb'));
  const cases: [string, RegExp][] = [
    [join(dir, 'folder.pb'), /folder\.pb: is a folder/],
    [join(dir, 'nowhere/a.pb'), /nowhere\/a\.pb: no such file or directory/],
  ];
  for (const [out, said] of cases) {
    const { code, err } = await run('convert', [file, out]);
    assert.equal(code, 1);
    assert.match(err, said);
  }
  assert.deepEqual(readdirSync(dir).sort(), ['a.folded', 'folder.pb']);
});

test('what is no profile is one line that says what was looked for', async t => {
  const dir = scratch(t);
  const cases: [string | Uint8Array, RegExp][] = [
    ['', /: is empty$/],
    ['<html><body>no</body></html>', /no profile is recognised in it; looked for pprof, OTLP/],
    [gzipSync(FOLDED).subarray(0, 20), /the gzip stream is damaged.*\(bad_compression\)$/],
  ];
  for (const [content, said] of cases) {
    const { code, err } = await run('convert', [write(dir, 'x', content), join(dir, 'x.pb')]);
    assert.equal(code, 1);
    assert.match(err.trimEnd(), said);
    assert.equal(err.trimEnd().split('\n').length, 1);
  }
  const from = await run('convert', [write(dir, 'x', FOLDED), join(dir, 'x.pb')], { from: 'pproof' });
  assert.equal(from.code, 2);
  assert.match(from.err, /--from is one of pprof, otlp, /);
});

test('names out of a file steer no terminal', async t => {
  const dir = scratch(t);
  const profile = { type: 'sampled', unit: 'seconds', startValue: 0, endValue: 1, samples: [[0]], weights: [1] };
  const two = {
    $schema: 'https://www.speedscope.app/file-format-schema.json',
    shared: { frames: [{ name: 'main' }] },
    profiles: [
      { ...profile, name: 'a\u001b[31m' },
      { ...profile, name: 'b\nflamegate: all is well' },
    ],
  };
  const { code, err } = await run('convert', [write(dir, 'b.json', JSON.stringify(two)), join(dir, 'b.pb')]);
  assert.equal(code, 0);
  assert.match(
    err,
    /^flamegate: .* holds 2 profiles; a\\u\{1b\}\[31m is written, not b\\u\{a\}flamegate: all is well \(/,
  );
  const other = await run('convert', [join(dir, 'b.json'), join(dir, 'b.pb')], { profile: 'c' });
  assert.equal(other.err.split('\n').length, 2);
});

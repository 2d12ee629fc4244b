// The commands on files, as a user types them: the process, pipes, exit codes.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { flamegate, launcher } from '../kit/cli.ts';
import { sentJfr } from '../kit/jfr.ts';
import { factsOf } from '../kit/pprof.ts';
import { recordedProfiles } from '../kit/profiles.ts';

const folder = mkdtempSync(join(tmpdir(), 'flamegate-convert-'));
after(() => rmSync(folder, { recursive: true }));
const write = (name: string, content: string | Uint8Array): string => {
  const file = join(folder, name);
  writeFileSync(file, content);
  return file;
};
const recording = write('recording.jfr', gzipSync(sentJfr()[0]!.raw));
const heap = write('heap.pb', recordedProfiles()[0]!.raw);

/** Runs a verb with this on its standard input, and gives its output as bytes. */
async function piped(args: readonly string[], input: Uint8Array) {
  const child = spawn(process.execPath, [launcher, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', chunk => chunks.push(chunk));
  let stderr = '';
  child.stderr.on('data', text => {
    stderr += text;
  });
  child.stdin.end(input);
  const [code] = await once(child, 'close');
  return { code, stdout: Buffer.concat(chunks), stderr };
}

test('the command of the README makes a folded file of a JFR recording', async () => {
  const out = join(folder, 'cpu.folded');
  const { code, stdout, stderr } = await flamegate(['convert', recording, out]);
  assert.equal(code, 0, stderr);
  assert.equal(stdout, '');
  assert.match(stderr, /^flamegate: .*recording\.jfr holds \d profiles; process_cpu is written, not .*$/m);
  const lines = readFileSync(out, 'utf8').trimEnd().split('\n');
  assert.ok(lines.length > 10);
  for (const line of lines) assert.match(line, /^[^;]+(?:;[^;]+)* \d+$/);
  const pprof = join(folder, 'cpu.pb.gz');
  assert.equal((await flamegate(['convert', recording, pprof])).code, 0);
  const sum = lines.reduce((all, line) => all + BigInt(/\d+$/.exec(line)![0]), 0n);
  assert.deepEqual(factsOf(readFileSync(pprof)).sums, [String(sum)]);
});

test('each profile becomes a file of its own', async () => {
  const { code, stderr } = await flamegate(['convert', recording, join(folder, 'all-{profile}.pb.gz')]);
  assert.equal(code, 0, stderr);
  const files = readdirSync(folder).filter(name => name.startsWith('all-'));
  assert.ok(files.includes('all-process_cpu.pb.gz') && files.length > 1, files.join());
  for (const name of files) assert.match(stderr, new RegExp(`^flamegate: wrote .*${RegExp.escape(name)}$`, 'm'));
});

test('through pipes on both sides, and back, it is the same profile', async () => {
  const raw = readFileSync(heap);
  const otlp = await piped(['convert', '-', '-', '--to', 'otlp'], raw);
  assert.equal(otlp.code, 0, otlp.stderr);
  const back = await piped(['convert', '-', '-', '--to', 'pprof'], otlp.stdout);
  assert.equal(back.code, 0, back.stderr);
  const { sums, sampleTypes } = factsOf(back.stdout);
  assert.deepEqual({ sums, sampleTypes }, { sums: factsOf(raw).sums, sampleTypes: factsOf(raw).sampleTypes });
  const inspected = await piped(['inspect', '-', '--json'], back.stdout);
  assert.equal(inspected.code, 0, inspected.stderr);
  const [profile] = JSON.parse(inspected.stdout.toString()).profiles;
  assert.deepEqual(
    profile.types.map(({ total }: { total: string }) => total),
    sums,
  );
});

test('a reader that goes away ends it quietly', async () => {
  // More than any pipe holds.
  const stacks = Array.from({ length: 50_000 }, (_none, at) => `main;step;function_number_${at} 1\n`).join('');
  const file = write('long.folded', stacks);
  for (const args of [
    ['convert', file, '-', '--to', 'otlp_json'],
    ['inspect', file, '--json', '--top', '50000'],
  ]) {
    const child = spawn(process.execPath, [launcher, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', text => {
      stderr += text;
    });
    child.stdout.once('data', () => child.stdout.destroy());
    const [code] = await once(child, 'close');
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(stderr, /EPIPE|Error/);
  }
});

test('exit codes: 2 for a wrong command line, 1 for what cannot be done or grew too much', async () => {
  const grown = write('b.folded', 'main;work 20\n');
  const small = write('a.folded', 'main;work 10\n');
  const cases: [string[], number, RegExp][] = [
    [['convert', heap], 2, /^flamegate: convert: write flamegate convert IN OUT; `-` is a pipe$/m],
    [['convert', heap, '-'], 2, /^flamegate: a pipe has no ending that says what to write; add --to pprof/],
    [['convert', heap, 'a.xyz'], 2, /^flamegate: a\.xyz: its ending does not say what to write/],
    [['convert', heap, 'a.pb', '--top', '3'], 2, /there is no option `--top` here/],
    [['inspect'], 2, /inspect: write flamegate inspect FILE/],
    [['inspect', heap, '--top', 'all'], 2, /--top is a number of functions, not `all`/],
    [['diff', small, grown, '--fail-over', 'much'], 2, /`much` is no share: write 5%/],
    [['inspect', join(folder, 'none')], 1, /^flamegate: .*none: no such file or directory\n$/],
    [['inspect', launcher], 1, /^flamegate: .*flamegate\.js: no profile is recognised in it; looked for pprof, /],
    [
      ['diff', small, grown, '--fail-over', '5%'],
      1,
      /^flamegate: the total grew by 10, 100\.00 % of A's total: over 5 %$/m,
    ],
    [['diff', small, grown, '--fail-over', '100%'], 0, /^$/],
    [['diff', grown, small, '--fail-over', '0'], 0, /^$/],
  ];
  for (const [args, due, said] of cases) {
    const { code, stderr } = await flamegate(args, { cwd: folder });
    assert.equal(code, due, `${args.join(' ')}: ${stderr}`);
    assert.match(stderr, said);
  }
});

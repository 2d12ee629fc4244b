import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { FileExporter } from '../../../../src/exporters/file/exporter.ts';
import factory from '../../../../src/exporters/file/index.ts';
import { numbered } from '../../../kit/pprof.ts';
import { batchOf, listeningHost, profileOf } from '../fixtures.ts';

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'flamegate-file-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

async function started(path: string, config: object = {}) {
  const parsed = await factory.config['~standard'].validate({ path, ...config });
  if (parsed.issues) assert.fail(JSON.stringify(parsed.issues));
  const { host, said } = listeningHost();
  const now = { ms: Date.now() };
  const exporter = new FileExporter(parsed.value, { ...host, clock: { ...host.clock, now: () => now.ms } });
  await exporter.start();
  const write = (name: string, of: Parameters<typeof profileOf>[1] = {}) =>
    exporter.send(batchOf([profileOf({ service_name: name, __name__: 'cpu' }, of)]));
  return { exporter, said, write, now };
}

/** Service of each file, sorted. */
const services = (dir: string) =>
  readdirSync(dir)
    .map(name => name.split('-')[0]!)
    .sort();

test('start makes the folder, and pprof lands gzipped once', async t => {
  const dir = join(folder(t), 'a', 'b');
  const { write } = await started(dir);
  const plain = numbered(1);
  const compressed = gzipSync(plain, { level: 9 });
  const shared = Buffer.from(new SharedArrayBuffer(plain.length));
  plain.copy(shared);
  await write('plain', { bytes: shared });
  await write('gzipped', { bytes: compressed, encoding: 'gzip' });
  const [gzipped = '', zipped = ''] = readdirSync(dir).sort();
  assert.match(zipped, /^plain-cpu-20260102T030405\.006-000001\.pb\.gz$/);
  assert.deepEqual(gunzipSync(readFileSync(join(dir, zipped))), plain);
  assert.deepEqual(readFileSync(join(dir, gzipped)), compressed, 'not compressed again');
});

test('other forms are written as they came', async t => {
  const dir = folder(t);
  const { write } = await started(dir, { name: '{service_name}' });
  await write('jvm', { form: 'jfr', bytes: Buffer.from('FLR\0') });
  await write('text', { form: 'groups', bytes: Buffer.from('a;b 1') });
  await write('zipped', { form: 'jfr', encoding: 'gzip', bytes: gzipSync('FLR\0') });
  assert.deepEqual(readdirSync(dir).sort(), ['jvm.jfr', 'text.folded', 'zipped.jfr.gz']);
  assert.equal(readFileSync(join(dir, 'text.folded'), 'utf8'), 'a;b 1');
});

test('concurrent sends each write their own file and leave nothing half written', async t => {
  const dir = folder(t);
  const [first, second] = [await started(dir), await started(dir)];
  await Promise.all(Array.from({ length: 40 }, (_, n) => (n % 2 ? first : second).write(`s${n}`)));
  assert.equal(readdirSync(dir).length, 40);
  assert.ok(readdirSync(dir).every(name => name.endsWith('.pb.gz')));
});

test('beyond max_files the oldest goes first, also what an earlier run left', async t => {
  const dir = folder(t);
  const before = await started(dir);
  for (const name of ['a', 'b']) await before.write(name);
  for (const [at, name] of readdirSync(dir).sort().entries()) utimesSync(join(dir, name), 0, 1_700_000_000 + at);
  const { write } = await started(dir, { max_files: 3, max_age: 0 });
  await write('c');
  assert.deepEqual(services(dir), ['a', 'b', 'c']);
  await write('d');
  assert.deepEqual(services(dir), ['b', 'c', 'd']);
});

test('beyond max_bytes the oldest go until it fits; the newest stays however large', async t => {
  const dir = folder(t);
  const { write } = await started(dir, { max_bytes: 100 });
  const sized = (bytes: number) => ({ encoding: 'gzip' as const, bytes: Buffer.alloc(bytes) });
  for (const name of ['a', 'b', 'c']) await write(name, sized(30));
  await write('d', sized(60));
  assert.deepEqual(services(dir), ['c', 'd']);
  await write('e', sized(500));
  assert.deepEqual(services(dir), ['e']);
});

test('beyond max_age files go with the next write', async t => {
  const dir = folder(t);
  const { write, now } = await started(dir, { max_age: '1h' });
  await write('old');
  now.ms += 3_600_001;
  await write('new');
  assert.deepEqual(services(dir), ['new']);
});

test('a name that comes again replaces its file and is counted once', async t => {
  const dir = folder(t);
  const { write } = await started(dir, { name: '{service_name}', max_files: 2, max_bytes: 100 });
  for (let n = 0; n < 10; n++) await write('same', { encoding: 'gzip', bytes: Buffer.alloc(40, n) });
  await write('other', { encoding: 'gzip', bytes: Buffer.alloc(40) });
  assert.deepEqual(readdirSync(dir).sort(), ['other.pb.gz', 'same.pb.gz']);
  assert.equal(readFileSync(join(dir, 'same.pb.gz'))[0], 9, 'the last one');
});

test('files and folders of others are left alone', async t => {
  const dir = folder(t);
  const theirs = ['cpu.pb.gz', 'notes.txt', '.hidden', 'my-heap-1.pb.gz'];
  for (const name of theirs) writeFileSync(join(dir, name), 'theirs');
  mkdirSync(join(dir, 'x-cpu-20200101T000000.000-000001.pb.gz'));
  for (const name of theirs) utimesSync(join(dir, name), 1, 1);
  const { write } = await started(dir, { max_files: 1, max_age: '1h' });
  await write('a');
  await write('b');
  for (const name of theirs) assert.ok(existsSync(join(dir, name)), name);
  assert.equal(readdirSync(dir).length, theirs.length + 2);
});

test('what a process that died left half written is cleared away after an hour', async t => {
  const dir = folder(t);
  for (const mark of ['deadbeef', '0badcafe']) writeFileSync(join(dir, `.flamegate-${mark}-1.tmp`), 'half');
  utimesSync(join(dir, '.flamegate-deadbeef-1.tmp'), 1, 1);
  await started(dir);
  assert.deepEqual(readdirSync(dir), ['.flamegate-0badcafe-1.tmp'], 'the young one may be being written');
});

test('a file that somebody deleted meanwhile is no error', async t => {
  const dir = folder(t);
  const { write, said } = await started(dir, { max_files: 1 });
  await write('a');
  unlinkSync(join(dir, readdirSync(dir)[0]!));
  assert.equal((await write('b')).kind, 'accepted');
  assert.deepEqual(said.reports, []);
});

test('an old file that cannot be deleted degrades the status and never makes a profile be written twice', async t => {
  const dir = folder(t);
  const { write, said } = await started(dir, { max_files: 1 });
  await write('a');
  const stuck = join(dir, readdirSync(dir)[0]!);
  unlinkSync(stuck);
  mkdirSync(stuck);
  assert.equal((await write('b')).kind, 'accepted');
  assert.deepEqual(
    said.reports.map(([health]) => health),
    ['degraded'],
  );
  assert.deepEqual(
    said.logs.map(([, phrase]) => phrase),
    ['old file cannot be deleted'],
  );
  await write('c');
  assert.deepEqual(
    said.reports.map(([health]) => health),
    ['degraded', 'ok'],
  );
  assert.deepEqual(services(dir), ['a', 'c']);
});

test('a folder that was removed is made again', async t => {
  const dir = folder(t);
  const { write } = await started(dir);
  rmSync(dir, { recursive: true });
  assert.equal((await write('a')).kind, 'accepted');
  assert.deepEqual(services(dir), ['a']);
});

test('where nothing can be written the batch is owed, the status says why, and is well again later', async t => {
  const dir = join(folder(t), 'data');
  const { write, said } = await started(dir);
  rmSync(dir, { recursive: true });
  writeFileSync(dir, 'a file where the folder was');
  const result = await write('a');
  assert.ok(result.kind === 'retryable' && result.rest === undefined);
  assert.match(result.error.message, /ENOTDIR|EEXIST/);
  assert.equal(said.reports[0]![0], 'degraded');
  unlinkSync(dir);
  assert.equal((await write('a')).kind, 'accepted');
  assert.equal(said.reports.at(-1)![0], 'ok');
});

test('what was written of a batch is not owed again', async t => {
  const dir = folder(t);
  const { exporter } = await started(dir, { name: '{service_name}' });
  // A folder where the second file should be renamed to.
  mkdirSync(join(dir, 'b.pb.gz'));
  const parts = { labels: Buffer.from('12345') };
  const profiles = [
    profileOf({ service_name: 'a' }),
    profileOf({ service_name: 'b' }),
    profileOf({ service_name: 'c' }, { origin: { door: 'ingest', parts } }),
  ];
  const result = await exporter.send(batchOf(profiles));
  assert.ok(result.kind === 'retryable' && result.rest);
  assert.deepEqual(result.rest.profiles, profiles.slice(1));
  assert.equal(result.rest.sizeBytes, 7 + 7 + 5);
  assert.deepEqual(readdirSync(dir).sort(), ['a.pb.gz', 'b.pb.gz'], 'nothing half written stays');
});

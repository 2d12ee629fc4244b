import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { exclusion, PathPattern } from '../../../../src/receivers/file/pattern.ts';
import { Walk } from '../../../../src/receivers/file/walk.ts';

function folder(t: TestContext, ...files: string[]): string {
  const dir = mkdtempSync(join(tmpdir(), 'walk-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  for (const file of files) {
    mkdirSync(dirname(join(dir, file)), { recursive: true });
    writeFileSync(join(dir, file), 'x');
  }
  return dir;
}

async function walked(dir: string, patterns: readonly string[], excludes: readonly string[] = [], max = 100) {
  const walk = new Walk(excludes.map(exclusion), max);
  for (const pattern of patterns) await walk.go(new PathPattern(join(dir, pattern)));
  return { paths: [...walk.paths].map(path => path.slice(dir.length + 1)).sort(), walk };
}

test('files are found by name and depth, each once, without hidden and excluded ones', async t => {
  const dir = folder(t, 'a/1.jfr', 'a/2.pb', 'a/b/3.jfr', 'a/b/.flamegate-1.tmp', '.hidden/4.jfr', 'a/old/5.jfr');
  assert.deepEqual((await walked(dir, ['a/*.jfr'])).paths, ['a/1.jfr']);
  assert.deepEqual((await walked(dir, ['**/*.jfr', 'a/*', '*/1.jfr'], ['old/**', '**/old/*'])).paths, [
    'a/1.jfr',
    'a/2.pb',
    'a/b/3.jfr',
  ]);
  assert.deepEqual((await walked(dir, ['**'])).paths, ['a/1.jfr', 'a/2.pb', 'a/b/3.jfr', 'a/old/5.jfr']);
  assert.deepEqual((await walked(dir, ['.hidden/*', 'a/b/.*'])).paths, ['.hidden/4.jfr', 'a/b/.flamegate-1.tmp']);
  assert.deepEqual((await walked(dir, ['*/b/3.jfr'])).paths.includes('a/b/3.jfr'), true);
});

test('a circle of links is not gone round; a link that a pattern names is followed', async t => {
  const dir = folder(t, 'real/1.jfr');
  symlinkSync('..', join(dir, 'real/up'));
  symlinkSync('real', join(dir, 'link'));
  assert.deepEqual((await walked(dir, ['**/*.jfr'])).paths, ['real/1.jfr']);
  assert.deepEqual((await walked(dir, ['l*/*.jfr'])).paths, ['link/1.jfr']);
});

test('a missing folder that the pattern names is a problem, one further on is not', async t => {
  const dir = folder(t, 'a/1.jfr');
  assert.match([...(await walked(dir, ['b/*.jfr'])).walk.problems.values()][0]!.message, /there is no folder .*\/b$/);
  assert.equal((await walked(dir, ['*/c/*.jfr', '**/c/*.jfr'])).walk.problems.size, 0);
});

test('a folder that cannot be read is a problem, and the others are read', async t => {
  const dir = folder(t, 'a/1.jfr');
  symlinkSync('b', join(dir, 'b'));
  const { paths, walk } = await walked(dir, ['*/*.jfr']);
  assert.deepEqual(paths, ['a/1.jfr']);
  assert.match([...walk.problems.values()][0]!.message, /cannot be read: ELOOP/);
});

test('no more than so many are gathered', async t => {
  const dir = folder(t, ...Array.from({ length: 5 }, (_, at) => `${at}.jfr`));
  const { paths, walk } = await walked(dir, ['*'], [], 3);
  assert.deepEqual([paths.length, walk.overflowed], [3, true]);
});

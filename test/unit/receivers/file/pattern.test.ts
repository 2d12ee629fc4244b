import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { exclusion, PathPattern, patternProblem } from '../../../../src/receivers/file/pattern.ts';

const labels = (pattern: string, path: string) => {
  const found = new PathPattern(pattern).labelsOf(path);
  return found && Object.fromEntries(found);
};

test('what stands in braces is a label, of one folder or part of a name', () => {
  assert.deepEqual(labels('/data/{service_name}/{pod}/*.jfr', '/data/shop/shop-7f9c/a.jfr'), {
    service_name: 'shop',
    pod: 'shop-7f9c',
  });
  assert.deepEqual(labels('in/**/{service.name}@{zone}.{pb,pb.gz}', 'in/x/y/web@eu.pb.gz'), {
    'service.name': 'web',
    zone: 'eu',
  });
  assert.deepEqual(labels('in/**/{a}.pb', 'in/web.pb'), { a: 'web' }, 'no folder is any depth too');
  assert.equal(labels('/data/{a}/*.jfr', '/data/x/y/z.jfr'), undefined, 'a label holds no separator');
  assert.equal(labels('/data/{a}.jfr', '/data/.jfr'), undefined, 'nor is it empty');
});

test('the names that the file exporter gives come apart again', () => {
  assert.deepEqual(
    labels('/d/{service_name}-{__name__}-*-*', '/d/my-shop-process_cpu-20231114T221320.123-000007.pb.gz'),
    { service_name: 'my-shop', __name__: 'process_cpu' },
  );
});

test('globs mean what shells mean', () => {
  const fits = (pattern: string, path: string) => new PathPattern(pattern).fits(path);
  for (const [pattern, path, expected] of [
    ['*.jfr', 'a.jfr', true],
    ['*.jfr', 'a.jfr.tmp', false],
    ['*.jfr', 'x/a.jfr', false],
    ['?.jfr', 'ä.jfr', true],
    ['?.jfr', 'ab.jfr', false],
    ['[a-c]1', 'b1', true],
    ['[!a-c]1', 'b1', false],
    ['[!a-c]1', 'd1', true],
    ['[]x]', ']', true],
    ['[^x]', 'y', true],
    ['a.b', 'axb', false],
    ['{a,b*}.x', 'bcd.x', true],
    ['{a,b*}.x', 'c.x', false],
    [String.raw`\{a\}`, '{a}', true],
    ['./x//y', 'x/y', true],
    ['/x/**', '/x/y/z', true],
    ['/x/**', '/y/z', false],
    ['**/**/z', 'a/b/z', true],
    ['(a|b)+$', '(a|b)+$', true],
  ] as const)
    assert.equal(fits(pattern, path), expected, `${pattern} ${path}`);
});

test('an exclusion without a separator means a name in whatever folder, absolute or not', () => {
  for (const path of ['a.tmp', 'x/a.tmp', '/x/y/a.tmp']) assert.ok(exclusion('*.tmp').fits(path), path);
  assert.ok(!exclusion('*.tmp').fits('/x/a.tmp/b'));
  assert.ok(exclusion('**/old/**').fits('/x/old/a.jfr'));
  assert.ok(!exclusion('/y/*').fits('/x/a'));
});

test('mistakes are named', () => {
  for (const [pattern, said] of [
    ['', /names no file/],
    ['/data/', /names no file/],
    ['a{b', /without its }/],
    ['a}b', /without its {/],
    ['{a/b}', /without its }/],
    ['{a b}', /neither the name of a label nor a list/],
    ['{}', /neither/],
    ['{a}/{a}', /twice/],
    ['[abc', /without its ]/],
    ['[z-a]', /no set of characters/],
    ['{a,{b,c}}', /braces within braces/],
    ['a\\', /nothing behind it/],
  ] as const)
    assert.match(patternProblem(pattern) ?? '', said, pattern);
  assert.equal(patternProblem('/data/{service_name}/**/*.{jfr,pb.gz}'), undefined);
});

test('every text is a pattern or has a problem, and a text without magic fits itself', () => {
  const text = fc.string({
    unit: fc.constantFrom('a', 'b', '*', '?', '[', ']', '{', '}', ',', '/', '.', '\\', '-', '!', '(', 'é'),
  });
  fc.assert(
    fc.property(text, pattern => {
      if (patternProblem(pattern) === undefined) new PathPattern(pattern).labelsOf('a/b');
      else assert.throws(() => new PathPattern(pattern));
    }),
  );
  const name = fc.string({ minLength: 1 }).filter(one => !/[*?[\]{}\\/]/.test(one) && one !== '.');
  fc.assert(
    fc.property(name, one => {
      assert.ok(new PathPattern(`/x/${one}`).fits(`/x/${one}`));
    }),
  );
});

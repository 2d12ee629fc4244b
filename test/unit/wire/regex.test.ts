// Go's regexp is what users of RE2 expect: the answers below are those of MatchString and ReplaceAllString.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Regex, regexProblem, replacementProblem } from '../../../src/wire/regex.ts';

test('a pattern is searched for anywhere, unless it is anchored', () => {
  assert.ok(new Regex('run').test('a runtime'));
  assert.ok(!new Regex('^run').test('a runtime'));
  assert.ok(new Regex('').test(''));
  assert.ok(new Regex('^\\p{Greek}$').test('λ'));
  assert.ok(new Regex('(?i)RUN').test('a runtime'));
});

test('replacements are those of Go', () => {
  for (const [pattern, text, replacement, due] of [
    ['a(x*)b', '-ab-axxb-', 'T', '-T-T-'],
    ['a(x*)b', '-ab-axxb-', '$1', '--xx-'],
    ['a(x*)b', '-ab-axxb-', '${1}W', '-W-xxW-'],
    ['a(?P<x>x*)b', '-axb-', '<$x>', '-<x>-'],
    ['a(?P<x>x*)b', '-axb-', '$$x', '-$x-'],
    ['a*', 'baac', 'x', 'xbxcx'],
    ['', 'ab', '-', '-a-b-'],
    ['(a)|(b)', 'ab', '[$1$2]', '[a][b]'],
    ['é', 'crème é', 'e', 'crème e'],
    ['none', 'text', 'x', 'text'],
    ['b', 'abc', '$', 'a$c'],
    ['b', 'abc', '$0$0', 'abbc'],
  ] as const)
    assert.equal(new Regex(pattern).replaceAll(text, replacement), due, `${pattern} ${text} ${replacement}`);
});

test('a mistake is said in a sentence that names it', () => {
  assert.equal(regexProblem('a(b'), '"a(b" is not a regular expression of RE2: missing closing ): `a(b`');
  for (const bad of ['(?=x)', '\\1', '[z-a]', 'a**', 'x{2000}']) assert.match(regexProblem(bad)!, /RE2: .+/, bad);
  assert.equal(regexProblem('^a+$'), undefined);
  assert.match(replacementProblem('(a)', '$1x')!, /names the group 1x/);
  assert.match(replacementProblem('(a)', '$2')!, /names the group 2/);
  assert.equal(replacementProblem('(?P<one>a)', '$1 ${one} $0 $$2'), undefined);
});

test('time is linear in the text', () => {
  const start = performance.now();
  assert.ok(!new Regex('^(a+)+$').test(`${'a'.repeat(50_000)}b`));
  assert.equal(new Regex('(a*)*c').replaceAll('a'.repeat(2000), 'x'), 'a'.repeat(2000));
  assert.ok(performance.now() - start < 2000);
});

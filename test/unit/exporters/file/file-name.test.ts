import assert from 'node:assert/strict';
import { basename, join, resolve } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { Config } from '../../../../src/exporters/file/config.ts';
import { fileName, ownNames } from '../../../../src/exporters/file/file-name.ts';
import { endingOf } from '../../../../src/model/payload.ts';
import { batchOf, profileOf } from '../fixtures.ts';

const TEMPLATE = Config.parse({ path: 'x' }).name;
const nameOf = (template: string, attributes: Record<string, string>, sequence = 1, tenant = '') => {
  const profile = profileOf(attributes);
  return fileName(template, batchOf([profile], { tenant }), profile, sequence);
};

test('the default name says service, type, time and number', () => {
  assert.equal(
    nameOf(TEMPLATE, { service_name: 'checkout', __name__: 'process_cpu' }, 7),
    'checkout-process_cpu-20260102T030405.006-000007',
  );
  assert.equal(nameOf(TEMPLATE, { 'service.name': 'cart' }, 1_234_567), 'cart-pprof-20260102T030405.006-1234567');
  assert.equal(nameOf(TEMPLATE, {}), 'unknown-pprof-20260102T030405.006-000001');
});

test('any attribute and the tenant can be in a name; what is missing or empty is unknown', () => {
  assert.equal(nameOf('{tenant}_{env}_{none}', { env: 'prod' }, 1, 'team'), 'team_prod_unknown');
  assert.equal(nameOf('{tenant}{env}', { env: '' }), 'unknownunknown');
  assert.equal(nameOf('fixed', {}), 'fixed');
});

test('nothing escapes the folder', () => {
  for (const [value, safe] of [
    ['../../etc/passwd', '__.._etc_passwd'],
    ['/etc/passwd', '_etc_passwd'],
    ['..', '_'],
    ['.hidden', '_hidden'],
    ['a\\b\0c\nd', 'a_b_c_d'],
    ['C:x', 'C_x'],
  ] as const)
    assert.equal(nameOf('{v}', { v: value }), safe);
  assert.equal(nameOf('../{v}/x', { v: 'a' }), '__a_x');
  const text = fc.string({ unit: 'binary', maxLength: 300 });
  const folder = resolve('/folder');
  fc.assert(
    fc.property(text, text, fc.constantFrom(TEMPLATE, '{a}', '{a}{b}', '.{a}', '../{a}/{b}'), (a, b, template) => {
      const name = nameOf(template, { a, b, service_name: a, __name__: b });
      assert.ok(name !== '' && !name.startsWith('.'), name);
      assert.equal(join(folder, basename(name)), resolve(folder, name), 'it is one name in the folder');
      assert.ok(!/\p{Cc}/u.test(name) && name.isWellFormed());
      assert.ok(Buffer.byteLength(`${name}.speedscope.json.zst`) <= 255);
    }),
  );
});

test('a value is cut at 100 bytes between characters', () => {
  assert.equal(nameOf('{v}', { v: 'x'.repeat(300) }), 'x'.repeat(100));
  assert.equal(nameOf('{v}', { v: '€'.repeat(300) }), '€'.repeat(33));
});

test('however long its values, a name keeps time and number', () => {
  const long = 'x'.repeat(2000);
  const names = [1, 2].map(sequence =>
    nameOf('{a}{b}{c}{d}-{time}-{seq}', { a: long, b: long, c: long, d: long }, sequence),
  );
  assert.ok(
    names.every((name, at) => name.endsWith(`-20260102T030405.006-00000${at + 1}`)),
    names[0],
  );
  assert.match(nameOf(TEMPLATE, { service_name: long, __name__: long }), /^x{100}-x{100}-.*-000001$/);
});

test('endings tell form and compression', () => {
  assert.equal(endingOf('pprof', 'gzip'), '.pb.gz');
  assert.equal(endingOf('pprof', 'zstd'), '.pb.zst');
  assert.equal(endingOf('jfr', 'identity'), '.jfr');
  assert.equal(endingOf('groups', 'identity'), '.folded');
  assert.equal(endingOf('speedscope', 'gzip'), '.speedscope.json.gz');
});

test('a name that was made is known as ours again, whatever its values', () => {
  const text = fc.string({ unit: 'binary', maxLength: 150 });
  const templates = [TEMPLATE, '{a}', 'x+(y)-{b}-{seq}', '../{a}/{tenant}', '.{a}{b}', '{time}', '{{a}}'];
  fc.assert(
    fc.property(text, text, fc.constantFrom(...templates), fc.nat(10_000_000), (a, b, template, sequence) => {
      const name = `${nameOf(template, { a, b, service_name: a, __name__: b }, sequence, b)}${endingOf('pprof', 'gzip')}`;
      assert.match(name, ownNames(template));
    }),
  );
});

test('files of somebody else are not ours under the default name', () => {
  const ours = ownNames(TEMPLATE);
  for (const name of [
    'cpu.pb.gz',
    'my-own-profile.pb.gz',
    'a-b-20260102T030405.006-000001.txt',
    'a-b-20260102-1.pb.gz',
    'notes.folded',
  ])
    assert.doesNotMatch(name, ours);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cutLabels } from '../../../../src/exporters/pyroscope/limits.ts';

test('labels beyond the number go, the last first; those that make the series stay', () => {
  const labels = new Map<string, string>(Array.from({ length: 40 }, (_none, n) => [`k${n}`, 'v'] as const));
  labels.set('service_name', 'checkout').set('__name__', 'process_cpu');
  assert.equal(cutLabels(labels, 30), 12);
  assert.equal(labels.size, 30);
  assert.deepEqual([labels.get('service_name'), labels.get('__name__')], ['checkout', 'process_cpu']);
  assert.ok(labels.has('k27') && !labels.has('k28'));
});

test('a value that is too long ends with a whole character, a name that is too long goes', () => {
  const labels = new Map([
    ['command', '🔥'.repeat(1000)],
    ['n'.repeat(1025), 'v'],
    ['', 'v'],
    ['short', 'v'],
  ]);
  assert.equal(cutLabels(labels, 30), 3);
  assert.deepEqual([...labels.keys()], ['command', 'short']);
  assert.equal(labels.get('command'), '🔥'.repeat(512));
  assert.equal(cutLabels(labels, 30), 0);
});

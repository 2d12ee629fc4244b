import assert from 'node:assert/strict';
import { test } from 'node:test';
import { candidates, type FoundProfile, named, preferred, typeAt } from '../../../src/convert/select.ts';
import { ColumnsBuilder } from '../../../src/model/columns/builder.ts';

const profile = (types: readonly string[], name?: string): FoundProfile => ({
  columns: new ColumnsBuilder(types.map(type => ({ type, unit: 'count' }))).columns,
  attributes: new Map(name === undefined ? [] : [['__name__', name]]),
  resource: new Map(),
  part: 0,
});
const namesOf = (...profiles: FoundProfile[]) => named(profiles).map(({ name }) => name);
const NONE = { profile: undefined, type: undefined };

test('a profile is called what the file says, else what its types say', () => {
  assert.deepEqual(namesOf(profile(['samples', 'cpu'])), ['process_cpu']);
  assert.deepEqual(namesOf(profile(['samples', 'cpu'], 'mine')), ['mine']);
  assert.deepEqual(namesOf({ ...profile(['cpu'], 'mine'), resource: new Map([['__name__', 'its']]) }), ['its']);
  assert.deepEqual(namesOf(profile(['wall'])), ['wall']);
  assert.deepEqual(namesOf(profile([])), ['profile']);
});

test('those of one name are told apart by the sample type where that tells, then by number', () => {
  const inside = profile(['alloc_in_new_tlab_objects', 'alloc_in_new_tlab_bytes'], 'memory');
  const outside = profile(['alloc_outside_tlab_objects', 'alloc_outside_tlab_bytes'], 'memory');
  const cpu = profile(['cpu'], 'process_cpu');
  assert.deepEqual(namesOf(cpu, inside, outside), [
    'process_cpu',
    'memory:alloc_in_new_tlab_bytes',
    'memory:alloc_outside_tlab_bytes',
  ]);
  assert.deepEqual(namesOf(cpu, cpu, cpu), ['process_cpu#1', 'process_cpu#2', 'process_cpu#3']);
  assert.deepEqual(namesOf(inside, outside, inside), [
    'memory:alloc_in_new_tlab_bytes#1',
    'memory:alloc_outside_tlab_bytes',
    'memory:alloc_in_new_tlab_bytes#2',
  ]);
});

test('the type is the one named, else the default, else the last', () => {
  const { columns } = profile(['alloc_space', 'inuse_space', 'cpu']);
  assert.equal(typeAt(columns, 'inuse_space'), 1);
  assert.equal(typeAt(columns, 'wall'), -1);
  assert.equal(typeAt(columns), 2);
  columns.defaultSampleType = columns.strings.intern('alloc_space');
  assert.equal(typeAt(columns), 0);
  columns.defaultSampleType = columns.strings.intern('no such type');
  assert.equal(typeAt(columns), 2);
  assert.equal(typeAt(profile([]).columns), -1);
});

test('what may be meant: an exact name, all of a series, those with the type', () => {
  const all = named([
    profile(['alloc_bytes'], 'memory'),
    profile(['lock_count'], 'mutex'),
    profile(['live_bytes'], 'memory'),
  ]);
  const found = (options: { profile?: string; type?: string }) =>
    candidates('f', all, { ...NONE, ...options }).map(({ name }) => name);
  assert.deepEqual(found({ profile: 'memory:live_bytes' }), ['memory:live_bytes']);
  assert.deepEqual(found({ profile: 'memory' }), ['memory:alloc_bytes', 'memory:live_bytes']);
  assert.deepEqual(found({ type: 'lock_count' }), ['mutex']);
  assert.deepEqual(found({ profile: 'memory', type: 'live_bytes' }), ['memory:live_bytes']);
  assert.equal(found({}).length, 3);
  assert.throws(() => found({ profile: 'cpu' }), /f: has no profile `cpu`; there are: memory:alloc_bytes, mutex, /);
  assert.throws(() => found({ type: 'cpu' }), /f: has no sample type `cpu`; there are: alloc_bytes, lock_count, /);
  assert.throws(() => candidates('f', [], NONE), /f: holds no profile/);
});

test('unasked it is CPU, else wall time, else the first', () => {
  const chosen = (...names: string[]) => preferred(named(names.map(name => profile(['count'], name)))).name;
  assert.equal(chosen('memory', 'wall', 'process_cpu'), 'process_cpu');
  assert.equal(chosen('memory', 'wall'), 'wall');
  assert.equal(chosen('memory', 'mutex'), 'memory');
});

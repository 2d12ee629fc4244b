import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readProfiles } from '../../../src/wire/convert/read.ts';
import { rawTypeOf } from '../../../src/wire/pyroscope/raw-type.ts';
import { soundForms } from '../../kit/forms.ts';

const RECEIVED_MS = 1_700_000_000_000;

/** A folded text by /ingest: what it is, and what it says of its series. */
function ingested(query: string, text = soundForms.groups) {
  const [{ columns, attributes }] = readProfiles('groups', text, {
    origin: { door: 'ingest', query },
    receivedMs: RECEIVED_MS,
  }) as [ReturnType<typeof readProfiles>[number]];
  const word = (row: number) => columns.strings.text(row);
  const [{ type, unit }] = columns.sampleTypes as [(typeof columns.sampleTypes)[number]];
  return {
    is: `${attributes.get('__name__')}:${word(type)}:${word(unit)}:${columns.periodType ? `${word(columns.periodType.type)}:${word(columns.periodType.unit)}` : ''}`,
    value: columns.samples.values.at(0),
    period: columns.period,
    time: columns.timeNanos,
    duration: columns.durationNanos,
    attributes,
  };
}

test('the last part of the name tells what stacks measure, as a Pyroscope server reads it', () => {
  for (const [suffix, is, value] of [
    ['cpu', 'process_cpu:cpu:nanoseconds:cpu:nanoseconds', 30_000_000n],
    ['itimer', 'process_cpu:cpu:nanoseconds:cpu:nanoseconds', 30_000_000n],
    ['seconds', 'wall:wall:nanoseconds:cpu:nanoseconds', 30_000_000n],
    ['inuse_objects', 'memory:inuse_objects:count:', 3n],
    ['alloc_space', 'memory:alloc_space:bytes:', 3n],
    ['goroutines', 'goroutine:goroutines:count:', 3n],
    ['mutex_count', 'mutex:contentions:count:', 3n],
    ['mutex_duration', 'mutex:delay:nanoseconds:', 3n],
    ['lock_duration', 'block:delay:nanoseconds:', 3n],
    ['alloc_outside_tlab_bytes', 'memory:alloc_outside_tlab_bytes:bytes:', 3n],
    ['live', 'memory:live:count:', 3n],
    ['exceptions', 'exceptions:samples:count:', 3n],
    ['bytes', 'memory:samples:bytes:', 3n],
  ] as const) {
    const found = ingested(`name=my.app.${suffix}{a=b}`);
    assert.deepEqual([found.is, found.value], [is, value], suffix);
    assert.deepEqual(
      [rawTypeOf(`my.app.${suffix}`).app, rawTypeOf(`my.app.${suffix}`).suffix],
      ['my.app', `.${suffix}`],
    );
  }
  assert.equal(ingested('name=app').is, 'process_cpu:cpu:nanoseconds:cpu:nanoseconds', 'no dot is cpu');
  assert.throws(() => ingested('name=my.app'), { reason: 'unknown_profile_type' });
});

test('a rate makes time of counts, without one they stay counts', () => {
  const fast = ingested('name=app.cpu&sampleRate=1000');
  assert.deepEqual([fast.value, fast.period], [3_000_000n, 1_000_000n]);
  const none = ingested('name=app.cpu&sampleRate=0');
  assert.deepEqual([none.is, none.value, none.period], ['process_cpu:samples:count:', 3n, 0n]);
  const huge = Buffer.from('main 9223372036854775807\n');
  assert.throws(() => ingested('name=app.cpu', huge), { reason: 'value_overflow' });
  assert.equal(ingested('name=app.alloc_space', huge).value, 9223372036854775807n);
});

test('time is what the query says, or the moment of arrival', () => {
  const said = ingested('name=app.cpu&from=1700000100&until=1700000110');
  assert.deepEqual([said.time, said.duration], [1_700_000_100_000_000_000n, 10_000_000_000n]);
  assert.equal(ingested('name=app.cpu&from=now-1h').time, BigInt(RECEIVED_MS - 3_600_000) * 1_000_000n);
  assert.equal(ingested('name=app.cpu&from=-30min').time, BigInt(RECEIVED_MS - 1_800_000) * 1_000_000n);
  assert.equal(ingested('name=app.cpu&from=now-2mon').time, BigInt(RECEIVED_MS - 60 * 86_400_000) * 1_000_000n);
  const silent = ingested('name=app.cpu&from=yesterday');
  assert.deepEqual([silent.time, silent.duration], [BigInt(RECEIVED_MS) * 1_000_000n, 0n]);
});

test('an application beside a service_name keeps a name of its own', () => {
  assert.equal(ingested('name=app.cpu{service_name=shop}').attributes.get('app_name'), 'app');
  assert.equal(ingested('name=app.cpu').attributes.has('app_name'), false);
});

test('what has no time in its form has the time of the query, of the file, or of arrival', () => {
  const timeOf = (form: keyof typeof soundForms, about: Parameters<typeof readProfiles>[2]) =>
    readProfiles(form, soundForms[form], about)[0]!.columns.timeNanos;
  const receivedMs = RECEIVED_MS;
  for (const form of ['legacy', 'perf', 'cpuprofile', 'heapprofile', 'speedscope', 'groups', 'tree'] as const) {
    const query = 'name=app.cpu&from=1700000100';
    assert.equal(timeOf(form, { origin: { door: 'ingest', query }, receivedMs }), 1_700_000_100_000_000_000n, form);
    assert.equal(timeOf(form, { origin: { door: 'file', timeMs: 5 }, receivedMs }), 5_000_000n, form);
    assert.equal(timeOf(form, { receivedMs }), BigInt(RECEIVED_MS) * 1_000_000n, form);
    assert.equal(timeOf(form, {}), 0n, form);
  }
});

// The profilers are V8's own and this process is what they look at: intervals end when the test says so, the work is real.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { Profile } from 'pprof-format';
import type { Clock } from '../../../../src/api/index.ts';
import { Config } from '../../../../src/receivers/self/config.ts';
import { encodeCpu } from '../../../../src/receivers/self/encode.ts';
import { objectsIn } from '../../../../src/receivers/self/heap-objects.ts';
import { SelfReceiver } from '../../../../src/receivers/self/receiver.ts';
import { scanPprof } from '../../../../src/wire/pprof/scan.ts';
import { NOT_ACCEPTED, Rig, type Seen } from '../fixtures.ts';

const far = () => AbortSignal.timeout(10_000);

/** Real time; an interval ends at `tick`. */
class Ticks implements Clock {
  #wake: (() => void) | undefined;
  #sleeping: (() => void) | undefined;
  sleeps: number[] = [];
  now(): number {
    return Date.now();
  }
  sleep(ms: number, abort?: AbortSignal): Promise<void> {
    this.sleeps.push(ms);
    return new Promise(resolve => {
      this.#wake = resolve;
      if (abort?.aborted) resolve();
      abort?.addEventListener('abort', () => resolve(), { once: true });
      this.#sleeping?.();
    });
  }
  /** Ends the interval; resolves when the next one has begun. */
  async tick(): Promise<void> {
    const next = new Promise<void>(resolve => {
      this.#sleeping = resolve;
    });
    this.#wake!();
    await next;
  }
}

function rig(config: object = {}) {
  const clock = new Ticks();
  const made = new Rig(clock);
  return {
    clock,
    made,
    receiver: new SelfReceiver(Config.parse({ sampling_interval: '1ms', ...config }), made.host, made.next),
  };
}

/** Uses the CPU for this long, ms, under a name that the profile must show. */
function burnedByTheTest(ms: number): number {
  let sum = 0;
  for (const until = performance.now() + ms; performance.now() < until; )
    for (let n = 0; n < 1000; n++) sum += Math.sqrt(n);
  return sum;
}

function decoded(seen: Seen, name: string) {
  const at = seen.batch.profiles.findIndex(({ attributes }) => attributes.get('__name__') === name);
  assert.ok(at >= 0, `a ${name} profile came`);
  const raw = gunzipSync(seen.payloads[at]!);
  const profile = Profile.decode(raw);
  const text = (index: unknown) => profile.stringTable.strings[Number(index)]!;
  const functions = new Map(profile.function.map(one => [Number(one.id), one]));
  const locations = new Map(profile.location.map(one => [Number(one.id), one]));
  const stacks = profile.sample.map(({ locationId, value }) => ({
    names: locationId.map(id => text(functions.get(Number(locations.get(Number(id))!.line[0]!.functionId))!.name)),
    values: value.map(Number),
  }));
  const types = profile.sampleType.map(({ type, unit }) => `${text(type)}/${text(unit)}`);
  return { raw, profile, text, functions: [...functions.values()], stacks, types };
}

test('burnt CPU is found under its name, with file, line, time and period', async () => {
  const { made, receiver } = rig({ heap: false });
  const startedMs = Date.now();
  await receiver.start();
  burnedByTheTest(150);
  await receiver.stop(far());
  const { batch } = made.only;
  assert.deepEqual([batch.dialect, batch.tenant, batch.profiles.length], ['pyroscope', '', 1]);
  const { attributes, origin, payload } = batch.profiles[0]!;
  assert.deepEqual([attributes.get('service_name'), attributes.get('__name__')], ['flamegate', 'process_cpu']);
  assert.deepEqual([origin, payload.form, payload.encoding], [{ door: 'self' }, 'pprof', 'gzip']);
  assert.equal(batch.sizeBytes, made.only.payloads[0]!.length);

  const { raw, profile, text, functions, stacks, types } = decoded(made.only, 'process_cpu');
  assert.deepEqual(types, ['samples/count', 'cpu/nanoseconds']);
  assert.deepEqual(
    [text(profile.periodType!.type), text(profile.periodType!.unit), Number(profile.period)],
    ['cpu', 'nanoseconds', 1_000_000],
  );
  const burner = functions.find(({ name }) => text(name) === 'burnedByTheTest')!;
  assert.match(text(burner.filename), /receiver\.test\.ts$/);
  const line = burnedByTheTest.toString() && Number(burner.startLine);
  assert.ok(Number(line) > 1);
  const burnt = stacks.filter(({ names }) => names.includes('burnedByTheTest'));
  const ns = burnt.reduce((sum, { values }) => sum + values[1]!, 0);
  assert.ok(ns > 50e6 && ns < 1000e6, `${ns} ns of 150 ms`);
  assert.ok(burnt.every(({ values }) => values[0]! > 0));
  const names = new Set(stacks.flatMap(({ names }) => names));
  for (const waiting of ['(idle)', '(program)', '(root)']) assert.ok(!names.has(waiting), waiting);
  const [startMs, durationMs] = [Number(profile.timeNanos) / 1e6, Number(profile.durationNanos) / 1e6];
  assert.ok(Math.abs(startMs - startedMs) < 1000, `started ${startMs - startedMs} ms off`);
  assert.ok(durationMs >= 140 && durationMs < 5000, `${durationMs} ms`);
  // What leaves here is sound by our own rules too.
  assert.equal(scanPprof(raw).samples, stacks.length);
});

test('what lives on the heap is found, in bytes and about as many objects', async () => {
  const { made, receiver } = rig({ cpu: false });
  await receiver.start();
  const kept: object[] = [];
  (function keptByTheTest() {
    for (let n = 0; n < 400_000; n++) kept.push({ a: n, b: n, c: n, d: n });
  })();
  await receiver.stop(far());
  assert.equal(kept.length, 400_000);
  const { profile, text, stacks, types } = decoded(made.only, 'memory');
  assert.deepEqual(types, ['inuse_objects/count', 'inuse_space/bytes']);
  assert.deepEqual([text(profile.periodType!.type), text(profile.periodType!.unit)], ['space', 'bytes']);
  const mine = stacks.filter(({ names }) => names[0] === 'keptByTheTest');
  const [objects, bytes] = [0, 1].map(at => mine.reduce((sum, { values }) => sum + values[at]!, 0)) as [number, number];
  // 56 bytes each and the list that holds them; sampled every 512 KiB.
  assert.ok(bytes > 10e6 && bytes < 60e6, `${bytes} bytes`);
  assert.ok(objects > 100_000 && objects < 4_000_000, `${objects} objects`);
});

test('one batch per interval with both profiles; nothing of it is lost between two', async () => {
  const { clock, made, receiver } = rig({ interval: '3s', service_name: 'me' });
  await receiver.start();
  for (let round = 0; round < 3; round++) {
    burnedByTheTest(60);
    await clock.tick();
  }
  await receiver.stop(far());
  assert.ok(clock.sleeps.every(ms => ms === 3000));
  assert.ok(made.seen.length >= 3);
  let burntNs = 0;
  for (const seen of made.seen.slice(0, 3)) {
    const { stacks } = decoded(seen, 'process_cpu');
    for (const { names, values } of stacks) if (names.includes('burnedByTheTest')) burntNs += values[1]!;
    assert.equal(seen.batch.profiles[0]!.attributes.get('service_name'), 'me');
  }
  assert.ok(burntNs > 100e6, `${burntNs} ns of 180 ms`);
  assert.equal(new Set(made.seen.map(({ id }) => id)).size, made.seen.length);
});

test('without samples nothing is sent', () => {
  const root = {
    id: 1,
    callFrame: { functionName: '(root)', scriptId: '0', url: '', lineNumber: -1, columnNumber: -1 },
    children: [2],
  };
  const idle = { id: 2, callFrame: { ...root.callFrame, functionName: '(idle)' } };
  const profile = { nodes: [root, idle], startTime: 0, endTime: 1000, samples: [2, 2], timeDeltas: [500, 500] };
  assert.equal(encodeCpu(profile, 1, 1), undefined);
});

test('with both switched off no batch is sent', async () => {
  const { clock, made, receiver } = rig({ cpu: false, heap: false });
  await receiver.start();
  await clock.tick();
  await receiver.stop(far());
  assert.equal(made.seen.length, 0);
});

test('what is not accepted is counted, said, and dropped; the next interval goes on', async () => {
  const { clock, made, receiver } = rig({ heap: false });
  await receiver.start();
  for (const result of NOT_ACCEPTED) {
    made.answer = () => result;
    burnedByTheTest(30);
    await clock.tick();
  }
  assert.equal(made.dropped('not_accepted'), NOT_ACCEPTED.length);
  assert.equal(made.logged.filter(phrase => phrase === 'own profile was not accepted').length, NOT_ACCEPTED.length);
  made.answer = () => ({ kind: 'accepted' });
  await receiver.stop(far());
  assert.equal(made.health.length, 0);
});

test('stops unstarted and twice, and starts again', async () => {
  const { made, receiver } = rig({ heap: false });
  await receiver.stop(far());
  for (let round = 1; round <= 2; round++) {
    await receiver.start();
    burnedByTheTest(30);
    await Promise.all([receiver.stop(far()), receiver.stop(far())]);
    await receiver.stop(far());
    assert.equal(made.seen.length, round);
  }
});

test('the deadline of stop ends the wait for a pipeline that does not answer', async () => {
  const { made, receiver } = rig({ heap: false });
  made.answer = (_batch, abort) =>
    new Promise(resolve => {
      const giveUp = () => resolve({ kind: 'retryable', error: new Error('gave up') });
      // The deadline may pass while the profile is still being encoded.
      if (abort.aborted) giveUp();
      abort.addEventListener('abort', giveUp, { once: true });
    });
  await receiver.start();
  burnedByTheTest(30);
  const deadline = new AbortController();
  const stopped = receiver.stop(deadline.signal);
  await new Promise(resolve => setImmediate(resolve));
  deadline.abort();
  await stopped;
  assert.deepEqual([made.only.abort.aborted, made.dropped('not_accepted')], [true, 1]);
});

test('an estimate of objects times their size is what V8 said, and large objects are one', () => {
  const MEAN = 512 * 1024;
  for (let size = 8; size <= 8192; size += 8) {
    const count = Math.round(1 / (1 - Math.exp(-size / MEAN)));
    const estimate = objectsIn(size * count, MEAN);
    assert.equal((size * count) % estimate, 0);
    assert.ok(estimate >= count, 'the smallest size is the largest count');
  }
  assert.equal(objectsIn(56 * 9363, MEAN), 9363);
  assert.equal(objectsIn(8 * 1024 * 1024, MEAN), 1);
});

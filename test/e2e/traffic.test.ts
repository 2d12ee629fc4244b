// Every recorded request of a real SDK, replayed with its own headers through the real process to a store.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { type Arrival, arrivalsIn, partsOf, seriesOf } from '../kit/arrival.ts';
import { type PprofFacts, type PushFacts, type Recording, recordings, replayHeaders } from '../kit/corpus.ts';
import { freePort, Gateway } from '../kit/gateway.ts';
import { labelTexts, pushed } from '../kit/pprof.ts';
import { FakeStore } from '../kit/store.ts';

const PUSH = '/push.v1.PusherService/Push';
const DOOR = /(\/ingest|\/push\.v1\.PusherService\/Push)$/;
const requests = recordings().filter(({ path, method }) => method === 'POST' && DOOR.test(path));

let gateway: Gateway;
let auto: FakeStore;
let push: FakeStore;
let url: string;

before(async () => {
  [auto, push] = await Promise.all([new FakeStore().start(), new FakeStore().start()]);
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  gateway = await Gateway.start({
    receivers: { pyroscope: { endpoint: `127.0.0.1:${port}` } },
    exporters: { 'pyroscope/auto': { endpoint: auto.url }, 'pyroscope/push': { endpoint: push.url, protocol: 'push' } },
    service: { pipelines: { profiles: { receivers: ['pyroscope'], exporters: ['pyroscope/auto', 'pyroscope/push'] } } },
  });
});
after(async () => {
  assert.equal(await gateway.stop(), 0);
  await Promise.all([auto.stop(), push.stop()]);
});

/** What the oracle says of each profile of a recording: types, sums, samples. */
const oracle = ({ parts }: Recording) =>
  parts
    .flatMap(({ format, facts }) => {
      if (format === 'pprof') return [facts as PprofFacts];
      if (format === 'push.v1')
        return (facts as PushFacts).series.flatMap(one => one.samples.map(({ pprof }) => pprof));
      return [];
    })
    .map(({ sampleTypes, sums, sampleCount }) => [sampleTypes, sums, sampleCount]);
const factsIn = (arrivals: readonly Arrival[]) =>
  arrivals.map(({ sampleTypes, sums, sampleCount }) => [sampleTypes, sums, sampleCount]);
const labelsIn = (arrivals: readonly Arrival[]) => arrivals.map(({ service, labels }) => [service, labels]);

/** Nanoseconds that an execution sample stands for: all recordings were made with 100 a second. */
const PERIOD = 10_000_000n;
interface JfrFacts {
  readonly sums: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly spanIds?: readonly string[];
}
/** What Pyroscope makes of each kind of event: its name, and the sums by the event's count and fields (specs of jfr-parser). */
const JFR_KINDS: Readonly<Record<string, (of: Readonly<Record<string, number>>) => [string, ...bigint[]]>> = {
  'jdk.ExecutionSample': ({ count }) => ['process_cpu', BigInt(count!) * PERIOD],
  'jdk.ObjectAllocationInNewTLAB': ({ count, tlabSize }) => ['memory', BigInt(count!), BigInt(tlabSize!)],
  'jdk.JavaMonitorEnter': ({ count, durationNanos }) => ['mutex', BigInt(count!), BigInt(durationNanos!)],
  'jdk.ThreadPark': ({ count, durationNanos }) => ['block', BigInt(count!), BigInt(durationNanos!)],
  'profiler.LiveObject': ({ count }) => ['memory', BigInt(count!)],
  'profiler.WallClockSample': ({ samples }) => ['wall', BigInt(samples!) * PERIOD],
};
function jfrOracle({ parts }: Recording): string[] {
  const { sums } = parts.find(({ format }) => format === 'jfr')!.facts as unknown as JfrFacts;
  return Object.entries(sums)
    .map(([event, of]) => JFR_KINDS[event]!(of).join(' '))
    .sort();
}

/** The profiles of a push as its sender encoded them. */
function rawProfiles({ body, headers }: { body: Buffer; headers: Record<string, string> }): Buffer[] {
  return pushed(headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body).map(({ rawProfile }) => rawProfile);
}

/** JFR at the store of push.v1: the profiles that a Pyroscope server makes of it. */
async function arrivedAsPprof(recording: Recording, from: number): Promise<void> {
  const wanted = jfrOracle(recording);
  // Of wall clock samples those of running threads are cpu too; how many, the list does not say.
  const isWall = wanted.some(one => one.startsWith('wall'));
  const count = wanted.length + (isWall ? 1 : 0);
  await push.until(() => push.deliveries.length >= from + count, 'all kinds of profile by push');
  const deliveries = push.deliveries.slice(from);
  const arrived = deliveries.flatMap(arrivalsIn);
  const said = arrived.map(({ name, sums }) => [name, ...sums].join(' ')).sort();
  assert.deepEqual(isWall ? said.filter(one => !one.startsWith('process_cpu')) : said, wanted);
  const { app, labels } = seriesOf(recording.seriesName!);
  for (const [at, { pushed: series }] of deliveries.entries()) {
    assert.equal(deliveries[at]!.path, PUSH);
    assert.equal(arrived[at]!.service, app);
    for (const [key, value] of Object.entries(labels)) assert.equal(arrived[at]!.labels[key], value, key);
    for (const { labels } of series) assert.equal(labels.get('pyroscope_spy'), 'javaspy');
  }
  const spans = new Set(
    deliveries.flatMap(({ pushed: series }) => series.flatMap(({ rawProfile }) => labelTexts(rawProfile, 'span_id'))),
  );
  const { spanIds } = recording.parts.find(({ format }) => format === 'jfr')!.facts as unknown as JfrFacts;
  assert.deepEqual([...spans].sort(), [...(spanIds ?? [])].sort());
}

test('there is traffic of both doors, in every form that has a part', () => {
  assert.ok(
    requests.some(({ path }) => path.endsWith('/ingest')) && requests.some(({ path }) => path.endsWith('/Push')),
  );
  assert.deepEqual(new Set(requests.map(({ parts }) => parts[0]?.format)), new Set(['pprof', 'push.v1', 'jfr']));
});

for (const recording of requests) {
  test(`${recording.file} arrives as it was sent`, async () => {
    const counts = [auto.deliveries.length, push.deliveries.length];
    const { status } = await fetch(`${url}${recording.path}${recording.query ? `?${recording.query}` : ''}`, {
      method: 'POST',
      headers: replayHeaders(recording),
      body: new Uint8Array(recording.body),
    });
    assert.equal(status, 200);
    const isPush = recording.path.endsWith('/Push');
    const facts = oracle(recording);
    const isPprof = facts.length > 0;
    const headers = Object.fromEntries(recording.headers.map(([name, value]) => [name.toLowerCase(), value]));
    const original = { ...recording, headers };
    const sent = isPprof ? arrivalsIn(original) : [];
    const wanted = isPush ? sent.length : 1;
    await auto.until(() => auto.deliveries.length >= counts[0]! + wanted, 'delivery by the same door');
    await push.until(() => push.deliveries.length >= counts[1]! + wanted, 'delivery by push');
    const [same, other] = [auto.deliveries.slice(counts[0]), push.deliveries.slice(counts[1])];
    for (const delivery of [...same, ...other])
      assert.equal(delivery.headers['x-scope-orgid'], headers['x-scope-orgid'], 'the tenant is forwarded');

    // By the door that it came in: nothing is changed.
    if (isPush) {
      const bytes = (deliveries: typeof same) =>
        deliveries.flatMap(one => one.pushed.map(({ rawProfile }) => rawProfile));
      assert.deepEqual(
        same.map(({ path }) => path),
        sent.map(() => PUSH),
      );
      assert.deepEqual(bytes(same), rawProfiles(original), 'payload is byte-identical');
    } else {
      assert.deepEqual([same[0]!.path, same[0]!.query], ['/ingest', recording.query], 'name and query are left alone');
      assert.deepEqual(
        seriesOf(new URLSearchParams(same[0]!.query).get('name')!),
        seriesOf(recording.seriesName!),
        'the series that the oracle names',
      );
      assert.deepEqual(
        partsOf(same[0]!) ?? same[0]!.body,
        partsOf(original) ?? recording.body,
        'payload and parts are byte-identical',
      );
    }
    if (!isPprof) {
      await arrivedAsPprof(recording, counts[1]!);
      return;
    }

    // By either door: the same profiles of the same series.
    for (const deliveries of [same, other]) {
      const arrived = deliveries.flatMap(arrivalsIn);
      assert.deepEqual(factsIn(arrived), facts);
      assert.deepEqual(labelsIn(arrived), labelsIn(sent));
      assert.deepEqual(
        arrived.map(({ sha256 }) => sha256),
        sent.map(({ sha256 }) => sha256),
      );
    }
    // Stores repair the frames of these agents at /ingest only.
    const path = /[?&]spyName=(pyspy|rbspy|scripting|dotnetspy)(&|$)/.test(`?${recording.query}`) ? '/ingest' : PUSH;
    for (const delivery of other) {
      assert.equal(delivery.path, path);
      for (const { labels } of delivery.pushed) assert.ok(labels.get('__name__') && labels.get('service_name'));
    }
  });
}

// The whole plugin in the real process: a stack of ten frames goes in, one of four comes out, with its value.
import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { Function as Fn, Line, Location, Profile, Sample, StringTable, ValueType } from 'pprof-format';
import { freePort, Gateway } from '../../test/kit/gateway.ts';
import { factsOf } from '../../test/kit/pprof.ts';
import { FakeStore } from '../../test/kit/store.ts';

test('deep stacks are cut near the root, and every total stays', async t => {
  const store = await new FakeStore().start();
  t.after(() => store.stop());
  const port = await freePort();
  const gateway = await Gateway.start({
    plugins: [resolve(import.meta.dirname)],
    receivers: { pyroscope: { endpoint: `127.0.0.1:${port}` } },
    processors: { stack_depth: { max: 4 } },
    exporters: { pyroscope: { endpoint: store.url } },
    service: {
      pipelines: { profiles: { receivers: ['pyroscope'], processors: ['stack_depth'], exporters: ['pyroscope'] } },
    },
  });
  t.after(() => gateway.kill());
  const strings = new StringTable();
  const frames = Array.from({ length: 10 }, (_, n) => strings.dedup(`f${n}`));
  const sampleType = [new ValueType({ type: strings.dedup('samples'), unit: strings.dedup('count') })];
  const profile = new Profile({
    sampleType,
    sample: [new Sample({ locationId: frames.map((_, n) => n + 1), value: [7], label: [] })],
    location: frames.map((_, n) => new Location({ id: n + 1, line: [new Line({ functionId: n + 1, line: 1 })] })),
    function: frames.map((name, n) => new Fn({ id: n + 1, name })),
    stringTable: strings,
    timeNanos: BigInt(Date.now()) * 1_000_000n,
  });
  const answer = await fetch(`http://127.0.0.1:${port}/ingest?name=app&format=pprof`, {
    method: 'POST',
    body: profile.encode(),
  });
  assert.equal(answer.status, 200);
  await store.until(() => store.deliveries.length === 1, 'delivery');
  const { functions, sums } = factsOf(store.deliveries[0]!.body);
  assert.deepEqual(functions, ['f0', 'f1', 'f2', 'truncated']);
  assert.deepEqual(sums, ['7']);
  assert.equal(await gateway.metric('flamegate_stage_profiles_total{id="stack_depth",outcome="edited"'), 1);
  assert.equal(await gateway.stop(), 0);
});

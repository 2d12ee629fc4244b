// What came in one form leaves in the other, through a real process: two gateways, pprof → OTLP → pprof, with a stage between.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freePort, Gateway } from '../kit/gateway.ts';
import { attributesOf, profilesIn, sumOf } from '../kit/otlp-resolved.ts';
import { FakeOtlpStore } from '../kit/otlp-store.ts';
import { factsOf } from '../kit/pprof.ts';
import { recordedProfiles, soundProfiles } from '../kit/profiles.ts';
import { FakeStore } from '../kit/store.ts';

test('pprof goes out as OTLP, and comes back from a second gateway as the pprof that it was', async t => {
  const [pyroscope, store] = await Promise.all([new FakeStore().start(), new FakeOtlpStore().start()]);
  t.after(() => Promise.all([pyroscope.stop(), store.stop()]));
  const [first, second] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
  const behind = await Gateway.start({
    receivers: { otlp: { protocols: { grpc: { endpoint: second } } } },
    processors: { labels: { actions: [{ action: 'set', key: 'via', value: 'otlp' }] } },
    exporters: { pyroscope: { endpoint: pyroscope.url } },
    service: { pipelines: { profiles: { receivers: ['otlp'], processors: ['labels'], exporters: ['pyroscope'] } } },
  });
  t.after(() => behind.kill());
  const gateway = await Gateway.start({
    receivers: { pyroscope: { endpoint: first } },
    exporters: { otlp: { endpoint: second, tls: { insecure: true } }, otlphttp: { endpoint: store.http } },
    service: { pipelines: { profiles: { receivers: ['pyroscope'], exporters: ['otlp', 'otlphttp'] } } },
  });
  t.after(() => gateway.kill());
  const profiles = [...recordedProfiles(), ...soundProfiles()].filter(
    ({ raw }) => raw.length < 300_000 && factsOf(raw).sampleCount > 0,
  );
  const sent = profiles.slice(0, 12);
  for (const [at, { raw }] of sent.entries()) {
    const url = `http://${first}/ingest?format=pprof&name=app.${at}%7Benv%3Dtest%7D`;
    assert.equal((await fetch(url, { method: 'POST', body: new Uint8Array(raw) })).status, 200);
  }
  await store.until(() => store.by('http').length >= sent.length, 'profiles as OTLP');
  await pyroscope.until(() => pyroscope.deliveries.length >= sent.length, 'profiles as pprof');
  const came = new Map(
    pyroscope.deliveries
      .flatMap(({ pushed }) => pushed)
      .map(({ labels, rawProfile }) => [labels.get('service_name'), rawProfile]),
  );
  for (const [at, { raw, file }] of sent.entries()) {
    const { sampleTypes, sums } = factsOf(raw);
    const one = store
      .by('http')
      .find(({ body }) => attributesOf(profilesIn(body)[0]!.of.resource as never)['service.name'] === `app.${at}`);
    assert.ok(one, file);
    const types = new Map(
      profilesIn(one.body).map(profile => [`${profile.sampleType.type} ${profile.sampleType.unit}`, sumOf(profile)]),
    );
    for (const [n, { type, unit }] of sampleTypes.entries())
      assert.equal(types.get(`${type} ${unit}`), BigInt(sums[n]!), file);
    const back = factsOf(came.get(`app.${at}`)!);
    assert.deepEqual([back.sampleTypes, back.sums], [sampleTypes, sums], file);
  }
});

// What came in one form leaves in the other, through a real process: two gateways, pprof → OTLP → pprof, with a stage between.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { freePort, Gateway } from '../kit/gateway.ts';
import { attributesOf, profilesIn, sumOf } from '../kit/otlp-resolved.ts';
import { FakeOtlpStore } from '../kit/otlp-store.ts';
import { factsOf, numbered } from '../kit/pprof.ts';
import { recordedProfiles, soundProfiles } from '../kit/profiles.ts';
import { bytes, text } from '../kit/protobuf.ts';
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

test('a profile that cannot be converted is a dead letter, the others of its request arrive', async t => {
  const store = await new FakeOtlpStore().start();
  t.after(() => store.stop());
  const at = `127.0.0.1:${await freePort()}`;
  const dir = mkdtempSync(`${tmpdir()}/flamegate-dead-`);
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const gateway = await Gateway.start({
    receivers: { pyroscope: { endpoint: at, validate: 'header' } },
    exporters: {
      otlp: { endpoint: store.grpc, tls: { insecure: true }, sending_queue: { storage: 'file_storage' } },
    },
    extensions: { file_storage: { directory: dir } },
    service: {
      extensions: ['file_storage'],
      pipelines: { profiles: { receivers: ['pyroscope'], exporters: ['otlp'] } },
    },
  });
  t.after(() => gateway.kill());
  const sound = numbered(7);
  const cut = sound.subarray(0, sound.length - 3);
  const sample = (raw: Uint8Array) => bytes(2, bytes(1, [...raw]));
  const labels = [...bytes(1, [...text(1, '__name__'), ...text(2, 'cpu')])];
  const body = Buffer.from(bytes(1, [...labels, ...sample(sound), ...sample(cut)]));
  const answer = await fetch(`http://${at}/push.v1.PusherService/Push`, {
    method: 'POST',
    headers: { 'content-type': 'application/proto' },
    body,
  });
  assert.equal(answer.status, 200, await answer.text());
  await store.until(() => store.by('grpc').length === 1, 'the sound one');
  assert.deepEqual(profilesIn(store.by('grpc')[0]!.body).map(sumOf), [7n]);
  for (;;) {
    const { files } = (await (await fetch(`${gateway.admin}/api/v1/queues`)).json()) as {
      files: { queues: { pending: { batches: number }; dead: { reason: string; batches: number }[] }[] }[];
    };
    const [queue] = files[0]!.queues;
    if (!queue || queue.pending.batches > 0 || queue.dead.length === 0) continue;
    assert.deepEqual(
      queue.dead.map(({ reason, batches }) => [reason, batches]),
      [['rejected', 1]],
    );
    break;
  }
});

// One port for everything: the Java agent in OTLP mode sends to its Pyroscope address, and gRPC may stand on it too.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arrivalsIn } from '../kit/arrival.ts';
import { recordings, replayHeaders } from '../kit/corpus.ts';
import { freePort, Gateway } from '../kit/gateway.ts';
import { capture, noCorpus } from '../kit/otlp.ts';
import { profilesIn, sumOf } from '../kit/otlp-resolved.ts';
import { grpcSender, http2Sender } from '../kit/otlp-sender.ts';
import { FakeOtlpStore, ROUTE } from '../kit/otlp-store.ts';
import { numbered } from '../kit/pprof.ts';
import { FakeStore } from '../kit/store.ts';

test('Pyroscope’s doors, OTLP over HTTP and gRPC share one port', { skip: noCorpus }, async t => {
  const [store, pyroscope] = [await new FakeOtlpStore().start(), await new FakeStore().start()];
  t.after(() => Promise.all([store.stop(), pyroscope.stop()]));
  const endpoint = `127.0.0.1:${await freePort()}`;
  const gateway = await Gateway.start({
    receivers: { pyroscope: { endpoint }, otlp: { protocols: { grpc: { endpoint }, http: { endpoint } } } },
    exporters: { otlp: { endpoint: store.grpc, tls: { insecure: true } }, pyroscope: { endpoint: pyroscope.url } },
    service: { pipelines: { profiles: { receivers: ['pyroscope', 'otlp'], exporters: ['otlp', 'pyroscope'] } } },
  });
  t.after(() => gateway.stop());
  const senders = [grpcSender(endpoint), http2Sender(`http://${endpoint}`)];
  t.after(() => {
    for (const sender of senders) sender.close();
  });

  const due: bigint[] = [];
  for (const recording of recordings().filter(({ path }) => path === ROUTE.profiles)) {
    const answer = await fetch(`http://${endpoint}${recording.path}`, {
      method: 'POST',
      headers: replayHeaders(recording),
      body: new Uint8Array(recording.body),
    });
    assert.equal(answer.status, 200, recording.file);
    const facts = recording.parts[0]!.facts as unknown as { resourceProfiles: { profiles: { sum: string }[] }[] };
    due.push(...facts.resourceProfiles.flatMap(({ profiles }) => profiles.map(({ sum }) => BigInt(sum))));
  }
  const wall = capture('java-async-wall.v1_10.pb');
  for (const sender of senders) {
    assert.equal((await sender.send('profiles', wall)).code, 0, sender.name);
    due.push(...profilesIn(wall).map(sumOf));
  }
  const ingest = await fetch(`http://${endpoint}/ingest?name=shop&format=pprof`, {
    method: 'POST',
    body: new Uint8Array(numbered(77)),
  });
  assert.equal(ingest.status, 200);
  due.push(77n);

  const sorted = (sums: bigint[]) => sums.sort((a, b) => Number(a - b));
  await store.until(() => store.by('grpc').length >= due.length, 'all of it at the OTLP store');
  await pyroscope.until(() => pyroscope.deliveries.length >= due.length, 'all of it at Pyroscope');
  assert.deepEqual(sorted(store.by('grpc').flatMap(({ body }) => profilesIn(body).map(sumOf))), sorted(due));
  const arrived = pyroscope.deliveries.flatMap(arrivalsIn);
  assert.deepEqual(sorted(arrived.map(({ sums }) => BigInt(sums[0]!))), sorted(due));
});

// Malformed and tricky bodies at every door: the answer that is due, one counter up, and nobody else notices.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { arrivalsIn, contentHash } from '../kit/arrival.ts';
import { type Malformed, malformed } from '../kit/corpus.ts';
import { freePort, Gateway } from '../kit/gateway.ts';
import { numbered, pushRequest } from '../kit/pprof.ts';
import { FakeStore } from '../kit/store.ts';

/** Refused instead of rewritten: bytes are forwarded as they came, and stores refuse invalid UTF-8. */
const BAD_STRING = 'string-not-utf8.pb';

/** By format of the list: what says at /ingest what the body is. Only that door takes more than pprof. */
const INGEST_QUERIES: Readonly<Record<string, string>> = {
  folded: 'name=app',
  jfr: 'name=app&format=jfr',
  speedscope: 'name=app&format=speedscope',
};

interface Door {
  readonly name: string;
  readonly protocol: string;
  send(bytes: Buffer): Promise<Response>;
  /** What this door answers where the list says `status`. */
  status(entry: { status: number; reason: string | undefined }): number;
}

let gateway: Gateway;
let store: FakeStore;
let doors: Door[];
let pyroscopeUrl: string;

before(async () => {
  store = await new FakeStore().start();
  const [pyroscope, pprof] = [await freePort(), await freePort()];
  gateway = await Gateway.start({
    receivers: { pyroscope: { endpoint: `127.0.0.1:${pyroscope}` }, pprof_http: { endpoint: `127.0.0.1:${pprof}` } },
    exporters: { pyroscope: { endpoint: store.url } },
    service: { pipelines: { profiles: { receivers: ['pyroscope', 'pprof_http'], exporters: ['pyroscope'] } } },
  });
  pyroscopeUrl = `http://127.0.0.1:${pyroscope}`;
  doors = [
    {
      name: '/ingest',
      protocol: 'ingest',
      send: bytes =>
        post(`http://127.0.0.1:${pyroscope}/ingest?name=app&format=pprof`, bytes, 'application/octet-stream'),
      status: ({ status }) => (status === 400 || status === 415 ? 422 : status),
    },
    {
      name: 'push.v1',
      protocol: 'push',
      send: bytes =>
        post(
          `http://127.0.0.1:${pyroscope}/push.v1.PusherService/Push`,
          pushRequest({ __name__: 'process_cpu', service_name: 'app' }, bytes),
          'application/proto',
        ),
      status: ({ status }) => Math.min(status, 400),
    },
    {
      name: '/v1/pprof',
      protocol: 'pprof_http',
      send: bytes => post(`http://127.0.0.1:${pprof}/v1/pprof?service_name=app`, bytes, 'application/octet-stream'),
      // unknown bytes are no media type that this door takes; where the list allows 400 for them, 415 says more
      status: ({ status, reason }) => (reason === 'unknown_format' ? 415 : status === 200 ? 204 : status),
    },
  ];
});
after(async () => {
  assert.equal(await gateway.stop(), 0);
  await store.stop();
});

const entries = malformed('pprof', 'any');

const post = (url: string, body: Buffer, type: string) =>
  fetch(url, { method: 'POST', body: new Uint8Array(body), headers: { 'content-type': type } });

function due({ file, expect }: Malformed): { status: number; reason: string | undefined } {
  return file === BAD_STRING ? { status: 400, reason: 'bad_string' } : { status: expect.status, reason: expect.reason };
}

test('there is something to send', () => assert.ok(entries.length > 20));

for (const entry of entries) {
  test(`${entry.file}: ${entry.what}`, async () => {
    for (const door of doors) {
      const { status, reason } = due(entry);
      const metric =
        status === 200
          ? 'flamegate_dropped_profiles_total{'
          : `flamegate_rejected_requests_total{id="${door.protocol === 'pprof_http' ? 'pprof_http' : 'pyroscope'}",protocol="${door.protocol}",reason="${reason}"}`;
      const earlier = store.deliveries.length;
      const forwarded = status === 200 && entry.expect.forwarded;
      const before = reason ? await gateway.metric(metric) : 0;
      const answer = await door.send(entry.bytes);
      const text = await answer.text();
      assert.equal(answer.status, door.status({ status, reason }), `${door.name}: ${text}`);
      if (forwarded) {
        await store.until(() => store.deliveries.length > earlier, `${door.name}: ${entry.file} at the store`);
        const [arrived] = arrivalsIn(store.deliveries[earlier]!);
        assert.equal(arrived!.sha256, contentHash(entry.bytes), `${door.name}: forwarded as it came`);
        if (entry.expect.facts?.valueSums) assert.deepEqual(arrived!.sums, entry.expect.facts.valueSums);
        if (entry.expect.facts?.samples) assert.equal(arrived!.sampleCount, entry.expect.facts.samples);
      }
      if (status !== 200 && reason) assert.equal((await gateway.metric(metric)) - before, 1, `${door.name}: ${metric}`);
      const known = store.deliveries.length;
      assert.ok((await door.send(numbered(7))).ok, `${door.name} takes a sound profile afterwards`);
      await store.until(() => store.deliveries.length > known, 'sound profile');
      assert.equal(store.deliveries.length, earlier + (forwarded ? 2 : 1), `${door.name}: nothing else was forwarded`);
    }
  });
}

for (const entry of malformed(...Object.keys(INGEST_QUERIES))) {
  test(`${entry.file}: ${entry.what}`, async () => {
    const { status, reason, forwarded } = entry.expect;
    const url = `${pyroscopeUrl}/ingest?${INGEST_QUERIES[entry.format]}`;
    const metric = `flamegate_rejected_requests_total{id="pyroscope",protocol="ingest",reason="${reason}"}`;
    const before = reason ? await gateway.metric(metric) : 0;
    const earlier = store.deliveries.length;
    const answer = await post(url, entry.bytes, 'application/octet-stream');
    const text = await answer.text();
    assert.equal(answer.status, status === 400 ? 422 : status, text);
    if (reason) assert.equal((await gateway.metric(metric)) - before, 1, metric);
    if (forwarded) {
      await store.until(() => store.deliveries.length > earlier, `${entry.file} at the store`);
      assert.ok(store.deliveries[earlier]!.body.equals(entry.bytes), 'as it came');
    }
    const known = store.deliveries.length;
    assert.ok((await doors[0]!.send(numbered(7))).ok, 'a sound profile afterwards');
    await store.until(() => store.deliveries.length > known, 'sound profile');
    assert.equal(store.deliveries.length, earlier + (forwarded ? 2 : 1), 'nothing else was forwarded');
  });
}

test('an empty profile is acknowledged, counted and not forwarded', async () => {
  const empty = entries.find(({ file }) => file === 'no-samples.pb')!;
  const before = await gateway.metric('flamegate_dropped_profiles_total{id="pyroscope",reason="empty_profile"}');
  assert.equal((await doors[0]!.send(empty.bytes)).status, 200);
  assert.equal(
    (await gateway.metric('flamegate_dropped_profiles_total{id="pyroscope",reason="empty_profile"}')) - before,
    1,
  );
});

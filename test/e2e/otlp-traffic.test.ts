// OTLP of real senders through the real process, by HTTP and gRPC, to OTLP stores of both and to a Pyroscope: all of it arrives.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { type Recording, recordings, replayHeaders } from '../kit/corpus.ts';
import { CURRENT, capture, noCorpus } from '../kit/otlp.ts';
import { attributesOf, profilesIn, type ResolvedResource, resolvedProfiles, sumOf } from '../kit/otlp-resolved.ts';
import { OtlpRig } from '../kit/otlp-rig.ts';
import { decodeMessage, type Plain } from '../kit/otlp-schema.ts';
import { saidByHttp } from '../kit/otlp-sender.ts';
import { ROUTE, type Signal } from '../kit/otlp-store.ts';
import { factsOf } from '../kit/pprof.ts';

interface ProfileFacts {
  readonly resourceProfiles: readonly {
    readonly profiles: readonly { type: string; unit: string; sum: string; samples: number; timeUnixNano: string }[];
  }[];
}
interface TraceFacts {
  readonly resource: Record<string, string>;
  readonly spanCount: number;
  readonly spans: readonly { name: string; spanId: string; traceId: string; parentSpanId?: string }[];
}

const requests = recordings().filter(({ path }) => Object.values(ROUTE).includes(path));
const signalOf = ({ path }: Recording): Signal => (path === ROUTE.profiles ? 'profiles' : 'traces');
const plainBody = ({ body }: Recording) => (body[0] === 0x1f && body[1] === 0x8b ? gunzipSync(body) : body);
const factsIn = <T>({ parts }: Recording) => parts[0]!.facts as unknown as T;

let rig: OtlpRig;
before(async () => {
  rig = await OtlpRig.start();
});
after(async () => assert.equal(await rig?.stop(), 0));

const profileFacts = (body: Buffer) =>
  profilesIn(body).map(one => ({
    type: one.sampleType.type,
    unit: one.sampleType.unit,
    sum: String(sumOf(one)),
    samples: one.samples.length,
    timeUnixNano: String(one.timeUnixNano),
  }));

function spansIn(body: Buffer): TraceFacts {
  const { resourceSpans } = decodeMessage('ExportTraceServiceRequest', body);
  const spans = (resourceSpans as Plain[]).flatMap(({ scopeSpans }) =>
    (scopeSpans as Plain[]).flatMap(one => one.spans as Plain[]),
  );
  const attributes = attributesOf(resourceSpans[0].resource);
  return {
    resource: Object.fromEntries(Object.entries(attributes).map(([key, value]) => [key, String(value)])),
    spanCount: spans.length,
    spans: spans.map(({ name, spanId, traceId, parentSpanId }) => ({
      name,
      ...(parentSpanId && { parentSpanId }),
      spanId,
      traceId,
    })),
  };
}

/** What arrived is what the oracle said of the recording, and the bytes that were sent. */
function assertWhole(recording: Recording, body: Buffer): void {
  assert.ok(body.equals(plainBody(recording)), 'byte for byte as it came');
  if (signalOf(recording) === 'profiles') {
    const due = factsIn<ProfileFacts>(recording).resourceProfiles.flatMap(({ profiles }) => profiles);
    assert.deepEqual(
      profileFacts(body),
      due.map(({ type, unit, sum, samples, timeUnixNano }) => ({ type, unit, sum, samples, timeUnixNano })),
    );
    return;
  }
  const { resource, spanCount, spans } = factsIn<TraceFacts>(recording);
  const found = spansIn(body);
  assert.equal(found.spanCount, spanCount);
  for (const [key, value] of Object.entries(resource))
    if (key in found.resource) assert.equal(found.resource[key], value);
  for (const [at, { name, spanId, traceId, parentSpanId }] of spans.entries())
    assert.deepEqual(found.spans[at], { name, ...(parentSpanId && { parentSpanId }), spanId, traceId });
}

test('there is traffic of Java in OTLP mode, and spans of Go, Python and Java', { skip: noCorpus }, () => {
  const senders = new Set(requests.map(({ file }) => file.split('/')[0]!.replace(/-\d.*/, '')));
  for (const name of ['pyroscope-java-agent', 'otel-profiling-go', 'pyroscope-otel-python', 'pyroscope-java-otel'])
    assert.ok(senders.has(name), name);
});

for (const recording of requests) {
  const signal = signalOf(recording);
  test(`${recording.file}, with its own headers, arrives at every store`, { skip: noCorpus }, async () => {
    const known = rig.pyroscope.deliveries.length;
    const { grpc, http } = await rig.delivered(signal, async () => {
      const answer = await fetch(`${rig.at.http}${recording.path}`, {
        method: 'POST',
        headers: replayHeaders(recording),
        body: new Uint8Array(recording.body),
      });
      const said = saidByHttp(signal, answer.status, answer.headers, Buffer.from(await answer.arrayBuffer()));
      assert.deepEqual([said.status, said.code, said.partial], [200, 0, undefined]);
      assert.equal(answer.headers.get('content-type'), 'application/x-protobuf');
    });
    for (const { body } of [grpc, http]) assertWhole(recording, body);
    if (signal === 'traces') return;
    const due = factsIn<ProfileFacts>(recording).resourceProfiles.flatMap(({ profiles }) => profiles);
    await rig.pyroscope.until(() => rig.pyroscope.deliveries.length >= known + due.length, 'profiles at Pyroscope');
    const facts = rig.pyroscope.deliveries
      .slice(known)
      .flatMap(({ pushed }) => pushed)
      .map(({ rawProfile }) => factsOf(rawProfile));
    assert.deepEqual(
      facts.map(({ sampleTypes, sums, sampleCount }) => ({ sampleTypes, sums, sampleCount })),
      due.map(({ type, unit, sum, samples }) => ({
        sampleTypes: [{ type, unit }],
        sums: [sum],
        sampleCount: samples,
      })),
    );
  });

  test(`${recording.file}, by gRPC, arrives at every store`, { skip: noCorpus }, async () => {
    for (const sender of rig.senders.filter(({ name }) => !name.startsWith('HTTP')))
      for (const gzip of [false, true]) {
        const { grpc, http } = await rig.delivered(signal, async () => {
          const said = await sender.send(signal, plainBody(recording), { gzip });
          assert.deepEqual([said.code, said.partial], [0, undefined], `${sender.name}: ${said.message}`);
        });
        for (const { body } of [grpc, http]) assertWhole(recording, body);
      }
  });
}

for (const name of CURRENT)
  test(`${name} arrives as it came by every way`, { skip: noCorpus }, async () => {
    const raw = capture(name);
    for (const sender of rig.senders) {
      const { grpc, http } = await rig.delivered('profiles', async () =>
        assert.equal((await sender.send('profiles', raw, { gzip: sender === rig.senders[1] })).code, 0),
      );
      assert.ok(grpc.body.equals(raw) && http.body.equals(raw), sender.name);
    }
  });

/** What the JSON of the corpus does not have. */
const withoutScopeSchema = (resources: readonly ResolvedResource[]) =>
  resources.map(one => ({ ...one, scopes: one.scopes.map(({ schemaUrl: _left, ...scope }) => scope) }));

test('one capture in three layouts and in JSON says the same at the stores', { skip: noCorpus }, async () => {
  const due = resolvedProfiles(capture('ebpf-profile.v1_10.pb'));
  for (const version of ['v1_8', 'v1_9', 'v1_10'])
    for (const sender of rig.senders) {
      const { grpc, http } = await rig.delivered('profiles', async () => {
        const said = await sender.send('profiles', capture(`ebpf-profile.${version}.pb`));
        assert.deepEqual([said.code, said.partial], [0, undefined], `${version}, ${sender.name}: ${said.message}`);
      });
      assert.deepEqual(resolvedProfiles(grpc.body), due, `${version}, ${sender.name}`);
      assert.ok(grpc.body.equals(http.body));
    }
  const { grpc, http } = await rig.delivered('profiles', async () => {
    const said = await rig.json.send('profiles', capture('ebpf-profile.v1_10.json'));
    assert.deepEqual([said.code, said.partial], [0, undefined], said.message);
    assert.equal(said.headers['content-type'], 'application/json');
  });
  assert.deepEqual(resolvedProfiles(grpc.body), withoutScopeSchema(due));
  assert.ok(grpc.body.equals(http.body));
});

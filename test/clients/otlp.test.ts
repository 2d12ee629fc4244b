// OTLP clients as they are in the field, through the real gateway: the Collector's data module in Go, and spans of the SDK for JavaScript.
import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import { BatchSpanProcessor, type ReadableSpan, type SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace';
import { corpusDir } from '../kit/corpus.ts';
import { freePort, Gateway } from '../kit/gateway.ts';
import { CURRENT, capture, noCorpus } from '../kit/otlp.ts';
import { profilesIn, resolvedProfiles, sumOf } from '../kit/otlp-resolved.ts';
import { OtlpRig } from '../kit/otlp-rig.ts';
import { decodeMessage, type Plain } from '../kit/otlp-schema.ts';
import { grpcSender } from '../kit/otlp-sender.ts';
import { factsOf } from '../kit/pprof.ts';
import { GoStore, type Order, sendByGo } from './otlp-program.ts';
import { builtGo, missing } from './programs.ts';

let rig: OtlpRig;
before(async () => {
  rig = await OtlpRig.start();
});
after(async () => assert.equal(await rig?.stop(), 0));

const WAYS: readonly Pick<Order, 'by' | 'json' | 'gzip'>[] = [
  { by: 'grpc' },
  { by: 'grpc', gzip: true },
  { by: 'http' },
  { by: 'http', gzip: true },
  { by: 'http', json: true },
  { by: 'http', json: true, gzip: true },
];

test('profiles and spans that pdata makes are taken by every way and arrive', async (t: TestContext) => {
  const why = await missing('go');
  if (why) return t.skip(why);
  const program = await builtGo('otlp-go');
  const orders = WAYS.flatMap((way, at): Order[] => [
    { name: `profiles ${JSON.stringify(way)}`, signal: 'profiles', value: 100 + at, ...way },
    { name: `traces ${JSON.stringify(way)}`, signal: 'traces', value: 200 + at, ...way },
  ]);
  const [known, pushed] = [rig.store.deliveries.length, rig.pyroscope.deliveries.length];
  for (const { name, code, failure, rejected, partial, message } of await sendByGo(program, rig.at, orders))
    assert.deepEqual([code, failure, rejected, partial], [0, undefined, 0, ''], `${name}: ${message}`);
  await rig.store.until(() => rig.store.deliveries.length >= known + 2 * orders.length, 'all of it at the store');
  await rig.pyroscope.until(() => rig.pyroscope.deliveries.length >= pushed + WAYS.length, 'profiles at Pyroscope');
  const due = WAYS.map((_way, at) => BigInt(100 + at));
  const sorted = (values: bigint[]) => values.sort((a, b) => Number(a - b));
  for (const way of ['grpc', 'http'] as const) {
    const profiles = rig.store.by(way).flatMap(({ body }) => profilesIn(body));
    assert.deepEqual(sorted(profiles.map(sumOf)), due, way);
    for (const { samples, profileId } of profiles) {
      assert.match(samples[0]!.stack[0]!, /"work"/);
      assert.match(samples[0]!.attributes[0]!, /worker-1/);
      assert.deepEqual(samples[0]!.link, { traceId: '0102030405060708090a0b0c0d0e0f10', spanId: '0102030405060708' });
      assert.equal(profileId, '09'.repeat(16));
    }
    const spans = rig.store.by(way, 'traces').flatMap(({ body }) => spansIn(body));
    assert.deepEqual(
      sorted(spans.map(({ attributes }) => attributes[0].value.intValue)),
      due.map(value => value + 100n),
      way,
    );
  }
  const facts = rig.pyroscope.deliveries
    .slice(pushed)
    .flatMap(({ pushed }) => pushed.map(one => factsOf(one.rawProfile)));
  assert.deepEqual(sorted(facts.map(({ sums }) => BigInt(sums[0]!))), due, 'Pyroscope');
});

test('pdata reads each refusal: the code, a sentence, in the encoding that it sent', async (t: TestContext) => {
  const why = await missing('go');
  if (why) return t.skip(why);
  const program = await builtGo('otlp-go');
  const garbage = Buffer.from('this is not OTLP');
  const orders: Order[] = (['profiles', 'traces'] as const).flatMap(signal => [
    { name: `${signal}, gRPC`, signal, by: 'grpc', raw: garbage },
    { name: `${signal}, HTTP`, signal, by: 'http', raw: garbage },
    { name: `${signal}, JSON`, signal, by: 'http', json: true, raw: garbage },
  ]);
  const earlier = rig.store.deliveries.length;
  for (const { name, code, message, httpStatus, contentType, failure } of await sendByGo(program, rig.at, orders)) {
    assert.deepEqual([code, failure], [3, undefined], `${name}: ${message}`);
    assert.ok(message.length > 10, `${name}: ${message}`);
    if (name.endsWith('gRPC')) continue;
    assert.equal(httpStatus, 400, name);
    assert.equal(contentType, name.endsWith('JSON') ? 'application/json' : 'application/x-protobuf', name);
  }
  const foreign: Order[] = [
    {
      name: 'metrics, gRPC',
      signal: 'profiles',
      by: 'grpc',
      raw: Buffer.alloc(0),
      path: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
    },
    { name: 'logs, HTTP', signal: 'profiles', by: 'http', raw: Buffer.alloc(0), path: '/v1/logs' },
  ];
  for (const { name, code, message } of await sendByGo(program, rig.at, foreign))
    assert.equal(code, 12, `${name}: ${message}`);
  assert.equal(rig.store.deliveries.length, earlier);
});

test('captures that pdata reads and writes anew say the same at the store', {
  skip: noCorpus,
}, async (t: TestContext) => {
  const why = await missing('go');
  if (why) return t.skip(why);
  const program = await builtGo('otlp-go');
  for (const name of CURRENT)
    for (const way of WAYS) {
      const order: Order = { name, signal: 'profiles', file: resolve(corpusDir!, 'otlp', name), ...way };
      const { grpc, http } = await rig.delivered('profiles', async () => {
        const [answer] = await sendByGo(program, rig.at, [order]);
        assert.deepEqual([answer!.code, answer!.failure], [0, undefined], `${name}: ${answer!.message}`);
      });
      assert.ok(grpc.body.equals(http.body));
      assert.deepEqual(profilesIn(grpc.body).map(sumOf), profilesIn(capture(name)).map(sumOf), name);
      assert.deepEqual(samplesIn(grpc.body), samplesIn(capture(name)), `${name} ${JSON.stringify(way)}`);
    }
});

test('a store that reads by pdata gets what was sent, edited or not', { skip: noCorpus }, async (t: TestContext) => {
  const why = await missing('go');
  if (why) return t.skip(why);
  const store = await GoStore.start(await builtGo('otlp-go'));
  t.after(() => store.stop());
  const address = `127.0.0.1:${await freePort()}`;
  const gateway = await Gateway.start({
    receivers: { otlp: { protocols: { grpc: { endpoint: address } } } },
    processors: { resource: { attributes: [{ key: 'gateway', value: 'flamegate', action: 'upsert' }] } },
    exporters: { otlp: { endpoint: store.address, tls: { insecure: true } } },
    service: { pipelines: { profiles: { receivers: ['otlp'], processors: ['resource'], exporters: ['otlp'] } } },
  });
  t.after(() => gateway.stop());
  const sender = grpcSender(address);
  t.after(() => sender.close());
  for (const [at, name] of CURRENT.entries()) {
    assert.equal((await sender.send('profiles', capture(name))).code, 0, name);
    await store.until(at + 1);
    const { sums, resources, items } = store.deliveries[at]!;
    const profiles = profilesIn(capture(name));
    assert.deepEqual(sums, profiles.map(sumOf).map(Number), name);
    assert.equal(
      items,
      profiles.reduce((sum, { samples }) => sum + samples.length, 0),
      name,
    );
    for (const resource of resources) assert.equal(resource.gateway, 'flamegate', name);
  }
});

const samplesIn = (body: Buffer) =>
  resolvedProfiles(body).map(({ scopes }) => scopes.map(({ profiles }) => profiles.map(({ samples }) => samples)));

const spansIn = (body: Buffer): Plain[] =>
  (decodeMessage('ExportTraceServiceRequest', body).resourceSpans as Plain[]).flatMap(({ scopeSpans }) =>
    (scopeSpans as Plain[]).flatMap(({ spans }) => spans as Plain[]),
  );

/** As the SDK's own gRPC exporter does it: its serializer, and grpc-js. */
class GrpcTraceExporter implements SpanExporter {
  readonly #sender = grpcSender(rig.at.grpc);
  export(spans: ReadableSpan[], done: Parameters<SpanExporter['export']>[1]): void {
    this.#sender.send('traces', ProtobufTraceSerializer.serializeRequest(spans)!).then(
      ({ code, message }) => done(code === 0 ? { code: 0 } : { code: 1, error: new Error(message) }),
      error => done({ code: 1, error }),
    );
  }
  async shutdown(): Promise<void> {
    this.#sender.close();
  }
}

for (const [name, exporter] of [
  ['HTTP', () => new OTLPTraceExporter({ url: `${rig.at.http}/v1/traces` })],
  // The enumeration is of a package that is not a dependency of ours.
  ['HTTP with gzip', () => new OTLPTraceExporter({ url: `${rig.at.http}/v1/traces`, compression: 'gzip' as never })],
  ['gRPC', () => new GrpcTraceExporter()],
] as const)
  test(`spans of the SDK for JavaScript arrive by ${name}`, async () => {
    const provider = new TracerProvider({ spanProcessors: [new BatchSpanProcessor({ exporter: exporter() })] });
    const tracer = provider.getTracer('shop', '1.2.3');
    const sent: { spanId: string; traceId: string; name: string }[] = [];
    const { grpc, http } = await rig.delivered('traces', async () => {
      for (let at = 0; at < 20; at++) {
        const span = tracer.startSpan(`GET /car/${at}`, { attributes: { 'pyroscope.profile.id': 'ab', at } });
        sent.push({ ...span.spanContext(), name: `GET /car/${at}` });
        span.end();
      }
      await provider.forceFlush();
    });
    await provider.shutdown();
    for (const { body } of [grpc, http])
      assert.deepEqual(
        spansIn(body).map(({ name, spanId, traceId }) => ({ name, spanId, traceId })),
        sent.map(({ name, spanId, traceId }) => ({ name, spanId, traceId })),
      );
  });

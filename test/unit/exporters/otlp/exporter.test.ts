// The exporter towards a real server of grpc-js.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import * as grpc from '@grpc/grpc-js';
import type { OtlpExporter } from '../../../../src/exporters/otlp/exporter.ts';
import factory from '../../../../src/exporters/otlp/index.ts';
import { exportResponse, rpcStatus } from '../../../../src/wire/otlp/response.ts';
import { batchOf, listeningHost, never, profileOf, type Said } from '../fixtures.ts';
import { otlpBatch, payloadOf, resourcesOf, tagged, traceBatch } from '../otlp-requests.ts';

const PROFILES = '/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export';
const TRACES = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
interface Got {
  readonly path: string;
  readonly metadata: grpc.Metadata;
  readonly message: Buffer;
}
type Answer = { error: { code: number; details?: string; status?: Uint8Array } } | { message: Uint8Array };

const got: Got[] = [];
let answer: () => Answer = () => ({ message: Buffer.alloc(0) });
const server = new grpc.Server();
let port = 0;
const same = (bytes: Buffer) => bytes;
function serve(path: string): void {
  const method = {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
  const handle: grpc.handleUnaryCall<Buffer, Buffer> = (call, reply) => {
    got.push({ path, metadata: call.metadata, message: call.request });
    const said = answer();
    if ('message' in said) {
      reply(null, Buffer.from(said.message));
      return;
    }
    const metadata = new grpc.Metadata();
    if (said.error.status) metadata.set('grpc-status-details-bin', Buffer.from(said.error.status));
    reply({ code: said.error.code, details: said.error.details ?? '', metadata });
  };
  server.addService({ Export: method }, { Export: handle as grpc.UntypedHandleCall });
}
before(async () => {
  serve(PROFILES);
  serve(TRACES);
  port = await new Promise((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
});
after(() => server.forceShutdown());
beforeEach(() => {
  got.length = 0;
  answer = () => ({ message: Buffer.alloc(0) });
});

async function exporting(
  config: object,
  use: (running: { said: Said; exporter: OtlpExporter }) => Promise<unknown>,
): Promise<void> {
  const parsed = await factory.config['~standard'].validate({
    endpoint: `127.0.0.1:${port}`,
    tls: { insecure: true },
    ...config,
  });
  if (parsed.issues) assert.fail(JSON.stringify(parsed.issues));
  const { host, said } = listeningHost();
  const exporter = factory.create(parsed.value, host) as OtlpExporter;
  await exporter.start();
  try {
    await use({ exporter, said });
  } finally {
    await exporter.stop();
  }
}

test('a request that did not change arrives byte for byte, compressed or not; traces at their own service', async () => {
  const payload = payloadOf('a', 'b');
  for (const compression of ['gzip', 'none'])
    await exporting({ compression, headers: { 'X-Team': 't' } }, async ({ exporter }) => {
      const batch = otlpBatch([payload], { tenant: 'team' });
      assert.deepEqual(await exporter.send(batch, never), { kind: 'accepted' });
    });
  await exporting({ endpoint: `http://127.0.0.1:${port}` }, ({ exporter }) =>
    exporter.send(traceBatch({ form: 'otlp', encoding: 'gzip', bytes: gzipSync('spans') }), never),
  );
  assert.deepEqual(
    got.map(({ path, message }) => [path, message.toString('latin1')]),
    [
      [PROFILES, Buffer.from(payload.bytes).toString('latin1')],
      [PROFILES, Buffer.from(payload.bytes).toString('latin1')],
      [TRACES, 'spans'],
    ],
  );
  const { metadata } = got[0]!;
  assert.deepEqual([metadata.get('x-team'), metadata.get('x-scope-orgid')], [['t'], ['team']]);
  assert.match(String(metadata.get('user-agent')), /^flamegate\//);
});

test('zstd that a store does not know is a matter of access', async () => {
  await exporting({ compression: 'zstd' }, async ({ exporter }) => {
    const result = await exporter.send(otlpBatch([payloadOf('a')]), never);
    assert.ok(result.kind === 'retryable' && result.retryAfterMs === 60_000);
    assert.match(result.error.message, /UNIMPLEMENTED: .*zstd/);
  });
});

test('changed attributes are spliced in, each payload is a call of its own', async () => {
  const batch = tagged(otlpBatch([payloadOf('a', 'b'), payloadOf('c')]), 'host.name', 'h');
  await exporting({ references: 'intern' }, ({ exporter }) => exporter.send(batch, never));
  assert.deepEqual(
    got.map(({ message }) => resourcesOf(message)),
    [
      [
        { 'service.name': 'a', 'host.name': 'h' },
        { 'service.name': 'b', 'host.name': 'h' },
      ],
      [{ 'service.name': 'c', 'host.name': 'h' }],
    ],
  );
});

test('each code means what OTLP says, with and without RetryInfo', async () => {
  const meanings = {
    retryable: [1, 4, 10, 11, 14, 15],
    access: [7, 12, 16],
    permanent: [2, 3, 5, 6, 8, 9, 13],
  };
  await exporting({}, async ({ exporter, said }) => {
    const send = () => exporter.send(otlpBatch([payloadOf('a')]), never);
    for (const [meaning, codes] of Object.entries(meanings))
      for (const code of codes) {
        answer = () => ({ error: { code, details: 'the reason' } });
        const result = await send();
        assert.equal(result.kind, meaning === 'permanent' ? 'permanent' : 'retryable', String(code));
        assert.match('error' in result ? result.error.message : '', /store answered [A-Z_]+: the reason/);
        const delay = result.kind === 'retryable' ? result.retryAfterMs : undefined;
        assert.equal(delay, meaning === 'access' ? 60_000 : undefined, String(code));
        if (meaning === 'access') assert.equal(said.reports.at(-1)?.[0], 'degraded');
      }
    for (const code of [8, 14]) {
      const status = rpcStatus({ code, message: 'slow', retryAfterMs: 2500 }, 'protobuf');
      answer = () => ({ error: { code, status } });
      const result = await send();
      assert.equal(result.kind === 'retryable' && result.retryAfterMs, 2500, String(code));
    }
    answer = () => ({ message: Buffer.alloc(0) });
    await send();
    assert.deepEqual(said.reports.at(-1), ['ok', undefined]);
  });
});

test('a partial success is a drop, a message alone a warning, and neither is sent again', async () => {
  await exporting({}, async ({ exporter, said }) => {
    answer = () => ({ message: exportResponse('profiles', { rejected: 2n, message: 'too old' }, 'protobuf') });
    assert.deepEqual(await exporter.send(otlpBatch([payloadOf('a', 'b', 'c')]), never), {
      kind: 'accepted',
      drops: [{ items: 2, reason: 'rejected', message: 'the store rejected 2: too old' }],
    });
    answer = () => ({ message: exportResponse('profiles', { rejected: 0n, message: 'hint' }, 'protobuf') });
    assert.deepEqual(await exporter.send(otlpBatch([payloadOf('a')]), never), { kind: 'accepted' });
    assert.equal(said.logs.at(-1)?.[1], 'store warns');
  });
  assert.equal(got.length, 2);
});

test('another form is permanent, a store that is gone retryable, and so is an exporter that does not run', async () => {
  await exporting({}, async ({ exporter }) => {
    const pprof = await exporter.send(batchOf([profileOf({})]), never);
    assert.ok(pprof.kind === 'permanent' && pprof.fault === 'gateway');
    await exporter.stop();
    assert.equal((await exporter.send(otlpBatch([payloadOf('a')]), never)).kind, 'retryable');
  });
  await exporting({ endpoint: '127.0.0.1:1' }, async ({ exporter }) => {
    assert.equal((await exporter.send(otlpBatch([payloadOf('a')]), never)).kind, 'retryable');
  });
});

test('endpoints are host:port, with a scheme or without', async () => {
  const validated = async (endpoint: string) => factory.config['~standard'].validate({ endpoint });
  for (const endpoint of ['store:4317', 'http://store:4317', 'https://store:4317/', '[::1]:4317'])
    assert.equal((await validated(endpoint)).issues, undefined, endpoint);
  for (const endpoint of ['store', 'ftp://store:4317', 'store:4317/path', 'user@store:4317', 'store:99999', ''])
    assert.ok((await validated(endpoint)).issues, endpoint);
});

test('without tls.insecure it is TLS, whatever the scheme says', async () => {
  await exporting({ endpoint: `http://127.0.0.1:${port}`, tls: {} }, async ({ exporter }) => {
    assert.equal((await exporter.send(otlpBatch([payloadOf('a')]), never)).kind, 'retryable');
  });
  await exporting({ endpoint: `https://127.0.0.1:${port}` }, async ({ exporter }) => {
    assert.equal((await exporter.send(otlpBatch([payloadOf('a')]), never)).kind, 'retryable');
  });
  assert.equal(got.length, 0);
});

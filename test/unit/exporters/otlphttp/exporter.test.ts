// The exporter towards a real server of node:http.
import assert from 'node:assert/strict';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, test } from 'node:test';
import { gunzipSync, gzipSync, zstdDecompressSync } from 'node:zlib';
import { formatFindings, loadPlan } from '../../../../src/config/load.ts';
import type { OtlpHttpExporter } from '../../../../src/exporters/otlphttp/exporter.ts';
import factory from '../../../../src/exporters/otlphttp/index.ts';
import otlp from '../../../../src/receivers/otlp/index.ts';
import { examineOtlp } from '../../../../src/wire/otlp/examine.ts';
import { fromJson } from '../../../../src/wire/otlp/json-read.ts';
import { relayout } from '../../../../src/wire/otlp/relayout.ts';
import { exportResponse, rpcStatus } from '../../../../src/wire/otlp/response.ts';
import { wireVersionOf } from '../../../../src/wire/otlp/version.ts';
import { CURRENT, capture, noCorpus } from '../../../kit/otlp.ts';
import { batchOf, listeningHost, never, profileOf, type Said } from '../fixtures.ts';
import { otlpBatch, payloadOf, resourcesOf, tagged, traceBatch } from '../otlp-requests.ts';

interface Got {
  readonly path: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}
type Answer = { status: number; headers?: Record<string, string>; body?: Uint8Array | string };

const got: Got[] = [];
let answer: (nth: number) => Answer = () => ({ status: 200 });
const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', chunk => chunks.push(chunk));
  request.on('end', () => {
    got.push({ path: request.url, headers: request.headers, body: Buffer.concat(chunks) });
    const { status, headers, body } = answer(got.length);
    response.writeHead(status, headers).end(body);
  });
});
let url = '';
before(async () => {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  got.length = 0;
  answer = () => ({ status: 200 });
});

interface Running {
  readonly said: Said;
  readonly exporter: OtlpHttpExporter;
}
async function exporting(config: object, use: (running: Running) => Promise<unknown>): Promise<void> {
  const parsed = await factory.config['~standard'].validate({ endpoint: url, ...config });
  if (parsed.issues) assert.fail(JSON.stringify(parsed.issues));
  const { host, said } = listeningHost();
  const exporter = factory.create(parsed.value, host) as OtlpHttpExporter;
  await exporter.start();
  try {
    await use({ exporter, said });
  } finally {
    await exporter.stop();
  }
}
const PROTOBUF = { 'content-type': 'application/x-protobuf' };
const plain = { compression: 'none' };

test('a request that did not change goes out byte for byte, gzip by default', async () => {
  const payload = payloadOf('a', 'b');
  await exporting({}, async ({ exporter }) => {
    const batch = otlpBatch([payload], { tenant: 'team' });
    assert.deepEqual(await exporter.send(batch, never), { kind: 'accepted' });
  });
  await exporting({ compression: 'zstd' }, ({ exporter }) => exporter.send(otlpBatch([payload]), never));
  await exporting(plain, ({ exporter }) => exporter.send(otlpBatch([payload]), never));
  const [zipped, zstd, bare] = got;
  const { path, headers, body } = zipped!;
  assert.equal(path, '/v1development/profiles');
  assert.deepEqual([headers['content-type'], headers['content-encoding']], ['application/x-protobuf', 'gzip']);
  assert.equal(headers['x-scope-orgid'], 'team');
  assert.match(String(headers['user-agent']), /^flamegate\//);
  assert.deepEqual(gunzipSync(body), Buffer.from(payload.bytes));
  assert.equal(zstd!.headers['content-encoding'], 'zstd');
  assert.deepEqual(zstdDecompressSync(zstd!.body), Buffer.from(payload.bytes));
  assert.equal(bare!.headers['content-encoding'], undefined);
  assert.deepEqual(bare!.body, Buffer.from(payload.bytes));
});

test('changed attributes are spliced in; a name of Pyroscope becomes one of OTLP; each payload is a request of its own', async () => {
  const [one, two] = [payloadOf('a', 'b'), payloadOf('c')];
  await exporting(plain, ({ exporter }) => exporter.send(tagged(otlpBatch([one, two]), 'host.name', 'h'), never));
  assert.deepEqual(
    got.map(({ body }) => resourcesOf(body)),
    [
      [
        { 'service.name': 'a', 'host.name': 'h' },
        { 'service.name': 'b', 'host.name': 'h' },
      ],
      [{ 'service.name': 'c', 'host.name': 'h' }],
    ],
  );
  const attributes = { service_name: 'p', region: 'eu' };
  const profile = profileOf(attributes, { form: 'otlp', bytes: payloadOf('x').bytes });
  await exporting(plain, ({ exporter }) => exporter.send(batchOf([profile]), never));
  assert.deepEqual(resourcesOf(got.at(-1)!.body), [{ 'service.name': 'p', region: 'eu' }]);
});

test('real requests arrive as the splice wrote them, and whole', { skip: noCorpus }, async () => {
  for (const name of CURRENT) {
    const bytes = capture(name);
    const batch = tagged(otlpBatch([{ form: 'otlp', encoding: 'identity', bytes }]), 'gateway', 'g');
    await exporting({}, ({ exporter }) => exporter.send(batch, never));
    const body = gunzipSync(got.at(-1)!.body);
    const before = examineOtlp(bytes).parts.map(({ samples }) => samples);
    assert.deepEqual(
      examineOtlp(body).parts.map(({ samples }) => samples),
      before,
      name,
    );
    assert.ok(resourcesOf(body).every(one => one.gateway === 'g'));
  }
});

test('wire_version writes an older layout', async () => {
  const payload = payloadOf('a');
  for (const version of ['1.8', '1.9'] as const) {
    await exporting({ ...plain, wire_version: version, references: 'intern' }, ({ exporter }) =>
      exporter.send(otlpBatch([payload]), never),
    );
    const { body } = got.at(-1)!;
    assert.notDeepEqual(body, Buffer.from(payload.bytes));
    assert.equal(wireVersionOf(body, 'auto'), '1.9', 'bytes that 1.8 and 1.9 share');
    assert.deepEqual(Buffer.from(relayout(body, version, '1.10')), Buffer.from(payload.bytes));
  }
});

test('encoding json says the same', async () => {
  const payload = payloadOf('a');
  await exporting({ encoding: 'json' }, ({ exporter }) => exporter.send(otlpBatch([payload]), never));
  const { headers, body } = got[0]!;
  assert.equal(headers['content-type'], 'application/json');
  const text = gunzipSync(body);
  assert.equal(JSON.parse(text.toString()).resourceProfiles.length, 1);
  assert.deepEqual(resourcesOf(fromJson(text, 'profiles')), [{ 'service.name': 'a' }]);
});

test('traces go to their own path or endpoint; what came compressed stays as it is', async () => {
  const bytes = gzipSync('spans');
  const batch = traceBatch({ form: 'otlp', encoding: 'gzip', bytes });
  await exporting({ endpoint: `${url}/base/` }, ({ exporter }) => exporter.send(batch, never));
  await exporting({ traces_endpoint: `${url}/own`, compression: 'none' }, ({ exporter }) =>
    exporter.send(batch, never),
  );
  assert.deepEqual(
    got.map(({ path, headers, body }) => [path, headers['content-encoding'], body.equals(bytes)]),
    [
      ['/base/v1/traces', 'gzip', true],
      ['/own', 'gzip', true],
    ],
  );
  await exporting({ endpoint: undefined, profiles_endpoint: `${url}/p` }, async ({ exporter }) => {
    const result = await exporter.send(batch, never);
    assert.ok(result.kind === 'permanent' && result.fault === 'gateway');
    assert.match(result.error.message, /set endpoint or traces_endpoint/);
  });
});

test('a pipeline of a signal that has no address is a mistake of the configuration', async () => {
  const findingsOf = async (exporter: object, ...signals: string[]) => {
    const pipelines = Object.fromEntries(
      signals.map(signal => [signal, { receivers: ['otlp'], exporters: ['otlphttp'] }]),
    );
    const text = JSON.stringify({ receivers: { otlp: {} }, exporters: { otlphttp: exporter }, service: { pipelines } });
    const loaded = await loadPlan({
      files: ['a.yaml'],
      set: [],
      env: {},
      factories: [otlp, factory],
      read: async () => text,
    });
    return loaded.ok ? '' : formatFindings(loaded.findings);
  };
  const endpoint = 'http://localhost:1';
  const [profiles, traces] = [{ profiles_endpoint: endpoint }, { traces_endpoint: endpoint }];
  assert.match(
    await findingsOf(profiles, 'profiles', 'traces'),
    /`otlphttp` does not accept traces, which pipeline `traces` carries.*set endpoint or traces_endpoint/s,
  );
  assert.match(await findingsOf(traces, 'profiles'), /set endpoint or profiles_endpoint/);
  assert.match(await findingsOf({}, 'profiles'), /give endpoint, or profiles_endpoint and traces_endpoint/);
  assert.equal(await findingsOf(profiles, 'profiles'), '');
  assert.equal(await findingsOf({ ...profiles, ...traces }, 'profiles', 'traces'), '');
  assert.equal(await findingsOf({ endpoint }, 'profiles', 'traces'), '');
});

test('a partial success is counted once and never sent again; a message alone is a warning', async () => {
  const partial = (rejected: bigint, message: string) => () => ({
    status: 200,
    headers: PROTOBUF,
    body: exportResponse('profiles', { rejected, message }, 'protobuf'),
  });
  await exporting({}, async ({ exporter, said }) => {
    answer = partial(1n, 'too old');
    const result = await exporter.send(otlpBatch([payloadOf('a', 'b')]), never);
    assert.deepEqual(result, {
      kind: 'accepted',
      drops: [{ items: 1, reason: 'rejected', message: 'the store rejected 1: too old' }],
    });
    answer = partial(1000n, 'all');
    const all = await exporter.send(otlpBatch([payloadOf('a', 'b')]), never);
    assert.equal(all.kind === 'accepted' && all.drops?.[0]?.items, 2, 'no more than there was');
    answer = partial(0n, 'use 1.10');
    assert.deepEqual(await exporter.send(otlpBatch([payloadOf('a')]), never), { kind: 'accepted' });
    assert.deepEqual(said.logs.at(-1), [
      'warn',
      'store warns',
      { signal: 'profiles', rejected: '0', message: 'use 1.10' },
    ]);
  });
  assert.equal(got.length, 3);
});

test('each status means what OTLP says', async () => {
  const status = (code: number): Answer => ({
    status: code,
    headers: { ...PROTOBUF, 'retry-after': '7' },
    body: rpcStatus({ code: 3, message: 'the reason' }, 'protobuf'),
  });
  const meanings = {
    retryable: [429, 502, 503, 504],
    access: [301, 307, 401, 403, 404, 407],
    permanent: [400, 405, 408, 409, 413, 415, 422, 499, 500, 501, 505, 507],
  };
  await exporting({}, async ({ exporter, said }) => {
    for (const [meaning, codes] of Object.entries(meanings))
      for (const code of codes) {
        answer = () => status(code);
        const result = await exporter.send(otlpBatch([payloadOf('a')]), never);
        if (meaning === 'permanent') {
          assert.ok(result.kind === 'permanent' && result.fault === 'sender', String(code));
          assert.match(result.error.message, new RegExp(`store answered ${code}: the reason`));
          continue;
        }
        assert.equal(result.kind, 'retryable', String(code));
        const delay = result.kind === 'retryable' ? result.retryAfterMs : 0;
        const throttled = code === 429 || code === 503 ? 7000 : undefined;
        assert.equal(delay, meaning === 'access' ? 60_000 : throttled, String(code));
        if (meaning === 'access') assert.equal(said.reports.at(-1)?.[0], 'degraded');
      }
    answer = () => ({ status: 200 });
    await exporter.send(otlpBatch([payloadOf('a')]), never);
    assert.deepEqual(said.reports.at(-1), ['ok', undefined]);
  });
});

test('Retry-After may be a date; errors may be plain text or JSON', async () => {
  await exporting({}, async ({ exporter }) => {
    const send = () => exporter.send(otlpBatch([payloadOf('a')]), never);
    answer = () => ({ status: 503, headers: { 'retry-after': new Date(Date.now() + 30_000).toUTCString() } });
    const later = await send();
    assert.ok(later.kind === 'retryable' && later.retryAfterMs! > 20_000 && later.retryAfterMs! <= 30_000);
    answer = () => ({ status: 400, body: 'no\nsuch thing' });
    const text = await send();
    assert.equal(text.kind === 'permanent' && text.error.message, 'store answered 400: no such thing');
    answer = () => ({
      status: 400,
      headers: { 'content-type': 'application/json; charset=utf-8' },
      body: rpcStatus({ code: 3, message: 'in JSON' }, 'json'),
    });
    const json = await send();
    assert.equal(json.kind === 'permanent' && json.error.message, 'store answered 400: in JSON');
  });
});

test('an answer longer than 4 MiB fails for good, compressed or not', async () => {
  const long = Buffer.alloc(4 * 1024 * 1024 + 1);
  await exporting({}, async ({ exporter }) => {
    answer = () => ({ status: 200, headers: { ...PROTOBUF, 'content-length': String(long.length) }, body: long });
    const result = await exporter.send(otlpBatch([payloadOf('a')]), never);
    assert.ok(
      result.kind === 'permanent' && /larger than it may be/.test(result.error.message),
      JSON.stringify(result.kind !== 'accepted' && 'error' in result && result.error.message),
    );
    answer = () => ({ status: 200, headers: { ...PROTOBUF, 'content-encoding': 'gzip' }, body: gzipSync(long) });
    const zipped = await exporter.send(otlpBatch([payloadOf('a')]), never);
    assert.ok(zipped.kind === 'permanent' && /larger than it may be/.test(zipped.error.message), zipped.kind);
  });
});

test('of several requests the rest is owed once one fails, the failed one last; rejected ones beside it are counted', async () => {
  await exporting(plain, async ({ exporter, said }) => {
    const answers = [{ status: 200 }, { status: 400 }, { status: 503 }];
    answer = nth => answers[nth - 1] ?? { status: 200 };
    const batch = otlpBatch([payloadOf('a'), payloadOf('b', 'b2'), payloadOf('c'), payloadOf('d')]);
    const result = await exporter.send(batch, never);
    assert.ok(result.kind === 'retryable' && result.rest);
    const { rest } = result;
    assert.deepEqual(
      rest.profiles.map(({ attributes }) => attributes.get('service.name')),
      ['d', 'c'],
    );
    assert.equal(rest.sizeBytes, batch.profiles[3]!.payload.bytes.length + batch.profiles[4]!.payload.bytes.length);
    assert.equal(said.counted.get('flamegate_dropped_profiles_total rejected'), 2);
    assert.deepEqual(await exporter.send(rest, never), { kind: 'accepted' });
  });
  assert.deepEqual(
    got.flatMap(({ body }) => resourcesOf(body).map(one => one['service.name'])),
    ['a', 'b', 'b2', 'c', 'd', 'c'],
  );
});

test('rejected beside accepted is a drop, rejected alone is permanent', async () => {
  answer = nth => ({ status: nth === 2 ? 400 : 200 });
  await exporting({}, async ({ exporter }) => {
    const result = await exporter.send(otlpBatch([payloadOf('a'), payloadOf('b', 'b2')]), never);
    assert.deepEqual(result.kind === 'accepted' && result.drops?.map(({ items, reason }) => [items, reason]), [
      [2, 'rejected'],
    ]);
  });
});

test('other forms, damaged bytes, and a store that is gone', async () => {
  await exporting({}, async ({ exporter }) => {
    const pprof = await exporter.send(batchOf([profileOf({})]), never);
    assert.ok(pprof.kind === 'permanent' && pprof.fault === 'gateway');
    assert.match(pprof.error.message, /pprof .*should have been converted/);
    const damaged = await exporter.send(
      batchOf([profileOf({ a: 'b' }, { form: 'otlp', bytes: Buffer.from([0x0a, 0x7f, 1]) })]),
      never,
    );
    assert.ok(damaged.kind === 'permanent' && damaged.fault === 'sender');
    assert.equal(got.length, 0);
  });
  await exporting({ endpoint: 'http://127.0.0.1:1' }, async ({ exporter }) => {
    const result = await exporter.send(otlpBatch([payloadOf('a')]), never);
    assert.equal(result.kind, 'retryable');
  });
});

test('without any address the configuration is refused', async () => {
  const parsed = await factory.config['~standard'].validate({});
  assert.match(JSON.stringify(parsed.issues), /give endpoint/);
});

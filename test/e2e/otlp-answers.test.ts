// What senders of OTLP hear, by gRPC and HTTP: malformed requests get a sentence, count once, and nobody else notices.
import assert from 'node:assert/strict';
import { connect } from 'node:http2';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type Malformed, malformed } from '../kit/corpus.ts';
import { request } from '../kit/otlp.ts';
import { attributesOf, profilesIn, sumOf } from '../kit/otlp-resolved.ts';
import { OtlpRig } from '../kit/otlp-rig.ts';
import { exchange, type Said, type Sender, saidByHttp } from '../kit/otlp-sender.ts';
import { RPC } from '../kit/otlp-store.ts';
import { bytes, number, text } from '../kit/protobuf.ts';

const INVALID_ARGUMENT = 3;
const RESOURCE_EXHAUSTED = 8;
const UNIMPLEMENTED = 12;
const MIB = 2 ** 20;

let rig: OtlpRig;
before(async () => {
  rig = await OtlpRig.start({
    attributes: { gateway: 'flamegate' },
    grpc: { max_recv_msg_size_mib: 1 },
    http: { max_request_body_size: '1MiB' },
  });
});
after(async () => assert.equal(await rig?.stop(), 0));

/** One profile of one sample of this value. */
const sound = (value: number) =>
  request([...bytes(1, [...number(1, 1), ...number(2, 2)]), ...bytes(2, [...number(1, 1), ...bytes(4, [value])])]);

const rejected = (sender: Sender, reason: string) =>
  `flamegate_rejected_requests_total{id="otlp",protocol="${sender.name.startsWith('HTTP') ? 'otlp_http' : 'otlp_grpc'}",reason="${reason}"}`;

/** Both kinds of HTTP status and gRPC code say the same. */
function assertRefused(said: Said, sender: Sender, code: number, status: number): void {
  const what = `${sender.name}: ${said.message}`;
  assert.equal(said.code, code, what);
  assert.equal(said.status, sender.name.startsWith('HTTP') ? status : 200, what);
  assert.ok(said.message.length > 10, `a sentence, not "${said.message}"`);
  // Of gRPC the details are optional: code and message say it already.
  if (said.details || sender.name.startsWith('HTTP')) assert.equal(said.details?.message, said.message, what);
  if (sender.name.startsWith('HTTP')) assert.equal(said.headers['content-type'], sender.name.replace('HTTP/1.1, ', ''));
}

/** What is due; the manifest speaks of doors that know no layout of 1.9 and no empty request. */
function due({ file, expect }: Malformed): { ok: boolean; forwarded: boolean; sum?: bigint; reason?: string } {
  if (file === 'otlp-v1_9-sample-layout.pb') return { ok: true, forwarded: true, sum: 5n };
  if (file === 'empty.bin') return { ok: true, forwarded: false };
  if (expect.status === 200)
    return { ok: true, forwarded: expect.forwarded, sum: file === 'otlp-values-numbers.json' ? 3n : 5n };
  if (expect.reason === 'bad_reference') return { ok: false, forwarded: false, reason: 'bad_reference' };
  return { ok: false, forwarded: false, reason: file.endsWith('.json') ? 'bad_json' : 'bad_protobuf' };
}

/** Its tables lie where those of OTLP 1.6 did. */
const isOfPprof = ({ file }: Malformed) => file === 'ok-base.pb';
const entries = [...malformed('otlp', 'any'), ...malformed('pprof').filter(isOfPprof)];

test('there is something to send', () => assert.ok(entries.length > 8));

for (const entry of entries)
  test(`${entry.file}: ${isOfPprof(entry) ? 'a pprof where OTLP is due' : entry.what}`, async () => {
    const expected = isOfPprof(entry) ? { ok: false, forwarded: false, reason: 'unsupported_version' } : due(entry);
    for (const sender of entry.file.endsWith('.json') ? [rig.json] : rig.senders) {
      const metric = rejected(sender, expected.reason ?? '');
      const earlier = rig.store.deliveries.length;
      const counted = await rig.gateway.metric(metric);
      if (expected.forwarded) {
        const { grpc } = await rig.delivered('profiles', async () =>
          assert.equal((await sender.send('profiles', entry.bytes)).code, 0, sender.name),
        );
        assert.equal(profilesIn(grpc.body).map(sumOf)[0], expected.sum);
      } else {
        const said = await sender.send('profiles', entry.bytes);
        if (expected.ok) assert.deepEqual([said.code, said.partial], [0, undefined]);
        else assertRefused(said, sender, INVALID_ARGUMENT, 400);
        assert.equal((await rig.gateway.metric(metric)) - counted, expected.ok ? 0 : 1, metric);
      }
      // Another sender is served as before, and nothing else went on.
      await rig.delivered('profiles', () =>
        sender.send('profiles', entry.file.endsWith('.json') ? jsonOf(7) : sound(7)),
      );
      assert.equal(rig.store.deliveries.length - earlier, expected.forwarded ? 4 : 2, 'two stores, nothing beside');
    }
  });

const jsonOf = (value: number): Buffer =>
  Buffer.from(
    JSON.stringify({
      resourceProfiles: [{ scopeProfiles: [{ profiles: [{ samples: [{ stackIndex: 0, values: [value] }] }] }] }],
      dictionary: {
        mappingTable: [{}],
        locationTable: [{}],
        functionTable: [{}],
        linkTable: [{}],
        stringTable: [''],
        attributeTable: [{}],
        stackTable: [{}],
      },
    }),
  );

test('a request over the limit is final, plain and as a bomb, and the next one is taken', async () => {
  const large = request([...bytes(10, Array(MIB + 1000).fill(1)), ...text(9, 'jfr')]);
  for (const sender of rig.senders)
    for (const gzip of [false, true]) {
      const said = await sender.send('profiles', large, { gzip });
      assertRefused(said, sender, RESOURCE_EXHAUSTED, 413);
      assert.equal(said.details?.retryAfterMs, undefined, 'no delay: it will not fit later');
      assert.equal(said.headers['retry-after'], undefined);
      await rig.delivered('profiles', async () =>
        assert.equal((await sender.send('profiles', sound(1))).code, 0, sender.name),
      );
    }
});

test('the edit of a resource arrives by both ways, the rest as it was', async () => {
  const raw = request(
    [...bytes(2, [...number(1, 1), ...bytes(4, [9])])],
    undefined,
    bytes(1, bytes(1, [...text(1, 'service.name'), ...bytes(2, text(1, 'shop'))])),
  );
  for (const sender of rig.senders) {
    const { grpc, http } = await rig.delivered('profiles', () => sender.send('profiles', raw));
    for (const { body } of [grpc, http]) {
      const [{ of, ...profile }] = profilesIn(body) as [ReturnType<typeof profilesIn>[0]];
      assert.deepEqual(attributesOf(of.resource), { 'service.name': 'shop', gateway: 'flamegate' });
      const { of: _before, ...original } = profilesIn(raw)[0]!;
      assert.deepEqual(profile, original);
    }
  }
});

test('other signals, paths, methods and media are told what is wrong', async () => {
  for (const signal of ['metrics', 'logs']) {
    const answer = await fetch(`${rig.at.http}/v1/${signal}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    });
    const said = saidByHttp('profiles', answer.status, answer.headers, Buffer.from(await answer.arrayBuffer()));
    assert.deepEqual([said.status, said.code], [404, UNIMPLEMENTED]);
    assert.match(said.message, new RegExp(signal));
  }
  const url = `${rig.at.http}/v1development/profiles`;
  assert.equal((await fetch(url)).status, 405);
  const wrong = await fetch(url, { method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'x' });
  assert.equal(wrong.status, 415);
  const broken = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'gzip' },
    body: new Uint8Array(gzipSync(sound(1)).subarray(0, 20)),
  });
  assert.equal(broken.status, 400);
});

test('gRPC as a plain HTTP/2 client sees it', async t => {
  const session = connect(`http://${rig.at.grpc}`);
  t.after(() => session.destroy());
  const frame = (message: Uint8Array) => {
    const head = Buffer.alloc(5);
    head.writeUInt32BE(message.length, 1);
    return Buffer.concat([head, message]);
  };
  const call = (path: string, body: Uint8Array, headers: Record<string, string> = {}) =>
    exchange(
      session,
      { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers', ...headers },
      body,
    );
  const good = await call(RPC.profiles, frame(sound(3)));
  assert.equal(good.headers[':status'], '200');
  assert.match(good.headers['content-type']!, /^application\/grpc/);
  assert.deepEqual(good.body, frame(Buffer.alloc(0)), 'one frame with an empty response');
  assert.equal(good.trailers['grpc-status'], '0', 'the status is a trailer');

  const codes: [string, string, Uint8Array, Record<string, string>, string[]][] = [
    ['garbage', RPC.profiles, frame(Buffer.from('not a profile')), {}, ['3']],
    ['metrics', '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export', frame(Buffer.alloc(0)), {}, ['12']],
    ['logs', '/opentelemetry.proto.collector.logs.v1.LogsService/Export', frame(Buffer.alloc(0)), {}, ['12']],
    ['no such service', '/no.such.Service/Call', frame(Buffer.alloc(0)), {}, ['12']],
    ['an unknown coding', RPC.profiles, Buffer.from([1, 0, 0, 0, 1, 9]), { 'grpc-encoding': 'lz77' }, ['12']],
    ['compressed without a coding', RPC.profiles, Buffer.from([1, 0, 0, 0, 1, 9]), {}, ['3', '13']],
    ['no frame at all', RPC.profiles, Buffer.alloc(0), {}, ['3', '12', '13']],
    ['a frame cut short', RPC.profiles, Buffer.from([0, 0, 0, 0, 9, 1]), {}, ['3', '13']],
    ['two messages', RPC.profiles, Buffer.concat([frame(sound(1)), frame(sound(1))]), {}, ['3', '12', '13']],
  ];
  for (const [what, path, body, headers, due] of codes) {
    const answer = await call(path, body, headers);
    const all = { ...answer.headers, ...answer.trailers };
    assert.equal(answer.headers[':status'], '200', what);
    assert.ok(due.includes(all['grpc-status']!), `${what}: grpc-status ${all['grpc-status']}, ${all['grpc-message']}`);
    assert.ok(all['grpc-message'], what);
  }
  const other = await exchange(
    session,
    { ':method': 'POST', ':path': RPC.profiles, 'content-type': 'text/plain' },
    Buffer.alloc(1),
  );
  assert.equal(other.headers[':status'], '415');
  assert.equal(
    (await call(RPC.traces, frame(Buffer.alloc(0)))).trailers['grpc-status'],
    '0',
    'an empty request is taken',
  );
});

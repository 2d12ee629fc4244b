import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { Config } from '../../../../src/receivers/pyroscope/config.ts';
import { protocolOf } from '../../../../src/receivers/pyroscope/receiver.ts';
import { encodePush, type PushSeries } from '../../../../src/wire/pyroscope/push.ts';
import { malformed, type PushFacts, recordings, replayHeaders } from '../../../kit/corpus.ts';
import { numbered, pushed } from '../../../kit/pprof.ts';
import { NOT_ACCEPTED, problem, Rig, type Sent, sender } from '../fixtures.ts';

const PROTO = { 'content-type': 'application/proto' };
const JSON_TYPE = { 'content-type': 'application/json; charset=utf-8' };
const profile = numbered(7);
const empty = malformed('pprof').find(({ file }) => file === 'no-samples.pb')!.bytes;

type Pairs = [string, string][];
const NAMED: Pairs = [
  ['__name__', 'process_cpu'],
  ['service_name', 'shop'],
];
const series = (labels: Pairs, ...profiles: Uint8Array[]): PushSeries => ({
  labels,
  samples: profiles.map((rawProfile, n) => ({ rawProfile, id: n === 0 ? 'first' : '' })),
});
const proto = (...all: PushSeries[]): Sent => ({ headers: PROTO, body: Buffer.concat(encodePush(all)) });
const json = (value: unknown): Sent => ({ headers: JSON_TYPE, body: Buffer.from(JSON.stringify(value)) });

function door(config: object = {}) {
  const rig = new Rig();
  const send = sender(protocolOf(Config.parse(config), rig.host, rig.next), '/Push');
  const say = async (sent: Sent) => {
    const { status, headers, body } = await send(sent);
    if (status === 200) return [status];
    assert.equal(headers?.['content-type'], 'application/json');
    const { code, message } = JSON.parse(String(body)) as { code: string; message: string };
    return [status, code, message];
  };
  return { rig, send, say };
}

describe('what arrives', () => {
  test('each sample is one profile of one batch, with the labels of its series as they came', async () => {
    const { rig, say } = door();
    const zipped = gzipSync(numbered(8));
    const other: Pairs = [
      ['region', 'eu'],
      ['__name__', 'memory'],
      ['__session_id__', 'x'],
    ];
    const sent = proto(series(NAMED, profile, zipped), series(other, numbered(9)));
    assert.deepEqual(
      await say({ ...sent, headers: { ...PROTO, 'x-scope-orgid': 't', 'connect-protocol-version': '1' } }),
      [200],
    );
    const { batch, payloads } = rig.only;
    assert.deepEqual([batch.dialect, batch.tenant], ['pyroscope', 't']);
    assert.deepEqual(payloads, [profile, zipped, numbered9(payloads[2]!)]);
    assert.equal(
      batch.sizeBytes,
      payloads.reduce((sum, { length }) => sum + length, 0),
    );
    assert.deepEqual(
      batch.profiles.map(({ payload, origin }) => [payload.encoding, payload.summaries?.[0]?.types[0]?.total, origin]),
      [
        ['identity', 7n, { door: 'push', sampleId: 'first' }],
        ['gzip', 8n, { door: 'push' }],
        ['identity', 9n, { door: 'push', sampleId: 'first' }],
      ],
    );
    assert.deepEqual([...batch.profiles[1]!.attributes], NAMED);
    assert.deepEqual([...batch.profiles[2]!.attributes], [...other, ['service_name', 'unknown_service']]);
  });

  test('a gzipped request and one in JSON say the same', async () => {
    const sent = proto(series(NAMED, profile));
    const labels = NAMED.map(([name, value]) => ({ name, value }));
    const sample = (key: string) => ({ [key]: profile.toString('base64'), ID: 'first' });
    for (const same of [
      { headers: { ...PROTO, 'content-encoding': 'gzip' }, body: gzipSync(sent.body as Buffer) },
      json({ series: [{ labels, samples: [sample('rawProfile')] }] }),
      json({ series: [{ labels, samples: [sample('raw_profile')], annotations: [{ key: 'a', value: 'b' }] }] }),
    ]) {
      const { rig, say } = door();
      assert.deepEqual(await say(same), [200]);
      assert.deepEqual([...rig.only.batch.profiles[0]!.attributes], NAMED);
      assert.ok(rig.only.payloads[0]!.equals(profile));
      assert.equal(rig.only.batch.profiles[0]!.origin?.sampleId, 'first');
    }
  });

  test('empty profiles are counted and left out, also of the size; a push of nothing else is answered 200', async () => {
    const mixed = door();
    assert.deepEqual(await mixed.say(proto(series(NAMED, profile, empty))), [200]);
    assert.deepEqual([mixed.rig.only.batch.profiles.length, mixed.rig.only.batch.sizeBytes], [1, profile.length]);
    assert.equal(mixed.rig.dropped('empty_profile'), 1);
    const none = door();
    assert.deepEqual(await none.say(proto(series(NAMED, empty, empty))), [200]);
    assert.deepEqual([none.rig.seen.length, none.rig.dropped('empty_profile')], [0, 2]);
  });

  test('a retry has the same id; other labels and other divisions of the same bytes have another', async () => {
    const id = async (...all: PushSeries[]) => {
      const { rig, send } = door({ validate: 'header' });
      await send(proto(...all));
      return rig.only.id;
    };
    const [a, b] = [Buffer.concat([profile, profile]), profile];
    const ids = [
      await id(series(NAMED, a, b)),
      await id(series(NAMED, b, a)),
      await id(series([...NAMED, ['k', 'v']], a, b)),
    ];
    assert.equal(await id(series(NAMED, a, b)), ids[0]);
    assert.equal(new Set(ids).size, 3);
  });

  for (const recording of recordings().filter(({ path, method }) => method === 'POST' && path.endsWith('/Push')))
    test(`${recording.file} is taken sample by sample`, async () => {
      const { rig, say } = door();
      const headers = Object.fromEntries(
        Object.entries(replayHeaders(recording)).map(([name, value]) => [name.toLowerCase(), value]),
      );
      assert.deepEqual(await say({ query: recording.query, headers, body: recording.body }), [200]);
      const body = headers['content-encoding'] === 'gzip' ? gunzipSync(recording.body) : recording.body;
      const sent = pushed(body);
      assert.ok(sent.length > 0);
      assert.deepEqual(
        rig.only.batch.profiles.map(({ attributes }) => [...attributes]),
        sent.map(({ labels }) => [...labels]),
      );
      assert.deepEqual(
        rig.only.payloads,
        sent.map(({ rawProfile }) => rawProfile),
      );
      const { series: expected } = recording.parts.find(({ facts }) => facts && 'series' in facts)!.facts as PushFacts;
      assert.deepEqual(
        rig.only.batch.profiles.map(({ payload }) => payload.summaries![0]!.types.map(({ total }) => String(total))),
        expected.flatMap(({ samples }) => samples.map(({ pprof }) => pprof.sums)),
      );
    });
});

describe('what is refused', () => {
  test('each reason has its code, counts once and reaches no pipeline', async () => {
    const cases: [string, number, string, Sent][] = [
      ['empty_body', 400, 'invalid_argument', { headers: PROTO }],
      ['empty_body', 400, 'invalid_argument', json({})],
      ['empty_body', 400, 'invalid_argument', proto(series(NAMED))],
      ['bad_protobuf', 400, 'invalid_argument', { headers: PROTO, body: Buffer.from([0x0a, 0x7f]) }],
      ['bad_json', 400, 'invalid_argument', { headers: JSON_TYPE, body: Buffer.from('{') }],
      ['bad_label', 400, 'invalid_argument', proto(series([['service_name', 's']], profile))],
      ['bad_label', 400, 'invalid_argument', proto(series([['__name__', '']], profile))],
      ['bad_label', 400, 'invalid_argument', proto(series([...NAMED, ['service_name', 't']], profile))],
      [
        'bad_tenant',
        400,
        'invalid_argument',
        { ...proto(series(NAMED, profile)), headers: { ...PROTO, 'x-scope-orgid': 'a|b' } },
      ],
      [
        'bad_protocol_version',
        400,
        'invalid_argument',
        { ...proto(series(NAMED, profile)), headers: { ...PROTO, 'connect-protocol-version': '2' } },
      ],
      [
        'bad_compression',
        400,
        'invalid_argument',
        { headers: { ...PROTO, 'content-encoding': 'gzip' }, body: profile },
      ],
      [
        'unsupported_encoding',
        501,
        'unimplemented',
        { headers: { ...PROTO, 'content-encoding': 'zstd' }, body: profile },
      ],
      [
        'unsupported_encoding',
        501,
        'unimplemented',
        { headers: { ...PROTO, 'content-encoding': 'br' }, body: profile },
      ],
      // resource_exhausted would be retried in vain
      ['body_too_large', 400, 'invalid_argument', { headers: PROTO, body: problem('body_too_large') }],
      ['decompressed_too_large', 400, 'invalid_argument', { headers: PROTO, body: problem('decompressed_too_large') }],
      ['memory_limit', 429, 'resource_exhausted', { headers: PROTO, body: problem('memory_limit', 1000) }],
    ];
    for (const [reason, status, code, sent] of cases) {
      const { rig, say } = door();
      assert.deepEqual((await say(sent)).slice(0, 2), [status, code], reason);
      assert.deepEqual([rig.rejected('push', reason), rig.rejections, rig.seen.length], [1, 1, 0], reason);
    }
  });

  test('an empty request says so, another compression is told which there are', async () => {
    assert.equal((await door().say({ headers: PROTO }))[2], 'no profiles received');
    const [, , message] = await door().say({ headers: { ...PROTO, 'content-encoding': 'br' } });
    assert.match(String(message), /gzip, identity$/);
  });

  test('one bad sample or label refuses the whole push and is named by its place', async () => {
    const { rig, say } = door();
    const bad = Buffer.from('<html>');
    const sample = await say(proto(series(NAMED, profile), series(NAMED, profile, bad)));
    assert.match(String(sample[2]), /^series 1, sample 1: /);
    const label = await say(proto(series(NAMED, profile), series([...NAMED, ['', 'v']], profile)));
    assert.match(String(label[2]), /^series 1: label 3 /);
    assert.equal(rig.seen.length, 0);
  });

  test('another content type is 415 with those that are taken, gRPC for now too', async () => {
    for (const type of ['application/grpc', 'application/grpc+proto', 'application/connect+proto', 'text/plain', '']) {
      const { rig, send } = door();
      const { status, headers } = await send({ headers: { 'content-type': type }, body: profile });
      assert.deepEqual([status, headers?.['accept-post']], [415, 'application/proto, application/json'], type);
      assert.equal(rig.rejected('push', 'unsupported_content_type'), 1);
    }
  });

  test('samples share what a request may inflate to: many small bombs are one large one', async () => {
    const padding = Buffer.concat([Buffer.from([0x32, 0x80, 0x80, 0x20]), Buffer.alloc(512 * 1024, 0x41)]);
    const bomb = gzipSync(Buffer.concat([profile, padding]));
    const fits = door({ max_inflated_size: '4MiB' });
    assert.deepEqual(await fits.say(proto(series(NAMED, ...Array<Buffer>(7).fill(bomb)))), [200]);
    const { rig, say } = door({ max_inflated_size: '4MiB' });
    const refused = await say(proto(series(NAMED, ...Array<Buffer>(1000).fill(bomb))));
    assert.deepEqual(refused.slice(0, 2), [400, 'invalid_argument']);
    assert.match(String(refused[2]), /^series 0, sample 7: /);
    assert.deepEqual([rig.rejected('push', 'decompressed_too_large'), rig.seen.length], [1, 0]);
  });
});

describe('what is answered', () => {
  test('success is an empty message in the type of the request; JSON is gzipped for those who ask', async () => {
    const labels = NAMED.map(([name, value]) => ({ name, value }));
    const asJson = json({ series: [{ labels, samples: [{ rawProfile: profile.toString('base64') }] }] });
    const asProto = proto(series(NAMED, profile));
    const asking = (sent: Sent): Sent => ({ ...sent, headers: { ...sent.headers, 'accept-encoding': 'gzip' } });
    const { send } = door();
    const answer = await send(asProto);
    assert.deepEqual(
      [answer.status, answer.headers?.['content-type'], answer.body],
      [200, 'application/proto', undefined],
    );
    assert.equal((await send(asking(asProto))).headers?.['content-encoding'], undefined);
    const plain = await send(asJson);
    assert.deepEqual([plain.headers?.['content-type'], plain.body], ['application/json', '{}']);
    const packed = await send(asking(asJson));
    assert.equal(packed.headers?.['content-encoding'], 'gzip');
    assert.equal(gunzipSync(packed.body as Buffer).toString(), '{}');
  });

  test('what the pipeline says reaches the sender as a Connect error', async () => {
    const heard = [];
    for (const result of NOT_ACCEPTED) {
      const { rig, send } = door();
      rig.answer = () => result;
      const { status, headers, body } = await send(proto(series(NAMED, profile)));
      heard.push([status, JSON.parse(String(body)).code, headers?.['retry-after']]);
    }
    assert.deepEqual(heard, [
      [429, 'resource_exhausted', '2'],
      [503, 'unavailable', '30'],
      [400, 'invalid_argument', undefined],
      [500, 'internal', undefined],
    ]);
  });
});

test('whatever bytes come, the answer is one of Connect, and each refusal counts once', async () => {
  const whole = Buffer.concat(encodePush([series(NAMED, profile, gzipSync(profile))]));
  const flipped = fc.tuple(fc.nat(), fc.nat(255)).map(([at, value]) => {
    const copy = Buffer.from(whole);
    copy[at % copy.length] = value;
    return copy;
  });
  const cut = fc.nat(whole.length).map(length => whole.subarray(0, length));
  const text = fc.json().map(value => Buffer.from(`{"series":[${value}]}`));
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(PROTO, JSON_TYPE),
      fc.oneof(fc.uint8Array(), flipped, cut, text),
      async (headers, body) => {
        const { rig, say } = door();
        const [status] = await say({ headers, body });
        assert.ok(status === 200 || status === 400, String(status));
        assert.equal(rig.rejections, status === 200 ? 0 : 1);
      },
    ),
    { numRuns: 400 },
  );
});

/** `numbered` carries the time at which it was called: what arrived is taken for it when it says 9. */
function numbered9(arrived: Buffer): Buffer {
  return arrived;
}

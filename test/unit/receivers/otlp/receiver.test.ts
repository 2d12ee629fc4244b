import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Host, Protocol, Request, Response, Result, TraceBatch } from '../../../../src/api/index.ts';
import { Config } from '../../../../src/receivers/otlp/config.ts';
import { createReceiver } from '../../../../src/receivers/otlp/receiver.ts';
import { readExportResponse } from '../../../../src/wire/otlp/response.ts';
import { readRpcStatus } from '../../../../src/wire/otlp/status.ts';
import { capture, noCorpus, request as otlpRequest } from '../../../kit/otlp.ts';
import { bytes, number, text } from '../../../kit/protobuf.ts';
import { Rig, requestOf, type Sent } from '../fixtures.ts';

const PROFILES = '/v1development/profiles';
const TRACES = '/v1/traces';
const RPC_PROFILES = '/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export';
const PROTOBUF = { 'content-type': 'application/x-protobuf' };
const JSON_TYPE = { 'content-type': 'application/json; charset=utf-8' };

/** A profile of one sample in the 1.10 layout: stack 1, value 7. */
const SAMPLE = [...number(1, 1), ...bytes(4, [7])];
const PROFILE = [...bytes(1, [...number(1, 1), ...number(2, 2)]), ...bytes(2, SAMPLE)];
const RESOURCE = bytes(1, bytes(1, [...text(1, 'service.name'), ...bytes(2, text(1, 'checkout'))]));
const ONE = otlpRequest(PROFILE, undefined, RESOURCE);
const SPAN = [...bytes(1, Array(16).fill(1)), ...bytes(2, Array(8).fill(2)), ...text(5, 'op')];
const SPANS = Buffer.from(bytes(1, bytes(2, bytes(2, SPAN))));

interface Said {
  readonly status: number;
  readonly rpc: Response['rpc'];
  readonly headers: Response['headers'];
  readonly body: Uint8Array;
}

function door(config: object = {}, wanted: readonly string[] = ['profiles', 'traces']) {
  const rig = new Rig();
  const protocols: Protocol[] = [];
  const host: Host = {
    ...rig.host,
    wanted: signal => wanted.includes(signal),
    listen: (_at, protocol) => {
      protocols.push(protocol);
      return {};
    },
  };
  createReceiver(Config.parse(config), host, rig.next as never);
  const say = async (path: string, sent: Sent & { rpc?: true }): Promise<Said> => {
    const route = protocols.flatMap(({ routes }) => routes).find(one => one.path === path);
    assert.ok(route, `no route ${path}`);
    const request: Request = { ...requestOf(sent), ...(sent.rpc && { framing: 'rpc' as const }) };
    const { status, rpc, headers, body = '' } = await route.handle(request);
    return { status, rpc, headers, body: Buffer.from(body as string) };
  };
  return { rig, protocols, say };
}

const refused: Result = { kind: 'refused', reason: 'memory limit reached', retryAfterMs: 2500 };
const down: Result = { kind: 'retryable', error: new Error('store is down'), retryAfterMs: 3000 };
const bad: Result = { kind: 'permanent', error: new Error('never'), fault: 'sender' };
const ours: Result = { kind: 'permanent', error: new Error('our fault'), fault: 'gateway' };

describe('what it makes of a request', () => {
  test('each resource is a profile: its attributes in the envelope, the payload shared and as it came', async () => {
    const { rig, say } = door();
    const two = Buffer.concat([ONE, Buffer.from(bytes(1, [...bytes(2, bytes(2, PROFILE))]))]);
    const said = await say(PROFILES, { headers: { ...PROTOBUF, 'x-scope-orgid': 'team-a' }, body: two });
    assert.equal(said.status, 200);
    assert.equal(said.headers?.['content-type'], 'application/x-protobuf');
    assert.equal(said.body.length, 0);
    const { batch, payloads } = rig.only;
    assert.equal(batch.tenant, 'team-a');
    assert.equal(batch.dialect, 'otel');
    assert.deepEqual(
      batch.profiles.map(({ part, attributes }) => [part, ...attributes]),
      [[0, ['service.name', 'checkout']], [1]],
    );
    assert.equal(batch.profiles[0]!.payload, batch.profiles[1]!.payload);
    assert.ok(payloads[0]!.equals(two));
    assert.equal(batch.profiles[0]!.payload.summaries?.[1]?.types[0]?.total, 7n);
  });

  test('JSON becomes protobuf before it travels', async () => {
    const { rig, say } = door();
    const json = JSON.stringify({
      resourceProfiles: [
        {
          resource: { attributes: [{ key: 'service.name', value: { stringValue: 'checkout' } }] },
          scopeProfiles: [
            {
              profiles: [
                { sampleType: { typeStrindex: 1, unitStrindex: 2 }, samples: [{ stackIndex: 0, values: ['7'] }] },
              ],
            },
          ],
        },
      ],
      dictionary: {
        stringTable: ['', 'samples', 'count'],
        mappingTable: [{}],
        locationTable: [{}],
        functionTable: [{}],
        linkTable: [{}],
        attributeTable: [{}],
        stackTable: [{}],
      },
    });
    const said = await say(PROFILES, { headers: JSON_TYPE, body: Buffer.from(json) });
    assert.deepEqual([said.status, said.headers?.['content-type'], String(said.body)], [200, 'application/json', '{}']);
    const [profile] = rig.only.batch.profiles;
    assert.deepEqual([...profile!.attributes], [['service.name', 'checkout']]);
    assert.equal(profile!.payload.summaries?.[0]?.types[0]?.total, 7n);
  });

  test('traces go on as they came', async () => {
    const { rig, say } = door();
    assert.equal((await say(TRACES, { headers: PROTOBUF, body: SPANS })).status, 200);
    const batch = rig.seen[0]!.batch as unknown as TraceBatch;
    assert.equal(batch.signal, 'traces');
    assert.ok(rig.seen[0]!.payloads[0]!.equals(SPANS));
  });

  test('an empty request is taken and goes no further; a resource without profiles is counted', async () => {
    const { rig, say } = door();
    assert.equal((await say(PROFILES, { headers: PROTOBUF, body: Buffer.alloc(0) })).status, 200);
    const empty = Buffer.from(bytes(1, RESOURCE));
    assert.equal((await say(PROFILES, { headers: PROTOBUF, body: empty })).status, 200);
    assert.equal(rig.seen.length, 0);
    assert.equal(rig.dropped('empty_profile'), 1);
  });

  test('one capture in three layouts is the same request', { skip: noCorpus }, async () => {
    const arrived: string[] = [];
    for (const version of ['v1_8', 'v1_9', 'v1_10']) {
      const { rig, say } = door();
      const body = capture(`ebpf-profile.${version}.pb`);
      assert.equal((await say(PROFILES, { headers: PROTOBUF, body })).status, 200, version);
      const { types } = rig.only.batch.profiles[0]!.payload.summaries![0]!;
      arrived.push(types.map(({ type, unit, total }) => `${type} ${unit} ${total}`).join());
    }
    assert.equal(new Set(arrived).size, 1, arrived.join(' | '));
  });
});

describe('what it answers', () => {
  test('each result of the pipeline, over HTTP', async () => {
    for (const [result, status, code, retryAfter] of [
      [refused, 429, 8, '3'],
      [down, 503, 14, '3'],
      [bad, 400, 3, undefined],
      [ours, 500, 13, undefined],
    ] as const)
      for (const [headers, wire] of [
        [PROTOBUF, 'protobuf'],
        [JSON_TYPE, 'json'],
      ] as const) {
        const { rig, say } = door();
        rig.answer = async () => result;
        const body = wire === 'protobuf' ? SPANS : Buffer.from('{"resourceSpans":[{}]}');
        const said = await say(TRACES, { headers, body });
        assert.deepEqual([said.status, said.headers?.['retry-after']], [status, retryAfter]);
        const { code: told, retryAfterMs } = readRpcStatus(said.body, wire);
        assert.equal(told, code);
        assert.equal(retryAfterMs, 'retryAfterMs' in result ? result.retryAfterMs : undefined);
      }
  });

  test('the same over gRPC, as status with details', async () => {
    for (const [result, code] of [
      [refused, 8],
      [down, 14],
      [bad, 3],
      [ours, 13],
    ] as const) {
      const { rig, say } = door();
      rig.answer = async () => result;
      const { rpc } = await say(RPC_PROFILES, { rpc: true, body: ONE });
      assert.equal(rpc?.code, code);
      assert.equal(readRpcStatus(rpc!.details!, 'protobuf').message, rpc?.message);
    }
    const { say } = door();
    assert.equal((await say(RPC_PROFILES, { rpc: true, body: ONE })).rpc?.code ?? 0, 0);
  });

  test('a full gateway always says when to come again: without a delay RESOURCE_EXHAUSTED is final', async () => {
    const { rig, say } = door();
    rig.answer = async () => ({ kind: 'refused', reason: 'full' });
    const { rpc } = await say(RPC_PROFILES, { rpc: true, body: ONE });
    assert.ok(readRpcStatus(rpc!.details!, 'protobuf').retryAfterMs! > 0);
  });

  test('drops are a partial success', async () => {
    const { rig, say } = door();
    rig.answer = async () => ({ kind: 'accepted', drops: [{ items: 1, reason: 'stage', message: 'dropped by a' }] });
    const profiles = await say(PROFILES, { headers: PROTOBUF, body: ONE });
    assert.deepEqual(readExportResponse('profiles', profiles.body, 'protobuf'), {
      rejected: 1n,
      message: 'stage: dropped by a',
    });
    const twoSpans = Buffer.from(bytes(1, bytes(2, [...bytes(2, SPAN), ...bytes(2, SPAN)])));
    const traces = await say(TRACES, { headers: PROTOBUF, body: twoSpans });
    assert.equal(readExportResponse('traces', traces.body, 'protobuf')?.rejected, 2n);
  });

  test('bad bytes are the sender’s fault, with a sentence; nothing goes on', async () => {
    const outOfRange = otlpRequest([...bytes(1, [...number(1, 99)]), ...bytes(2, SAMPLE)]);
    for (const [path, headers, body] of [
      [PROFILES, PROTOBUF, Buffer.from('not protobuf at all')],
      [PROFILES, PROTOBUF, outOfRange],
      [PROFILES, JSON_TYPE, Buffer.from('{"resourceProfiles":[')],
      [TRACES, PROTOBUF, Buffer.from([0x0a, 0xff])],
      [PROFILES, { ...PROTOBUF, 'x-scope-orgid': 'a|b' }, ONE],
    ] as const) {
      const { rig, say } = door();
      const said = await say(path, { headers, body });
      assert.equal(said.status, 400, String(body));
      const wire = headers === JSON_TYPE ? 'json' : 'protobuf';
      assert.match(readRpcStatus(said.body, wire).message, /\w+ \w+/);
      assert.equal(rig.seen.length, 0);
      assert.equal(rig.rejections, 1);
    }
  });

  test('problems of the body keep their kind', async () => {
    for (const [reason, status, code] of [
      ['body_too_large', 413, 8],
      ['decompressed_too_large', 413, 8],
      ['unsupported_encoding', 415, 12],
      ['bad_compression', 400, 3],
      ['body_timeout', 503, 4],
      ['memory_limit', 429, 8],
    ] as const) {
      const { say } = door();
      const body = { kind: 'problem', reason, message: 'why' } as const;
      const http = await say(PROFILES, { headers: PROTOBUF, body });
      assert.equal(http.status, status, reason);
      const { rpc } = await say(RPC_PROFILES, { rpc: true, body });
      assert.equal(rpc?.code, code, reason);
      // Too large stays too large: a delay would have it sent again.
      assert.equal(readRpcStatus(rpc!.details!, 'protobuf').retryAfterMs !== undefined, reason === 'memory_limit');
    }
  });

  test('a signal without a pipeline, other signals and other content types are told apart', async () => {
    const { say } = door({}, ['traces']);
    const none = await say(PROFILES, { headers: PROTOBUF, body: ONE });
    assert.equal(none.status, 404);
    assert.match(readRpcStatus(none.body, 'protobuf').message, /no profiles pipeline/);
    const metrics = await say('/v1/metrics', { headers: JSON_TYPE, body: Buffer.from('{}') });
    assert.equal(metrics.status, 404);
    assert.match(readRpcStatus(metrics.body, 'json').message, /no metrics/);
    const logs = await say('/opentelemetry.proto.collector.logs.v1.LogsService/Export', { rpc: true });
    assert.equal(logs.rpc?.code, 12);
    assert.equal((await say(TRACES, { headers: { 'content-type': 'text/plain' }, body: SPANS })).status, 415);
  });
});

test('what is refused in its name before it sees the request is a Status too', () => {
  const http = door().protocols.find(({ name }) => name === 'otlp_http')!;
  for (const [headers, wire] of [
    [PROTOBUF, 'protobuf'],
    [JSON_TYPE, 'json'],
  ] as const)
    for (const [status, code] of [
      [401, 16],
      [503, 14],
    ] as const) {
      const { body } = http.refusal!(headers, status, 'why');
      assert.deepEqual(readRpcStatus(Buffer.from(body as Uint8Array), wire), { code, message: 'why' });
    }
});

describe('its configuration', () => {
  test('both protocols are on unless they are named', () => {
    const names = (config: object) => door(config).protocols.map(({ name }) => name);
    assert.deepEqual(names({}), ['otlp_grpc', 'otlp_http']);
    assert.deepEqual(names({ protocols: { http: null } }), ['otlp_http']);
    assert.deepEqual(names({ protocols: { grpc: { endpoint: '127.0.0.1:0' } } }), ['otlp_grpc']);
    assert.ok(!Config.safeParse({ protocols: {} }).success);
  });
});

// How the OTLP exporters take a store's answers, and in which layouts and codings bytes go out and come in; a real process, grpc-js at the store.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { deflateSync, zstdCompressSync } from 'node:zlib';
import { capture, noCorpus, request } from '../kit/otlp.ts';
import { profilesIn, sumOf } from '../kit/otlp-resolved.ts';
import { OtlpRig } from '../kit/otlp-rig.ts';
import { httpSender, saidByHttp } from '../kit/otlp-sender.ts';
import { type OtlpAnswer, ROUTE, type Transport } from '../kit/otlp-store.ts';
import { bytes, number } from '../kit/protobuf.ts';

const RETRY = { retry_on_failure: { initial_interval: '50ms', max_interval: '100ms' } };
const WAYS: readonly Transport[] = ['grpc', 'http'];

async function started(t: TestContext, exporter: object = {}): Promise<OtlpRig> {
  const rig = await OtlpRig.start({ exporter: { ...RETRY, ...exporter } });
  t.after(() => rig.stop());
  return rig;
}

/** One profile of one sample of this value. */
const valued = (value: number) => request(bytes(2, [...number(1, 1), ...bytes(4, [value])]));

/** The values that a store has taken by this way. */
const taken = (rig: OtlpRig, way: Transport) => rig.store.by(way).flatMap(({ body }) => profilesIn(body).map(sumOf));

interface Refusal {
  readonly what: string;
  readonly answer: OtlpAnswer;
  /** By transport, whether the same request comes again. */
  readonly again: Readonly<Record<Transport, boolean>>;
}
const both = { grpc: true, http: true };
const none = { grpc: false, http: false };
const refusals: readonly Refusal[] = [
  {
    what: 'unavailable, with a delay',
    answer: { code: 14, status: 503, message: 'later', retryAfterMs: 100 },
    again: both,
  },
  {
    what: 'too many requests, with a delay',
    answer: { code: 8, status: 429, message: 'slow down', retryAfterMs: 100 },
    again: both,
  },
  // Without RetryInfo a store that is exhausted will not take it later either; HTTP says that by 413.
  { what: 'exhausted, without a delay', answer: { code: 8, status: 413, message: 'too large' }, again: none },
  { what: 'a bad request', answer: { code: 3, status: 400, message: 'no' }, again: none },
  { what: 'an internal error', answer: { code: 13, status: 500, message: 'oops' }, again: none },
  {
    what: 'a deadline, a gateway that waited too long',
    answer: { code: 4, status: 504, message: 'slow' },
    again: both,
  },
  { what: 'aborted, a bad gateway', answer: { code: 10, status: 502, message: 'again' }, again: both },
  { what: 'data lost', answer: { code: 15, status: 503, message: 'lost' }, again: both },
  { what: 'a cut connection', answer: 'cut', again: both },
  { what: 'a partial success', answer: { partial: { rejected: 1, message: 'too old' } }, again: none },
];

test('what is retryable comes again until it is taken, what is not is counted once', async t => {
  const rig = await started(t);
  const [sender] = rig.senders;
  for (const [at, { what, answer, again }] of refusals.entries()) {
    const value = at + 1;
    /** Tries of this value by way. */
    const tries = { grpc: 0, http: 0 };
    rig.store.answer = ({ transport, body }) => {
      const [first] = profilesIn(body).map(sumOf);
      if (first !== BigInt(value)) return 'ok';
      return tries[transport]++ === 0 ? answer : 'ok';
    };
    const dropped = (id: string) =>
      rig.gateway.metric(`flamegate_dropped_profiles_total{id="${id}",reason="rejected"}`);
    const before = { grpc: await dropped('otlp'), http: await dropped('otlphttp') };
    assert.equal((await sender!.send('profiles', valued(value))).code, 0);
    // What comes behind is taken, so that what was for good has been given up before.
    const sound = await rig.delivered('profiles', async () => {
      await rig.store.until(() => WAYS.every(way => tries[way] >= (again[way] ? 2 : 1)), `${what}: tries`);
      await sender!.send('profiles', valued(100));
    });
    assert.ok(sound.grpc && sound.http);
    for (const way of WAYS) {
      await rig.store.until(() => taken(rig, way).at(-1) === 100n, 'the sound one');
      assert.equal(tries[way], again[way] ? 2 : 1, `${what}, ${way}`);
      const count = (await dropped(way === 'grpc' ? 'otlp' : 'otlphttp')) - before[way];
      assert.equal(count, again[way] ? 0 : 1, `${what}, ${way}: counted`);
    }
  }
});

for (const version of ['1.8', '1.9', '1.10'] as const)
  test(`an exporter writes layout ${version} for a store that reads it`, { skip: noCorpus }, async t => {
    const rig = await started(t, { wire_version: version });
    const { grpc, http } = await rig.delivered('profiles', () =>
      rig.senders[0]!.send('profiles', capture('ebpf-profile.v1_10.pb')),
    );
    const due = capture(`ebpf-profile.v${version.replace('.', '_')}.pb`);
    assert.ok(grpc.body.equals(due), 'gRPC');
    assert.ok(http.body.equals(due), 'HTTP');
  });

test('codings: in as senders choose, out as the exporter says', async t => {
  const rig = await started(t, { compression: 'gzip' });
  for (const [coding, body] of [
    ['zstd', zstdCompressSync(valued(5))],
    ['deflate', deflateSync(valued(5))],
  ] as const) {
    const { grpc, http } = await rig.delivered('profiles', async () => {
      const answer = await fetch(`${rig.at.http}${ROUTE.profiles}`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-protobuf', 'content-encoding': coding },
        body: new Uint8Array(body),
      });
      const said = saidByHttp('profiles', answer.status, answer.headers, Buffer.from(await answer.arrayBuffer()));
      assert.equal(said.code, 0, `${coding}: ${said.message}`);
    });
    assert.ok(grpc.body.equals(valued(5)) && http.body.equals(valued(5)), coding);
    assert.equal(http.headers['content-encoding'], 'gzip');
  }
});

test('the tenant goes through, and traces go on while a store is down for profiles', async t => {
  const rig = await started(t);
  rig.store.answer = ({ signal }) => (signal === 'profiles' ? { code: 14, status: 503, message: 'down' } : 'ok');
  const span = Buffer.from(
    bytes(1, bytes(2, bytes(2, [...bytes(1, Array(16).fill(1)), ...bytes(2, Array(8).fill(2))]))),
  );
  const sender = httpSender(rig.at.http, 'application/x-protobuf');
  assert.equal((await sender.send('profiles', valued(3), { headers: { 'x-scope-orgid': 'acme' } })).code, 0);
  const { grpc, http } = await rig.delivered('traces', () =>
    sender.send('traces', span, { headers: { 'x-scope-orgid': 'acme' } }),
  );
  for (const { body, headers } of [grpc, http]) {
    assert.ok(body.equals(span));
    assert.equal(headers['x-scope-orgid'], 'acme');
  }
  rig.store.answer = () => 'ok';
  await rig.store.until(() => WAYS.every(way => taken(rig, way).includes(3n)), 'profiles once the store is back');
});

// The oracles of OTLP among each other, the gateway not between them: pdata of the Collector, grpc-js, node:http2 and our schema.
import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { type TestContext, test } from 'node:test';
import { corpusDir } from '../kit/corpus.ts';
import { CURRENT, capture, noCorpus } from '../kit/otlp.ts';
import { attributesOf, profilesIn, sumOf } from '../kit/otlp-resolved.ts';
import { decodeMessage } from '../kit/otlp-schema.ts';
import { grpcSender, http2Sender } from '../kit/otlp-sender.ts';
import { FakeOtlpStore } from '../kit/otlp-store.ts';
import { GoStore, type Order, sendByGo } from './otlp-program.ts';
import { builtGo, missing } from './programs.ts';

const ways = (['grpc', 'http'] as const).flatMap(by =>
  [false, true].flatMap(gzip => (by === 'http' ? [false, true] : [false]).map(json => ({ by, gzip, json }))),
);

test('what pdata sends, the fake store reads as it was made', async (t: TestContext) => {
  const why = await missing('go');
  if (why) return t.skip(why);
  const program = await builtGo('otlp-go');
  const store = await new FakeOtlpStore().start();
  t.after(() => store.stop());
  const orders: Order[] = ways.flatMap((way, at) => [
    { name: `profiles ${JSON.stringify(way)}`, signal: 'profiles', value: 100 + at, ...way },
    { name: `traces ${JSON.stringify(way)}`, signal: 'traces', value: 200 + at, ...way },
  ]);
  const answers = await sendByGo(program, store, orders);
  for (const [at, { name, code, failure, rejected }] of answers.entries())
    assert.deepEqual([name, code, failure, rejected], [orders[at]!.name, 0, undefined, 0]);
  for (const [at, { json, signal, value, name }] of orders.entries()) {
    const { body } = store.deliveries[at]!;
    if (json) assert.match(body.toString(), new RegExp(`"${value}"`), name);
    else if (signal === 'profiles') {
      const [profile] = profilesIn(body);
      assert.deepEqual([sumOf(profile!), profile!.samples[0]!.stack.length], [BigInt(value!), 2], name);
      assert.deepEqual(attributesOf(profile!.of.resource), { 'service.name': 'shop.go', 'process.pid': 4711n }, name);
      assert.equal(profile!.samples[0]!.link?.spanId, '0102030405060708');
    } else {
      const [{ scopeSpans, resource }] = decodeMessage('ExportTraceServiceRequest', body).resourceSpans;
      assert.equal(scopeSpans[0].spans[0].attributes[0].value.intValue, BigInt(value!), name);
      assert.deepEqual(attributesOf(resource), { 'service.name': 'shop.go' });
    }
  }

  store.answer = () => ({ partial: { rejected: 2, message: 'two of them' } });
  const partly = await sendByGo(program, store, orders);
  for (const { name, code, rejected, partial } of partly)
    assert.deepEqual([code, rejected, partial], [0, 2, 'two of them'], name);
  store.answer = () => ({ code: 14, status: 503, message: 'later', retryAfterMs: 2500 });
  const refused = await sendByGo(program, store, orders);
  for (const { name, code, message } of refused) assert.deepEqual([code, message], [14, 'later'], name);
  for (const [at, { by, json }] of orders.entries()) if (!json) assert.equal(refused[at]!.retryDelayMs, 2500, by);
});

test('what pdata reads of the captures is what our schema reads', { skip: noCorpus }, async (t: TestContext) => {
  const why = await missing('go');
  if (why) return t.skip(why);
  const program = await builtGo('otlp-go');
  const go = await GoStore.start(program);
  t.after(() => go.stop());
  const senders = [grpcSender(go.address), http2Sender(`http://${go.address}`)];
  t.after(() => {
    for (const sender of senders) sender.close();
  });
  for (const name of CURRENT) {
    const raw = capture(name);
    const profiles = profilesIn(raw);
    for (const sender of senders) {
      const said = await sender.send('profiles', raw, { gzip: sender === senders[0] });
      assert.equal(said.code, 0, `${sender.name}: ${said.message}`);
      const got = go.deliveries.at(-1)!;
      assert.deepEqual(got.sums, profiles.map(sumOf).map(Number), name);
      assert.equal(
        got.items,
        profiles.reduce((sum, { samples }) => sum + samples.length, 0),
      );
      assert.deepEqual(
        got.resources,
        profiles.map(({ of }) => attributesOf(of.resource)),
        name,
      );
    }
  }

  const store = await new FakeOtlpStore().start();
  t.after(() => store.stop());
  const orders = CURRENT.map(
    (name): Order => ({ name, signal: 'profiles', by: 'grpc', file: resolve(corpusDir!, 'otlp', name) }),
  );
  for (const { name, code, failure } of await sendByGo(program, store, orders))
    assert.deepEqual([code, failure], [0, undefined], name);
  for (const [at, { body }] of store.by('grpc').entries())
    assert.deepEqual(profilesIn(body).map(sumOf), profilesIn(capture(CURRENT[at]!)).map(sumOf), CURRENT[at]);
});

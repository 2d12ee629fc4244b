// The senders and the store of the kit against each other: what both get right without the product between them.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { request } from '../../kit/otlp.ts';
import { grpcSender, http2Sender, httpSender, type Sender } from '../../kit/otlp-sender.ts';
import { FakeOtlpStore } from '../../kit/otlp-store.ts';
import { bytes, number } from '../../kit/protobuf.ts';

let store: FakeOtlpStore;
let senders: Sender[];
before(async () => {
  store = await new FakeOtlpStore().start();
  senders = [
    grpcSender(store.grpc),
    http2Sender(`http://${store.grpc}`),
    httpSender(store.http, 'application/x-protobuf'),
    httpSender(store.http, 'application/json'),
  ];
});
after(async () => {
  for (const sender of senders) sender.close();
  await store.stop();
});

const small = request(bytes(2, [...number(1, 0), ...bytes(4, [5])]));

test('every sender, plain and gzipped, is recorded with compression undone', async () => {
  for (const sender of senders)
    for (const signal of ['profiles', 'traces'] as const)
      for (const gzip of [false, true]) {
        const said = await sender.send(signal, small, { gzip, headers: { 'x-scope-orgid': 'acme' } });
        assert.deepEqual([said.code, said.status, said.partial], [0, 200, undefined], sender.name);
        const delivery = store.deliveries.at(-1)!;
        assert.ok(delivery.body.equals(small), sender.name);
        assert.equal(delivery.signal, signal);
        assert.equal(delivery.headers['x-scope-orgid'], 'acme');
      }
  assert.equal(store.by('grpc').length, 4);
  assert.equal(store.by('http', 'traces').length, 4);
});

test('partial success and refusals with a delay come back the same by all ways', async () => {
  const known = store.deliveries.length;
  for (const sender of senders) {
    store.answer = () => ({ partial: { rejected: 3, message: 'three too old' } });
    assert.deepEqual((await sender.send('profiles', small)).partial, { rejected: 3n, message: 'three too old' });
    store.answer = () => ({ code: 8, status: 429, message: 'später', retryAfterMs: 1500 });
    const said = await sender.send('profiles', small);
    assert.equal(said.code, 8, sender.name);
    assert.equal(said.message, 'später', sender.name);
    if (!sender.name.endsWith('json')) assert.equal(said.details?.retryAfterMs, 1500, sender.name);
    if (sender.name.startsWith('HTTP')) assert.deepEqual([said.status, said.headers['retry-after']], [429, '2']);
  }
  assert.equal(store.deliveries.length, known + senders.length, 'refused ones are not recorded');
});

test('a cut connection is an error, and the next request finds the store again', async () => {
  for (const sender of [grpcSender(store.grpc), httpSender(store.http, 'application/x-protobuf')]) {
    store.answer = () => 'cut';
    const said = await sender.send('profiles', small).catch(() => ({ code: 14 }));
    assert.equal(said.code, 14, sender.name);
    store.answer = () => 'ok';
    for (let tries = 0; ; tries++) {
      const { code } = await sender.send('profiles', small, { headers: {} });
      if (code === 0) break;
      assert.ok(tries < 50, sender.name);
    }
    sender.close();
  }
});

// `labels` and `frames` in the real process, fused: what was hashed and redacted does not reach the store, every total does.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { freePort, Gateway } from '../kit/gateway.ts';
import { byProtobufjs } from '../kit/oracles.ts';
import { bytes, number, text } from '../kit/protobuf.ts';
import { FakeStore } from '../kit/store.ts';

const profile = Uint8Array.from(
  [
    bytes(1, [...number(1, 1), ...number(2, 2)]),
    bytes(2, [...bytes(1, [1, 2]), ...bytes(2, [7]), ...bytes(3, [...number(1, 5), ...number(2, 6)])]),
    bytes(2, [...bytes(1, [2]), ...bytes(2, [5])]),
    bytes(4, [...number(1, 1), ...bytes(4, number(1, 1))]),
    bytes(4, [...number(1, 2), ...bytes(4, number(1, 2))]),
    bytes(5, [...number(1, 1), ...number(2, 3)]),
    bytes(5, [...number(1, 2), ...number(2, 4)]),
    number(9, BigInt(Date.now()) * 1_000_000n),
    ...['', 'samples', 'count', 'main', 'secret.pay', 'user', 'alice@example.com'].map(one => text(6, one)),
  ].flat(),
);

test('what was redacted is nowhere in what the store gets', async t => {
  const store = await new FakeStore().start();
  t.after(() => store.stop());
  const port = await freePort();
  const gateway = await Gateway.start({
    receivers: { pyroscope: { endpoint: `127.0.0.1:${port}` } },
    processors: {
      labels: {
        actions: [
          { action: 'hash', key: 'user' },
          { action: 'set', key: 'env', value: 'test' },
        ],
      },
      frames: { rules: [{ action: 'redact', match: '^secret\\.', name: 'hidden' }] },
    },
    exporters: { pyroscope: { endpoint: store.url } },
    service: {
      pipelines: { profiles: { receivers: ['pyroscope'], processors: ['labels', 'frames'], exporters: ['pyroscope'] } },
    },
  });
  t.after(() => gateway.kill());
  const answer = await fetch(`http://127.0.0.1:${port}/ingest?name=app&format=pprof`, {
    method: 'POST',
    body: gzipSync(profile),
  });
  assert.equal(answer.status, 200);
  await store.until(() => store.deliveries.length === 1, 'delivery');
  const { body } = store.deliveries[0]!;
  const raw = body[0] === 0x1f ? gunzipSync(body) : body;
  assert.ok(!raw.includes('secret') && !raw.includes('alice'));
  const { samples, functions } = byProtobufjs(raw);
  assert.deepEqual(
    functions.map(({ name }) => name),
    ['main', 'hidden'],
  );
  assert.deepEqual(
    samples.map(({ values, labels }) => [values, labels.map(({ key }) => key)]),
    [
      [[7n], ['user', 'env']],
      [[5n], ['env']],
    ],
  );
  assert.equal(await gateway.stop(), 0);
});

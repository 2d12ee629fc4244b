import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { authorization } from '../../../src/net/auth.ts';
import { HttpClient } from '../../../src/net/client.ts';
import { GrpcClient } from '../../../src/net/grpc-client.ts';
import { Listeners } from '../../../src/net/listeners.ts';
import { readRpcStatus } from '../../../src/wire/otlp/response.ts';
import { SlabPool } from '../../../src/workers/slabs.ts';

/** Where a token file may be; there is none yet. */
function place(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'flamegate-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return join(folder, 'token');
}
const withFile = (token_file: string) => ({ bearer: { token_file } });
const never = new AbortController().signal;

test('while a token file is gone or empty the last token counts; then the new one', t => {
  const path = place(t);
  let nowMs = 10_000;
  t.mock.method(performance, 'now', () => nowMs);
  const value = authorization(withFile(path))!;
  assert.throws(value, /token file cannot be read: ENOENT/);
  writeFileSync(path, '');
  assert.throws(value, /token file cannot be read: .* is empty/);
  writeFileSync(path, 'one\n');
  assert.equal(value(), 'Bearer one');
  const steps: [() => void, string][] = [
    [() => rmSync(path), 'Bearer one'],
    [() => writeFileSync(path, ''), 'Bearer one'],
    [() => writeFileSync(path, 'two'), 'Bearer two'],
  ];
  for (const [n, [step, want]] of steps.entries()) {
    step();
    if (n > 0) utimesSync(path, n, n);
    nowMs += 1001;
    assert.equal(value(), want, `step ${n}`);
  }
});

test('a port without a token yet sends everybody away for a while, over HTTP and gRPC', async t => {
  const path = place(t);
  const instrument = { record() {} };
  const listeners = new Listeners({
    memory: new SlabPool({ budgetBytes: 1 << 20 }),
    log: { debug() {}, info() {}, error() {}, warn() {} },
    meter: { counter: () => instrument, gauge: () => instrument, histogram: () => instrument },
  });
  t.after(() => listeners.close(AbortSignal.timeout(2000)));
  const at = { endpoint: '127.0.0.1:0', auth: withFile(path) };
  const route = { method: 'POST' as const, rpc: true as const, handle: async () => ({ status: 200, body: '' }) };
  await listeners.bind('a', at, { name: 'a', routes: [{ path: '/s/Call', ...route }] }).start!();
  const base = `http://127.0.0.1:${listeners.address(at.endpoint)!.port}`;
  const ask = async () => {
    const answer = await fetch(`${base}/s/Call`, { method: 'POST', headers: { authorization: 'Bearer t' } });
    await answer.text();
    return [answer.status, answer.headers.get('retry-after')];
  };
  assert.deepEqual(await ask(), [503, '5']);
  const metadata = { authorization: 'Bearer t' };
  const client = new GrpcClient({ endpoint: new URL(base), headers: metadata });
  t.after(() => client.close());
  const call = await client.call('/s/Call', {}, [], 'identity', never);
  assert.ok(call.kind === 'answer');
  assert.equal(call.code, 14);
  assert.equal(readRpcStatus(call.details!, 'protobuf').retryAfterMs, 5000);
  writeFileSync(path, 't');
  assert.deepEqual(await ask(), [200, null]);
  rmSync(path);
  assert.deepEqual(await ask(), [200, null]);
});

test('clients without a token yet can try again', async t => {
  const config = { endpoint: new URL('http://127.0.0.1:1'), headers: {}, auth: withFile(place(t)) };
  const [http, rpc] = [new HttpClient(config), new GrpcClient(config)];
  for (const outcome of [
    await http.post('/', '', {}, [], never),
    await rpc.call('/s/Call', {}, [], 'identity', never),
  ]) {
    assert.ok(outcome.kind === 'failure');
    assert.equal(outcome.retryable, true);
    assert.match(outcome.error.message, /token file cannot be read/);
  }
});

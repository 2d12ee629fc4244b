// TLS in both directions, with certificates made for the test.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { HttpClient } from '../../../src/net/client.ts';
import { Listeners } from '../../../src/net/listeners.ts';
import { SlabPool } from '../../../src/workers/slabs.ts';
import { freePort } from '../../kit/gateway.ts';

const dir = mkdtempSync(join(tmpdir(), 'flamegate-tls-'));
const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')];
const made = spawnSync('openssl', [
  'req',
  '-x509',
  '-newkey',
  'ec',
  '-pkeyopt',
  'ec_paramgen_curve:prime256v1',
  '-nodes',
  '-keyout',
  key,
  '-out',
  cert,
  '-days',
  '2',
  '-subj',
  '/CN=localhost',
  '-addext',
  'subjectAltName=DNS:localhost,IP:127.0.0.1',
]);
/** As of the configuration. */
const FRESH = { min_version: '1.2', reload_interval: 10_000 } as const;
const skip = made.status === 0 ? false : 'openssl is not installed';

test('a port serves over TLS and a client trusts it by ca_file; without it the failure says what to set', {
  skip,
}, async t => {
  const instrument = { record() {} };
  const listeners = new Listeners({
    memory: new SlabPool({ budgetBytes: 1 << 24 }),
    log: { debug() {}, info() {}, warn() {}, error() {} },
    meter: { counter: () => instrument, gauge: () => instrument, histogram: () => instrument },
  });
  t.after(() => listeners.close(AbortSignal.timeout(2000)));
  const at = { endpoint: '127.0.0.1:0', tls: { cert_file: cert, key_file: key } };
  const handle = async () => ({ status: 200, body: 'secure' });
  await listeners.bind('a', at, { name: 'a', routes: [{ path: '/x', method: 'POST', handle }] }).start!();
  const endpoint = new URL(`https://127.0.0.1:${listeners.address(at.endpoint)!.port}`);
  const ask = async (tls?: {
    ca_file?: string;
    insecure_skip_verify: boolean;
    min_version: '1.2';
    reload_interval: number;
  }) => {
    const client = new HttpClient({ endpoint, headers: {}, ...(tls && { tls }) });
    const answer = await client.post('/x', '', {}, [Buffer.from('x')], new AbortController().signal);
    await client.close();
    return answer.kind === 'answer' ? answer.body.toString() : answer.error.message;
  };
  assert.equal(await ask({ ca_file: cert, insecure_skip_verify: false, ...FRESH }), 'secure');
  assert.equal(await ask({ insecure_skip_verify: true, ...FRESH }), 'secure');
  assert.match(await ask(), /self-signed; set tls\.ca_file/);
});

test('other tls settings of an open port take effect with the newer binding, and the old ones when it leaves', {
  skip,
}, async t => {
  const instrument = { record() {} };
  const listeners = new Listeners({
    memory: new SlabPool({ budgetBytes: 1 << 24 }),
    log: { debug() {}, info() {}, warn() {}, error() {} },
    meter: { counter: () => instrument, gauge: () => instrument, histogram: () => instrument },
  });
  t.after(() => listeners.close(AbortSignal.timeout(2000)));
  const endpoint = `127.0.0.1:${await freePort()}`;
  const handle = async () => ({ status: 200, body: 'here' });
  const bind = (tls?: { cert_file: string; key_file: string }) =>
    listeners.bind(
      'a',
      { endpoint, ...(tls && { tls }) },
      { name: 'a', routes: [{ path: '/x', method: 'POST', handle }] },
    );
  const ask = async (scheme: string) => {
    const tls = { ca_file: cert, insecure_skip_verify: false, ...FRESH };
    const client = new HttpClient({ endpoint: new URL(`${scheme}://${endpoint}`), headers: {}, tls });
    const answer = await client.post('/x', '', {}, [Buffer.from('x')], new AbortController().signal);
    await client.close();
    return answer.kind === 'answer' ? answer.body.toString() : 'failed';
  };
  const plain = bind();
  await plain.start!();
  const secure = bind({ cert_file: cert, key_file: key });
  await secure.start!();
  assert.deepEqual([await ask('https'), await ask('http')], ['here', 'failed']);
  await secure.stop!(AbortSignal.abort());
  assert.deepEqual([await ask('https'), await ask('http')], ['failed', 'here']);
});

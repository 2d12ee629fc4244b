// A port's side of TLS: ALPN, clients with certificates, versions, and files that change.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { get } from 'node:https';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connect, type PeerCertificate, type TLSSocket } from 'node:tls';
import * as grpc from '@grpc/grpc-js';
import type { ServerTls } from '../../../src/api/index.ts';
import { Listeners } from '../../../src/net/listeners.ts';
import { SlabPool } from '../../../src/workers/slabs.ts';
import { authority, noOpenssl } from '../../kit/certificates.ts';

const skip = noOpenssl;

async function rig(t: TestContext, tls: ServerTls) {
  const outcomes: string[] = [];
  const errors: string[] = [];
  const instrument = {
    record: (_: number, labels?: Record<string, string>) => void (labels?.outcome && outcomes.push(labels.outcome)),
  };
  const listeners = new Listeners({
    memory: new SlabPool({ budgetBytes: 1 << 24 }),
    log: {
      debug() {},
      info() {},
      warn() {},
      error: (_phrase, { error }: { error?: Error } = {}) => void errors.push(error!.message),
    },
    meter: { counter: () => instrument, gauge: () => instrument, histogram: () => instrument },
  });
  t.after(() => listeners.close(AbortSignal.timeout(2000)));
  const at = { endpoint: '127.0.0.1:0', tls };
  await listeners.bind('a', at, {
    name: 'a',
    routes: [
      { path: '/x', method: 'GET', handle: async () => ({ status: 200, body: 'secure' }) },
      { path: '/s/Echo', method: 'POST', rpc: true, handle: async () => ({ status: 200, body: 'called' }) },
    ],
  }).start!();
  return { port: listeners.address(at.endpoint)!.port, outcomes, errors };
}

async function subject(port: number, options: object): Promise<string> {
  const socket: TLSSocket = connect({ port, host: '127.0.0.1', ...options });
  await once(socket, 'secureConnect');
  const { subject } = socket.getPeerCertificate() as PeerCertificate;
  socket.destroy();
  return String(subject.CN);
}

test('HTTP/2 is chosen by ALPN, HTTP/1.1 by ALPN or without', { skip }, async t => {
  const ca = authority('ours');
  const { port } = await rig(t, ca.issue('gateway'));
  const trust = { ca: readFileSync(ca.ca_file) };
  const session = connectHttp2(`https://127.0.0.1:${port}`, trust);
  t.after(() => session.close());
  const stream = session.request({ ':path': '/x' });
  const [bytes] = (await once(stream, 'data')) as [Buffer];
  assert.deepEqual([bytes.toString(), session.alpnProtocol], ['secure', 'h2']);
  for (const ALPNProtocols of [['http/1.1'], undefined]) {
    const options = { port, host: '127.0.0.1', path: '/x', ...trust, ALPNProtocols, agent: false as const };
    const [answer] = await once(get(options), 'response');
    assert.equal(answer.statusCode, 200);
    answer.resume();
  }
});

test('HTTP/2 without ALPN, by its preface', { skip }, async t => {
  const ca = authority('ours');
  const { port } = await rig(t, ca.issue('gateway'));
  const socket = connect({ port, host: '127.0.0.1', ca: readFileSync(ca.ca_file) });
  await once(socket, 'secureConnect');
  const session = connectHttp2(`https://127.0.0.1:${port}`, { createConnection: () => socket });
  t.after(() => session.destroy());
  const [bytes] = (await once(session.request({ ':path': '/x' }), 'data')) as [Buffer];
  assert.equal(bytes.toString(), 'secure');
});

test('mTLS: who has a certificate of the authority is let in, nobody else; grpc-js too', { skip }, async t => {
  const [ours, theirs] = [authority('ours'), authority('theirs')];
  const { port } = await rig(t, { ...ours.issue('gateway'), client_ca_file: ours.ca_file });
  const push = (who?: { cert_file: string; key_file: string }) => {
    const pem = (file?: string) => (file === undefined ? null : readFileSync(file));
    const credentials = grpc.credentials.createSsl(pem(ours.ca_file), pem(who?.key_file), pem(who?.cert_file));
    const client = new grpc.Client(`127.0.0.1:${port}`, credentials);
    const same = (bytes: Buffer) => bytes;
    return new Promise<[number, string]>(resolve =>
      client.makeUnaryRequest('/s/Echo', same, same, Buffer.from('x'), (error, bytes) => {
        client.close();
        resolve(error ? [error.code, ''] : [0, String(bytes)]);
      }),
    );
  };
  assert.deepEqual(await push(ours.issue('agent')), [0, 'called']);
  assert.deepEqual(await push(), [14, '']);
  assert.deepEqual(await push(theirs.issue('agent')), [14, '']);
});

test('min_version', { skip }, async t => {
  const ca = authority('ours');
  const { port } = await rig(t, { ...ca.issue('gateway'), min_version: '1.3' });
  const trust = { ca: readFileSync(ca.ca_file) };
  assert.equal(await subject(port, trust), 'gateway');
  await assert.rejects(subject(port, { ...trust, maxVersion: 'TLSv1.2' }));
});

test('changed files serve new connections; ones that cannot be used are told once, and the old ones go on', {
  skip,
}, async t => {
  const ca = authority('ours');
  const [first, second, other] = [ca.issue('first'), ca.issue('second'), ca.issue('other')];
  const files = { cert_file: join(ca.dir, 'live.pem'), key_file: join(ca.dir, 'live-key.pem') };
  const put = ({ cert_file, key_file }: typeof first) => {
    copyFileSync(cert_file, files.cert_file);
    copyFileSync(key_file, files.key_file);
  };
  put(first);
  const { port, outcomes, errors } = await rig(t, { ...files, reload_interval: 1 });
  const trust = { ca: readFileSync(ca.ca_file) };
  assert.equal(await subject(port, trust), 'first');
  const kept = connectHttp2(`https://127.0.0.1:${port}`, trust);
  t.after(() => kept.close());
  await once(kept, 'connect');

  put(second);
  await until(() => outcomes.length === 1);
  assert.equal(await subject(port, trust), 'second');

  for (const [n, spoil] of [
    () => writeFileSync(files.cert_file, 'no certificate'),
    () => copyFileSync(other.cert_file, files.cert_file),
    () => rmSync(files.key_file),
  ].entries()) {
    spoil();
    await until(() => outcomes.length === n + 2);
    await new Promise(resolve => setTimeout(resolve, 1100));
    assert.equal(outcomes.length, n + 2, 'told once');
    assert.equal(await subject(port, trust), 'second');
  }
  put(other);
  await until(() => outcomes.length === 5);
  assert.equal(await subject(port, trust), 'other');
  assert.deepEqual(outcomes, ['taken', 'failed', 'failed', 'failed', 'taken']);
  assert.match(errors[0]!, /tls\.cert_file, tls\.key_file cannot be used together/);
  const [bytes] = (await once(kept.request({ ':path': '/x' }), 'data')) as [Buffer];
  assert.equal(bytes.toString(), 'secure');
});

test('files that cannot be used are an error at the start', { skip }, async t => {
  const ca = authority('ours');
  const [good, other] = [ca.issue('a'), ca.issue('b')];
  await assert.rejects(
    rig(t, { ...good, key_file: join(ca.dir, 'nowhere') }),
    /cannot listen on 127\.0\.0\.1:0: tls\.key_file cannot be read: ENOENT/,
  );
  await assert.rejects(
    rig(t, { ...good, key_file: other.key_file }),
    /tls\.cert_file, tls\.key_file cannot be used together/,
  );
});

async function until(done: () => boolean): Promise<void> {
  for (let n = 0; n < 1000 && !done(); n++) await new Promise(resolve => setTimeout(resolve, 10));
  assert.ok(done());
}

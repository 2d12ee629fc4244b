// The way to a running gateway: its certificate, its credentials, and what it says instead of an answer.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { Secret } from '../../../src/api/index.ts';
import { RemoteOperations } from '../../../src/queue/remote.ts';

const dir = mkdtempSync(join(tmpdir(), 'flamegate-remote-'));
after(() => rmSync(dir, { recursive: true }));

/** A certificate for a name that nobody here has. */
function certificate(name: string): { cert_file: string; key_file: string } | undefined {
  const [key_file, cert_file] = [join(dir, `${name}-key.pem`), join(dir, `${name}.pem`)];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const made = spawnSync('openssl', [
    'req',
    '-x509',
    ...curve,
    '-keyout',
    key_file,
    '-out',
    cert_file,
    '-subj',
    `/CN=${name}`,
  ]);
  return made.status === 0 ? { cert_file, key_file } : undefined;
}
const [own, other] = [certificate('gateway.internal'), certificate('another.internal')];

async function serve(t: TestContext, answer: RequestListener, tls = false, clients?: string): Promise<string> {
  const mutual = clients !== undefined && { ca: readFileSync(clients), requestCert: true, rejectUnauthorized: true };
  const server = tls
    ? createTlsServer({ cert: readFileSync(own!.cert_file), key: readFileSync(own!.key_file), ...mutual }, answer)
    : createServer(answer);
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}
const remote = (t: TestContext, admin: ConstructorParameters<typeof RemoteOperations>[1]) => {
  const operations = new RemoteOperations('/q/queue.db', admin);
  t.after(() => operations.close());
  return operations;
};

test('over TLS exactly the configured certificate is trusted', {
  skip: own ? false : 'openssl is not installed',
}, async t => {
  const endpoint = await serve(t, (_request, response) => response.end('{"entries":[]}'), true);
  assert.deepEqual(await remote(t, { endpoint, tls: own! }).entries({}, 0, 1), { entries: [] });
  await assert.rejects(
    remote(t, { endpoint, tls: other! }).entries({}, 0, 1),
    /no gateway answers at https:.*CERT|SELF_SIGNED|UNABLE/,
  );
});

test('where the port wants a certificate of its clients too, the gateway’s own is shown', {
  skip: own ? false : 'openssl is not installed',
}, async t => {
  const { cert_file } = own!;
  const endpoint = await serve(t, (_request, response) => response.end('{"entries":[]}'), true, cert_file);
  const tls = { ...own!, client_ca_file: cert_file };
  assert.deepEqual(await remote(t, { endpoint, tls }).entries({}, 0, 1), { entries: [] });
  await assert.rejects(remote(t, { endpoint, tls: own! }).entries({}, 0, 1));
});

test('a question carries the token, or what `auth` asks for, and everything that it means', async t => {
  const got: string[] = [];
  const endpoint = await serve(t, ({ method, url, headers }, response) => {
    got.push(`${method} ${url} ${headers.authorization} ${headers.origin}`);
    response.end('{"replayed":0}');
  });
  const basic = { username: 'u', password: new Secret('p') };
  await remote(t, { endpoint, token: new Secret('s3cret') }).replay(
    { queue: 'a b', state: 'dead', sinceMs: 5 },
    'x',
    true,
    7,
  );
  await remote(t, { endpoint, auth: { basic } }).purge({ untilMs: 6 }, 0);
  await remote(t, { endpoint: endpoint.replace('127.0.0.1', '0.0.0.0') }).verify(3);
  assert.deepEqual(got, [
    'POST /api/v1/queues/replay?file=%2Fq%2Fqueue.db&queue=a+b&state=dead&since=5&to=x&keep=true&after=7 Bearer s3cret undefined',
    'POST /api/v1/queues/purge?file=%2Fq%2Fqueue.db&state=all&until=6&after=0 Basic dTpw undefined',
    'GET /api/v1/queues/verify?file=%2Fq%2Fqueue.db&after=3 undefined undefined',
  ]);
});

test('what is no answer is a sentence', async t => {
  let answer: [number, string] = [404, 'nothing is served at this path; here are:\n'];
  const endpoint = await serve(t, (_request, response) => response.writeHead(answer[0]).end(answer[1]));
  const operations = remote(t, { endpoint });
  await assert.rejects(operations.verify(0), /what listens at http:\/\/127.* knows nothing of queues/);
  answer = [401, '{"code":"unauthenticated","message":"the admin token is missing or wrong"}'];
  await assert.rejects(operations.verify(0), /answered 401: the admin token is missing or wrong$/);
  answer = [422, '{"code":"damaged","message":"payload 3 is damaged"}'];
  await assert.rejects(operations.payload(3), { code: 'damaged', message: 'payload 3 is damaged' });
  answer = [404, '{"code":"gone","message":"entry 3 is not there any more"}'];
  assert.equal(await operations.payload(3), undefined);
  answer = [200, '{"files":[{"file":"/a","queues":[]},{"file":"/b","queues":[]}]}'];
  await assert.rejects(operations.tally(), /the gateway at .* does not have \/q\/queue\.db open/);
  assert.throws(() => remote(t, { endpoint: '127.0.0.1:0' }), /admin\.endpoint has port 0/);
});

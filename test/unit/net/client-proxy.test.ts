// Proxies: which one is taken, and both clients through a small one.
import assert from 'node:assert/strict';
import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import { createServer as createHttp2, createSecureServer } from 'node:http2';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { HttpClient } from '../../../src/net/client.ts';
import { proxyFor } from '../../../src/net/client-proxy.ts';
import type { ClientTlsSettings } from '../../../src/net/client-tls.ts';
import { GrpcClient } from '../../../src/net/grpc-client.ts';
import { authority, type Certificate, read, signedBy, noOpenssl as skip } from './certificates.ts';

const signal = () => new AbortController().signal;
const SECRET = 'p%40ss';
const CREDENTIALS = `Basic ${Buffer.from('user:p@ss').toString('base64')}`;

test('a proxy comes from the configuration, else from the environment, where NO_PROXY makes exceptions', () => {
  const env = { HTTPS_PROXY: 'http://secure:1', http_proxy: 'plain:2', NO_PROXY: '' };
  const host = (store: string, more: object = {}) => proxyFor(new URL(store), undefined, { ...env, ...more })?.host;
  assert.deepEqual([host('https://store:4317'), host('http://store')], ['secure', 'plain']);
  assert.equal(host('https://127.0.0.1:4317'), undefined);
  assert.equal(host('https://localhost'), undefined);
  assert.equal(proxyFor(new URL('http://127.0.0.1'), new URL('http://own:3'), env)?.host, 'own');
  assert.equal(proxyFor(new URL('http://a'), undefined, {}), undefined);
  const excepted = (NO_PROXY: string, store: string) => host(store, { NO_PROXY }) === undefined;
  const cases: [no: string, store: string, excepted: boolean][] = [
    ['*', 'https://a.b', true],
    ['b', 'https://a.b', true],
    ['b', 'https://b', true],
    ['b', 'https://ab', false],
    ['.b', 'https://a.b', true],
    ['.b', 'https://b', false],
    ['*.b', 'https://a.b', true],
    ['x, A.B ', 'https://a.b', true],
    ['a.b:4317', 'https://a.b:4317', true],
    ['a.b:4317', 'https://a.b', false],
    ['a.b:443', 'https://a.b', true],
    ['10.0.0.0/8', 'https://10.1.2.3', true],
    ['10.0.0.0/8', 'https://11.1.2.3', false],
    ['10.1.2.3', 'https://10.1.2.3', true],
    ['2.3', 'https://10.1.2.3', false],
    ['fd00::/8', 'https://[fd12::1]', true],
    ['fd12::1', 'https://[fd12::1]', true],
    ['10.0.0.0/99', 'https://10.1.2.3', false],
  ];
  for (const [no, store, wanted] of cases) assert.equal(excepted(no, store), wanted, `${no} ${store}`);
  const [bad] = ['socks5://u:hidden@p:1'];
  assert.throws(
    () => host('https://a', { HTTPS_PROXY: bad }),
    (error: Error) => {
      assert.match(error.message, /HTTPS_PROXY is no http/);
      return !error.message.includes('hidden');
    },
  );
});

test('credentials that are no percent-encoding are refused, without showing them', () => {
  assert.throws(
    () => proxyFor(new URL('http://a'), new URL('http://u:bad%zz@p:1')),
    (error: Error) => /write %25/.test(error.message) && !error.message.includes('bad'),
  );
});

interface Seen {
  readonly method: string | undefined;
  readonly target: string | undefined;
  readonly credentials: string | undefined;
}
interface ProxyRig {
  readonly url: URL;
  readonly seen: Seen[];
}

async function listening(t: TestContext, server: Server | ReturnType<typeof createHttp2>): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  });
  server.on('session', session => session.on('error', () => {}));
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** CONNECT, and http:// in absolute form; with `refuse`, this status. */
async function proxyRig(t: TestContext, tls?: Certificate, refuse?: string): Promise<ProxyRig> {
  const seen: Seen[] = [];
  const server = tls ? createHttps({ key: read(tls.key), cert: read(tls.cert) }) : createServer();
  const note = ({ method, url, headers }: IncomingMessage) =>
    seen.push({ method, target: url, credentials: headers['proxy-authorization'] });
  server.on('request', (request, response) => {
    note(request);
    const { 'proxy-authorization': _own, ...headers } = request.headers;
    const onward = httpRequest(request.url!, { method: 'POST', headers }, answer => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    });
    request.pipe(onward);
  });
  server.on('connect', (request, socket) => {
    note(request);
    if (refuse) {
      socket.end(`HTTP/1.1 ${refuse}\r\n\r\n`);
      return;
    }
    const store = connect(Number(request.url!.split(':')[1]), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      socket.pipe(store).pipe(socket);
    });
    store.on('error', () => socket.destroy());
    socket.on('error', () => store.destroy());
  });
  const port = await listening(t, server as Server);
  return { url: new URL(`${tls ? 'https' : 'http'}://user:${SECRET}@127.0.0.1:${port}`), seen };
}

const answering = (request: { resume(): { on(event: 'end', then: () => void): unknown } }, then: () => void) =>
  request.resume().on('end', then);

async function posted(endpoint: string, proxy_url: URL, tls?: ClientTlsSettings): Promise<string> {
  const client = new HttpClient({ endpoint: new URL(endpoint), headers: {}, proxy_url, tls });
  const answer = await client.post('/x', 'a=1', {}, [Buffer.from('body')], signal());
  await client.close();
  return answer.kind === 'answer' ? `${answer.status} ${answer.body}` : answer.error.message;
}

async function called(endpoint: string, proxy_url: URL, tls?: ClientTlsSettings): Promise<string> {
  const client = new GrpcClient({ endpoint: new URL(endpoint), headers: {}, proxy_url, tls });
  const answer = await client.call('/s/M', {}, [Buffer.from('body')], 'identity', signal());
  await client.close();
  return answer.kind === 'answer' ? `${answer.code} ${answer.message}` : answer.error.message;
}

const tlsOf = (ca: Certificate): ClientTlsSettings => ({
  ca_file: ca.cert,
  insecure_skip_verify: false,
  min_version: '1.2',
  reload_interval: 10_000,
});

test('http:// goes in absolute form, with the credentials of the URL', async t => {
  const store = await listening(
    t,
    createServer((request, response) =>
      answering(request, () => response.end(`${request.url} ${request.headers.host}`)),
    ),
  );
  const { url, seen } = await proxyRig(t);
  assert.equal(await posted(`http://127.0.0.1:${store}/base`, url), `200 /base/x?a=1 127.0.0.1:${store}`);
  const target = `http://127.0.0.1:${store}/base/x?a=1`;
  assert.deepEqual(seen, [{ method: 'POST', target, credentials: CREDENTIALS }]);
});

test('https:// and gRPC, with and without TLS, go by CONNECT, over a proxy that may itself be TLS', {
  skip,
}, async t => {
  const ca = authority('ca');
  const own = signedBy(ca, 'store', 'IP:127.0.0.1');
  const pems = { key: read(own.key), cert: read(own.cert) };
  const https = await listening(
    t,
    createHttps(pems, (request, response) => answering(request, () => response.end('secure'))) as unknown as Server,
  );
  const grpcServers = [createHttp2(), createSecureServer(pems)] as ReturnType<typeof createHttp2>[];
  for (const server of grpcServers)
    server.on('stream', stream =>
      answering(stream, () =>
        stream.respond(
          { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '0', 'grpc-message': 'called' },
          { endStream: true },
        ),
      ),
    );
  const [h2c, h2] = [await listening(t, grpcServers[0]!), await listening(t, grpcServers[1]!)];
  for (const { url, seen } of [await proxyRig(t), await proxyRig(t, own)]) {
    assert.equal(await posted(`https://127.0.0.1:${https}`, url, tlsOf(ca)), '200 secure');
    assert.equal(await called(`http://127.0.0.1:${h2c}`, url, tlsOf(ca)), '0 called');
    assert.equal(await called(`https://127.0.0.1:${h2}`, url, tlsOf(ca)), '0 called');
    assert.deepEqual(
      seen,
      [https, h2c, h2].map(port => ({ method: 'CONNECT', target: `127.0.0.1:${port}`, credentials: CREDENTIALS })),
    );
  }
});

test('a proxy that refuses is named, its credentials are not', { skip }, async t => {
  const { url } = await proxyRig(t, undefined, '407 Proxy Authentication Required');
  for (const said of [await posted('https://store:443', url), await called('http://store:4317', url)]) {
    assert.match(said, /the proxy 127\.0\.0\.1:\d+ answered 407 to CONNECT store:\d+/);
    assert.ok(!said.includes('p@ss') && !said.includes(SECRET) && !said.includes(CREDENTIALS));
  }
});

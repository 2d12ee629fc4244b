// TLS of both clients towards servers of node:https and node:http2.
import assert from 'node:assert/strict';
import { copyFileSync, writeFileSync } from 'node:fs';
import { createSecureServer } from 'node:http2';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { getCACertificates, type SecureVersion, setDefaultCACertificates, type TLSSocket } from 'node:tls';
import { HttpClient } from '../../../src/net/client.ts';
import type { ClientTlsSettings } from '../../../src/net/client-tls.ts';
import { GrpcClient } from '../../../src/net/grpc-client.ts';
import { authority, type Certificate, freshPath, read, signedBy, noOpenssl as skip } from './certificates.ts';

const LOCAL = 'DNS:localhost,IP:127.0.0.1';
const signal = () => new AbortController().signal;
const settings = (of: Partial<ClientTlsSettings> = {}): ClientTlsSettings => ({
  insecure_skip_verify: false,
  min_version: '1.2',
  reload_interval: 10_000,
  ...of,
});

interface ServerOptions {
  readonly client?: Certificate;
  readonly maxVersion?: SecureVersion;
}
const options = (own: Certificate, { client, maxVersion }: ServerOptions) => ({
  key: read(own.key),
  cert: read(own.cert),
  ...(client && { ca: read(client.cert), requestCert: true, rejectUnauthorized: true }),
  ...(maxVersion && { maxVersion }),
});
const peer = (socket: unknown) => String((socket as TLSSocket).getPeerCertificate?.().subject?.CN ?? '');

/** Answers with the name of the client's certificate. */
async function https(t: TestContext, own: Certificate, of: ServerOptions = {}): Promise<number> {
  const server = createServer(options(own, of), (request, response) => {
    request.resume().on('end', () => response.setHeader('connection', 'close').end(peer(request.socket)));
  });
  server.on('tlsClientError', () => {});
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** The same in gRPC, as the message of its status. */
async function grpc(t: TestContext, own: Certificate, of: ServerOptions = {}): Promise<number> {
  const server = createSecureServer(options(own, of));
  server.on('session', session => session.on('error', () => {}));
  server.on('stream', stream => {
    const name = peer(stream.session?.socket);
    stream.on('error', () => {});
    stream.resume().on('end', () => {
      const status = { 'grpc-status': '0', 'grpc-message': name };
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...status }, { endStream: true });
      stream.session?.close();
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.after(() => void server.close());
  return (server.address() as AddressInfo).port;
}

const clients = {
  http: (port: number, tls?: ClientTlsSettings) => {
    const client = new HttpClient({ endpoint: new URL(`https://127.0.0.1:${port}`), headers: {}, tls });
    const ask = async () => {
      const answer = await client.post('/', '', {}, [Buffer.from('x')], signal());
      return answer.kind === 'answer' ? answer.body.toString() : answer.error.message;
    };
    return { ask, close: () => client.close() };
  },
  grpc: (port: number, tls?: ClientTlsSettings) => {
    const client = new GrpcClient({ endpoint: new URL(`https://127.0.0.1:${port}`), headers: {}, tls });
    const ask = async () => {
      const answer = await client.call('/s/M', {}, [Buffer.from('x')], 'identity', signal());
      return answer.kind === 'answer' ? answer.message : answer.error.message;
    };
    return { ask, close: () => client.close() };
  },
};
const servers = { http: https, grpc };

for (const kind of ['http', 'grpc'] as const) {
  const once = async (port: number, tls?: ClientTlsSettings) => {
    const client = clients[kind](port, tls);
    const said = await client.ask();
    await client.close();
    return said;
  };

  test(`${kind}: ca_file is trusted beside the authorities of the system, not instead`, { skip }, async t => {
    const [system, own, foreign] = [authority('system'), authority('own'), authority('foreign')];
    setDefaultCACertificates([...getCACertificates('default'), String(read(system.cert))]);
    // The roots are read once in a process, before the test changed them: a fresh copy of the module reads them again.
    const { ClientTls } = (await import(`../../../src/net/client-tls.ts?${kind}`)) as {
      ClientTls: typeof import('../../../src/net/client-tls.ts').ClientTls;
    };
    const { connect } = await import('node:tls');
    const trusts = async (by: Certificate, tls: ClientTlsSettings | undefined) => {
      const port = await servers[kind](t, signedBy(by, 'store', LOCAL));
      const client = new ClientTls(tls, [kind === 'grpc' ? 'h2' : 'http/1.1']);
      return new Promise<boolean>(resolve => {
        const socket = connect({ ...client.options('127.0.0.1'), host: '127.0.0.1', port }, () => {
          resolve(true);
          socket.destroy();
        });
        socket.on('error', () => resolve(false));
      });
    };
    const tls = settings({ ca_file: own.cert });
    assert.deepEqual(
      [await trusts(own, tls), await trusts(system, tls), await trusts(foreign, tls)],
      [true, true, false],
    );
    assert.deepEqual([await trusts(own, undefined), await trusts(system, undefined)], [false, true]);
  });

  test(`${kind}: the certificate must hold the name, unless server_name_override says another`, { skip }, async t => {
    const ca = authority('ca');
    const port = await servers[kind](t, signedBy(ca, 'store', 'DNS:store.internal'));
    assert.match(await once(port, settings({ ca_file: ca.cert })), /set tls\.server_name_override/);
    assert.equal(await once(port, settings({ ca_file: ca.cert, server_name_override: 'store.internal' })), '');
    assert.equal(await once(port, settings({ insecure_skip_verify: true })), '');
    assert.match(await once(port), /set tls\.ca_file/);
  });

  test(`${kind}: min_version 1.3 refuses an older store`, { skip }, async t => {
    const ca = authority('ca');
    const port = await servers[kind](t, signedBy(ca, 'store', LOCAL), { maxVersion: 'TLSv1.2' });
    assert.equal(await once(port, settings({ ca_file: ca.cert })), '');
    assert.match(await once(port, settings({ ca_file: ca.cert, min_version: '1.3' })), /protocol/i);
  });

  test(`${kind}: a client certificate that changed is used for new connections, a damaged one is not`, {
    skip,
  }, async t => {
    const ca = authority('ca');
    const [first, second] = [signedBy(ca, 'first'), signedBy(ca, 'second')];
    const port = await servers[kind](t, signedBy(ca, 'store', LOCAL), { client: ca });
    const [cert_file, key_file] = [freshPath(), freshPath()];
    const use = (one: Certificate) => {
      copyFileSync(one.cert, cert_file);
      copyFileSync(one.key, key_file);
    };
    use(first);
    const files = { ca_file: ca.cert, cert_file, key_file };
    const client = clients[kind](port, settings({ ...files, reload_interval: 0 }));
    const lazy = clients[kind](port, settings(files));
    t.after(() => Promise.all([client.close(), lazy.close()]));
    assert.deepEqual([await client.ask(), await lazy.ask()], ['first', 'first']);
    use(second);
    assert.deepEqual([await client.ask(), await lazy.ask()], ['second', 'first']);
    writeFileSync(cert_file, 'half a certif');
    assert.equal(await client.ask(), 'second');
    use(first);
    assert.equal(await client.ask(), 'first');
  });

  test(`${kind}: a file that is missing is said at the start`, { skip }, () => {
    assert.throws(() => clients[kind](1, settings({ ca_file: freshPath() })), /ENOENT/);
  });
}

test('grpc: a store without HTTP/2 is said to be one', { skip }, async t => {
  const ca = authority('ca');
  const client = clients.grpc(await https(t, signedBy(ca, 'store', LOCAL)), settings({ ca_file: ca.cert }));
  t.after(() => client.close());
  assert.match(await client.ask(), /does not speak HTTP\/2|no application protocol/);
});

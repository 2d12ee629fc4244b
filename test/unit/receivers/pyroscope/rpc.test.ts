// Push as gRPC, gRPC-Web and Connect over HTTP/2, through a real port: the same batch as over HTTP/1.1, and errors as statuses.
import assert from 'node:assert/strict';
import { connect } from 'node:http2';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import * as grpc from '@grpc/grpc-js';
import { Listeners } from '../../../../src/net/listeners.ts';
import { Config } from '../../../../src/receivers/pyroscope/config.ts';
import { protocolOf } from '../../../../src/receivers/pyroscope/receiver.ts';
import { encodePush } from '../../../../src/wire/pyroscope/push.ts';
import { SlabPool } from '../../../../src/workers/slabs.ts';
import { numbered } from '../../../kit/pprof.ts';
import { NOT_ACCEPTED, Rig } from '../fixtures.ts';

const PATH = '/push.v1.PusherService/Push';
const labels: [string, string][] = [
  ['__name__', 'process_cpu'],
  ['service_name', 'shop'],
];
const request = Buffer.concat(encodePush([{ labels, samples: [{ rawProfile: numbered(7), id: '' }] }]));
const same = (bytes: Buffer) => bytes;

test('gRPC, gRPC-Web and Connect over HTTP/2', async t => {
  const rig = new Rig();
  const memory = new SlabPool({ budgetBytes: 1 << 24, poison: true });
  const listeners = new Listeners({ memory, log: rig.host.log, meter: rig.host.metrics });
  const at = { endpoint: '127.0.0.1:0' };
  await listeners.bind('pyroscope', at, protocolOf(Config.parse({}), rig.host, rig.next)).start!();
  t.after(() => listeners.close(AbortSignal.timeout(2000)));
  const address = `127.0.0.1:${listeners.address(at.endpoint)!.port}`;

  const client = new grpc.Client(address, grpc.credentials.createInsecure(), {
    'grpc.default_compression_algorithm': grpc.compressionAlgorithms.gzip,
  });
  t.after(() => client.close());
  const push = (message: Buffer) =>
    new Promise<[number, string]>(resolve =>
      client.makeUnaryRequest(PATH, same, same, message, (error, bytes) =>
        resolve(error ? [error.code, error.details] : [0, bytes!.toString('latin1')]),
      ),
    );
  assert.deepEqual(await push(request), [0, '']);
  assert.deepEqual([...rig.only.batch.profiles[0]!.attributes], labels);
  const sent = rig.only.payloads;

  assert.deepEqual(await push(Buffer.alloc(0)), [3, 'no profiles received']);
  for (const [n, code] of [8, 14, 3, 13].entries()) {
    rig.answer = () => NOT_ACCEPTED[n]!;
    assert.equal((await push(request))[0], code);
  }
  rig.answer = () => ({ kind: 'accepted' });
  rig.seen.length = 0;

  const frame = Buffer.concat([Buffer.from([0, 0, 0, 0, request.length]), request]);
  frame.writeUInt32BE(request.length, 1);
  const web = await fetch(`http://${address}/prefix${PATH}`, {
    method: 'POST',
    headers: { 'content-type': 'application/grpc-web+proto' },
    body: frame,
  });
  assert.match(await web.text(), /grpc-status: 0/);
  assert.deepEqual(rig.only.payloads, sent);
  rig.seen.length = 0;

  const session = connect(`http://${address}`);
  t.after(() => session.close());
  const stream = session.request({
    ':method': 'POST',
    ':path': PATH,
    'content-type': 'application/proto',
    'content-encoding': 'gzip',
    'connect-protocol-version': '1',
  });
  stream.end(gzipSync(request));
  const status = await new Promise(resolve => stream.on('response', fields => resolve(fields[':status'])));
  assert.equal(status, 200);
  assert.deepEqual(rig.only.payloads, sent);
});

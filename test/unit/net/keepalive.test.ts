// How long connections of HTTP/2 are kept. The sweep comes once a second.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { keepalive } from '../../../src/api/fields.ts';
import { Listeners } from '../../../src/net/listeners.ts';
import { SlabPool } from '../../../src/workers/slabs.ts';

async function rig(t: TestContext, parameters: Record<string, string>) {
  const instrument = { record() {} };
  const listeners = new Listeners({
    memory: new SlabPool({ budgetBytes: 1 << 20 }),
    log: { debug() {}, info() {}, error() {}, warn() {} },
    meter: { counter: () => instrument, gauge: () => instrument, histogram: () => instrument },
  });
  t.after(() => listeners.close(AbortSignal.timeout(2000)));
  const at = { endpoint: '127.0.0.1:0', keepalive: keepalive().parse({ server_parameters: parameters }) };
  const open = Promise.withResolvers<void>();
  const handle = async () => {
    await open.promise;
    return { status: 200, body: 'late' };
  };
  await listeners.bind('a', at, { name: 'a', routes: [{ path: '/x', method: 'GET', handle }] }).start!();
  const { port } = listeners.address(at.endpoint)!;
  const client = () => {
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    session.on('error', () => {});
    t.after(() => session.destroy());
    return session;
  };
  return { port, open, client };
}

test('one without requests is closed, one with a request is not', async t => {
  const { client, open } = await rig(t, { max_connection_idle: '100ms' });
  const [idle, busy] = [client(), client()];
  const stream = busy.request({ ':path': '/x' });
  await once(idle, 'close');
  assert.ok(!busy.closed);
  open.resolve();
  const [bytes] = (await once(stream, 'data')) as [Buffer];
  assert.equal(bytes.toString(), 'late');
  await once(busy, 'close');
});

test('an old one is asked to end, and its requests are answered', async t => {
  const { client, open } = await rig(t, { max_connection_age: '100ms' });
  const session = client();
  const stream = session.request({ ':path': '/x' });
  await once(session, 'goaway');
  open.resolve();
  const [bytes] = (await once(stream, 'data')) as [Buffer];
  assert.equal(bytes.toString(), 'late');
  await once(session, 'close');
});

test('an old one that does not end in its grace is closed', async t => {
  const { client, open } = await rig(t, { max_connection_age: '100ms', max_connection_age_grace: '100ms' });
  const session = client();
  session.request({ ':path': '/x' }).on('error', () => {});
  await once(session, 'close');
  open.resolve();
});

test('one that answers no ping is closed, one that does is kept', async t => {
  const { port, client } = await rig(t, { time: '500ms', timeout: '500ms' });
  const alive = client();
  const dead = connect(port, '127.0.0.1');
  dead.write(
    Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])]),
  );
  const got: Buffer[] = [];
  dead.on('data', bytes => got.push(bytes));
  dead.on('error', () => {});
  await once(dead, 'close');
  assert.ok(Buffer.concat(got).includes(Buffer.from([0, 0, 8, 6, 0, 0, 0, 0, 0])), 'a PING came');
  assert.ok(!alive.closed && !alive.destroyed);
});

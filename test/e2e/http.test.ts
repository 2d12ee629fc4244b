// Bad HTTP: wrong lengths, half bodies, stalls, wrong paths and methods, too large bodies; and good requests beside them.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { freePort, Gateway } from '../kit/gateway.ts';
import { numbered } from '../kit/pprof.ts';
import { FakeStore } from '../kit/store.ts';

const MIB = 1024 * 1024;
let gateway: Gateway;
let store: FakeStore;
let port: number;
let base: string;

before(async () => {
  store = await new FakeStore().start();
  port = await freePort();
  base = `http://127.0.0.1:${port}`;
  gateway = await Gateway.start({
    receivers: {
      pyroscope: { endpoint: `127.0.0.1:${port}`, max_body_size: '1MiB' },
      pprof_http: { endpoint: `127.0.0.1:${port}` },
    },
    exporters: { pyroscope: { endpoint: store.url } },
    service: { pipelines: { profiles: { receivers: ['pyroscope', 'pprof_http'], exporters: ['pyroscope'] } } },
  });
});
after(async () => {
  assert.equal(await gateway.stop(), 0);
  await store.stop();
});

const post = (query: string, body: Buffer | ReadableStream, headers: Record<string, string> = {}) =>
  fetch(`${base}/ingest?${query}`, { method: 'POST', body: body as never, headers, duplex: 'half' } as RequestInit);

/** Raw bytes in, everything that comes back until the other side closes or `enough` says so. */
function raw(text: string, enough: (answer: string) => boolean): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket: Socket = connect(port, '127.0.0.1', () => socket.write(text));
    socket.setTimeout(20_000, () => socket.destroy(new Error('nothing came back')));
    socket.on('data', chunk => {
      answer += chunk;
      if (enough(answer)) socket.destroy();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
  });
}

test('an unknown path is 404 with the paths that there are, a wrong method 405 with the right one', async () => {
  const lost = await fetch(`${base}/nowhere`, { method: 'POST' });
  assert.equal(lost.status, 404);
  const paths = await lost.text();
  for (const path of ['/ingest', '/push.v1.PusherService/Push', '/ready']) assert.ok(paths.includes(path), path);
  const wrong = await fetch(`${base}/ingest`);
  assert.deepEqual([wrong.status, wrong.headers.get('allow')], [405, 'POST']);
  assert.equal((await fetch(`${base}/ready`)).status, 200);
});

test('a declared length over the limit is refused before the body is read, in the form of the door', async () => {
  const answer = await raw(
    `POST /ingest?name=a&format=pprof HTTP/1.1\r\nhost: x\r\ncontent-length: ${100 * MIB}\r\n\r\n`,
    text => text.includes('\r\n\r\n') && text.endsWith('}'),
  );
  assert.match(answer, /^HTTP\/1\.1 413 /);
  assert.match(answer, /"code":"invalid_argument"/);
  const push = await raw(
    `POST /push.v1.PusherService/Push HTTP/1.1\r\nhost: x\r\ncontent-type: application/proto\r\ncontent-length: ${100 * MIB}\r\n\r\n`,
    text => text.includes('\r\n\r\n') && text.endsWith('}'),
  );
  assert.match(push, /^HTTP\/1\.1 400 /);
  assert.match(push, /"code":"invalid_argument"/);
});

test('a chunked body over the limit is refused, and the sender hears it', async () => {
  const stream = new ReadableStream({
    start(controller) {
      for (let n = 0; n < 32; n++) controller.enqueue(new Uint8Array(128 * 1024));
      controller.close();
    },
  });
  assert.equal((await post('name=a&format=pprof', stream)).status, 413);
});

test('a chunked body within the limit arrives whole', async () => {
  const profile = numbered(1);
  const known = store.deliveries.length;
  const stream = new ReadableStream({
    start(controller) {
      for (const byte of profile) controller.enqueue(Uint8Array.of(byte));
      controller.close();
    },
  });
  assert.equal((await post('name=a&format=pprof', stream)).status, 200);
  await store.until(() => store.deliveries.length > known, 'chunked profile');
  assert.ok(store.deliveries.at(-1)!.body.equals(profile));
});

test('half a body harms nobody and is counted', async () => {
  const aborted = 'flamegate_rejected_requests_total{id="pyroscope",protocol="ingest",reason="body_aborted"}';
  const before = await gateway.metric(aborted);
  const socket = connect(port, '127.0.0.1');
  // The interim answer says that the gateway reads the body: only then is it cut off.
  socket.write(
    'POST /ingest?name=a&format=pprof HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 1000\r\n\r\nhalf',
  );
  assert.match(String((await once(socket, 'data'))[0]), /^HTTP\/1\.1 100 /);
  socket.destroy();
  await once(socket, 'close');
  // The gateway sees the end of that connection before it has read a request on a younger one several times over.
  for (let n = 0; n < 1000 && (await gateway.metric(aborted)) === before; n++)
    assert.equal((await fetch(`${base}/ready`)).status, 200);
  assert.equal((await gateway.metric(aborted)) - before, 1);
  assert.equal((await post('name=a&format=pprof', numbered(1))).status, 200);
});

test('a malformed head and a negative or doubled length are refused', async () => {
  const whole = (text: string) => text.includes('\r\n\r\n');
  assert.match(await raw('NONSENSE\r\n\r\n', whole), /^HTTP\/1\.1 400 /);
  assert.match(
    await raw('POST /ingest?name=a HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n', whole),
    /^HTTP\/1\.1 400 /,
  );
  const smuggled =
    'POST /ingest?name=a HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n';
  assert.match(await raw(smuggled, whole), /^HTTP\/1\.1 400 /);
  assert.match(
    await raw(`GET /ready HTTP/1.1\r\nhost: x\r\nx-long: ${'a'.repeat(64 * 1024)}\r\n\r\n`, whole),
    /^HTTP\/1\.1 431 /,
  );
});

test('names, labels and tenants that nobody could store are refused with the rule', async () => {
  const say = async (query: string, headers?: Record<string, string>) => {
    const answer = await post(query, numbered(1), headers);
    return [answer.status, ((await answer.json()) as { code: string }).code];
  };
  assert.deepEqual(await say('format=pprof'), [400, 'invalid_argument']);
  assert.deepEqual(await say(`format=pprof&name=${encodeURIComponent('bad name')}`), [400, 'invalid_argument']);
  assert.deepEqual(await say(`format=pprof&name=${encodeURIComponent('a{b-c=1}')}`), [422, 'unknown']);
  assert.deepEqual(await say(`format=pprof&name=${encodeURIComponent(`a{k=${'v'.repeat(3000)}}`)}`), [422, 'unknown']);
  assert.deepEqual(await say('format=pprof&name=a', { 'x-scope-orgid': 'a|b' }), [400, 'invalid_argument']);
  assert.deepEqual(await say('format=pprof&name=a', { 'content-encoding': 'br' }), [415, 'invalid_argument']);
});

test('a non-empty prev_profile is answered as a store does', async () => {
  const form = new FormData();
  form.set('profile', new Blob([new Uint8Array(numbered(1))]), 'profile.pprof');
  form.set('prev_profile', new Blob([new Uint8Array(numbered(1))]), 'profile.pprof');
  const answer = await fetch(`${base}/ingest?name=a`, { method: 'POST', body: form });
  assert.equal(answer.status, 422);
  assert.match(await answer.text(), /unsupported client version/);
});

test('raw UTF-8 in query and path is read as what it is, at every door', async () => {
  const known = store.deliveries.length;
  const send = async (target: string, body: Buffer, type = 'application/octet-stream') => {
    const socket = connect(port, '127.0.0.1');
    socket.write(
      `POST ${target} HTTP/1.1\r\nhost: x\r\ncontent-type: ${type}\r\ncontent-length: ${body.length}\r\n\r\n`,
    );
    socket.write(body);
    const [answer] = await once(socket, 'data');
    socket.destroy();
    return String(answer).slice(9, 12);
  };
  const profile = numbered(9);
  assert.equal(await send('/größe/ingest?name=app{k=prüfung}&format=pprof', profile), '200');
  assert.equal(await send('/v1/pprof?service_name=köln&k=prüfung', profile), '204');
  const push = JSON.stringify({
    series: [
      {
        labels: [
          { name: '__name__', value: 'cpu' },
          { name: 'service_name', value: 'köln' },
        ],
        samples: [{ rawProfile: profile.toString('base64') }],
      },
    ],
  });
  assert.equal(await send('/größe/push.v1.PusherService/Push', Buffer.from(push), 'application/json'), '200');
  await store.until(() => store.deliveries.length >= known + 3, 'three profiles');
  const said = store.deliveries.slice(known);
  const ingest = said.find(({ path }) => path === '/ingest')!;
  assert.equal(new URLSearchParams(ingest.query).get('name'), 'app{k=prüfung}');
  assert.equal(ingest.query, 'name=app{k=pr%C3%BCfung}&format=pprof');
  const labels = said.flatMap(({ pushed }) => pushed.map(one => JSON.stringify([...one.labels])));
  assert.equal(labels.length, 2);
  for (const label of labels) assert.ok(label.includes('köln'), label);
  assert.ok(labels.some(label => label.includes('prüfung')));
});

test('profiles of any age are accepted, the store decides', async () => {
  assert.equal((await post('name=a&format=pprof&from=1&until=2', numbered(1))).status, 200);
});

test('good requests between many bad ones all arrive, and the process stays', async () => {
  const known = store.deliveries.length;
  const good: Promise<Response>[] = [];
  const bad: Promise<unknown>[] = [];
  for (let n = 0; n < 100; n++) {
    good.push(post('name=good&format=pprof', numbered(n)));
    bad.push(post('name=bad&format=pprof', Buffer.from(`<html>${n}`)).then(answer => assert.equal(answer.status, 422)));
    bad.push(post('format=pprof', numbered(n)).then(answer => assert.equal(answer.status, 400)));
  }
  for (const answer of await Promise.all(good)) assert.equal(answer.status, 200);
  await Promise.all(bad);
  await store.until(() => store.deliveries.length >= known + 100, '100 good profiles');
});

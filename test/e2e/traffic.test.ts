// Every recorded request of a real SDK, replayed with its own headers through the real process to a store.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Recording, recordings, replayHeaders } from '../kit/corpus.ts';
import { freePort, Gateway } from '../kit/gateway.ts';
import { factsOf, pushed } from '../kit/pprof.ts';
import { type Delivery, FakeStore } from '../kit/store.ts';

const DOOR = /(\/ingest|\/push\.v1\.PusherService\/Push)$/;
const requests = recordings().filter(({ path, method }) => method === 'POST' && DOOR.test(path));

let gateway: Gateway;
let auto: FakeStore;
let push: FakeStore;
let url: string;

before(async () => {
  [auto, push] = await Promise.all([new FakeStore().start(), new FakeStore().start()]);
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  gateway = await Gateway.start({
    receivers: { pyroscope: { endpoint: `127.0.0.1:${port}` } },
    exporters: { 'pyroscope/auto': { endpoint: auto.url }, 'pyroscope/push': { endpoint: push.url, protocol: 'push' } },
    service: { pipelines: { profiles: { receivers: ['pyroscope'], exporters: ['pyroscope/auto', 'pyroscope/push'] } } },
  });
});
after(async () => {
  assert.equal(await gateway.stop(), 0);
  await Promise.all([auto.stop(), push.stop()]);
});

/** name of /ingest → its series, by a parser of the test's own. */
function series(query: string): Record<string, string> {
  const name = new URLSearchParams(query).get('name') ?? '';
  const labels = /^[^{]*\{(.*)\}$/s.exec(name)?.[1] ?? '';
  const pairs = labels
    .split(',')
    .filter(Boolean)
    .map(pair => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]);
  return Object.fromEntries([['__app__', name.replace(/\{.*$/s, '')], ...pairs.sort()]);
}

/** The profile bytes of a request body, found without the parser under test: the recording says how long each part is. */
function profilesIn({ headers, body }: Pick<Delivery, 'headers' | 'body'>): Buffer[] {
  const type = String(headers['content-type'] ?? '');
  const boundary = /boundary=(\S+)/.exec(type)?.[1];
  if (!boundary) return [body];
  const text = body.toString('latin1');
  return text
    .split(`--${boundary}`)
    .slice(1, -1)
    .map(part => Buffer.from(part.slice(part.indexOf('\r\n\r\n') + 4, -2), 'latin1'));
}

const expected = (recording: Recording) =>
  recording.parts.filter(({ format, facts }) => format === 'pprof' && facts).map(part => part.facts!);

test('there is traffic of both doors', () => {
  assert.ok(
    requests.some(({ path }) => path.endsWith('/ingest')) && requests.some(({ path }) => path.endsWith('/Push')),
  );
});

for (const recording of requests) {
  test(`${recording.file} arrives as it was sent`, async () => {
    const counts = [auto.deliveries.length, push.deliveries.length];
    const { status } = await fetch(`${url}${recording.path}${recording.query ? `?${recording.query}` : ''}`, {
      method: 'POST',
      headers: replayHeaders(recording),
      body: recording.body,
    });
    assert.equal(status, 200);
    const isPush = recording.path.endsWith('/Push');
    const headers = Object.fromEntries(recording.headers.map(([name, value]) => [name.toLowerCase(), value]));
    const plain =
      isPush && headers['content-encoding'] === 'gzip'
        ? (await import('node:zlib')).gunzipSync(recording.body)
        : recording.body;
    const sent = isPush ? pushed(plain) : [];
    const wanted = isPush ? sent.length : 1;
    await auto.until(() => auto.deliveries.length >= counts[0]! + wanted, 'delivery by the same door');
    await push.until(() => push.deliveries.length >= counts[1]! + wanted, 'delivery by push');
    const arrived = auto.deliveries.slice(counts[0]);
    for (const { headers: got } of arrived) assert.equal(got['x-scope-orgid'] ?? '', headers['x-scope-orgid'] ?? '');
    if (isPush) {
      const got = arrived.flatMap(one => one.pushed);
      assert.deepEqual(
        got.map(one => [...one.labels].sort()),
        sent.map(one => [...one.labels].sort()),
      );
      assert.deepEqual(
        got.map(one => one.rawProfile),
        sent.map(one => one.rawProfile),
        'payload is byte-identical',
      );
    } else {
      assert.equal(arrived[0]!.query, recording.query, 'name and query are left alone');
      assert.deepEqual(series(arrived[0]!.query), series(`name=${encodeURIComponent(recording.seriesName ?? '')}`));
      assert.deepEqual(
        profilesIn(arrived[0]!),
        profilesIn({ headers, body: recording.body }),
        'payload is byte-identical',
      );
    }
    const facts = expected(recording);
    const pushedOn = push.deliveries.slice(counts[1]).flatMap(one => one.pushed);
    if (facts.length === 0 || pushedOn.length === 0) return;
    assert.deepEqual(
      pushedOn
        .map(one => factsOf(one.rawProfile))
        .map(({ sampleTypes, sums, sampleCount }) => ({ sampleTypes, sums, sampleCount })),
      facts.map(({ sampleTypes, sums, sampleCount }) => ({ sampleTypes, sums, sampleCount })),
    );
    for (const { labels } of pushedOn) assert.ok(labels.get('__name__') && labels.get('service_name'));
  });
}

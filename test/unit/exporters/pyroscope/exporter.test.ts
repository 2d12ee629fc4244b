// The exporter towards a real server of node:http.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { Origin, Summary } from '../../../../src/api/index.ts';
import type { PyroscopeExporter } from '../../../../src/exporters/pyroscope/exporter.ts';
import factory from '../../../../src/exporters/pyroscope/index.ts';
import type { Profile, ProfileBatch } from '../../../../src/model/batch.ts';
import { seriesOf } from '../../../kit/arrival.ts';
import { recordings } from '../../../kit/corpus.ts';
import { numbered } from '../../../kit/pprof.ts';
import { type Answer, FakeStore } from '../../../kit/store.ts';
import { batchOf, listeningHost, never, profileOf, type Said, summaryAt } from '../fixtures.ts';

const OK: Answer = { status: 200 };
const DOWN: Answer = { status: 503, headers: { 'retry-after': '3' } };
const BAD: Answer = { status: 400, body: '{"code":"invalid_argument","message":"too old"}' };
const DROPPED = 'flamegate_dropped_profiles_total rejected';

const store = new FakeStore();
before(() => store.start());
after(() => store.stop());
beforeEach(() => {
  store.deliveries.length = 0;
  store.requests = 0;
  store.answer = () => OK;
});

interface Running {
  readonly exporter: PyroscopeExporter;
  readonly said: Said;
  readonly send: (batch: ProfileBatch, abort?: AbortSignal) => ReturnType<PyroscopeExporter['send']>;
}

/** Runs `use` with a started exporter, and stops it. */
async function exporting<T>(config: object, use: (running: Running) => Promise<T>, summary?: Summary): Promise<T> {
  const parsed = await factory.config['~standard'].validate({ endpoint: store.url, ...config });
  if (parsed.issues) assert.fail(JSON.stringify(parsed.issues));
  const { host, said } = listeningHost(summary);
  const exporter = factory.create(parsed.value, host) as PyroscopeExporter;
  await exporter.start();
  try {
    return await use({ exporter, said, send: (batch, abort = never) => exporter.send(batch, abort) });
  } finally {
    await exporter.stop();
  }
}

const pushBorn = (n: number, labels: Record<string, string> = {}): Profile =>
  profileOf(
    { __name__: 'process_cpu', service_name: `svc${n}`, ...labels },
    { bytes: numbered(n), origin: { door: 'push' } },
  );
const ingestBorn = (query: string, origin: Partial<Origin> = {}, of: Parameters<typeof profileOf>[1] = {}): Profile =>
  profileOf({ service_name: 'app' }, { bytes: numbered(1), ...of, origin: { door: 'ingest', query, ...origin } });
const services = () => store.deliveries.map(({ pushed }) => pushed[0]!.labels.get('service_name'));

/** Answers by the number of the request, from 1; OK beyond them. */
const script = (...answers: Answer[]) => {
  store.answer = () => answers[store.requests - 1] ?? OK;
};

test('each profile is a Connect request of its own, with sorted labels, the id of the sender, and identical bytes', async () => {
  const bytes = gzipSync(numbered(7));
  const profile = profileOf(
    { service_name: 'svc', b: '2', __name__: 'process_cpu', a: '1' },
    { bytes, encoding: 'gzip', origin: { door: 'push', sampleId: 'some-id' } },
  );
  await exporting({}, async ({ send, said }) => {
    assert.deepEqual(await send(batchOf([profile, pushBorn(2)])), { kind: 'accepted' });
    assert.equal(said.summaries, 0, 'nothing was inflated');
  });
  assert.equal(store.deliveries.length, 2);
  const { path, query, headers, body, pushed } = store.deliveries[0]!;
  assert.deepEqual([path, query], ['/push.v1.PusherService/Push', '']);
  assert.equal(headers['content-type'], 'application/proto');
  assert.equal(headers['connect-protocol-version'], '1');
  assert.match(String(headers['user-agent']), /^flamegate\/\d+\.\d+\.\d+/);
  assert.equal(headers['x-scope-orgid'], undefined);
  assert.deepEqual(
    [...pushed[0]!.labels],
    [
      ['__name__', 'process_cpu'],
      ['a', '1'],
      ['b', '2'],
      ['service_name', 'svc'],
    ],
  );
  assert.deepEqual(pushed[0]!.rawProfile, bytes);
  assert.ok(body.includes('some-id'));
});

test('compression gzip compresses what came uncompressed, on push only; none leaves it', async () => {
  const plain = numbered(1);
  const compressed = gzipSync(plain, { level: 9 });
  for (const compression of ['gzip', 'none'])
    await exporting({ compression }, async ({ send }) => {
      await send(batchOf([profileOf({ __name__: 'x' }, { bytes: plain })]));
      await send(batchOf([profileOf({ __name__: 'x' }, { bytes: compressed, encoding: 'gzip' })]));
      await send(batchOf([ingestBorn('name=app&format=pprof', {}, { bytes: plain })]));
    });
  const [zipped, untouched, ingested, left] = store.deliveries;
  assert.notDeepEqual(zipped!.pushed[0]!.rawProfile, plain);
  assert.deepEqual(gunzipSync(zipped!.pushed[0]!.rawProfile), plain);
  assert.deepEqual(untouched!.pushed[0]!.rawProfile, compressed, 'never compressed again');
  assert.deepEqual(ingested!.body, plain);
  assert.deepEqual(left!.pushed[0]!.rawProfile, plain);
});

test('the tenant of the batch goes out unless headers set one, however it is spelled', async () => {
  const batch = batchOf([pushBorn(1)], { tenant: 'team-a' });
  for (const headers of [{}, { 'X-Scope-OrgID': 'team-b' }, { 'x-SCOPE-orgid': 'team-c', 'User-Agent': 'mine' }])
    await exporting({ headers }, ({ send }) => send(batch));
  assert.deepEqual(
    store.deliveries.map(({ headers }) => headers['x-scope-orgid']),
    ['team-a', 'team-b', 'team-c'],
  );
  assert.equal(store.deliveries[2]!.headers['user-agent'], 'mine');
});

test('basic and bearer credentials are sent, and a path before the doors is kept', async () => {
  const endpoint = `${store.url}/base/`;
  await exporting({ endpoint, auth: { basic: { username: 'u', password: 'p' } } }, ({ send }) =>
    send(batchOf([pushBorn(1)])),
  );
  await exporting({ endpoint, auth: { bearer: { token: 't' } } }, ({ send }) =>
    send(batchOf([ingestBorn('name=app')])),
  );
  assert.deepEqual(
    store.deliveries.map(({ path, headers }) => [path, headers.authorization]),
    [
      ['/base/push.v1.PusherService/Push', `Basic ${Buffer.from('u:p').toString('base64')}`],
      ['/base/ingest', 'Bearer t'],
    ],
  );
});

test('a raw body of /ingest goes out raw, with the content type that told its form', async () => {
  const form = (name: NonNullable<Parameters<typeof profileOf>[1]>['form'], query: string, contentType?: string) =>
    ingestBorn(query, contentType === undefined ? {} : { contentType }, {
      form: name!,
      bytes: Buffer.from(`a ${name} body`),
    });
  await exporting({}, ({ send }) =>
    send(
      batchOf([
        form('pprof', 'name=app&format=pprof'),
        form('tree', 'name=app', 'binary/octet-stream+tree'),
        form('trie', 'name=app&format=trie'),
        form('groups', 'name=app'),
        form('jfr', 'name=app&format=jfr'),
        form('speedscope', 'name=app&format=speedscope'),
      ]),
    ),
  );
  assert.deepEqual(
    store.deliveries.map(({ path, query, headers, body }) => [path, query, headers['content-type'], body.toString()]),
    [
      ['/ingest', 'name=app&format=pprof', 'application/octet-stream', 'a pprof body'],
      ['/ingest', 'name=app', 'binary/octet-stream+tree', 'a tree body'],
      ['/ingest', 'name=app&format=trie', 'application/octet-stream', 'a trie body'],
      ['/ingest', 'name=app', 'text/plain', 'a groups body'],
      ['/ingest', 'name=app&format=jfr', 'application/octet-stream', 'a jfr body'],
      ['/ingest', 'name=app&format=speedscope', 'application/json', 'a speedscope body'],
    ],
  );
});

test('what came as a form goes out as one, as file parts, which are all that a store looks at', async () => {
  const config = Buffer.from('{"samples":{"display-name":"cpu"}}');
  const labels = Buffer.from('labels snapshot');
  await exporting({}, ({ send }) =>
    send(
      batchOf([
        ingestBorn('name=app', { parts: { sample_type_config: config } }),
        ingestBorn('name=app', { parts: {} }),
        ingestBorn('name=app&format=jfr', { parts: { labels } }, { form: 'jfr', bytes: Buffer.from('FLR') }),
        ingestBorn('name=app&format=pprof', { parts: { sample_type_config: config } }),
      ]),
    ),
  );
  const forms = await Promise.all(
    store.deliveries.slice(0, 3).map(async ({ headers, body }) => {
      const form = await new Response(new Uint8Array(body), {
        headers: { 'content-type': String(headers['content-type']) },
      }).formData();
      return Promise.all(
        [...form].map(async ([name, part]) => {
          assert.ok(part instanceof File, `${name} is a file part`);
          return [name, Buffer.from(await part.arrayBuffer()).toString('latin1')];
        }),
      );
    }),
  );
  const profile = numbered(1).toString('latin1');
  assert.equal(forms[0]![0]![1]!.length, profile.length);
  assert.deepEqual(
    forms.map(parts => parts.map(([name]) => name)),
    [['profile', 'sample_type_config'], ['profile'], ['jfr', 'labels']],
  );
  assert.deepEqual(forms[2], [
    ['jfr', 'FLR'],
    ['labels', 'labels snapshot'],
  ]);
  assert.equal(forms[0]![1]![1], config.toString());
  assert.equal(
    store.deliveries[3]!.headers['content-type'],
    'application/octet-stream',
    'a store reads format=pprof raw',
  );
});

test('ingest to push adds what the /ingest door of a store would', async () => {
  const pushedLabels = async (
    query: string,
    origin: Partial<Origin>,
    type: string,
    attributes: Record<string, string> = {},
  ) => {
    const profile = {
      ...ingestBorn(query, origin),
      attributes: new Map(Object.entries({ service_name: 'svc', ...attributes })),
    };
    await exporting(
      { protocol: 'push' },
      ({ send }) => send(batchOf([profile])),
      summaryAt(1_700_000_000_000_000_000n, type),
    );
    return Object.fromEntries(store.deliveries.at(-1)!.pushed[0]!.labels);
  };
  assert.deepEqual(
    await pushedLabels('name=app{service_name=svc,env=x}&spyName=gospy', {}, 'cpu', { env: 'x', __session_id__: 's' }),
    {
      __delta__: 'false',
      __name__: 'process_cpu',
      __session_id__: 's',
      env: 'x',
      pyroscope_spy: 'gospy',
      service_name: 'svc',
    },
  );
  assert.equal((await pushedLabels('name=svc', {}, 'samples')).__name__, 'process_cpu', 'samples are cpu by default');
  assert.equal((await pushedLabels('name=svc', {}, 'samples')).pyroscope_spy, 'unknown');
  const named = { parts: { sample_type_config: Buffer.from('{"contentions":{"display-name":"block_count"}}') } };
  assert.equal((await pushedLabels('name=svc', named, 'contentions')).__name__, 'block');
  assert.equal((await pushedLabels('name=svc', {}, 'contentions')).__name__, 'mutex');
  assert.equal(
    (await pushedLabels('name=svc', {}, 'cpu', { __name__: 'mine' })).__name__,
    'mine',
    'a given name stays',
  );
});

test('a profile of another door gets a name from its types and a service, from either spelling', async () => {
  const labelsOf = async (attributes: Record<string, string | number>, dialect: 'otel' | 'pyroscope') => {
    await exporting(
      {},
      ({ send }) => send(batchOf([profileOf(attributes)], { dialect })),
      summaryAt(0n, 'inuse_space'),
    );
    return Object.fromEntries(store.deliveries.at(-1)!.pushed[0]!.labels);
  };
  assert.deepEqual(await labelsOf({ 'service.name': 'svc', 'k8s.pod': 'p', n: 1 }, 'otel'), {
    __name__: 'memory',
    'k8s.pod': 'p',
    n: '1',
    service_name: 'svc',
  });
  assert.deepEqual(await labelsOf({ env: 'x' }, 'pyroscope'), {
    __name__: 'memory',
    env: 'x',
    service_name: 'unknown_service',
  });
});

test('a retryable answer says which profiles are still owed; the one that failed goes last', async () => {
  script(OK, DOWN);
  const profiles = [pushBorn(1), pushBorn(2), pushBorn(3)];
  await exporting({}, async ({ send }) => {
    const first = await send(batchOf(profiles, { tenant: 't' }));
    assert.ok(first.kind === 'retryable' && first.rest);
    assert.equal(first.retryAfterMs, 3000);
    assert.deepEqual(first.rest.profiles, [profiles[2], profiles[1]]);
    assert.equal(first.rest.sizeBytes, numbered(2).length + numbered(3).length);
    assert.equal(first.rest.tenant, 't');
    assert.equal(store.requests, 2, 'the third was not tried on a store that is down');
    assert.deepEqual(await send(first.rest), { kind: 'accepted' });
  });
  assert.deepEqual(services(), ['svc1', 'svc3', 'svc2'], 'each exactly once');
});

test('parts of a form count in the size of what is owed', async () => {
  const parts = { sample_type_config: Buffer.from('{}') };
  script(DOWN);
  const result = await exporting({}, ({ send }) => send(batchOf([ingestBorn('name=app', { parts }), pushBorn(2)])));
  assert.ok(result.kind === 'retryable' && result.rest);
  assert.equal(result.rest.sizeBytes, numbered(1).length + 2 + numbered(2).length);
});

test('a whole batch of one profile is owed without a rest', async () => {
  script(DOWN);
  const result = await exporting({}, ({ send }) => send(batchOf([pushBorn(1)])));
  assert.ok(result.kind === 'retryable' && result.rest === undefined);
});

test('a profile that keeps failing does not keep back those behind it', async () => {
  const profiles = [pushBorn(1, { poison: 'yes' }), pushBorn(2), pushBorn(3)];
  // 500 for one series whenever it comes, 200 for the others.
  const poisoned = [true, false, false, true];
  store.answer = () => (poisoned[store.requests - 1] ? { status: 500 } : OK);
  await exporting({}, async ({ send }) => {
    let owed = batchOf(profiles);
    for (let attempt = 0; attempt < 2; attempt++) {
      const result = await send(owed);
      assert.ok(result.kind === 'retryable');
      owed = result.rest ?? owed;
    }
    assert.deepEqual(owed.profiles, [profiles[0]]);
  });
  assert.deepEqual(services(), ['svc2', 'svc3']);
});

test('a rejected profile beside accepted ones is a drop; all rejected is a permanent answer', async () => {
  script(OK, BAD, OK);
  await exporting({}, async ({ send, said }) => {
    assert.deepEqual(await send(batchOf([pushBorn(1), pushBorn(2), pushBorn(3)])), {
      kind: 'accepted',
      drops: [{ items: 1, reason: 'rejected', message: 'store answered 400 invalid_argument: too old' }],
    });
    assert.equal(said.counted.get(DROPPED), undefined, 'the pipeline counts the drops of a result');
    store.answer = () => BAD;
    const all = await send(batchOf([pushBorn(4), pushBorn(5)]));
    assert.ok(all.kind === 'permanent' && all.fault === 'sender');
  });
  assert.deepEqual(services(), ['svc1', 'svc3']);
});

test('a rejected profile beside a retryable one is counted at once and never sent again', async () => {
  script(BAD, OK, DOWN);
  const profiles = [pushBorn(1), pushBorn(2), pushBorn(3), pushBorn(4)];
  await exporting({}, async ({ send, said }) => {
    const result = await send(batchOf(profiles));
    assert.ok(result.kind === 'retryable');
    assert.deepEqual(result.rest?.profiles, [profiles[3], profiles[2]]);
    assert.equal(said.counted.get(DROPPED), 1);
    assert.deepEqual(
      said.logs.map(([level, phrase]) => [level, phrase]),
      [['error', 'profile rejected by the store']],
    );
    await send(result.rest!);
  });
  assert.deepEqual(services(), ['svc2', 'svc4', 'svc3']);
});

test('a refused access keeps the data, degrades the status, and is well again with the first success', async () => {
  script({ status: 401, body: 'no' }, { status: 503 });
  await exporting({}, async ({ send, said }) => {
    const refused = await send(batchOf([pushBorn(1)]));
    assert.ok(refused.kind === 'retryable');
    assert.equal(refused.retryAfterMs, 60_000);
    await send(batchOf([pushBorn(1)]));
    assert.deepEqual(said.reports, [['degraded', 'store answered 401: no']], 'a 503 says nothing of the access');
    await send(batchOf([pushBorn(1)]));
    await send(batchOf([pushBorn(2)]));
    assert.deepEqual(said.reports.slice(1), [['ok', undefined]], 'said once');
  });
});

test('a store that resets or is not there is retryable', async () => {
  store.answer = () => 'reset';
  assert.equal((await exporting({}, ({ send }) => send(batchOf([pushBorn(1)])))).kind, 'retryable');
  const gone = await new FakeStore().start();
  const endpoint = gone.url;
  await gone.stop();
  const result = await exporting({ endpoint }, ({ send }) => send(batchOf([pushBorn(1)])));
  assert.ok(result.kind === 'retryable');
  assert.match(result.error.message, /ECONNREFUSED/);
});

test('an abort ends the request in flight, and what was not answered is owed', async () => {
  const arrived = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  store.answer = async () => {
    if (store.requests === 1) return OK;
    arrived.resolve();
    await release.promise;
    return OK;
  };
  const stop = new AbortController();
  const profiles = [pushBorn(1), pushBorn(2), pushBorn(3)];
  await exporting({}, async ({ send }) => {
    const sending = send(batchOf(profiles), stop.signal);
    await arrived.promise;
    stop.abort(new Error('deadline'));
    const result = await sending;
    assert.ok(result.kind === 'retryable');
    assert.deepEqual(result.rest?.profiles, [profiles[2], profiles[1]]);
    release.resolve();
  });
});

test('before start and after stop nothing is lost: retryable', async () => {
  await exporting({}, async ({ exporter, send }) => {
    await exporter.stop();
    assert.equal((await send(batchOf([pushBorn(1)]))).kind, 'retryable');
    await exporter.start();
    assert.equal((await send(batchOf([pushBorn(1)]))).kind, 'accepted');
  });
});

test('a form without a door is permanent and the gateway’s fault', async () => {
  const result = await exporting({}, ({ send }) => send(batchOf([profileOf({}, { form: 'otlp' })])));
  assert.ok(result.kind === 'permanent' && result.fault === 'gateway');
  assert.equal(store.requests, 0);
});

test('recorded bodies of /ingest leave in one piece, from shared memory, unchanged', async () => {
  const raw = recordings().filter(
    ({ path, query, headers }) =>
      path.endsWith('/ingest') &&
      query.includes('format=pprof') &&
      !headers.some(([, value]) => value.startsWith('multipart')),
  );
  assert.ok(raw.length > 0, 'there are recordings of raw pprof');
  await exporting({}, async ({ send }) => {
    for (const { query, body } of raw) {
      const shared = Buffer.from(new SharedArrayBuffer(body.length));
      body.copy(shared);
      const { app, labels } = seriesOf(new URLSearchParams(query).get('name') ?? '');
      const kept = Object.entries(labels).filter(([key]) => !key.startsWith('__') || key === '__session_id__');
      const profile = profileOf(
        { service_name: app, ...Object.fromEntries(kept) },
        { bytes: shared, encoding: 'gzip', origin: { door: 'ingest', query } },
      );
      assert.equal((await send(batchOf([profile]))).kind, 'accepted');
      const got = store.deliveries.at(-1)!;
      assert.equal(got.query, query);
      assert.deepEqual(got.body, body);
    }
  });
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { Config } from '../../../../src/receivers/pyroscope/config.ts';
import { protocolOf } from '../../../../src/receivers/pyroscope/receiver.ts';
import { malformed, type PprofFacts, recordings, replayHeaders } from '../../../kit/corpus.ts';
import { recordedJfr, soundForms } from '../../../kit/forms.ts';
import { numbered } from '../../../kit/pprof.ts';
import { formOf, NOT_ACCEPTED, NOW_MS, problem, Rig, type Sent, sender } from '../fixtures.ts';

const profile = numbered(7);
const zipped = gzipSync(profile);
const PPROF = 'name=app&format=pprof';

function door(config: object = {}) {
  const rig = new Rig();
  const send = sender(protocolOf(Config.parse(config), rig.host, rig.next), '/ingest');
  /** Status and, where there is one, the code of the error. */
  const say = async (sent: Sent) => {
    const { status, headers, body } = await send(sent);
    if (status === 200) return [status, body];
    assert.equal(headers?.['content-type'], 'application/json');
    const { code, message } = JSON.parse(String(body)) as { code: string; message: string };
    assert.ok(message.length > 0, 'an error says something');
    return [status, code];
  };
  return { rig, send, say };
}

describe('what arrives', () => {
  test('a batch has its door, its tenant, the query as it came and the time of receipt', async () => {
    const { rig, send } = door();
    const query = 'name=my%2Fapp%7Benv%3Dprod%2C__session_id__%3D5dc5%2C__x__%3D1%2Ck%3D%7D&format=pprof&spyVersion=9';
    const answer = await send({ query, headers: { 'x-scope-orgid': "team-1!_.*'()" }, body: profile });
    assert.deepEqual(answer, { status: 200 }, 'exactly 200, without a body');
    const { batch } = rig.only;
    assert.deepEqual(
      [batch.signal, batch.dialect, batch.tenant, batch.receivedMs, batch.sizeBytes],
      ['profiles', 'pyroscope', "team-1!_.*'()", NOW_MS, profile.length],
    );
    assert.deepEqual(batch.profiles[0]!.origin, { door: 'ingest', query });
    assert.deepEqual(
      [...batch.profiles[0]!.attributes],
      [
        ['service_name', 'my/app'],
        ['env', 'prod'],
        ['__session_id__', '5dc5'],
        ['k', ''],
      ],
    );
  });

  test('an explicit service_name stands before the application, in first place, unless it is empty', async () => {
    const { rig, send } = door();
    await send({ query: 'name=app{a=1,service_name=shop}&format=pprof', body: profile });
    await send({ query: 'name=app{service_name=}&format=pprof', body: profile });
    const [given, empty] = rig.seen.map(({ batch }) => [...batch.profiles[0]!.attributes]);
    assert.deepEqual(given, [
      ['service_name', 'shop'],
      ['a', '1'],
    ]);
    assert.deepEqual(empty, [['service_name', 'app']]);
  });

  test('pprof bytes stay as they came; gzip around gzip is undone once', async () => {
    const gzip = { 'content-encoding': 'gzip' };
    const cases: [string, Sent, string, Buffer][] = [
      ['plain', { body: profile }, 'identity', profile],
      ['gzip', { body: zipped }, 'gzip', zipped],
      ['HTTP gzip around plain', { body: zipped, headers: gzip }, 'gzip', zipped],
      ['HTTP gzip around gzip', { body: gzipSync(zipped), headers: gzip }, 'gzip', zipped],
    ];
    for (const validate of ['full', 'header'])
      for (const [name, sent, encoding, bytes] of cases) {
        const { rig, say } = door({ validate });
        assert.deepEqual(await say({ query: PPROF, ...sent }), [200, undefined], name);
        const { payload } = rig.only.batch.profiles[0]!;
        assert.deepEqual([payload.form, payload.encoding], ['pprof', encoding], name);
        assert.ok(rig.only.payloads[0]!.equals(bytes), name);
        assert.equal(payload.summaries?.[0]?.types[0]?.total, validate === 'full' ? 7n : undefined, name);
      }
  });

  test('a form brings the profile, as a file or as a value, and its sample_type_config', async () => {
    const config = Buffer.from('{"samples":{"display-name":"cpu"}}');
    for (const filename of ['profile.pprof', undefined])
      for (const query of ['name=app', PPROF]) {
        const { rig, say } = door();
        const form = formOf([
          { name: 'profile', data: zipped, ...(filename !== undefined && { filename }) },
          { name: 'sample_type_config', filename: 'c.json', data: config },
          { name: 'prev_profile', filename: 'p', data: Buffer.alloc(0) },
        ]);
        assert.deepEqual(await say({ query, ...form }), [200, undefined]);
        assert.ok(rig.only.payloads[0]!.equals(zipped));
        assert.deepEqual(rig.only.parts, [{ sample_type_config: config }]);
        assert.equal(rig.only.batch.sizeBytes, zipped.length + config.length);
      }
  });

  test('HTTP gzip around a form is undone', async () => {
    const { rig, say } = door();
    const form = formOf([{ name: 'profile', filename: 'p', data: profile }]);
    const headers = { ...form.headers, 'content-encoding': 'gzip' };
    assert.deepEqual(await say({ query: 'name=app', headers, body: gzipSync(form.body) }), [200, undefined]);
    assert.ok(rig.only.payloads[0]!.equals(profile));
  });

  test('other forms are checked and carried as they are, in the form that query or content type says', async () => {
    const tree = 'binary/octet-stream+tree';
    const cases: [string, string | undefined, keyof typeof soundForms, string | undefined][] = [
      ['', undefined, 'groups', undefined],
      ['&format=folded', 'text/plain', 'groups', undefined],
      ['&format=lines', undefined, 'lines', undefined],
      ['&format=speedscope', undefined, 'speedscope', undefined],
      ['&format=trie', undefined, 'trie', undefined],
      ['', tree, 'tree', tree],
      ['&format=jfr', undefined, 'jfr', undefined],
    ];
    for (const [query, type, form, kept] of cases) {
      const { rig, say } = door();
      const headers = type === undefined ? {} : { 'content-type': type };
      const body = soundForms[form];
      assert.deepEqual(await say({ query: `name=app.cpu${query}`, headers, body }), [200, undefined], form);
      const { payload, origin, attributes } = rig.only.batch.profiles[0]!;
      assert.deepEqual([payload.form, payload.encoding, origin?.contentType], [form, 'identity', kept]);
      assert.ok(rig.only.payloads[0]!.equals(body));
      assert.ok(payload.summaries![0]!.samples > 0);
      assert.equal(attributes.get('service_name'), form === 'jfr' ? 'app.cpu' : 'app', form);
    }
  });

  test('what such a body measures is told by the name, or it is refused', async () => {
    const cases: [string, readonly (string | bigint)[]][] = [
      ['name=app', ['cpu', 'nanoseconds', 30_000_000n]],
      ['name=my.app.cpu&sampleRate=50', ['cpu', 'nanoseconds', 60_000_000n]],
      ['name=my.app.wall&sampleRate=0', ['samples', 'count', 3n]],
      ['name=my.app.alloc_space', ['alloc_space', 'bytes', 3n]],
    ];
    for (const [query, wanted] of cases) {
      const { rig, say } = door();
      assert.deepEqual(await say({ query, body: soundForms.groups }), [200, undefined]);
      const { type, unit, total } = rig.only.batch.profiles[0]!.payload.summaries![0]!.types[0]!;
      assert.deepEqual([type, unit, total], wanted, query);
    }
    const { say } = door();
    assert.deepEqual(await say({ query: 'name=my.app', body: soundForms.groups }), [400, 'invalid_argument']);
  });

  test('`header` looks at the beginning only', async () => {
    const { rig, say } = door({ validate: 'header' });
    assert.deepEqual(await say({ query: 'name=app', body: Buffer.from('no count') }), [200, undefined]);
    assert.equal(rig.only.batch.profiles[0]!.payload.summaries, undefined);
  });

  test('what pprof was before protobuf is read where pprof is', async () => {
    for (const body of [soundForms.legacy, gzipSync(soundForms.legacy)]) {
      const { rig, say } = door();
      assert.deepEqual(await say({ query: 'name=app&format=pprof', body }), [200, undefined]);
      assert.equal(rig.only.batch.profiles[0]!.payload.form, 'legacy');
    }
  });

  test('HTTP gzip around a text is undone, a text that is gzip itself is not', async () => {
    const text = Buffer.from('main;work 3\n');
    const { rig, say } = door();
    await say({ query: 'name=a.cpu', headers: { 'content-encoding': 'gzip' }, body: gzipSync(text) });
    await say({ query: 'name=a.cpu', body: gzipSync(text) });
    assert.deepEqual(
      rig.seen.map(({ batch, payloads }) => [batch.profiles[0]!.payload.encoding, payloads[0]]),
      [
        ['identity', text],
        ['gzip', gzipSync(text)],
      ],
    );
  });

  test('JFR in a form brings its labels', async () => {
    const { rig, say } = door();
    const { jfr, labels } = recordedJfr() as { jfr: Buffer; labels: Buffer };
    const form = formOf([
      { name: 'jfr', filename: 'jfr', data: jfr },
      { name: 'labels', filename: 'labels', data: labels },
    ]);
    assert.deepEqual(await say({ query: 'name=app&format=jfr', ...form }), [200, undefined]);
    const { form: kind, encoding } = rig.only.batch.profiles[0]!.payload;
    assert.deepEqual([kind, encoding, rig.only.payloads[0], rig.only.parts], ['jfr', 'gzip', jfr, [{ labels }]]);
  });

  test('a retry has the same id whatever its boundary; other bytes, query, part or tenant have another', async () => {
    const config = Buffer.from('{}');
    const parts = [{ name: 'profile', filename: 'p', data: profile }];
    const id = async (sent: Sent) => {
      const { rig, send } = door();
      await send(sent);
      return rig.only.id;
    };
    const once = await id({ query: 'name=a', ...formOf(parts) });
    assert.match(once, /^[0-9a-f]{40}$/);
    assert.equal(await id({ query: 'name=a', ...formOf(parts, 'another') }), once);
    const others = [
      await id({ query: 'name=b', ...formOf(parts) }),
      await id({ query: 'name=a', ...formOf([{ ...parts[0]!, data: numbered(8) }]) }),
      await id({ query: 'name=a', ...formOf([...parts, { name: 'sample_type_config', data: config }]) }),
      await id({
        query: 'name=a',
        headers: { ...formOf(parts).headers, 'x-scope-orgid': 't' },
        body: formOf(parts).body,
      }),
    ];
    assert.equal(new Set([once, ...others]).size, 5);
  });
});

describe('what is refused', () => {
  test('each reason has its status and code, counts once and reaches no pipeline', async () => {
    const form = (name: string, data: Uint8Array) => formOf([{ name, filename: 'f', data }]);
    const prev = formOf([
      { name: 'profile', filename: 'p', data: profile },
      { name: 'prev_profile', filename: 'p', data: profile },
    ]);
    const badConfig = formOf([
      { name: 'profile', filename: 'p', data: profile },
      { name: 'sample_type_config', data: Buffer.from('{') },
    ]);
    const tenant = (id: string): Sent => ({ query: PPROF, body: profile, headers: { 'x-scope-orgid': id } });
    const cases: [string, number, string, Sent][] = [
      ['bad_name', 400, 'invalid_argument', { query: 'format=pprof', body: profile }],
      ['bad_name', 400, 'invalid_argument', { query: 'name=&format=pprof', body: profile }],
      ['bad_name', 400, 'invalid_argument', { query: 'name=a%20b&format=pprof', body: profile }],
      ['bad_tenant', 400, 'invalid_argument', tenant('a|b')],
      ['bad_tenant', 400, 'invalid_argument', tenant('.')],
      ['bad_tenant', 400, 'invalid_argument', tenant('..')],
      ['bad_tenant', 400, 'invalid_argument', tenant('a, b')],
      ['bad_tenant', 400, 'invalid_argument', tenant('t'.repeat(151))],
      ['bad_label', 422, 'unknown', { query: `name=a{k=${'v'.repeat(2049)}}&format=pprof`, body: profile }],
      ['empty_body', 422, 'unknown', { query: PPROF }],
      ['empty_body', 422, 'unknown', { query: 'name=a' }],
      ['empty_body', 422, 'unknown', { query: 'name=a', body: gzipSync('') }],
      ['empty_body', 422, 'unknown', { query: 'name=a', ...form('other', profile) }],
      ['empty_body', 422, 'unknown', { query: 'name=a', ...form('profile', Buffer.alloc(0)) }],
      ['empty_body', 422, 'unknown', { query: 'name=a&format=jfr', ...form('labels', profile) }],
      ['bad_jfr', 422, 'unknown', { query: 'name=a&format=jfr', ...form('jfr', soundForms.jfr.subarray(0, 2000)) }],
      ['bad_line', 422, 'unknown', { query: 'name=a', body: Buffer.from('main;work 3\nmain 4x\n') }],
      ['bad_value', 422, 'unknown', { query: 'name=a', body: Buffer.from('main -1\n') }],
      ['unknown_profile_type', 400, 'invalid_argument', { query: 'name=a.b', body: soundForms.groups }],
      ['unsupported_delta', 422, 'unknown', { query: 'name=a', ...prev }],
      ['bad_json', 422, 'unknown', { query: 'name=a', ...badConfig }],
      ['bad_multipart', 422, 'unknown', { query: 'name=a', ...form('profile', profile), body: Buffer.from('x') }],
      ['bad_compression', 422, 'unknown', { query: PPROF, body: profile, headers: { 'content-encoding': 'gzip' } }],
      ['not_a_profile', 422, 'unknown', { query: PPROF, body: gzipSync(zipped) }],
      ['body_too_large', 413, 'invalid_argument', { query: PPROF, body: problem('body_too_large') }],
      ['decompressed_too_large', 413, 'invalid_argument', { query: PPROF, body: problem('decompressed_too_large') }],
      ['body_timeout', 408, 'unknown', { query: PPROF, body: problem('body_timeout') }],
      ['body_aborted', 408, 'unknown', { query: PPROF, body: problem('body_aborted') }],
      ['memory_limit', 429, 'resource_exhausted', { query: PPROF, body: problem('memory_limit', 1001) }],
    ];
    for (const [reason, status, code, sent] of cases) {
      const { rig, say } = door();
      assert.deepEqual(await say(sent), [status, code], `${reason} ${sent.query}`);
      assert.deepEqual([rig.rejected('ingest', reason), rig.rejections, rig.seen.length], [1, 1, 0], reason);
    }
  });

  test('a tenant of 150 bytes is one', async () => {
    const { rig, send } = door();
    await send({ query: PPROF, body: profile, headers: { 'x-scope-orgid': 't'.repeat(150) } });
    assert.equal(rig.only.batch.tenant.length, 150);
  });

  test('a prev_profile is told what to do about it', async () => {
    const form = formOf([
      { name: 'profile', filename: 'p', data: profile },
      { name: 'prev_profile', filename: 'p', data: profile },
    ]);
    assert.match(String((await door().send({ query: 'name=a', ...form })).body), /unsupported client version/);
  });

  test('labels beyond max_label_names are refused, and the limit can be raised', async () => {
    const labels = Array.from({ length: 31 }, (_, n) => `k${n}=v`).join();
    const sent = { query: `name=a{${labels}}&format=pprof`, body: profile };
    assert.deepEqual(await door().say(sent), [422, 'unknown']);
    assert.deepEqual(await door({ max_label_names: 31 }).say(sent), [200, undefined]);
  });

  test('what inflates beyond max_inflated_size is refused', async () => {
    const { rig, say } = door({ max_inflated_size: 100 });
    const body = gzipSync(Buffer.concat([profile, Buffer.from([0xa2, 0x06, 100]), Buffer.alloc(100)]));
    assert.deepEqual(await say({ query: PPROF, body }), [413, 'invalid_argument']);
    assert.equal(rig.rejected('ingest', 'decompressed_too_large'), 1);
  });

  test('the answer echoes nothing of what was sent', async () => {
    const secret = 'SECRETSECRET';
    for (const sent of [
      { query: `name=${secret}%20x` },
      { query: `name=a{${secret}-=1}` },
      { query: PPROF, body: Buffer.from(`<${secret}`) },
      { query: PPROF, body: profile, headers: { 'x-scope-orgid': `${secret}|b` } },
    ])
      assert.ok(!String((await door().send(sent)).body).includes(secret), JSON.stringify(sent));
  });
});

describe('what the pipeline answers', () => {
  test('reaches the sender in the form of the door', async () => {
    const heard = [];
    for (const result of NOT_ACCEPTED) {
      const { rig, send } = door();
      rig.answer = () => result;
      const { status, headers, body } = await send({ query: PPROF, body: profile });
      heard.push([status, JSON.parse(String(body)).code, headers?.['retry-after']]);
    }
    assert.deepEqual(heard, [
      [429, 'resource_exhausted', '2'],
      [503, 'unavailable', '30'],
      [422, 'unknown', undefined],
      [500, 'internal', undefined],
    ]);
  });

  test('is waited for', async () => {
    const { rig, send } = door();
    let settle = () => {};
    const asked = new Promise<void>(resolve => {
      rig.answer = () => {
        resolve();
        return new Promise(answer => {
          settle = () => answer({ kind: 'accepted' });
        });
      };
    });
    let answered = false;
    const response = send({ query: PPROF, body: profile }).finally(() => {
      answered = true;
    });
    await asked;
    await new Promise(resolve => setImmediate(resolve));
    assert.equal(answered, false);
    settle();
    assert.equal((await response).status, 200);
  });
});

describe('the corpus', () => {
  const entries = malformed('pprof', 'any');

  test('there are malformed bodies and recorded requests', () => {
    assert.ok(entries.length > 20 && recorded.length > 20);
  });

  for (const { file, what, expect, bytes } of entries)
    test(`${file}: ${what}`, async () => {
      const { rig, say } = door();
      const [status] = await say({ query: PPROF, body: bytes });
      // Forwarded bytes are never rewritten, and stores refuse invalid UTF-8: so do we.
      const due = file === 'string-not-utf8.pb' ? { status: 400, reason: 'bad_string' } : expect;
      assert.equal(status, due.status === 400 || due.status === 415 ? 422 : due.status);
      if (due.status !== 200) assert.deepEqual([rig.rejected('ingest', due.reason!), rig.seen.length], [1, 0]);
      else if (due.reason) assert.deepEqual([rig.dropped(due.reason), rig.seen.length], [1, 0]);
      else {
        assert.ok(rig.only.payloads[0]!.equals(bytes));
        const summary = rig.only.batch.profiles[0]!.payload.summaries?.[0];
        if (expect.facts?.valueSums)
          assert.deepEqual(
            summary?.types.map(({ total }) => String(total)),
            expect.facts.valueSums,
          );
      }
    });

  const recorded = recordings().filter(({ path, method }) => method === 'POST' && path.endsWith('/ingest'));
  for (const recording of recorded)
    test(`${recording.file} is taken as its manifest says`, async () => {
      const { rig, say } = door();
      const headers = Object.fromEntries(
        Object.entries(replayHeaders(recording)).map(([name, value]) => [name.toLowerCase(), value]),
      );
      assert.deepEqual(await say({ query: recording.query, headers, body: recording.body }), [200, undefined]);
      const [main, ...others] = recording.parts;
      const { attributes, payload } = rig.only.batch.profiles[0]!;
      assert.equal(payload.form, main!.format);
      assert.deepEqual(
        Object.keys(rig.only.parts[0]!),
        others.map(({ part }) => part),
      );
      const [, app, inner] = /^([^{]*)(?:\{(.*)\})?$/s.exec(recording.seriesName!)!;
      const labels = inner
        ? inner.split(',').map(pair => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)])
        : [];
      assert.deepEqual(Object.fromEntries(attributes), Object.fromEntries([['service_name', app], ...labels]));
      if (main!.format !== 'pprof') return;
      const facts = main!.facts as PprofFacts;
      assert.deepEqual(
        [
          payload.summaries![0]!.types.map(({ type, unit }) => ({ type, unit })),
          payload.summaries![0]!.types.map(({ total }) => String(total)),
          payload.summaries![0]!.samples,
        ],
        [facts.sampleTypes, facts.sums, facts.sampleCount],
      );
    });
});

test('whatever bytes come, the answer is one of the door, and each refusal counts once', async () => {
  const known = new Set([200, 400, 413, 415, 422]);
  const flipped = fc.tuple(fc.constantFrom(profile, zipped), fc.nat(), fc.nat(255)).map(([bytes, at, value]) => {
    const copy = Buffer.from(bytes);
    copy[at % copy.length] = value;
    return copy;
  });
  const query = fc.oneof(
    fc.constant(PPROF),
    fc.constant('name=a'),
    fc.string().map(text => `name=${encodeURIComponent(text.toWellFormed())}`),
    fc.string(),
  );
  const type = fc.constantFrom(
    '',
    'multipart/form-data; boundary=b',
    'binary/octet-stream+tree',
    'multipart/form-data',
  );
  const encoding = fc.constantFrom('identity', 'gzip');
  await fc.assert(
    fc.asyncProperty(query, type, encoding, fc.oneof(fc.uint8Array(), flipped), async (query, type, encoding, body) => {
      const { rig, say } = door();
      const [status] = await say({ query, headers: { 'content-type': type, 'content-encoding': encoding }, body });
      assert.ok(known.has(status as number), String(status));
      assert.equal(rig.rejections, status === 200 ? 0 : 1);
    }),
    { numRuns: 400 },
  );
});

test('a profile without samples is answered 200, counted and goes no further; `header` does not look', async () => {
  const empty = malformed('pprof').find(({ file }) => file === 'no-samples.pb')!.bytes;
  const full = door();
  assert.deepEqual(await full.say({ query: PPROF, body: empty }), [200, undefined]);
  assert.deepEqual([full.rig.dropped('empty_profile'), full.rig.seen.length], [1, 0]);
  const header = door({ validate: 'header' });
  assert.deepEqual(await header.say({ query: PPROF, body: empty }), [200, undefined]);
  assert.deepEqual([header.rig.dropped('empty_profile'), header.rig.seen.length], [0, 1]);
});

test('GET /ready is ready', async () => {
  const rig = new Rig();
  const route = protocolOf(Config.parse({}), rig.host, rig.next).routes.find(({ method }) => method === 'GET')!;
  const { status, body } = await route.handle({} as never);
  assert.deepEqual([route.path, status, body], ['/ready', 200, 'ready\n']);
});

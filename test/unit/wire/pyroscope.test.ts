import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError } from '../../../src/wire/decode-error.ts';
import { buildMultipart, parseMultipart } from '../../../src/wire/multipart.ts';
import { IngestQuery, ingestForm, parseTime, renameQuery } from '../../../src/wire/pyroscope/ingest.ts';
import { formatName, parseName } from '../../../src/wire/pyroscope/name.ts';
import { profileName } from '../../../src/wire/pyroscope/profile-name.ts';
import { decodePush, decodePushJson, encodePush } from '../../../src/wire/pyroscope/push.ts';
import { pushed } from '../../kit/pprof.ts';

const parsed = (text: string) => {
  const { app, labels } = parseName(text);
  return [app, Object.fromEntries(labels)];
};

test('names are read as the server reads them', () => {
  assert.deepEqual(parsed('app'), ['app', {}]);
  assert.deepEqual(parsed(' my.app-1/x {}'), ['my.app-1/x', {}]);
  assert.deepEqual(parsed('app{k=v,k2=v2}'), ['app', { k: 'v', k2: 'v2' }]);
  assert.deepEqual(parsed('app{note=a b=c/é, x = y }'), ['app', { note: 'a b=c/é', x: 'y' }]);
  assert.deepEqual(parsed('app{a=1,}'), ['app', { a: '1' }]);
  assert.deepEqual(parsed('app{a=1'), ['app', {}], 'a value without an end is dropped');
  assert.deepEqual(parsed('app{a=1}b=2,'), ['app', { a: '1', b: '2' }]);
  assert.deepEqual(parsed('app{a=1,a=2}'), ['app', { a: '2' }], 'the last one wins');
  assert.deepEqual(parsed('app{k=}'), ['app', { k: '' }]);
  assert.deepEqual(parsed('app{__name__=other}'), ['other', {}]);
  for (const bad of ['', '{}', 'a b', 'ä', 'app{b-c=1}', 'app{,a=1}'])
    assert.throws(() => parseName(bad), DecodeError, bad);
});

test('the normal form of a name reads back as the same series, and is its own normal form', () => {
  const key = fc.stringMatching(/^[a-z_.0-9]{1,8}$/).filter(one => one !== '__name__');
  const value = fc.string({ maxLength: 12, unit: 'grapheme' }).filter(one => !/[,}]/.test(one) && one.trim() === one);
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Za-z0-9_.\-/]{1,12}$/), fc.dictionary(key, value), (app, labels) => {
      const text = formatName({ app, labels: new Map(Object.entries(labels)) })!;
      assert.deepEqual(
        parsed(text),
        [app, Object.fromEntries(Object.entries(labels).sort())].map((one, at) => (at ? parsed(text)[1] : one)),
      );
      assert.equal(formatName(parseName(text)), text);
    }),
  );
});

test('what the syntax cannot say has no name', () => {
  for (const [key, value] of [
    ['a', 'x,y'],
    ['a', 'x}'],
    ['a-b', 'x'],
    ['a', ' x'],
  ] as const)
    assert.equal(formatName({ app: 'app', labels: new Map([[key, value]]) }), undefined);
});

test('any text is a name or a classified error', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), text => {
      try {
        parseName(text);
      } catch (error) {
        assert.ok(error instanceof DecodeError);
      }
    }),
  );
});

test('times: the number of digits tells the unit', () => {
  assert.equal(parseTime('1795445737'), 1795445737_000_000_000n);
  assert.equal(parseTime('1795445737123'), 1795445737123_000_000n);
  assert.equal(parseTime('1795445737939206421'), 1795445737939206421n);
  assert.equal(parseTime('20261124'), BigInt(Date.UTC(2026, 10, 24)) * 1_000_000n);
  assert.equal(parseTime('now-1h'), undefined);
});

test('the form is decided in the order of the server', () => {
  const multipart = 'multipart/form-data; boundary=x';
  assert.deepEqual(ingestForm('', multipart), { form: 'pprof', multipart: true });
  assert.deepEqual(ingestForm('pprof', 'binary/octet-stream'), { form: 'pprof', multipart: false });
  assert.deepEqual(ingestForm('jfr', multipart), { form: 'jfr', multipart: true });
  assert.deepEqual(ingestForm('lines', multipart), { form: 'lines', multipart: false });
  assert.equal(ingestForm('', 'binary/octet-stream+tree').form, 'tree');
  assert.equal(ingestForm('', 'binary/octet-stream').form, 'groups');
  assert.equal(ingestForm('whatever', '').form, 'groups');
});

test('renaming leaves every other key byte for byte', () => {
  assert.equal(renameQuery('from=1&name=a%7B%7D&until=2&x=%zz', 'b{k=v}'), 'from=1&name=b%7Bk%3Dv%7D&until=2&x=%zz');
  assert.equal(new IngestQuery(renameQuery('surname=x&name=a', 'b')).name.app, 'b');
});

test('profile names follow the sample types', () => {
  const name = (...types: string[]) => profileName(types.map(type => ({ type, unit: '' })));
  assert.equal(name('samples', 'cpu'), 'process_cpu');
  assert.equal(name('samples', 'wall'), 'wall');
  assert.equal(name('inuse_objects', 'inuse_space'), 'memory');
  assert.equal(name('contentions', 'delay'), 'mutex');
  assert.equal(name('goroutine'), 'goroutines');
  assert.equal(name('exception'), 'exception');
  assert.equal(profileName([{ type: 'contentions', unit: '' }], new Map([['contentions', 'block_count']])), 'block');
});

const bytes = fc.uint8Array({ maxLength: 6000 });
const series = fc.array(
  fc.record({
    labels: fc.array(
      fc.tuple(
        fc.string({ minLength: 1, maxLength: 9, unit: 'grapheme' }),
        fc.string({ maxLength: 9, unit: 'grapheme' }),
      ),
      { maxLength: 5 },
    ),
    samples: fc.array(fc.record({ rawProfile: bytes, id: fc.string({ maxLength: 5, unit: 'grapheme' }) }), {
      maxLength: 3,
    }),
  }),
  { maxLength: 3 },
);

test('a push reads back as it was written, by us and by protobufjs, and from JSON', () => {
  fc.assert(
    fc.property(series, wanted => {
      const body = Buffer.concat(encodePush(wanted));
      const plain = (list: typeof wanted) =>
        list.map(one => ({
          labels: one.labels.map(pair => [...pair]),
          samples: one.samples.map(s => ({ id: s.id, rawProfile: Buffer.from(s.rawProfile) })),
        }));
      assert.deepEqual(plain(decodePush(body) as typeof wanted), plain(wanted));
      assert.deepEqual(
        pushed(body).map(one => one.rawProfile),
        wanted.flatMap(one => one.samples.map(s => Buffer.from(s.rawProfile))),
      );
      const json = {
        series: wanted.map(one => ({
          labels: one.labels.map(([name, value]) => ({ name, value })),
          samples: one.samples.map(s => ({ ID: s.id, rawProfile: Buffer.from(s.rawProfile).toString('base64') })),
        })),
      };
      assert.deepEqual(plain(decodePushJson(Buffer.from(JSON.stringify(json))) as typeof wanted), plain(wanted));
    }),
  );
});

test('any bytes are a push, a form or a classified error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), raw => {
      for (const decode of [
        decodePush,
        decodePushJson,
        (body: Uint8Array) => parseMultipart(Buffer.from(body), 'multipart/form-data; boundary=x'),
      ])
        try {
          decode(raw);
        } catch (error) {
          assert.ok(error instanceof DecodeError, String(error));
        }
    }),
    { numRuns: 2000 },
  );
});

test('a form reads back as it was written, whatever its parts hold', () => {
  const part = fc.record({
    name: fc.stringMatching(/^[a-z_]{1,10}$/),
    filename: fc.stringMatching(/^[a-z.]{1,10}$/),
    data: bytes,
  });
  fc.assert(
    fc.property(fc.uniqueArray(part, { selector: one => one.name, minLength: 1, maxLength: 5 }), parts => {
      const { contentType, chunks } = buildMultipart(parts);
      const read = parseMultipart(Buffer.concat(chunks), contentType);
      assert.deepEqual(
        [...read.values()].map(one => [one.name, one.filename, one.data]),
        parts.map(one => [one.name, one.filename, Buffer.from(one.data)]),
      );
    }),
  );
});

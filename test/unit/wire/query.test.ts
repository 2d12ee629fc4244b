// The query of /ingest against straightforward models: Pyroscope's rune machine for names, and what a store reads after a rename.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError } from '../../../src/wire/decode-error.ts';
import { IngestQuery, renameQuery } from '../../../src/wire/pyroscope/ingest.ts';
import { parseName } from '../../../src/wire/pyroscope/name.ts';
import { parseSampleTypeConfig } from '../../../src/wire/pyroscope/profile-name.ts';

/** The machine of specs: rune by rune over `name + "{"`; undefined where it refuses. */
function machine(text: string): [string, Record<string, string>] | undefined {
  let state: 'name' | 'key' | 'value' | 'done' = 'name';
  let app = '';
  let key = '';
  let value = '';
  const labels = new Map<string, string>();
  for (const rune of `${text}{`) {
    if (state === 'name') {
      if (rune === '{') {
        app = app.trim();
        if (!/^[A-Za-z0-9_.\-/]+$/.test(app)) return undefined;
        state = 'key';
      } else app += rune;
    } else if (state === 'key') {
      if (rune === '}') state = 'done';
      else if (rune === '=') state = 'value';
      else key += rune;
    } else if (state === 'value') {
      if (rune === ',' || rune === '}') {
        key = key.trim();
        value = value.trim();
        if (!/^[A-Za-z0-9_.]+$/.test(key)) return undefined;
        if (key === '__name__') {
          if (!/^[A-Za-z0-9_.\-/]+$/.test(value)) return undefined;
          app = value;
        } else labels.set(key, value);
        key = value = '';
        state = 'key';
      } else value += rune;
    }
  }
  return [app, Object.fromEntries(labels)];
}

test('names are read exactly as the rune machine reads them', () => {
  const piece = fc.constantFrom(
    'a',
    'b.c',
    '{',
    '}',
    '=',
    ',',
    ' ',
    '"',
    '\t',
    'é',
    '🔥',
    '__name__',
    '-',
    '1',
    '\u2003',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 16 }), pieces => {
      const text = `app{${pieces.join('')}`;
      const due = machine(text);
      if (!due) assert.throws(() => parseName(text), DecodeError, text);
      else {
        const { app, labels } = parseName(text);
        assert.deepEqual([app, Object.fromEntries(labels)], due, text);
      }
    }),
    { numRuns: 3000 },
  );
});

test('a key that no value ends is not looked at', () => {
  assert.equal(parseName('app{a b=1').labels.size, 0);
  assert.throws(() => parseName('app{a b=1}'), { reason: 'bad_label' });
  assert.throws(() => parseName('app{__name__=}'), { reason: 'bad_name' });
});

test('U+0085 is space around a value, U+FEFF is not: as in Go', () => {
  assert.equal(parseName('app{a=\u0085x\u0085}').labels.get('a'), 'x');
  assert.equal(parseName('app{a=\ufeffx}').labels.get('a'), '\ufeffx');
});

test('a query is read as the store behind reads it', () => {
  const name = (query: string) => new IngestQuery(query).name;
  assert.equal(name('n%61me=app').app, 'app');
  assert.equal(name('name=a&name=b').app, 'a', 'the first counts');
  assert.equal(name('name=a%zz&name=b').app, 'b', 'a broken escape does not count');
  assert.equal(name('name=a;x=1&name=b').app, 'b', 'nor does a pair with a semicolon');
  assert.equal(name('name=app%7Bk%3Da+b%7D').labels.get('k'), 'a b');
  assert.equal(name('name=app%7Bk%3D%ff%7D').labels.get('k'), '\ufffd');
  for (const bad of ['', 'x=1', 'name', 'name=', '?name=app', 'name=app{a=100%}'])
    assert.throws(() => new IngestQuery(bad).name, { reason: 'bad_name' }, bad);
});

test('after a rename the store reads the new name and the same rest, which stays byte for byte', () => {
  const pair = fc.constantFrom(
    'name=old',
    'n%61me=old',
    'name',
    'from=1',
    'x=a+b%20c',
    'name=a;b',
    'name=%zz',
    '',
    'units=',
    '&',
  );
  const label = fc.string({ unit: 'grapheme', maxLength: 8 }).filter(one => !/[,}]/.test(one) && one.trim() === one);
  fc.assert(
    fc.property(fc.array(pair, { maxLength: 6 }), label, (pairs, value) => {
      const query = pairs.join('&');
      const renamed = renameQuery(query, `new{k=${value}}`);
      const { app, labels } = new IngestQuery(renamed).name;
      assert.deepEqual([app, labels.get('k')], ['new', value], renamed);
      const before = query.split('&');
      const after = renamed.split('&');
      const changed = before.filter((one, at) => one !== after[at]);
      assert.ok(changed.length <= 1, `${query} → ${renamed}`);
      assert.equal(renameQuery(renamed, `new{k=${value}}`), renamed);
    }),
  );
});

test('a sample type config is refused where the store would refuse it', () => {
  const names = (text: string) => Object.fromEntries(parseSampleTypeConfig(Buffer.from(text)));
  assert.deepEqual(names('{"samples":{"display-name":"cpu","sampled":true},"x":null,"y":{}}'), { samples: 'cpu' });
  for (const bad of ['', '[]', 'null', '1', '{"x":5}', '{"x":[]}', '{"x":{"display-name":5}}'])
    assert.throws(() => names(bad), { reason: 'bad_json' }, bad);
});

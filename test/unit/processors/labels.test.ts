// The stage against a model that works on plain objects, on random profiles of every shape.
import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { Columns } from '../../../src/model/columns/columns.ts';
import { Config } from '../../../src/processors/labels/config.ts';
import factory from '../../../src/processors/labels/index.ts';
import labels from '../../../src/processors/labels/stage.ts';
import { decodePprof } from '../../../src/wire/pprof/decode.ts';
import { encodePprof } from '../../../src/wire/pprof/encode.ts';
import { made } from '../../kit/made.ts';
import { type PlainLabel, type PlainSample, plainOf } from '../../kit/plain.ts';
import { soundProfiles } from '../../kit/profiles.ts';
import { bytes, number, text } from '../../kit/protobuf.ts';

type Input = (typeof Config)['_zod']['input'];

/** What workers do: a cloned configuration, a run, and the encoding of what was edited. */
function run(columns: Columns, config: Input): Buffer {
  const verdict = labels(structuredClone(Config.parse(config)))({ attributes: new Map() }, columns);
  assert.equal(verdict.keep, true);
  return Buffer.from(encodePprof(columns));
}

const digest = (value: string) => createHash('sha256').update(value).digest('hex').slice(0, 16);
const textOf = ({ text: value, number: num }: PlainLabel) => (value === '' ? String(num) : value);

function model(sample: PlainSample, { actions }: Input): readonly PlainLabel[] {
  let list = [...sample.labels];
  for (const { action, key, value, to, match } of actions) {
    const chosen = (one: PlainLabel) => one.key === key && (match === undefined || new RegExp(match).test(textOf(one)));
    const replaced = (one: PlainLabel, by: string) => ({ key: one.key, text: by, number: 0n, unit: '' });
    if (action === 'delete') list = list.filter(one => !chosen(one));
    else if (action === 'hash') list = list.map(one => (chosen(one) ? replaced(one, digest(textOf(one))) : one));
    else if (action === 'set' && match !== undefined)
      list = list.map(one => (chosen(one) ? replaced(one, value!) : one));
    else if (action === 'set') {
      const first = list.findIndex(one => one.key === key);
      if (first < 0) list.push({ key, text: value!, number: 0n, unit: '' });
      else list = list.flatMap((one, at) => (one.key !== key ? [one] : at === first ? [replaced(one, value!)] : []));
    } else if (to !== key && list.some(chosen))
      list = list.flatMap(one => (chosen(one) ? [{ ...one, key: to! }] : one.key === to ? [] : [one]));
  }
  return list;
}

const key = fc.constantFrom('cpu', 'main', 'é', 'x'.repeat(130), 'new');
const match = fc.option(fc.constantFrom('^m', 'x', '^-?\\d+$', '^$', '1'), { nil: undefined });
const action = fc.oneof(
  fc.record({ action: fc.constant('set' as const), key, value: fc.constantFrom('', 'main', 'v'), match }),
  fc.record({ action: fc.constant('delete' as const), key, match }),
  fc.record({ action: fc.constant('rename' as const), key, to: key, match }),
  fc.record({ action: fc.constant('hash' as const), key, match }),
);
const config: fc.Arbitrary<Input> = fc.record({ actions: fc.array(action, { minLength: 1, maxLength: 4 }) });

test('random profiles get the labels that the model says, and keep everything else', () => {
  let edited = 0;
  fc.assert(
    fc.property(made, config, ({ raw, plain }, one) => {
      const columns = decodePprof(raw);
      const after = plainOf(decodePprof(run(columns, one)));
      const due = plain.samples.map(sample => ({ ...sample, labels: model(sample, one) }));
      assert.deepEqual(after.samples, due);
      if (!columns.edited) assert.deepEqual(due, plain.samples, 'not edited means nothing changed');
      else edited++;
    }),
    { numRuns: 500 },
  );
  assert.ok(edited > 30, `${edited} edited`);
});

test('real profiles keep their sums', () => {
  const actions: Input['actions'] = [
    { action: 'set', key: 'env', value: 'production' },
    { action: 'hash', key: 'thread_id' },
    { action: 'rename', key: 'thread_name', to: 'thread' },
    { action: 'delete', key: 'bytes' },
  ];
  const into = new Columns();
  for (const { file, raw } of soundProfiles()) {
    const before = decodePprof(raw);
    const after = decodePprof(run(decodePprof(raw, into), { actions }));
    assert.deepEqual(
      after.samples.values.values.subarray(0, after.samples.count * after.samples.width),
      before.samples.values.values.subarray(0, before.samples.count * before.samples.width),
      file,
    );
  }
});

const sample = (...labelled: number[][]) => bytes(2, [...number(2, 7), ...labelled.flatMap(one => bytes(3, one))]);
const profile = (...samples: number[][]) =>
  decodePprof(
    Uint8Array.from([
      ...bytes(1, [...number(1, 1), ...number(2, 2)]),
      ...samples.flat(),
      ...['', 'cpu', 'ns', 'user', 'alice@example.com', 'user', 'bytes'].flatMap(one => text(6, one)),
    ]),
  );

test('what was hashed, replaced or deleted is not in the bytes, and a key that stands in the table twice is one key', () => {
  for (const [one, due] of [
    [{ action: 'hash', key: 'user' }, digest('alice@example.com')],
    [{ action: 'set', key: 'user', value: 'somebody' }, 'somebody'],
    [{ action: 'delete', key: 'user' }, undefined],
  ] as const) {
    const written = run(
      profile(sample([...number(1, 3), ...number(2, 4)]), sample([...number(1, 5), ...number(2, 4)])),
      { actions: [one] },
    );
    assert.ok(!written.includes('alice'), one.action);
    for (const { labels: list } of plainOf(decodePprof(written)).samples) assert.equal(list[0]?.text, due);
  }
});

test('numbers are hashed as decimal text, and a salt makes other digests', () => {
  const numeric = () => profile(sample([...number(1, 6), ...number(3, -5), ...number(4, 6)]));
  const hash = (salt?: string) =>
    plainOf(
      decodePprof(run(numeric(), { actions: [{ action: 'hash', key: 'bytes' }], ...(salt && { hash_salt: salt }) })),
    ).samples[0]!.labels;
  assert.deepEqual(hash(), [{ key: 'bytes', text: digest('-5'), number: 0n, unit: '' }]);
  const salted = createHmac('sha256', 'pepper').update('-5').digest('hex').slice(0, 16);
  assert.equal(hash('pepper')[0]!.text, salted);
});

test('what needs no change is not edited', () => {
  const columns = profile(sample([...number(1, 3), ...number(2, 4)]), sample([...number(1, 3), ...number(2, 4)]));
  for (const one of [
    { action: 'set', key: 'user', value: 'alice@example.com' },
    { action: 'delete', key: 'other' },
    { action: 'rename', key: 'none', to: 'user' },
    { action: 'rename', key: 'user', to: 'user' },
    { action: 'hash', key: 'user', match: '^bob' },
  ] as const) {
    run(columns, { actions: [one] });
    assert.equal(columns.edited, false, JSON.stringify(one));
  }
});

test('mistakes in the configuration are said in sentences', () => {
  const messages = (actions: unknown[]) =>
    Config.safeParse({ actions }).error!.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  assert.deepEqual(messages([{ action: 'set', key: 'a' }]), ['actions.0.value: set needs a value']);
  assert.deepEqual(messages([{ action: 'delete', key: 'a', value: 'b' }]), ['actions.0.value: delete takes no value']);
  assert.deepEqual(messages([{ action: 'rename', key: 'a' }]), ['actions.0.to: rename needs the new key in `to`']);
  assert.match(messages([{ action: 'delete', key: 'a', match: '(' }])[0]!, /^actions\.0\.match: "\(" is not a regular/);
  assert.equal(messages([]).length, 1);
});

test('to delete and to hash is to hide, so that no form passes that holds more', () => {
  const of = (action: object) =>
    factory.hides?.(
      Config.parse({
        actions: [
          { action: 'set', key: 'a', value: 'b' },
          { key: 'k', ...action },
        ],
      }),
    );
  assert.equal(of({ action: 'set', value: 'v' }), false);
  assert.equal(of({ action: 'rename', to: 'v' }), false);
  assert.equal(of({ action: 'delete' }), true);
  assert.equal(of({ action: 'hash' }), true);
});

// Columns of OTLP under the edits of stages: what changed says so, what did not stays as it came, what is hidden is nowhere.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Columns } from '../../../../src/model/columns/columns.ts';
import frames from '../../../../src/processors/frames/stage.ts';
import labels from '../../../../src/processors/labels/stage.ts';
import { Losses } from '../../../../src/wire/convert/losses.ts';
import { decodeOtlp } from '../../../../src/wire/otlp/decode.ts';
import { encodeOtlp } from '../../../../src/wire/otlp/encode.ts';
import { skeletonOf } from '../../../../src/wire/otlp/skeleton.ts';
import { capture, noCorpus, request, STRINGS } from '../../../kit/otlp.ts';
import { madeRequest } from '../../../kit/otlp-made.ts';
import { treeOf } from '../../../kit/otlp-tree.ts';
import { bytes, number, text } from '../../../kit/protobuf.ts';

/** What a worker makes of a request: nothing where nothing changed. */
const edited = (raw: Uint8Array, edit: (columns: Columns) => boolean) => {
  const losses = new Losses();
  let changed = false;
  const parts = skeletonOf(raw).parts.map(({ attributes }, part) => ({
    attributes,
    columns: decodeOtlp(raw, part).filter(columns => {
      const keep = edit(columns);
      changed ||= !keep || columns.edited;
      return keep;
    }),
  }));
  return { written: changed ? Buffer.from(encodeOtlp(parts, losses)) : undefined, losses: losses.list() };
};
// biome-ignore lint/suspicious/noExplicitAny: a tree of plain values
type Tree = any;
const samplesOf = (raw: Uint8Array): Tree[] =>
  treeOf(raw).resources.flatMap((resource: Tree) =>
    resource.scopes.flatMap((scope: Tree) =>
      scope.profiles.flatMap((profile: Tree) => profile.samples.map((sample: string) => JSON.parse(sample))),
    ),
  );

test('without an edit nothing is written', () => {
  fc.assert(
    fc.property(madeRequest, raw => {
      assert.equal(edited(raw, () => true).written, undefined);
    }),
    { numRuns: 50 },
  );
});

test('samples that are filtered go, the others keep values, timestamps, links and attributes', () => {
  fc.assert(
    fc.property(madeRequest, fc.infiniteStream(fc.boolean()), (raw, stream) => {
      const before = samplesOf(raw).map(one => JSON.stringify(one));
      const { written } = edited(raw, columns => {
        columns.filterSamples(() => stream.next().value as boolean);
        return true;
      });
      if (!written) return;
      const after = samplesOf(written).map(one => JSON.stringify(one));
      assert.ok(after.length < before.length);
      // As a multiset, they were all there.
      const left = [...before];
      for (const one of after) {
        const at = left.indexOf(one);
        assert.ok(at >= 0, one);
        left.splice(at, 1);
      }
    }),
    { numRuns: 200 },
  );
});

test('a sum that a stage changed voids the single values', () => {
  const sample = bytes(2, [...bytes(4, [5, 6]), ...bytes(5, [...new Array(16).fill(1)])]);
  const { written } = edited(request(sample), columns => {
    columns.samples.values.set(0, 7n);
    columns.edited = true;
    return true;
  });
  const [one] = samplesOf(written!);
  assert.deepEqual([one.values, one.times], [['7'], []]);
});

test('a group that is let go leaves, and the part stays', () => {
  const raw = request(bytes(2, bytes(4, [5])));
  assert.equal(samplesOf(edited(raw, () => false).written!).length, 0);
  assert.equal(treeOf(edited(raw, () => false).written!).resources.length, 1);
});

test('labels are set on attributes, of real captures too', { skip: noCorpus }, () => {
  const raw = capture('ebpf-k8s-1.v1_10.pb');
  const stage = labels({
    actions: [
      { action: 'set', key: 'team', value: 'red' },
      { action: 'delete', key: 'thread.name' },
    ],
  });
  const { written } = edited(raw, columns => stage({ attributes: new Map() }, columns).keep);
  const before = samplesOf(raw);
  const after = samplesOf(written!);
  assert.equal(after.length, before.length);
  for (const { attributes } of after) {
    assert.ok(attributes.includes('["team","red",""]'));
    assert.ok(!attributes.some((one: string) => one.startsWith('["thread.name"')));
  }
  assert.ok(!written!.includes('thread.name'));
});

test('what is redacted is nowhere: names, attributes of mappings and locations, of the profile, the original payload', () => {
  const SECRET = 'secret';
  const strings = [...STRINGS, SECRET, `/${SECRET}.so`, 'note', 'kind'];
  const row = (one: string) => strings.indexOf(one);
  const attribute = (key: string, value: string) => bytes(6, [...number(1, row(key)), ...bytes(2, text(1, value))]);
  const tables = bytes(2, [
    ...bytes(1, []),
    ...bytes(1, [...number(4, row(`/${SECRET}.so`)), ...bytes(5, [1])]),
    ...bytes(2, []),
    ...bytes(2, [...number(1, 1), ...bytes(3, number(1, 1)), ...bytes(4, [2])]),
    ...bytes(3, []),
    ...bytes(3, [...number(1, row(SECRET)), ...number(3, row(`/${SECRET}.so`))]),
    ...bytes(4, []),
    ...strings.flatMap(one => text(5, one)),
    ...bytes(6, []),
    ...attribute('note', `mapping ${SECRET}`),
    ...attribute('kind', `location ${SECRET}`),
    ...attribute('note', `profile ${SECRET}`),
    ...bytes(7, []),
    ...bytes(7, bytes(1, [1])),
  ]);
  const profile = [
    ...bytes(1, [...number(1, 1), ...number(2, 2)]),
    ...bytes(2, [...number(1, 1), ...bytes(4, [5])]),
    ...text(9, 'pprof'),
    ...text(10, SECRET),
    ...bytes(11, [3]),
  ];
  const raw = request(profile, tables);
  assert.ok(raw.includes(SECRET));
  const rules = (['function', 'mapping', 'file'] as const).map(field => ({
    action: 'redact' as const,
    match: SECRET,
    field,
  }));
  const stage = frames({ rules, other: 'other' });
  const { written, losses } = edited(raw, columns => stage({ attributes: new Map() }, columns).keep);
  assert.ok(!written!.includes(SECRET), written!.toString('latin1'));
  assert.equal(samplesOf(written!).length, 1);
  assert.deepEqual(losses, [{ reason: 'edited_original_payload', items: 1 }]);
});

test('a value of another kind that is hashed or renamed leaves as text or under its new key', () => {
  const attribute = bytes(6, [
    ...number(1, 4),
    ...bytes(2, bytes(5, [...bytes(1, text(1, 'secret')), ...bytes(1, number(2, 1))])),
  ]);
  const tables = bytes(2, [...STRINGS.flatMap(one => text(5, one)), ...bytes(6, []), ...attribute, ...bytes(7, [])]);
  const raw = request(bytes(2, [...bytes(2, [1]), ...bytes(4, [5])]), tables);
  const run = (...actions: Parameters<typeof labels>[0]['actions']) => {
    const stage = labels({ actions });
    return edited(raw, columns => stage({ attributes: new Map() }, columns).keep).written!;
  };
  const hashed = run({ action: 'hash', key: 'host.name', match: 'secret' });
  assert.ok(!hashed.includes('secret'));
  assert.match(samplesOf(hashed)[0].attributes[0], /^\["host.name","[^"]+",""\]$/);
  const renamed = run({ action: 'rename', key: 'host.name', to: 'node' });
  assert.deepEqual(samplesOf(renamed)[0].attributes, ['["node",["secret",true],""]']);
});

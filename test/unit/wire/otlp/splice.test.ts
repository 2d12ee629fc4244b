import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Attributes, Plain } from '../../../../src/model/attributes.ts';
import { DecodeError } from '../../../../src/wire/decode-error.ts';
import { writeKeyValue } from '../../../../src/wire/otlp/any-value.ts';
import { MAX_PARTS } from '../../../../src/wire/otlp/limits.ts';
import { skeletonFor, skeletonOf } from '../../../../src/wire/otlp/skeleton.ts';
import { type References, spliced } from '../../../../src/wire/otlp/splice.ts';
import { CURRENT, capture, dictionary, noCorpus, request, STRINGS } from '../../../kit/otlp.ts';
import { bytes, fieldsOf, number, text } from '../../../kit/protobuf.ts';

const all = (raw: Uint8Array, change: (attributes: Map<string, Plain>) => void = () => {}) =>
  skeletonOf(raw).parts.map(({ attributes }, part) => {
    const copy = new Map(attributes);
    change(copy);
    return { part, attributes: copy as Attributes };
  });
const splice = (
  raw: Uint8Array,
  change?: (attributes: Map<string, Plain>) => void,
  references: References = 'inline',
) => Buffer.concat(spliced(skeletonOf(raw), all(raw, change), references));

/** The tree of a request down to the attributes of its resources, by a walker that shares nothing with src. */
const tree = (raw: Uint8Array) =>
  fieldsOf(raw).map(top =>
    top.field !== 1
      ? top.raw.toString('hex')
      : fieldsOf(top.content).map(part =>
          part.field === 1 ? fieldsOf(part.content).map(one => one.raw.toString('hex')) : part.raw.toString('hex'),
        ),
  );
const added = Buffer.from(bytes(1, [...text(1, 'gateway'), ...bytes(2, text(1, 'flamegate'))])).toString('hex');

for (const name of CURRENT) {
  test(`${name}: without a change, one view on the same bytes`, { skip: noCorpus }, () => {
    const raw = capture(name);
    for (const references of ['inline', 'intern'] as const) {
      const chunks = spliced(skeletonOf(raw), all(raw), references);
      assert.equal(chunks.length, 1);
      assert.equal(chunks[0]!.buffer, raw.buffer);
      assert.ok(raw.equals(chunks[0]!));
    }
  });

  test(`${name}: a new attribute changes nothing but its own bytes`, { skip: noCorpus }, () => {
    const raw = capture(name);
    const result = tree(splice(raw, attributes => attributes.set('gateway', 'flamegate')));
    const expected = tree(raw).map(top => {
      if (typeof top === 'string') return top;
      const resource = top.findIndex(part => typeof part !== 'string');
      if (resource < 0) return [[added], ...top];
      return top.with(resource, [...(top[resource] as string[]), added]);
    });
    assert.deepEqual(result, expected);
    const back = splice(
      splice(raw, attributes => attributes.set('gateway', 'flamegate')),
      attributes => attributes.delete('gateway'),
    );
    // An empty resource stays behind where there was none.
    if (tree(raw).every(top => typeof top === 'string' || top.some(part => typeof part !== 'string')))
      assert.ok(raw.equals(back));
  });
}

const attribute = (key: string, value: number[]) => bytes(1, [...text(1, key), ...bytes(2, value)]);
const unknown = [...number(99, 7), ...text(100, 'kept')];

test('unknown fields stay at every level, in place', () => {
  const kept = bytes(1, [...text(1, 'a'), ...bytes(2, [...text(1, 'x'), ...unknown]), ...unknown]);
  const resource = bytes(1, [...unknown, ...kept, ...attribute('b', text(1, 'old')), ...unknown]);
  const part = bytes(1, [...unknown, ...resource, ...bytes(2, unknown), ...unknown]);
  const raw = Buffer.from([...unknown, ...part, ...dictionary(), ...unknown]);
  const result = splice(raw, attributes => attributes.set('b', 'new'));
  const expected = Buffer.from(raw.toString('latin1').replace('old', 'new'), 'latin1');
  assert.deepEqual(result, expected);
});

test('parts are chosen, put in order, and repeated', () => {
  const part = (name: string) => bytes(1, bytes(1, attribute('n', text(1, name))));
  const raw = Buffer.from([...part('0'), ...part('1'), ...part('2'), ...dictionary()]);
  const skeleton = skeletonOf(raw);
  const of = (...parts: number[]) =>
    Buffer.concat(
      spliced(
        skeleton,
        parts.map(one => ({ part: one, attributes: skeleton.parts[one]!.attributes })),
        'inline',
      ),
    );
  assert.deepEqual(of(2, 0, 0), Buffer.from([...part('2'), ...part('0'), ...part('0'), ...dictionary()]));
  assert.deepEqual(of(), Buffer.from(dictionary()));
  assert.throws(() => spliced(skeleton, [{ part: 3, attributes: new Map() }], 'inline'), RangeError);
});

const referring = [
  ...bytes(1, [...number(3, 4), ...bytes(2, number(8, 5)), ...unknown]),
  ...bytes(1, [...text(1, 'list'), ...bytes(2, bytes(5, bytes(1, number(8, 3))))]),
];

test('references are resolved; inline writes them out in resource and scope, intern keeps them', () => {
  const scope = bytes(1, bytes(3, [...number(3, 4), ...bytes(2, number(8, 0))]));
  const raw = Buffer.from([
    ...bytes(1, [...bytes(1, referring), ...bytes(2, [...scope, ...unknown])]),
    ...dictionary(),
  ]);
  assert.deepEqual(
    [...skeletonOf(raw).parts[0]!.attributes],
    [
      ['host.name', 'böx'],
      ['list', ['main']],
    ],
  );
  assert.deepEqual(splice(raw, undefined, 'intern'), raw);
  const inline = [
    ...bytes(1, [...text(1, 'host.name'), ...bytes(2, text(1, 'böx')), ...unknown]),
    ...bytes(1, [...text(1, 'list'), ...bytes(2, bytes(5, bytes(1, text(1, 'main'))))]),
  ];
  const plainScope = bytes(1, bytes(3, [...text(1, 'host.name'), ...bytes(2, text(1, ''))]));
  assert.deepEqual(
    splice(raw),
    Buffer.from([...bytes(1, [...bytes(1, inline), ...bytes(2, [...plainScope, ...unknown])]), ...dictionary()]),
  );
});

test('row 0 in a key is no reference', () => {
  const one = bytes(1, [...text(1, 'a'), ...number(3, 0), ...bytes(2, text(1, 'v'))]);
  const raw = request([], dictionary(), bytes(1, one));
  assert.deepEqual([...skeletonOf(raw).parts[0]!.attributes], [['a', 'v']]);
  assert.deepEqual(splice(raw), raw);
});

test('intern adds only the strings that the dictionary lacks, at its end', () => {
  const raw = request([]);
  const result = splice(raw, attributes => attributes.set('host.name', 'new'), 'intern');
  const row = STRINGS.length;
  const resource = bytes(1, bytes(1, [...number(3, 4), ...bytes(2, number(8, row))]));
  const [dict] = fieldsOf(Buffer.from(dictionary()));
  assert.deepEqual(result, request([], bytes(2, [...dict!.content, ...text(5, 'new')]), resource));
  assert.deepEqual([...skeletonOf(result).parts[0]!.attributes], [['host.name', 'new']]);
});

test('inline writes out the references in the attribute table, intern keeps them', () => {
  const row = (value: number[]) => bytes(6, [...number(1, 4), ...bytes(2, value), ...number(3, 2)]);
  const table = (main: number[], host: number[]) =>
    bytes(2, [
      ...STRINGS.flatMap(one => text(5, one)),
      ...bytes(6, []),
      ...row(main),
      ...row(text(1, 'plain')),
      ...row(bytes(5, [...bytes(1, host), ...unknown])),
      ...unknown,
    ]);
  const part = bytes(1, bytes(2, unknown));
  const raw = Buffer.from([...part, ...table(number(8, 3), number(8, 0))]);
  const written = Buffer.from([...part, ...table(text(1, 'main'), text(1, ''))]);
  const skeleton = skeletonOf(raw);
  for (const _ of ['first', 'memoised']) {
    assert.deepEqual(Buffer.concat(spliced(skeleton, all(raw), 'inline')), written);
    assert.deepEqual(Buffer.concat(spliced(skeleton, all(raw), 'intern')), raw);
  }
  const wrong = Buffer.from([...part, ...table(number(8, 9), [])]);
  assert.throws(
    () => splice(wrong),
    (error: unknown) => error instanceof DecodeError && error.reason === 'bad_reference',
  );
});

test('intern finds a string among many, and bears those that collide', () => {
  // Slots are told by the low bits of a hash: of so many strings some always share one.
  const many = Array.from({ length: 5000 }, (_, at) => `s${at}`);
  const dict = bytes(
    2,
    ['', ...many, 's7'].flatMap(one => text(5, one)),
  );
  const raw = Buffer.from([...bytes(1, bytes(1, attribute('k', text(1, 'v')))), ...dict]);
  const result = splice(raw, attributes => attributes.set('s4999', ['s7', 's0', 'new', 'new']), 'intern');
  const [resource] = fieldsOf(fieldsOf(result)[0]!.content);
  const value = bytes(
    5,
    [8, 1, 5001 + 1, 5001 + 1].flatMap(row => bytes(1, number(8, row))),
  );
  assert.deepEqual([...fieldsOf(resource!.content).at(-1)!.raw], bytes(1, [...number(3, 5000), ...bytes(2, value)]));
  assert.equal(result.length, raw.length + fieldsOf(resource!.content).at(-1)!.raw.length + text(5, 'new').length);
});

test('intern looks at a bounded number of strings that collide, and then adds one that is there', () => {
  /** FNV-1a, folded; with so many rows there are 256 slots. */
  const slot = (one: string) => {
    const hash = Buffer.from(one).reduce((hash, byte) => Math.imul(hash ^ byte, 0x01000193), 0x811c9dc5);
    return (hash ^ (hash >>> 15)) & 0xff;
  };
  const late = Array.from({ length: 10_000 }, (_, at) => `late${at}`).find(one => slot(one) === slot('a'))!;
  const of = (before: number) => {
    const table = [
      '',
      ...Array.from({ length: before }, () => 'a'),
      ...Array.from({ length: 70 - before }, () => 'x'),
      late,
    ];
    const raw = Buffer.from([
      ...bytes(1, []),
      ...bytes(
        2,
        table.flatMap(one => text(5, one)),
      ),
    ]);
    const [, dict] = fieldsOf(splice(raw, attributes => attributes.set('a', late), 'intern'));
    return fieldsOf(dict!.content).length - table.length;
  };
  assert.ok(slot('x') !== slot('a') && slot('') !== slot('a'));
  assert.equal(of(63), 0, 'it is found');
  assert.equal(of(64), 1, 'it is written again');
});

test('values of every kind come back as they were written', () => {
  const values: Plain = {
    text: 'ü',
    yes: true,
    no: false,
    least: -(2n ** 63n),
    most: 2n ** 63n - 1n,
    double: -0.5,
    nothing: null,
    bytes: Uint8Array.of(0, 255),
    list: [1n, 'a', [], {}],
    ['__proto__']: 'p',
  };
  const raw = splice(request([]), attributes => attributes.set('v', values));
  assert.deepEqual(skeletonOf(raw).parts[0]!.attributes.get('v'), values);
  const shared = Buffer.from(new SharedArrayBuffer(raw.length));
  raw.copy(shared);
  assert.deepEqual(skeletonOf(shared).parts[0]!.attributes.get('v'), values);
});

const refused = (raw: Uint8Array, reason: string) =>
  assert.throws(
    () => splice(raw),
    (error: unknown) => error instanceof DecodeError && error.reason === reason,
  );

test('what cannot be read for sure is refused with its reason', () => {
  refused(Buffer.from([...dictionary(), ...dictionary()]), 'duplicate_field');
  refused(Buffer.from(bytes(1, [...bytes(1, []), ...bytes(1, [])])), 'duplicate_field');
  refused(request([], dictionary(), bytes(1, bytes(1, number(3, 600)))), 'bad_reference');
  refused(request([], dictionary(), bytes(1, bytes(1, number(3, -1)))), 'bad_reference');
  refused(request([], dictionary(), bytes(1, bytes(1, bytes(1, [0xff])))), 'bad_string');
  refused(Buffer.from([0x0a, 0x05, 0x0a, 0x20]), 'bad_protobuf');
  let deep = text(1, 'x');
  for (let depth = 0; depth < 80; depth++) deep = bytes(5, bytes(1, deep));
  refused(request([], dictionary(), bytes(1, attribute('deep', deep))), 'too_deep');
  let plain: Plain = 'x';
  for (let depth = 0; depth < 80; depth++) plain = [plain];
  assert.throws(() => writeKeyValue('deep', plain), DecodeError);
});

test('a skeleton has a bounded number of parts', () => {
  const parts = (count: number) => Buffer.alloc(count * 2, Buffer.from(bytes(1, [])));
  assert.equal(skeletonOf(parts(MAX_PARTS)).parts.length, MAX_PARTS);
  assert.throws(() => skeletonOf(parts(MAX_PARTS + 1)), { reason: 'too_many_elements' });
});

test('the skeleton of a payload is found once', () => {
  const payload = { bytes: request([]) };
  assert.equal(skeletonFor(payload), skeletonFor(payload));
});

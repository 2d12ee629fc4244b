// Trees and tries against an encoder of their description, and against bytes written by hand.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError } from '../../../../src/wire/decode-error.ts';
import { decodeFolded } from '../../../../src/wire/folded/decode.ts';
import { encodeFolded } from '../../../../src/wire/folded/encode.ts';
import { encodePprof } from '../../../../src/wire/pprof/encode.ts';
import { decodeTree, decodeTrie } from '../../../../src/wire/tree/decode.ts';
import { byStack, samplesOf, sumOf } from '../../../kit/folded.ts';
import { byPprofFormat } from '../../../kit/oracles.ts';
import { type Node, nodeBytes, treeOf, trieOf } from '../../../kit/trees.ts';

type Decode = typeof decodeTree;
const BOTH = [
  { decode: decodeTree, reason: 'bad_tree' },
  { decode: decodeTrie, reason: 'bad_trie' },
];
const node = (name: string | Uint8Array, value = 0n, children: Node[] = []): Node => ({ name, value, children });
const stacksOf = (decode: Decode, raw: Uint8Array) =>
  samplesOf(decode(raw)).map(({ stack, value }) => [stack.join(';'), value]);

function refuses(decode: Decode, raw: Uint8Array, reason: string, maxBytes?: number) {
  assert.throws(
    () => decode(raw, maxBytes),
    (error: unknown) => error instanceof DecodeError && error.reason === reason,
    reason,
  );
}

const word = fc.oneof(
  fc.constantFrom('main', 'maintain', 'work', 'worker', 'é', 'è', '日本', '日月', ''),
  fc.string({ unit: 'grapheme', maxLength: 4 }).map(text => text.replaceAll(';', '')),
);
const stacks = fc
  .array(
    fc.tuple(
      fc.array(word, { minLength: 1, maxLength: 6 }).map(names => names.join(';')),
      fc.oneof(fc.bigInt({ min: 1n, max: 300n }), fc.bigInt({ min: 1n, max: 2n ** 63n - 1n })),
    ),
    { maxLength: 15 },
  )
  .map(entries => new Map(entries.filter(([stack]) => stack !== '')));
const sorted = (map: ReadonlyMap<string, bigint>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));

test('a tree and a trie of two stacks, by hand', () => {
  // The root; `a` with two children; `b` 1; `c` 2.
  const tree = Buffer.from([0, 0, 1, 1, 0x61, 0, 2, 1, 0x62, 1, 0, 1, 0x63, 2, 0]);
  assert.deepEqual(stacksOf(decodeTree, tree), [
    ['a;b', 1n],
    ['a;c', 2n],
  ]);
  // The root; `ab`; `c` 1; `d` 2: in a trie these are the ends of one frame.
  const trie = Buffer.from([0, 0, 1, 2, 0x61, 0x62, 0, 2, 1, 0x63, 1, 0, 1, 0x64, 2, 0]);
  assert.deepEqual(stacksOf(decodeTrie, trie), [
    ['abc', 1n],
    ['abd', 2n],
  ]);
  // `foo;ba` 300 (two bytes), below it `r` 1 and `z;q` 2.
  const cut = Buffer.from([
    0,
    0,
    1,
    6,
    ...Buffer.from('foo;ba'),
    0xac,
    2,
    2,
    1,
    0x72,
    1,
    0,
    3,
    ...Buffer.from('z;q'),
    2,
    0,
  ]);
  assert.deepEqual(stacksOf(decodeTrie, cut), [
    ['foo;ba', 300n],
    ['foo;bar', 1n],
    ['foo;baz;q', 2n],
  ]);
});

test('any stacks come back from a tree and from a trie, with one function for each name', () => {
  fc.assert(
    fc.property(stacks, map => {
      for (const [decode, root] of [
        [decodeTree, treeOf(map)],
        [decodeTrie, trieOf(map)],
      ] as const) {
        const columns = decode(nodeBytes(root));
        const samples = samplesOf(columns);
        assert.deepEqual(sorted(byStack(samples)), sorted(map));
        assert.equal(samples.length, map.size);
        const names = samples.flatMap(({ stack }) => stack);
        if (decode === decodeTree) assert.equal(columns.functions.count - 1, new Set(names).size);
        const pprof = byPprofFormat(Buffer.from(encodePprof(columns)));
        assert.equal(
          pprof.samples.reduce((sum, { values }) => sum + BigInt(values[0]!), 0n),
          sumOf(samples),
        );
      }
    }),
    { numRuns: 1000 },
  );
});

test('a trie says what the folded text of its keys says', () => {
  const plain = stacks.filter(map => [...map.keys()].every(stack => !/[\x00-\x1f\x7f{}#/\ufeff]/.test(stack)));
  fc.assert(
    fc.property(plain, map => {
      fc.pre(map.size > 0);
      const text = Buffer.from(
        encodeFolded(decodeTrie(nodeBytes(trieOf(map))), { type: 0, values: 'count', labels: false }),
      );
      const folded = samplesOf(decodeFolded(text, { values: 'count', badLines: 'refuse' }));
      assert.deepEqual(sorted(byStack(folded)), sorted(map));
    }),
  );
});

test('each node with a value is a sample, also the root and inner ones; others are none', () => {
  const tree = node('', 4n, [node('a', 0n, [node('b', 1n, [node('c', 2n)])]), node('d;e', 5n), node('')]);
  assert.deepEqual(stacksOf(decodeTree, nodeBytes(tree)), [
    ['', 4n],
    ['a;b', 1n],
    ['a;b;c', 2n],
    ['d;e', 5n],
  ]);
  const frames = samplesOf(decodeTree(nodeBytes(tree))).map(({ stack }) => stack.length);
  assert.deepEqual(frames, [0, 2, 3, 1], 'a name of a tree is one frame, whatever it holds');
  const trie = node('x;', 4n, [node('', 1n, [node(';', 2n)]), node('y', 0n)]);
  assert.deepEqual(
    samplesOf(decodeTrie(nodeBytes(trie))).map(({ stack, value }) => [stack, value]),
    [
      [['x', ''], 4n],
      [['x', ''], 1n],
      [['x', '', ''], 2n],
    ],
  );
  assert.deepEqual(samplesOf(decodeTrie(nodeBytes(node('', 3n)))), [{ stack: [], labels: [], value: 3n }]);
  for (const { decode } of BOTH) assert.equal(decode(nodeBytes(node(''))).samples.count, 0);
});

test('values and numbers of 64 bits', () => {
  for (const { decode, reason } of BOTH) {
    assert.deepEqual(stacksOf(decode, nodeBytes(node('', 0n, [node('a', 2n ** 63n - 1n)]))), [['a', 2n ** 63n - 1n]]);
    refuses(decode, nodeBytes(node('', 0n, [node('a', 2n ** 63n)])), 'value_overflow');
    refuses(decode, Buffer.from([0, ...Array(9).fill(0xff), 2, 0]), reason);
    refuses(decode, Buffer.from([0, ...Array(10).fill(0x80), 0, 0]), reason);
    assert.equal(
      decode(Buffer.from([0x80, 0, 0x80, 0x80, 0, 0])).samples.count,
      0,
      'numbers may be longer than needed',
    );
  }
});

test('what is cut, or has something behind it, is refused', () => {
  const whole = nodeBytes(node('', 0n, [node('ab', 300n, [node('c', 1n)]), node('d', 2n)]));
  for (const { decode, reason } of BOTH) {
    refuses(decode, Buffer.alloc(0), 'empty_body');
    for (let length = 1; length < whole.length; length++) refuses(decode, whole.subarray(0, length), reason);
    refuses(decode, Buffer.concat([whole, Buffer.from([0])]), reason);
    refuses(decode, Buffer.concat([whole, whole]), reason);
    // Lengths and counts of 2^32 and of 2^64 - 1.
    for (const huge of [
      [0x80, 0x80, 0x80, 0x80, 0x10],
      [...Array(9).fill(0xff), 1],
    ]) {
      refuses(decode, Buffer.from([...huge, 0, 0, 0, 0]), reason);
      refuses(decode, Buffer.from([0, 0, ...huge, 0, 0, 0]), reason);
    }
    const shared = Buffer.from(new SharedArrayBuffer(whole.length));
    whole.copy(shared);
    assert.deepEqual(stacksOf(decode, shared), stacksOf(decode, whole));
  }
  refuses(decodeTree, nodeBytes(node('root', 0n, [node('a', 1n)])), 'bad_tree');
});

test('names are UTF-8, also where they are put together, and have an end', () => {
  for (const { decode, reason } of BOTH) {
    refuses(decode, nodeBytes(node('', 0n, [node(Buffer.from([0x61, 0xff]), 1n)])), 'bad_string');
    const name = 'x'.repeat(65_535);
    assert.equal(samplesOf(decode(nodeBytes(node('', 0n, [node(name, 1n)]))))[0]!.stack[0], name);
    refuses(decode, nodeBytes(node('', 0n, [node(`${name}x`, 1n)])), reason);
  }
  const [first, second] = Buffer.from('é');
  const cut = (end: number) =>
    nodeBytes(node('', 0n, [node(Buffer.from([first!]), 0n, [node(Buffer.from([end]), 1n)])]));
  assert.deepEqual(stacksOf(decodeTrie, cut(second!)), [['é', 1n]]);
  refuses(decodeTrie, cut(0x61), 'bad_string');
});

/** A chain of nodes, each in the one before; nothing recurses over it. */
function chain(depth: number, name: string, value: number): Buffer {
  const one = Buffer.from([name.length, ...Buffer.from(name), value, 1]);
  const last = Buffer.from([name.length, ...Buffer.from(name), 1, 0]);
  return Buffer.concat([Buffer.from([0, 0, 1]), ...Array(depth - 1).fill(one), last]);
}

test('depth, width and what grows by squares are bounded', () => {
  assert.equal(samplesOf(decodeTree(chain(65_536, 'f', 0)))[0]!.stack.length, 65_536);
  refuses(decodeTree, chain(65_537, 'f', 0), 'too_deep');
  refuses(decodeTrie, chain(65_537, 'f;', 0), 'too_deep');
  assert.equal(samplesOf(decodeTrie(chain(60_000, 'f', 0)))[0]!.stack[0], 'f'.repeat(60_000), 'nodes may be short');
  for (const { decode } of BOTH) refuses(decode, chain(60_000, 'f;', 1), 'too_many_elements', 20_000_000);
  refuses(decodeTrie, chain(60_000, 'f', 1), 'too_many_elements', 20_000_000);
  const wide = (count: number) => nodeBytes(node('', 0n, Array(count).fill(node('a', 1n))));
  assert.equal(decodeTree(wide(16_000)).samples.count, 16_000);
  refuses(decodeTree, wide(16_001), 'too_many_elements');
  assert.equal(decodeTrie(wide(16_001)).samples.count, 16_001);
});

test('short nodes below a long name do not have it read for ever', () => {
  const start = performance.now();
  for (const suffix of ['', 'a', ';', 'a;']) {
    const below = nodeBytes(node(suffix, 1n));
    const count = 200_000;
    const head = nodeBytes(node('', 0n, [node('x'.repeat(60_000))]));
    const raw = Buffer.concat([head.subarray(0, -1), Buffer.from([0xc0, 0x9a, 0x0c]), ...Array(count).fill(below)]);
    refuses(decodeTrie, raw, 'too_many_elements');
  }
  assert.ok(performance.now() - start < 5000);
});

// What is a line, a value, a frame and a label; what is refused, and where.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Losses } from '../../../../src/wire/convert/losses.ts';
import { DecodeError } from '../../../../src/wire/decode-error.ts';
import { decodeFolded } from '../../../../src/wire/folded/decode.ts';
import { byStack, naive, samplesOf, sayable, sumOf } from '../../../kit/folded.ts';

const COUNT = { values: 'count', badLines: 'refuse' } as const;
const LINES = { values: 'lines', badLines: 'refuse' } as const;
const SKIP = { values: 'count', badLines: 'skip' } as const;

const bytes = (text: string) => Buffer.from(text);
const read = (text: string, options: Parameters<typeof decodeFolded>[1] = COUNT) =>
  samplesOf(decodeFolded(bytes(text), options));
const sample = (names: string[], value: bigint, labels: [string, string][] = []) => ({ stack: names, labels, value });

function refuses(raw: Uint8Array, reason: string, options: Parameters<typeof decodeFolded>[1] = COUNT, where = '') {
  assert.throws(
    () => decodeFolded(raw, options),
    (error: unknown) => error instanceof DecodeError && error.reason === reason && error.message.endsWith(where),
    reason,
  );
}

test('the value is the integer behind the last white space; the rest is the stack', () => {
  assert.deepEqual(read('a;b c 3\n'), [sample(['a', 'b c'], 3n)]);
  assert.deepEqual(read('a;b 3 5'), [sample(['a', 'b 3'], 5n)]);
  assert.deepEqual(read('a;b\t7 \r\n'), [sample(['a', 'b'], 7n)]);
  assert.deepEqual(read('a;b  7'), [sample(['a', 'b '], 7n)], 'one white space parts them');
  assert.deepEqual(read('  a 7'), [sample(['  a'], 7n)]);
  assert.deepEqual(read('a 0\na 007'), [sample(['a'], 0n), sample(['a'], 7n)]);
  assert.deepEqual(read(`a 9223372036854775807\na ${'0'.repeat(40)}12`), [
    sample(['a'], 2n ** 63n - 1n),
    sample(['a'], 12n),
  ]);
});

test('frames are parted by every `;`, and no stack is none', () => {
  assert.deepEqual(read('a;;b 1'), [sample(['a', '', 'b'], 1n)]);
  assert.deepEqual(read(';a; 1'), [sample(['', 'a', ''], 1n)]);
  assert.deepEqual(read(' 4'), [sample([], 4n)]);
  assert.deepEqual(read('a|b:c 1'), [sample(['a|b:c'], 1n)]);
});

test('a stack begins as the one before, and is read in full', () => {
  const lines = [
    'a;b;c 1',
    'a;b;c 2',
    'a;b;cd 3',
    'a;b 4',
    'a;bc 5',
    'a 6',
    ' 7',
    'a;b;c;d;e 8',
    'a;b;c 9',
    'x;b;c 10',
  ];
  const text = `${lines.join('\n')}\n`;
  assert.deepEqual(read(text), naive(text, 'count'));
  const columns = decodeFolded(bytes(text), COUNT);
  assert.equal(columns.functions.count - 1, 8, 'one function for each name');
  assert.equal(columns.locations.count - 1, 8, 'one location for each name');
});

test('blank lines and comments say nothing', () => {
  const text = '\n  \t\r\n# a 1\n// b 2\na 3\n\n #b 4\n/a 5';
  assert.deepEqual(
    read(text).map(one => one.stack),
    [['a'], [' #b'], ['/a']],
  );
});

test('lines are counted where they first appear', () => {
  const text = 'b;c\na\r\nb;c\n# no\n\na 5\nb;c {k="v"}\nb;c {k="v"}\nb;c';
  assert.deepEqual(read(text, LINES), [
    sample(['b', 'c'], 3n),
    sample(['a'], 1n),
    sample(['a 5'], 1n),
    sample(['b', 'c'], 2n, [['k', 'v']]),
  ]);
  const losses = new Losses();
  decodeFolded(bytes('a\nb\x00\nb\x00\na'), { values: 'lines', badLines: 'skip' }, losses);
  assert.deepEqual(losses.list(), [{ reason: 'folded_bad_line', items: 2 }], 'each bad line is one, also the same');
});

test('labels are those of the strict syntax, and all else is the last frame', () => {
  assert.deepEqual(read('main;work {vehicle="bike",n="a\\"b"} 12'), [
    sample(['main', 'work'], 12n, [
      ['vehicle', 'bike'],
      ['n', 'a"b'],
    ]),
  ]);
  assert.deepEqual(read(' {a="",a="x;y\\n\\\\"} 1'), [
    sample([], 1n, [
      ['a', ''],
      ['a', 'x;y\n\\'],
    ]),
  ]);
  assert.deepEqual(read('f {x="y"} {a="b {c=\\"d\\"}"} 1'), [sample(['f {x="y"}'], 1n, [['a', 'b {c="d"}']])]);
  for (const last of [
    'f::{{closure}}',
    'f {…}',
    'f {}',
    'f{a="b"}',
    'f {a="b" }',
    'f {a="b",}',
    'f { a="b"}',
    'f {a=b}',
    'f {1a="b"}',
    'f {a="\\x"}',
    'f {a="b}',
    'f {a"b"}',
    'f {a="b"}x',
    'f {a="b"};',
    'f {a="b"} ',
  ])
    assert.deepEqual(read(`main;${last} 1`), [sample(['main', ...last.split(';')], 1n)], last);
});

test('an empty value of a label stays a text', () => {
  const columns = decodeFolded(bytes('a {k=""} 1'), COUNT);
  assert.equal(columns.labels.isNumber(columns.samples.firstLabel[0]!), false);
});

test('what is no stack and value is refused with its line, or left out and counted', () => {
  for (const line of [
    'a',
    '5',
    'a 1.5',
    'a 3x',
    'a3',
    'a +3',
    'a\x00b 3',
    'a\rb 3',
    'a\x7f 3',
    'a\x1b[0m 3',
    'a {b="\x01"} 3',
  ]) {
    refuses(bytes(`ok 1\n\n${line}\nok 2\n`), 'bad_line', COUNT, 'at line 3');
    const losses = new Losses();
    const columns = decodeFolded(bytes(`ok 1\n\n${line}\nok 2\n`), SKIP, losses);
    assert.equal(sumOf(samplesOf(columns)), 3n, JSON.stringify(line));
    assert.equal(columns.functions.count - 1, 1, 'nothing of a bad line stays');
    assert.deepEqual(losses.list(), [{ reason: 'folded_bad_line', items: 1 }]);
    refuses(bytes(`${line}\n`), 'bad_line', SKIP);
  }
  refuses(bytes('# only\n'), 'bad_line');
  for (const text of ['', '\n', ' \t\r\n\n', '\ufeff', '\ufeff\n']) refuses(bytes(text), 'empty_body');
});

test('a value that is no count is refused in any case', () => {
  for (const value of ['-3', '-0', '9223372036854775808', '99999999999999999999', '1'.repeat(5000)])
    for (const options of [COUNT, SKIP]) refuses(bytes(`ok 1\na ${value}\n`), 'bad_value', options, 'at line 2');
});

test('text is UTF-8, or UTF-16 with a mark, and is never repaired', () => {
  const expected = [sample(['é', '日本'], 1n), sample(['😀'], 2n)];
  const text = 'é;日本 1\r\n😀 2\r\n';
  const little = Buffer.from(`\ufeff${text}`, 'utf16le');
  const big = Buffer.from(little).swap16();
  for (const raw of [bytes(text), bytes(`\ufeff${text}`), little, big]) {
    assert.deepEqual(samplesOf(decodeFolded(raw, COUNT)), expected);
    const shared = Buffer.from(new SharedArrayBuffer(raw.length + 3), 3);
    raw.copy(shared);
    assert.deepEqual(samplesOf(decodeFolded(shared, COUNT)), expected, 'in shared memory');
  }
  refuses(Buffer.from('a 1\n\xe9 2\nb 3\n', 'latin1'), 'bad_string', COUNT, 'at line 2');
  refuses(Buffer.from('a 1\n\xe9 2', 'latin1'), 'bad_string', SKIP, 'at line 2');
  refuses(Buffer.from([0xff, 0xfe, 0x61]), 'bad_string');
  refuses(Buffer.from([0xff, 0xfe, 0x00, 0xd8, 0x20, 0, 0x31, 0]), 'bad_string');
  refuses(Buffer.from('a 1', 'utf16le'), 'bad_line');
});

test('lines are as long as they are, stacks as deep as is sane', () => {
  const name = 'x'.repeat(300_000);
  assert.deepEqual(read(`a;${name} 1`), [sample(['a', name], 1n)]);
  assert.equal(read(`${Array(65_536).fill('f').join(';')} 1`)[0]!.stack.length, 65_536);
  refuses(bytes(`${Array(65_537).fill('f').join(';')} 1`), 'too_deep');
  refuses(bytes(`${';'.repeat(100_000)} 1`), 'too_deep', SKIP);
});

test('columns stay within what they may take', () => {
  // Two lines of a deep stack cost twice as many rows; the third frame of each line ends what they share.
  const deep = Array(50_000).fill('f').join(';');
  refuses(bytes(`${deep} 1\n`.repeat(20)), 'too_many_elements', { ...COUNT, maxBytes: 1_000_000 });
  const utf16 = Buffer.from(`\ufeff${deep} 1`, 'utf16le');
  refuses(utf16, 'too_many_elements', { ...COUNT, maxBytes: 100_000 });
});

test('a text of braces and quotes takes linear time', () => {
  for (const part of [' {a="', ' {a="b",', ' {a="x {b=",', '",b=', ' {', ' {a', '{"} ']) {
    const start = performance.now();
    read(`${part.repeat(400_000 / part.length)}"} 1`);
    assert.ok(performance.now() - start < 1000, part);
  }
});

test('it reads what a reader by patterns reads', () => {
  const piece = fc.constantFrom(
    ...'a b;;#/{}="\\,1 -2\t\r\n\n'.split(''),
    ' 1\n',
    ' 20\r\n',
    ' {a="',
    '"} 3\n',
    'main;',
    '\x00',
    'é',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), fc.constantFrom('count', 'lines'), (parts, values) => {
      const text = parts.join('');
      const expected = naive(text, values);
      let samples: ReturnType<typeof read>;
      try {
        samples = read(text, { values, badLines: 'skip' });
      } catch (error) {
        assert.ok(error instanceof DecodeError);
        if (error.reason === 'bad_value') assert.match(text, /[ \t]-[0-9]|^-[0-9]/m);
        else assert.equal(expected.length, 0, error.reason);
        return;
      }
      if (values === 'count') assert.deepEqual(samples, expected);
      else assert.deepEqual(byStack(samples), byStack(expected));
    }),
    { numRuns: 2000 },
  );
  fc.assert(
    fc.property(sayable, samples => {
      const text = samples.map(({ stack: names, value }) => `x;${names.join(';')} ${value}\n`).join('');
      assert.deepEqual(read(text), naive(text, 'count'));
    }),
  );
});

test('a sample type, and nothing that the text does not say', () => {
  const columns = decodeFolded(bytes('a 1'), COUNT);
  const [type, ...more] = columns.sampleTypes;
  assert.deepEqual(
    [columns.strings.text(type!.type), columns.strings.text(type!.unit), more],
    ['samples', 'count', []],
  );
  assert.equal(columns.timeNanos, 0n);
  assert.equal(columns.mappings.count, 1);
  assert.equal(columns.edited, false);
  assert.deepEqual(samplesOf(columns)[0]!.stack, ['a']);
});

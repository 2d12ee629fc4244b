// Recordings made by hand: what real ones have seldom or in other versions.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Losses } from '../../../../src/wire/convert/losses.ts';
import { isJfr } from '../../../../src/wire/jfr/chunk.ts';
import { decodeJfr } from '../../../../src/wire/jfr/decode.ts';
import { mergedName } from '../../../../src/wire/jfr/generated-names.ts';
import { foldedLines, labelsOf, sumsOf, typesOf } from '../../../kit/jfr.ts';
import { Coder, jfr, type MadeChunk, USUAL } from '../../../kit/jfr-writer.ts';
import { bytes, number } from '../../../kit/protobuf.ts';

type Pools = NonNullable<MadeChunk['checkpoints']>[number];

/** Methods 1 `App.main`, 2 `App.work`, 3 `lib.so.native`; stacks 1 main→work, 2 main; states 1 and 2. */
function pools(coder = new Coder()): Pools {
  const symbol = (key: bigint, text: string) => [key, coder.string(text)] as const;
  return {
    'jdk.types.StackTrace': [
      [
        1n,
        coder.stack([
          [2n, 20],
          [1n, 10],
        ]),
      ],
      [2n, coder.stack([[1n, 10]], true)],
      [
        3n,
        coder.stack([
          [3n, -1],
          [1n, 10],
        ]),
      ],
      [
        4n,
        coder.stack([
          [9n, 1],
          [1n, 10],
        ]),
      ],
      [
        5n,
        coder.stack([
          [2n, 20],
          [1n, 10],
        ]),
      ],
    ],
    'jdk.types.Method': [
      [1n, coder.longs(1, 2, 0)],
      [2n, coder.longs(1, 3, 0)],
      [3n, coder.longs(2, 4, 0)],
    ],
    'java.lang.Class': [
      [1n, Buffer.concat([coder.long(1), coder.int(0)])],
      [2n, Buffer.concat([coder.long(5), coder.int(0)])],
    ],
    'jdk.types.Symbol': [
      symbol(1n, 'App'),
      symbol(2n, 'main'),
      symbol(3n, 'work'),
      symbol(4n, 'native'),
      symbol(5n, 'lib.so'),
    ],
    'jdk.types.ThreadState': [
      [1n, coder.string('STATE_RUNNABLE')],
      [2n, coder.string('STATE_SLEEPING')],
    ],
  };
}
const coder = new Coder();
const execution = (
  stack: number,
  state = 1,
  [context, span, name, high, low]: readonly (bigint | number)[] = [0, 0, 0, 0, 0],
  by = coder,
) => ['jdk.ExecutionSample', by.longs(5, stack, state, context!, span!, name!, high!, low!)] as const;
const setting = (name: string, value: string, id = 100) =>
  ['jdk.ActiveSetting', Buffer.concat([coder.long(id), coder.string(name), coder.string(value)])] as const;
const cpu = (recording: ReturnType<typeof decodeJfr>) =>
  recording.profiles.find(({ name }) => name === 'process_cpu')!.columns;

const BOTH = ['App.main:10;App.work:20 [20000000]', 'App.main:10;lib.so.native:0 [10000000]'];
const events = [execution(1), execution(3), execution(1)];

test('constants stand before or behind the events, in one checkpoint or many', () => {
  const all = pools();
  const scattered = Object.entries(all).map(([type, entries]) => ({ [type]: entries }));
  for (const late of [false, true])
    for (const checkpoints of [[all], scattered, [...scattered].reverse(), [...scattered, {}, all]])
      assert.deepEqual(foldedLines(cpu(decodeJfr(jfr({ checkpoints, events, late })))), BOTH);
});

test('a chunk that is not compressed has numbers of fixed width', () => {
  const plain = new Coder(false);
  const made = jfr({
    compressed: false,
    checkpoints: [pools(plain)],
    events: events.map((_, at) => execution([1, 3, 1][at]!, 1, [0, 255, 0, 1, 2], plain)),
  });
  const columns = cpu(decodeJfr(made));
  assert.deepEqual(foldedLines(columns), BOTH);
  assert.deepEqual(labelsOf(columns, 0), {
    span_id: '00000000000000ff',
    trace_id: '00000000000000010000000000000002',
  });
});

test('strings have six encodings', () => {
  const strings: readonly [Buffer, string][] = [
    [coder.string('', 0), ''],
    [coder.string('', 1), ''],
    [coder.stringKey(77n), 'in the pool'],
    [coder.string('π → x', 3), 'π → x'],
    [coder.string('π → 😀', 4), 'π → 😀'],
    [coder.string('é', 5), 'é'],
  ];
  for (const [value, due] of strings) {
    const event = ['jdk.ActiveSetting', Buffer.concat([coder.long(1), coder.string('event', 5), value])] as const;
    const checkpoints = [{ 'java.lang.String': [[77n, coder.string('in the pool')]] } as const];
    assert.equal(decodeJfr(jfr({ checkpoints, events: [event] })).event, due);
    assert.equal(decodeJfr(jfr({ checkpoints, events: [event], late: true })).event, due);
  }
  const symbols = [
    [2n, coder.string('größe', 4)] as const,
    ...pools()['jdk.types.Symbol']!.filter(([key]) => key !== 2n),
  ];
  const made = jfr({ checkpoints: [{ ...pools(), 'jdk.types.Symbol': symbols }], events: [execution(5)] });
  assert.deepEqual(foldedLines(cpu(decodeJfr(made))), ['App.größe:10;App.work:20 [10000000]']);
});

test('keys of constants are exact to 64 bits', () => {
  const near = [0xffff_ffff_ffff_fffen, 0xffff_ffff_ffff_ffffn, 2n ** 53n, 2n ** 53n + 1n, 2n ** 32n];
  const stacks = near.map((key, at) => [key, coder.stack([[key, at + 1]])] as const);
  const methods = near.map((key, at) => [key, coder.longs(1, 10 + at, 0)] as const);
  const symbols = near.map((_, at) => [BigInt(10 + at), coder.string(`m${at}`)] as const);
  const all = pools();
  const made = jfr({
    checkpoints: [
      {
        ...all,
        'jdk.types.StackTrace': stacks,
        'jdk.types.Method': methods,
        'jdk.types.Symbol': [...all['jdk.types.Symbol']!, ...symbols],
      },
    ],
    events: near.map(key => ['profiler.LiveObject', coder.long(key)] as const),
  });
  const [live] = decodeJfr(made).profiles;
  assert.deepEqual(typesOf(live!.columns), ['live/count']);
  assert.deepEqual(
    foldedLines(live!.columns),
    near.map((_, at) => `App.m${at}:${at + 1} [1]`),
  );
});

test('chunks of one recording have their own types, constants, clocks and encodings', () => {
  const plain = new Coder(false);
  const park = (ticks: number, by: Coder) => ['jdk.ThreadPark', by.longs(ticks, 1)] as const;
  const other = USUAL.map(type => ({ ...type, id: type.id + 1000, fields: [...type.fields] }));
  const made = jfr(
    {
      checkpoints: [pools()],
      events: [park(3, coder), park(5, coder)],
      startNanos: 700n,
      durationNanos: 100n,
      ticksPerSecond: 3n,
    },
    {
      types: other,
      checkpoints: [pools(plain)],
      compressed: false,
      events: [park(7, plain)],
      version: [2, 0],
      startNanos: 600n,
      durationNanos: 900n,
    },
  );
  const recording = decodeJfr(made);
  const [{ name, columns }] = recording.profiles as [(typeof recording.profiles)[number]];
  assert.equal(name, 'block');
  assert.equal(columns.samples.count, 1, 'equal stacks of two chunks are one sample');
  assert.deepEqual(sumsOf(columns), [3n, 1_000_000_000n + 1_666_666_666n + 7n]);
  assert.equal(columns.timeNanos, 600n);
  assert.equal(columns.durationNanos, 900n);
  assert.equal(recording.events, 3);
});

test('types that nobody knows are passed over, wherever they stand', () => {
  const odd = [
    {
      id: 200,
      name: 'odd.Inner',
      fields: [
        { name: 'd', type: 'double' },
        { name: 's', type: 'java.lang.String' },
        { name: 'many', type: 'short', array: true },
      ],
    },
    {
      id: 201,
      name: 'odd.Constant',
      fields: [
        { name: 'flag', type: 'boolean' },
        { name: 'inner', type: 'odd.Inner' },
        { name: 'inners', type: 'odd.Inner', array: true },
        { name: 'char', type: 'char' },
        { name: 'float', type: 'float' },
        { name: 'refs', type: 'odd.Inner', array: true, pool: true },
      ],
    },
    { id: 202, name: 'odd.Event', fields: [{ name: 'x', type: 'odd.Nowhere' }] },
  ];
  for (const compressed of [true, false]) {
    const by = new Coder(compressed);
    const inner = Buffer.concat([Buffer.alloc(8, 0xff), by.string('text', 4), by.int(2), by.char(5), by.char(40_000)]);
    const constant = Buffer.concat([
      Buffer.of(1),
      inner,
      by.int(2),
      inner,
      inner,
      by.char(9),
      Buffer.alloc(4, 0xff),
      by.int(1),
      by.long(8),
    ]);
    const made = jfr({
      compressed,
      types: [...odd, ...USUAL],
      checkpoints: [
        {
          'odd.Constant': [
            [1n, constant],
            [2n, constant],
          ],
        },
        pools(by),
      ],
      events: [['odd.Event', Buffer.alloc(3, 0xff)], [9999, Buffer.of(1)], execution(1, 1, undefined, by)],
    });
    const recording = decodeJfr(made);
    assert.deepEqual(foldedLines(cpu(recording)), ['App.main:10;App.work:20 [10000000]']);
    assert.equal(recording.events, 3);
    assert.deepEqual(Object.fromEntries(recording.eventCounts), { 'odd.Event': 1, 'jdk.ExecutionSample': 1 });
  }
});

test('threads that sleep are no cpu, but wall clock where that was the event', () => {
  const both = [execution(1), execution(1, 2), ['profiler.WallClockSample', coder.longs(1, 1, 5)] as const];
  const sums = (more: readonly (readonly [string, Buffer])[]) => {
    const losses = new Losses();
    const { profiles } = decodeJfr(
      jfr({ checkpoints: [pools()], events: [...both, ...more] }),
      { sampleRate: 1000 },
      losses,
    );
    return [profiles.map(({ name, columns }) => [name, ...sumsOf(columns)]), losses.list()];
  };
  assert.deepEqual(sums([]), [
    [
      ['process_cpu', 1_000_000n],
      ['wall', 5_000_000n],
    ],
    [{ reason: 'jfr_event_unused', items: 1 }],
  ]);
  // The setting may stand behind the samples.
  assert.deepEqual(sums([setting('event', 'wall')]), [
    [
      ['process_cpu', 6_000_000n],
      ['wall', 7_000_000n],
    ],
    [],
  ]);
});

test('settings say what a sample stands for, unless the sender does', () => {
  const periods = (settings: readonly (readonly [string, string])[], sampleRate?: number) => {
    const made = jfr({
      checkpoints: [pools()],
      events: [
        execution(1),
        ['profiler.WallClockSample', coder.longs(1, 1, 1)],
        ...settings.map(one => setting(...one)),
      ],
    });
    return decodeJfr(made, sampleRate === undefined ? {} : { sampleRate }).profiles.map(({ columns }) =>
      Number(columns.period),
    );
  };
  assert.deepEqual(periods([]), [1e7, 1e7]);
  assert.deepEqual(
    periods([
      ['event', 'itimer'],
      ['interval', '2000000'],
      ['wall', '30000000'],
    ]),
    [2e6, 3e7],
  );
  assert.deepEqual(
    periods([
      ['event', 'wall'],
      ['interval', '0'],
    ]),
    [5e7, 5e7],
  );
  assert.deepEqual(
    periods([
      ['event', 'cycles'],
      ['interval', '1000000'],
    ]),
    [1e7, 1e7],
  );
  assert.deepEqual(periods([['period', '20 ms']]), [2e7, 1e7]);
  assert.deepEqual(periods([['period', 'everyChunk']]), [1e7, 1e7]);
  assert.deepEqual(
    periods(
      [
        ['event', 'itimer'],
        ['interval', '2000000'],
      ],
      250,
    ),
    [4e6, 4e6],
  );
});

test('contexts, spans and traces become labels; what comes to the same is one sample', () => {
  const entry = (key: bigint | number, value: readonly number[]) => [...number(1, BigInt(key)), ...value];
  const context = (pairs: readonly (readonly [number, number])[]) =>
    bytes(
      2,
      pairs.flatMap(([key, value]) => bytes(1, [...number(1, key), ...number(2, value)])),
    );
  const strings = ['vehicle', 'bike', 'GET /', ''].flatMap((text, at) =>
    bytes(2, entry(at + 1, bytes(2, [...Buffer.from(text)]))),
  );
  const labels = Buffer.from([
    ...bytes(1, entry(7, context([[1, 2]]))),
    ...bytes(1, entry(8, context([[1, 2]]))),
    ...bytes(
      1,
      entry(
        9,
        context([
          [1, 4],
          [99, 2],
        ]),
      ),
    ),
    ...bytes(1, entry(2n ** 64n - 1n, context([[1, 2]]))),
    ...strings,
  ]);
  const losses = new Losses();
  const made = jfr({
    checkpoints: [pools()],
    events: [
      execution(1, 1, [7, 0, 0, 0, 0]),
      execution(5, 1, [8, 0, 0, 0, 0]),
      execution(1, 1, [-1n, 0, 0, 0, 0]),
      execution(1, 1, [7, 0xf00dn, 3, 0, 0]),
      execution(1, 1, [0, -2n, 0, -1n, 5]),
      execution(1, 1, [9, 0, 55, 0, 0]),
      execution(1, 1, [12, 0, 0, 0, 0]),
      execution(1, 1, [12, 0, 0, 0, 0]),
    ],
  });
  const columns = cpu(decodeJfr(made, { labels }, losses));
  const seen = Array.from({ length: columns.samples.count }, (_, at) => [
    labelsOf(columns, at),
    columns.samples.values.at(at),
  ]);
  assert.deepEqual(seen, [
    [{ vehicle: 'bike' }, 30_000_000n],
    [{ vehicle: 'bike', span_id: '000000000000f00d', span_name: 'GET /' }, 10_000_000n],
    [{ span_id: 'fffffffffffffffe', trace_id: 'ffffffffffffffff0000000000000005' }, 10_000_000n],
    [{}, 30_000_000n],
  ]);
  assert.deepEqual(losses.list(), [
    { reason: 'jfr_context', items: 1 },
    { reason: 'jfr_label', items: 3 },
  ]);
});

test('what columns cannot hold is counted', () => {
  const losses = new Losses();
  const made = jfr({
    checkpoints: [pools()],
    events: [execution(0), execution(99), execution(2), execution(4), ['jdk.NativeMethodSample', coder.longs(1)]],
  });
  assert.deepEqual(foldedLines(cpu(decodeJfr(made, {}, losses))), ['App.main:10 [20000000]']);
  assert.deepEqual(losses.list(), [
    { reason: 'jfr_no_stack', items: 2 },
    { reason: 'jfr_truncated', items: 1 },
    { reason: 'jfr_frame', items: 1 },
    { reason: 'jfr_event_unused', items: 1 },
  ]);
});

test('values are exact, and none is beyond 64 bits', () => {
  const weights = (...all: bigint[]) =>
    jfr({
      checkpoints: [pools()],
      events: all.map(one => ['jdk.ObjectAllocationSample', coder.longs(1, one)] as const),
    });
  const sum = (...all: bigint[]) => sumsOf(decodeJfr(weights(...all)).profiles[0]!.columns)[1];
  const max = 2n ** 63n - 1n;
  assert.equal(sum(max - 5n, 2n, 3n), max);
  assert.equal(sum(2n ** 53n, 1n, 0xffff_ffffn), 2n ** 53n + 2n ** 32n);
  assert.equal(sum(-5n, 3n), -2n);
  assert.equal(sum(-max, max, 4n), 4n);
  for (const over of [
    [max, 1n],
    [-max, -2n],
    [max - 0xffff_ffffn, 2n ** 32n],
  ])
    assert.throws(() => sum(...over), { reason: 'value_overflow' });
  const walls = (count: number) =>
    jfr({
      checkpoints: [pools()],
      events: Array.from(
        { length: count },
        () => ['profiler.WallClockSample', coder.longs(1, 1, 2 ** 31 - 1)] as const,
      ),
    });
  const wall = (count: number) => sumsOf(decodeJfr(walls(count), { sampleRate: 1 }).profiles[0]!.columns)[0];
  assert.equal(wall(4), 4n * (2n ** 31n - 1n) * 1_000_000_000n);
  assert.throws(() => wall(5), { reason: 'value_overflow' });
});

test('a recording may have nothing of interest', () => {
  const recording = decodeJfr(jfr({}));
  assert.deepEqual([recording.profiles, recording.event, recording.events, recording.eventCounts.size], [[], '', 0, 0]);
  assert.equal(isJfr(jfr({})), true);
  assert.equal(isJfr(Buffer.from('FLR')), false);
  assert.equal(isJfr(Buffer.from('\x1f\x8b\x08\0')), false);
});

test('names that the JVM makes up anew in each process become one', () => {
  const names: readonly (readonly [string, string])[] = [
    ['org/example/Enclosing$$Lambda$4/1283928880', 'org/example/Enclosing$$Lambda_'],
    ['org/example/Enclosing$$Lambda$8/0x0000000800c01220', 'org/example/Enclosing$$Lambda_'],
    ['org/example/OrderService$$Lambda$669.0x0000000800fd7318', 'org/example/OrderService$$Lambda_'],
    ['Fib$$Lambda.0x00007ffa600c4da0', 'Fib$$Lambda_'],
    ['Busy$$Lambda$88+0x00007f5d38007a08/1790421142', 'Busy$$Lambda_'],
    ['Fib$$Lambda17', 'Fib$$Lambda_'],
    ['Fib$$LambdaForm', 'Fib$$LambdaForm'],
    ['$$Lambda$4/12', '$$Lambda$4/12'],
    ['java/util/concurrent/Executors$RunnableAdapter', 'java/util/concurrent/Executors$RunnableAdapter'],
    ['jdk/internal/reflect/GeneratedMethodAccessor31', 'jdk/internal/reflect/GeneratedMethodAccessor_'],
    ['jdk/internal/reflect/GeneratedMethodAccessors', 'jdk/internal/reflect/GeneratedMethodAccessors'],
    ['foo/Baz$$EnhancerBySpringCGLIB$$1234567890', 'foo/Baz$$EnhancerBySpringCGLIB$$_'],
    ['libamazonCorrettoCryptoProvider109b39cf33c563eb.so', 'libamazonCorrettoCryptoProvider_.so'],
    [
      'amazonCorrettoCryptoProviderNativeLibraries.7382c2f79097f415/libcrypto.so',
      'libamazonCorrettoCryptoProvider_.so',
    ],
    ['libzstd-jni-1.5.1-16931311898282279136.so', 'libzstd-jni-_.so'],
    ['libasyncProfiler-macos-17b9a1d8156277a98ccc871afa9a8f69215f92.so', 'libasyncProfiler-_.so'],
    ['libjvm.so', 'libjvm.so'],
  ];
  for (const [name, due] of names) {
    assert.equal(mergedName(name), due);
    if (due.endsWith('_.so'))
      for (const around of [`/tmp/${name}`, `./tmp/${name} (deleted)`, `${name} (deleted)`])
        assert.equal(mergedName(around), due);
  }
});

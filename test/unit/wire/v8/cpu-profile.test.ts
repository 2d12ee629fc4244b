// V8's CPU profile: as the V8 that runs this writes it, and as others do.
import assert from 'node:assert/strict';
import { type Profiler, Session } from 'node:inspector/promises';
import { test } from 'node:test';
import fc from 'fast-check';
import { Losses } from '../../../../src/wire/convert/losses.ts';
import { DecodeError } from '../../../../src/wire/decode-error.ts';
import { decodeCpuProfile } from '../../../../src/wire/v8/cpu-profile.ts';
import { said, shared } from '../../../kit/said.ts';

const decode = (profile: unknown, losses?: Losses) =>
  decodeCpuProfile(Buffer.from(typeof profile === 'string' ? profile : JSON.stringify(profile)), losses);
const frame = (functionName: string, url = '', lineNumber = -1, columnNumber = -1) => ({
  functionName,
  scriptId: '0',
  url,
  lineNumber,
  columnNumber,
});
const node = (id: number, callFrame: unknown, more: object = {}) => ({ id, callFrame, hitCount: 0, ...more });
const NODES = [
  node(1, frame('(root)'), { children: [2, 3] }),
  node(2, frame('(idle)'), { hitCount: 1 }),
  node(3, frame('main', 'file:///app.js', 9, 4), { children: [4], positionTicks: [{ line: 10, ticks: 1 }] }),
  node(4, frame('', 'file:///app.js', 0, 0), { hitCount: 2, deoptReason: 'why' }),
];

/** A profile with at least so many samples, however busy the machine is. */
async function recorded(least: number): Promise<Profiler.Profile> {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: 200 });
  for (let work = 1_000_000; ; work *= 2) {
    await session.post('Profiler.start');
    let sum = 0;
    for (let at = 0; at < work; at++) sum += Math.sqrt(at);
    const { profile } = await session.post('Profiler.stop');
    if (sum > 0 && (profile.samples?.length ?? 0) >= least) {
      session.disconnect();
      return profile;
    }
  }
}

test('a real profile: the time of every node, by the rule of DevTools', async () => {
  const profile = await recorded(30);
  const { samples = [], timeDeltas = [] } = profile;
  const columns = decode(profile);
  const { types, sums } = said(columns);
  assert.deepEqual(types, ['sample/count', 'wall/nanoseconds']);
  assert.equal(sums[0], BigInt(samples.length));
  let now = profile.startTime;
  const times = timeDeltas.map(delta => (now += delta));
  const first = Math.min(...times);
  const end = Math.max(profile.endTime, ...times);
  assert.equal(sums[1], BigInt(end - first) * 1000n);
  assert.equal(columns.durationNanos, BigInt(profile.endTime - profile.startTime) * 1000n);
  assert.ok(said(columns).samples.some(sample => sample.includes('cpu-profile.test.ts')));
});

test('a sample lasts until the next one, the last until the end; the root is no frame', () => {
  const losses = new Losses();
  const profile = { nodes: NODES, startTime: 1000, endTime: 1100, samples: [2, 4, 4, 1], timeDeltas: [10, 20, 30, 25] };
  assert.deepEqual(said(decode(profile, losses)), {
    types: ['sample/count', 'wall/nanoseconds'],
    samples: [' 1 15000', '(idle) 1 20000', 'main@file:///app.js:10;(anonymous)@file:///app.js:1 2 55000'],
    sums: [4n, 90_000n],
  });
  assert.deepEqual(losses.list(), [{ reason: 'v8_node_detail', items: 2 }]);
  const columns = decodeCpuProfile(shared(Buffer.from(JSON.stringify(profile))));
  assert.equal(columns.locations.lines.column.at(1), 5n);
  assert.equal(columns.functions.startLine.at(2), 10n);
});

test('samples out of order are put in order; the total stays what the profile lasted', () => {
  const deltas = fc.array(fc.integer({ min: -500, max: 1000 }), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(deltas, fc.integer({ min: 0, max: 50_000 }), fc.nat(3), (timeDeltas, endTime, pick) => {
      const samples = timeDeltas.map((_delta, at) => 1 + ((at * pick) % 4));
      const { sums } = said(decode({ nodes: NODES, startTime: 0, endTime, samples, timeDeltas }));
      let now = 0;
      const times = timeDeltas.map(delta => (now += delta));
      const due = Math.max(endTime, ...times) - Math.min(...times);
      assert.deepEqual(sums, [BigInt(samples.length), BigInt(due) * 1000n]);
    }),
  );
});

test('the order of members, parents instead of children, and fractions of microseconds are all the same', () => {
  const due = said(decode({ nodes: NODES, startTime: 0, endTime: 9, samples: [4, 2], timeDeltas: [1, 2] }));
  const nodes = NODES.map(({ id, callFrame }) => ({ id, callFrame, ...(id > 1 && { parent: id === 4 ? 3 : 1 }) }));
  assert.deepEqual(said(decode({ timeDeltas: [1, 2], samples: [4, 2], endTime: 9, startTime: 0, nodes })), due);
  const { sums } = said(decode({ nodes, startTime: 0.5, endTime: 9.75, samples: [4], timeDeltas: [0.25] }));
  assert.deepEqual(sums, [1n, 9000n]);
});

test('without times the hit counts stand, and no time is made up', () => {
  assert.deepEqual(said(decode({ nodes: NODES, startTime: 0, endTime: 9 })), {
    types: ['sample/count'],
    samples: ['(idle) 1', 'main@file:///app.js:10;(anonymous)@file:///app.js:1 2'],
    sums: [3n],
  });
  assert.deepEqual(said(decode({ nodes: NODES, samples: [2] })).samples, ['(idle) 1']);
});

test('what is wrong', () => {
  const fails = (profile: unknown, reason: string) =>
    assert.throws(
      () => decode(profile),
      error => error instanceof DecodeError && error.reason === reason,
      `${reason}: ${JSON.stringify(profile)}`,
    );
  const f = frame('f');
  fails('', 'bad_json');
  fails({}, 'bad_json');
  fails('{"nodes":[', 'bad_json');
  fails({ nodes: [{ callFrame: f }] }, 'bad_json');
  fails({ nodes: [node(1, f), node(1, f)] }, 'bad_reference');
  fails({ nodes: [node(1, f, { children: [2] })] }, 'bad_reference');
  fails({ nodes: [node(1, f, { children: [1] })] }, 'bad_reference');
  fails({ nodes: [node(1, f, { children: [2] }), node(2, f, { children: [1] })] }, 'bad_reference');
  fails({ nodes: [node(1, f, { children: [3] }), node(2, f, { children: [3] }), node(3, f)] }, 'bad_reference');
  fails({ nodes: [node(1, f, { parent: 7 })] }, 'bad_reference');
  fails({ nodes: NODES, samples: [9], timeDeltas: [1] }, 'bad_reference');
  fails({ nodes: NODES, samples: [1], timeDeltas: [] }, 'value_count');
  fails({ nodes: NODES, samples: [-1], timeDeltas: [1] }, 'bad_value');
  fails({ nodes: NODES, samples: [1, 1], timeDeltas: [2 ** 52, 1] }, 'bad_value');
  fails(`{"nodes":[],"startTime":1e999}`, 'bad_value');
  // A chain, each node of which has a sample: as many frames as the square of it.
  const chain = Array.from({ length: 5000 }, (_none, at) =>
    node(at + 1, f, { hitCount: 1, ...(at > 0 && { parent: at }) }),
  );
  assert.throws(() => decodeCpuProfile(Buffer.from(JSON.stringify({ nodes: chain })), undefined, 4_000_000), {
    reason: 'too_many_elements',
  });
});

test('nodes that are no frame cost no more than themselves, and are left out of stacks', () => {
  const count = 300_000;
  const nodes = Array.from({ length: count }, (_none, at) => ({
    id: at + 1,
    hitCount: 1,
    ...(at + 1 < count && { children: [at + 2] }),
    ...((at === 0 || at === count - 1) && { callFrame: frame(at === 0 ? 'first' : 'last') }),
  }));
  const { samples } = decode({ nodes });
  const depth = (row: number) => samples.stackEnd[row]! - samples.stackStart[row]!;
  assert.deepEqual([samples.count, depth(0), depth(1), depth(count - 1)], [count, 1, 1, 2]);
});

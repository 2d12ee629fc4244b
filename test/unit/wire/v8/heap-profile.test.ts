// V8's sampling heap profile: as the V8 that runs this writes it, and as others do.
import assert from 'node:assert/strict';
import { type HeapProfiler, Session } from 'node:inspector/promises';
import { test } from 'node:test';
import { DecodeError } from '../../../../src/wire/decode-error.ts';
import { decodeHeapProfile } from '../../../../src/wire/v8/heap-profile.ts';
import { said, shared } from '../../../kit/said.ts';

const decode = (profile: unknown) =>
  decodeHeapProfile(Buffer.from(typeof profile === 'string' ? profile : JSON.stringify(profile)));
const node = (id: number, functionName: string, selfSize: number, ...children: unknown[]) => ({
  callFrame: { functionName, scriptId: '1', url: 'file:///app.js', lineNumber: 0, columnNumber: 2 },
  selfSize,
  id,
  children,
});

test('a real profile: the bytes of every node, and as many objects as samples', async () => {
  const session = new Session();
  session.connect();
  await session.post('HeapProfiler.enable');
  await session.post('HeapProfiler.startSampling', { samplingInterval: 2048 });
  const kept = Array.from({ length: 20_000 }, (_none, at) => ({ at, text: [at] }));
  const { profile } = await session.post('HeapProfiler.stopSampling');
  // The types of Node.js leave it out.
  const listed = (profile as unknown as { samples: unknown[] }).samples;
  session.disconnect();
  assert.equal(kept.length, 20_000);
  let bytes = 0;
  const add = ({ selfSize, children }: HeapProfiler.SamplingHeapProfileNode) => {
    bytes += selfSize;
    children.forEach(add);
  };
  add(profile.head);
  assert.ok(bytes > 100_000);
  const { types, samples, sums } = said(decode(profile));
  assert.deepEqual(types, ['objects/count', 'space/bytes']);
  assert.deepEqual(sums, [BigInt(listed.length), BigInt(bytes)]);
  assert.ok(samples.some(sample => sample.includes('heap-profile.test.ts')));
});

test('a node is a sample of its own bytes; without a list of samples there are no objects', () => {
  const root = { ...node(1, '(root)', 0, node(2, 'main', 10, node(3, '', 32)), node(4, 'idle', 0)) };
  root.callFrame.url = '';
  assert.deepEqual(said(decode({ head: root })), {
    types: ['space/bytes'],
    samples: ['main@file:///app.js:1 10', 'main@file:///app.js:1;(anonymous)@file:///app.js:1 32'],
    sums: [42n],
  });
  const listed = { samples: [3, 3, 4].map((nodeId, ordinal) => ({ size: 16, nodeId, ordinal })), head: root };
  const due = {
    types: ['objects/count', 'space/bytes'],
    samples: [
      'main@file:///app.js:1 0 10',
      'main@file:///app.js:1;(anonymous)@file:///app.js:1 2 32',
      'idle@file:///app.js:1 1 0',
    ],
    sums: [3n, 42n],
  };
  assert.deepEqual(said(decode(listed)), due);
  assert.deepEqual(said(decodeHeapProfile(shared(Buffer.from(JSON.stringify(listed))))), due);
});

const nested = (depth: number) => {
  let text = '{"callFrame":{"functionName":"leaf"},"selfSize":1,"id":1,"children":[]}';
  for (let id = 2; id <= depth; id++)
    text = `{"callFrame":{"functionName":"f"},"selfSize":0,"id":${id},"children":[${text}]}`;
  return `{"head":${text}}`;
};

test('stacks of 512 frames are read, deeper ones refused, on any stack of ours', () => {
  const { samples } = said(decode(nested(512)));
  assert.equal(samples.length, 1);
  assert.equal(samples[0]!.split(';').length, 512);
  assert.throws(() => decode(nested(20_000)), { reason: 'too_deep' });
  assert.throws(() => decode(`{"head":${'['.repeat(100_000)}`), { reason: 'bad_json' });
  assert.throws(() => decode(`{"other":${'['.repeat(100_000)}`), { reason: 'too_deep' });
});

test('what is wrong', () => {
  const fails = (profile: unknown, reason: string) =>
    assert.throws(
      () => decode(profile),
      error => error instanceof DecodeError && error.reason === reason,
      `${reason}: ${JSON.stringify(profile)}`,
    );
  fails('', 'bad_json');
  fails({}, 'bad_json');
  fails('{"head":{}} x', 'bad_json');
  fails({ head: node(1, 'f', -1) }, 'bad_value');
  fails({ head: node(1, 'f', 1.5) }, 'bad_value');
  fails({ head: node(1, 'f', 1, node(1, 'f', 1)) }, 'bad_reference');
  fails({ head: node(1, 'f', 1), samples: [{ nodeId: 2 }] }, 'bad_reference');
});

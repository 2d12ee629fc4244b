// OTLP → columns → OTLP says the same: held against an independent decoder that resolves every reference.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeOtlp } from '../../../../src/wire/otlp/decode.ts';
import { encodeOtlp } from '../../../../src/wire/otlp/encode.ts';
import { skeletonOf } from '../../../../src/wire/otlp/skeleton.ts';
import { CURRENT, capture, noCorpus } from '../../../kit/otlp.ts';
import { madeRequest } from '../../../kit/otlp-made.ts';
import { treeOf } from '../../../kit/otlp-tree.ts';

const again = (request: Uint8Array): Uint8Array => {
  const { parts } = skeletonOf(request);
  const columns = parts.map(({ attributes }, part) => ({ attributes, columns: decodeOtlp(request, part) }));
  return new Uint8Array(encodeOtlp(columns));
};

test('real requests come back whole, with a clean dictionary', { skip: noCorpus }, () => {
  for (const name of CURRENT) {
    const request = capture(name);
    const written = again(request);
    const tree = treeOf(written);
    assert.deepEqual(tree.resources, treeOf(request).resources, name);
    assert.deepEqual([tree.orphans, tree.duplicates], [[], []], name);
    assert.ok(written.length <= request.length * 1.02, `${name}: ${request.length} → ${written.length}`);
  }
});

/** The same bytes in shared memory, at an odd offset, as they lie in slabs. */
function shared(request: Uint8Array): Uint8Array {
  const slab = new Uint8Array(new SharedArrayBuffer(request.length + 5)).fill(0x2a);
  slab.set(request, 3);
  return slab.subarray(3, 3 + request.length);
}

test('random requests come back whole, with a clean dictionary, out of shared memory too', () => {
  fc.assert(
    fc.property(madeRequest, fc.boolean(), (made, isShared) => {
      const request = isShared ? shared(made) : made;
      const tree = treeOf(again(request));
      assert.deepEqual(tree.resources, treeOf(request).resources);
      assert.deepEqual([tree.orphans, tree.duplicates], [[], []]);
    }),
    { numRuns: 500 },
  );
});

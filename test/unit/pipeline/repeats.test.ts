import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BatchId } from '../../../src/model/batch.ts';
import { envelopeOf, Repeats } from '../../../src/pipeline/outbox/repeats.ts';
import { batchOf } from './fixtures.ts';

/** A batch that counts how often it is hashed. */
function batch(text: string) {
  const bytes = Buffer.from(text);
  const made = { hashed: 0 };
  const id = new BatchId(() => {
    made.hashed++;
    return [bytes];
  });
  return { made, batch: { ...batchOf(bytes), id } };
}

test('only a batch of a size that is remembered is hashed', () => {
  const repeats = new Repeats();
  const first = batch('one');
  repeats.add('a', first.batch.id.hex, envelopeOf(first.batch), 0);
  for (const [text, hashed, has] of [
    ['longer', 0, false],
    ['two', 1, false],
    ['one', 1, true],
  ] as const) {
    const { made, batch: next } = batch(text);
    assert.deepEqual([repeats.has('a', next, 0), made.hashed], [has, hashed], text);
    assert.equal(repeats.has('b', next, 0), false, 'another queue did not take it');
  }
});

test('one batch with other attributes is another one: two pipelines may feed one queue', () => {
  const repeats = new Repeats();
  const { batch: one } = batch('one');
  repeats.add('a', one.id.hex, envelopeOf(one), 0);
  const [profile] = one.profiles;
  const tagged = { ...one, profiles: [{ ...profile!, attributes: new Map([['tag', 't']]) }] };
  assert.equal(repeats.has('a', tagged, 0), false);
  assert.equal(repeats.has('a', one, 0), true);
});

test('ten minutes later, and among too many, it is forgotten', () => {
  const repeats = new Repeats();
  const { batch: one } = batch('one');
  repeats.add('a', one.id.hex, envelopeOf(one), 0);
  assert.equal(repeats.has('a', one, 599_999), true);
  assert.equal(repeats.has('a', one, 600_000), false);
  repeats.add('a', one.id.hex, envelopeOf(one), 0);
  const four = envelopeOf(batch('four').batch);
  for (let n = 0; n < 20_000; n++) repeats.add('a', `${n}`, four, 1);
  assert.equal(repeats.has('a', one, 1), false);
  const { made, batch: same } = batch('one');
  repeats.has('a', same, 1);
  assert.equal(made.hashed, 0, 'and so is its size');
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Consumer, Result } from '../../../src/api/index.ts';
import type { Plain } from '../../../src/model/attributes.ts';
import type { ProfileBatch } from '../../../src/model/batch.ts';
import { Config } from '../../../src/processors/resource/config.ts';
import factory from '../../../src/processors/resource/index.ts';
import { ResourceProcessor } from '../../../src/processors/resource/processor.ts';
import { batchOf, never, profileOf } from '../exporters/fixtures.ts';

type Action = 'insert' | 'update' | 'upsert' | 'delete';
const act = (action: Action, key: string, value?: string | number | boolean) => ({
  action,
  key,
  ...(value !== undefined && { value }),
});

async function passed(actions: object[], batch: ProfileBatch): Promise<ProfileBatch> {
  let seen: ProfileBatch | undefined;
  const next: Consumer<'profiles'> = {
    consume: async given => {
      seen = given;
      return { kind: 'accepted' };
    },
  };
  await new ResourceProcessor(Config.parse({ attributes: actions }), next).consume(batch, never);
  return seen!;
}
const after = async (actions: object[], attributes: Record<string, Plain>) =>
  Object.fromEntries((await passed(actions, batchOf([profileOf(attributes)]))).profiles[0]!.attributes);

test('each action does what it says', async () => {
  const has = { service_name: 's', a: '1' };
  assert.deepEqual(await after([act('insert', 'a', '2')], has), has);
  assert.deepEqual(await after([act('insert', 'b', '2')], has), { ...has, b: '2' });
  assert.deepEqual(await after([act('update', 'a', '2')], has), { ...has, a: '2' });
  assert.deepEqual(await after([act('update', 'b', '2')], has), has);
  assert.deepEqual(await after([act('upsert', 'a', '2')], has), { ...has, a: '2' });
  assert.deepEqual(await after([act('upsert', 'b', 2)], has), { ...has, b: 2 });
  assert.deepEqual(await after([act('delete', 'a')], has), { service_name: 's' });
  assert.deepEqual(await after([act('delete', 'b')], has), has);
});

test('actions apply in the order of the list', async () => {
  const actions = [
    act('upsert', 'a', '1'),
    act('update', 'a', '2'),
    act('insert', 'a', '3'),
    act('delete', 'b'),
    act('insert', 'b', true),
  ];
  assert.deepEqual(await after(actions, { b: 'old' }), { a: '2', b: true });
});

test('either spelling of the service finds the other and keeps its name', async () => {
  assert.deepEqual(await after([act('upsert', 'service.name', 'x')], { service_name: 's' }), { service_name: 'x' });
  assert.deepEqual(await after([act('update', 'service_name', 'x')], { 'service.name': 's' }), { 'service.name': 'x' });
  assert.deepEqual(await after([act('insert', 'service_name', 'x')], { 'service.name': 's' }), { 'service.name': 's' });
  assert.deepEqual(await after([act('delete', 'service.name')], { service_name: 's', a: 1 }), { a: 1 });
});

test('the batch passes as it is when nothing changes', async () => {
  const batch = batchOf([profileOf({ a: '1' }), profileOf({ a: '1' })]);
  assert.equal(
    await passed([act('upsert', 'a', '1'), act('delete', 'none'), act('update', 'none', 'x')], batch),
    batch,
  );
});

test('only profiles that change get a new envelope; payload, input and the rest of the batch stay', async () => {
  const batch = batchOf([profileOf({ a: '1' }), profileOf({ a: '2' })], { tenant: 't' });
  const out = await passed([act('upsert', 'a', '1')], batch);
  assert.equal(out.profiles[0], batch.profiles[0]);
  assert.notEqual(out.profiles[1], batch.profiles[1]);
  assert.equal(out.profiles[1]!.payload, batch.profiles[1]!.payload);
  assert.equal(batch.profiles[1]!.attributes.get('a'), '2');
  assert.deepEqual([out.tenant, out.id, out.sizeBytes], ['t', batch.id, batch.sizeBytes]);
});

test('the answer from below is handed back', async () => {
  const refused: Result = { kind: 'refused', reason: 'full' };
  const processor = new ResourceProcessor(Config.parse({ attributes: [act('delete', 'x')] }), {
    consume: async () => refused,
  });
  assert.equal(await processor.consume(batchOf([profileOf({})]), never), refused);
});

test('a value is required, except for delete, which takes none', () => {
  const issue = (attributes: object[]) => Config.safeParse({ attributes }).error?.issues[0];
  assert.equal(issue([act('upsert', 'a')])?.message, 'upsert needs a value');
  assert.equal(issue([act('delete', 'a', 'x')])?.message, 'delete takes no value');
  assert.deepEqual(issue([act('insert', 'a')])?.path, ['attributes', 0, 'value']);
  for (const wrong of [
    [],
    [{ key: '', action: 'delete' }],
    [{ key: 'a', action: 'hash' }],
    [{ key: 'a', value: [], action: 'upsert' }],
  ])
    assert.ok(issue(wrong), JSON.stringify(wrong));
  assert.equal(issue([act('upsert', 'a', ''), act('upsert', 'b', 0), act('upsert', 'c', false)]), undefined);
});

test('it takes profiles only', () => {
  assert.deepEqual([factory.accepts, factory.emits], [['profiles'], ['profiles']]);
});

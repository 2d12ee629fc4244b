import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { exporter, type Factory } from '../../../src/api/index.ts';
import { keysAt, schemasAt } from '../../../src/config/input-schema.ts';
import { fileSchema } from '../../../src/config/json-schema.ts';
import { factories } from './factories.ts';

const schema = fileSchema(factories);
const made = (config: Factory['config']): Factory =>
  exporter({
    type: 'made',
    summary: 'Made here.',
    stability: 'alpha',
    home: import.meta.url,
    config,
    accepts: ['profiles'],
    create: () => {
      throw new Error('not built');
    },
  });

test('every section has every type of its kind, with and without a name', () => {
  for (const { kind, type } of factories) {
    const section = `${kind}s`;
    for (const id of [type, `${type}/a`])
      assert.ok(schemasAt(schema, [section, id])[0]?.description, `${section}.${id}`);
    assert.equal(schemasAt(schema, [section, `${type}s/a`]).length, 0);
  }
  assert.ok(schemasAt(schema, ['connectors', 'forward/x']).length > 0);
});
test('exporters have the shared keys with their defaults', () => {
  assert.equal(schemasAt(schema, ['exporters', 'debug', 'timeout'])[0]?.default, '5s');
  assert.equal(schemasAt(schema, ['exporters', 'file/x', 'sending_queue', 'queue_size'])[0]?.default, '64MiB');
  assert.equal(keysAt(schema, ['receivers', 'self'])?.has('timeout'), false);
});
test('a component with nothing required may be null, one with a required key may not', () => {
  assert.deepEqual(schemasAt(schema, ['exporters', 'debug'])[0]?.type, ['object', 'null']);
  assert.equal(schemasAt(schema, ['exporters', 'file'])[0]?.type, 'object');
});
test('a reference may stand where a number, a boolean or a choice is wanted', () => {
  for (const path of [['max_files'], ['sending_queue', 'enabled'], ['sending_queue', 'sizer']])
    assert.ok(
      schemasAt(schema, ['exporters', 'file', ...path]).some(branch => branch.pattern === '\\$\\{'),
      path.join('.'),
    );
});
test('pipelines are named by their signal', () => {
  assert.ok(keysAt(schema, ['service', 'pipelines', 'profiles/a'])?.has('receivers'));
  assert.equal(schemasAt(schema, ['service', 'pipelines', 'logs']).length, 0);
});
test('the definitions of a recursive schema are found from the root of the file', () => {
  const tree: z.ZodType = z.lazy(() => z.strictObject({ name: z.string(), children: z.array(tree).default([]) }));
  const file = fileSchema([made(z.strictObject({ tree: tree.optional() }))]);
  const refs = JSON.stringify(file).match(/"\$ref":"[^"]*"/g) ?? [];
  assert.ok(refs.length > 0);
  for (const ref of refs) assert.ok(file.$defs?.[ref.slice(0, -1).split('/').at(-1)!], ref);
  assert.ok(keysAt(file, ['exporters', 'made', 'tree', 'children', 0])?.has('children'));
});
test('the shared keys stand in every branch of a union', () => {
  const file = fileSchema([made(z.union([z.strictObject({ a: z.string() }), z.strictObject({ b: z.string() })]))]);
  assert.deepEqual([...keysAt(file, ['exporters', 'made'])!].sort(), [
    'a',
    'b',
    'retry_on_failure',
    'sending_queue',
    'timeout',
  ]);
});

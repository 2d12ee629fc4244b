import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { apply, generate } from '../../../scripts/gen.ts';
import { optionTable } from '../../../scripts/option-table.ts';
import type { Factory } from '../../../src/api/index.ts';
import { factories } from './factories.ts';

const folder = mkdtempSync(join(tmpdir(), 'flamegate-gen-'));
after(() => rmSync(folder, { recursive: true }));
const find = (kind: string, type: string) => factories.find(factory => factory.kind === kind && factory.type === type)!;
const at = (factory: Factory): Factory => ({ ...factory, home: pathToFileURL(join(folder, 'index.ts')).href });
const readme = join(folder, 'README.md');

test('the table of a schema has a row per key, nested keys dotted, with type, default and meaning', () => {
  const table = optionTable(find('processor', 'resource').config);
  assert.match(table, /^\| key \| type \| default \| meaning \|\n\| --- \|/);
  assert.ok(table.includes('| `attributes` | list of mapping | `[]` | Actions in order. |'));
  assert.ok(table.includes('| `attributes[].key` | string | required | Name. |'));
  assert.ok(
    table.includes('| `attributes[].action` | "insert" or "update" or "upsert" or "delete" | `upsert` | What to do. |'),
  );
  assert.equal(optionTable(find('processor', 'forward').config), 'There is nothing to set.');
});
test('the README of an exporter gets its table and the link to the shared keys, and then is fresh', () => {
  writeFileSync(readme, '# file\n\n<!-- options -->\nold\n<!-- /options -->\n\nend\n');
  const [generated] = generate([at(find('exporter', 'file'))]);
  assert.equal(generated?.path, readme);
  assert.match(
    generated!.text,
    /^# file\n\n<!-- options -->\n\n\| key [\s\S]*`path` \| string \| required[\s\S]*\[outbox\]\(.*docs\/outbox\.md\)\.\n\n<!-- \/options -->\n\nend\n$/,
  );
  assert.doesNotMatch(generated!.text, /`sending_queue\./);
  const files = [generated!];
  assert.equal(apply(files, true).length, 1);
  assert.match(readFileSync(readme, 'utf8'), /old/);
  assert.equal(apply(files, false).length, 1);
  assert.equal(apply([generate([at(find('exporter', 'file'))])[0]!], true).length, 0);
});
test('the page of the shared keys and the schema are among the generated files', () => {
  writeFileSync(readme, '<!-- options --><!-- /options -->');
  const paths = generate([at(find('receiver', 'self'))]).map(({ path }) => path);
  assert.ok(paths.some(path => path.endsWith('docs/outbox.md')));
  assert.ok(paths.some(path => path.endsWith('docs/config.schema.json')));
  assert.ok(paths.some(path => path.endsWith('docs/fidelity.md')));
});
test('a README without a place for the table is an error that names it', () => {
  writeFileSync(readme, '# nothing');
  assert.throws(() => generate([at(find('receiver', 'self'))]), /README\.md: has no lines <!-- options -->/);
});

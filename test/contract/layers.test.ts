// Arrows point down: which room may import which. The table is ARCHITECTURE.md's.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { test } from 'node:test';

const src = resolve(import.meta.dirname, '../../src');
const COMPONENT = ['api', 'model', 'wire', 'net'];
const ROOMS = ['receivers', 'processors', 'exporters', 'extensions', 'discovery'];
const MAY_IMPORT: Record<string, readonly string[]> = {
  model: [],
  wire: ['model'],
  api: ['model'],
  telemetry: ['api', 'model', 'wire'],
  net: ['api', 'model', 'wire'],
  workers: ['api', 'model', 'wire'],
  config: ['api'],
  pipeline: ['api', 'model', 'telemetry', 'workers', 'config/plan.ts'],
  ui: ['api', 'net', 'pipeline/status.ts', 'pipeline/outbox/operations.ts'],
  queue: ['api', 'model', 'net', 'config', 'pipeline', 'terminal.ts'],
  convert: ['api', 'model', 'wire', 'terminal.ts'],
  ...Object.fromEntries(ROOMS.map(room => [room, COMPONENT])),
};
/** Files directly in src assemble the process and may import everything. */
const ASSEMBLY = '';

export function violations(file: string, text: string): string[] {
  const from = relative(src, file).split('/');
  const room = from.length > 1 ? from[0]! : ASSEMBLY;
  if (room === ASSEMBLY) return [];
  const found: string[] = [];
  for (const [, specifier] of text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)) {
    if (!specifier!.startsWith('.')) continue;
    const target = relative(src, resolve(dirname(file), specifier!));
    const [to, folder] = target.split('/');
    const arrow = `${from.join('/')} → ${target}`;
    if (to === room) {
      if (ROOMS.includes(room) && folder !== from[1]) found.push(`${arrow}: siblings never import siblings`);
    } else if (!MAY_IMPORT[room]) found.push(`${arrow}: ${room} is not a room of the house`);
    else if (!MAY_IMPORT[room]!.some(allowed => to === allowed || target === allowed))
      found.push(`${arrow}: ${room} may not import ${to}`);
  }
  return found;
}

test('no import goes against the arrows', () => {
  const files = globSync('**/*.ts', { cwd: src }).map(file => resolve(src, file));
  assert.ok(files.length > 20, 'the sources were found');
  assert.deepEqual(
    files.flatMap(file => violations(file, readFileSync(file, 'utf8'))),
    [],
  );
});

test('plugins import the public contract, packages, and what lies in their own folder', () => {
  const plugins = resolve(src, '../plugins');
  const files = globSync('*/*.ts', { cwd: plugins }).filter(file => !file.endsWith('.test.ts'));
  assert.ok(files.length > 0, 'the plugins were found');
  for (const file of files)
    for (const [, specifier] of readFileSync(resolve(plugins, file), 'utf8').matchAll(/from\s*'([^']+)'/g)) {
      if (!specifier!.startsWith('.') && !specifier!.startsWith('flamegate/')) continue;
      const own = specifier!.startsWith('./') && !specifier!.includes('..');
      assert.ok(own || specifier === 'flamegate/api', `${file} imports ${specifier}`);
    }
});

test('a forbidden import, a sibling import and an unknown room are found', () => {
  const at = (path: string, specifier: string) => violations(resolve(src, path), `import { x } from '${specifier}';`);
  assert.equal(at('wire/x.ts', '../net/client.ts').length, 1);
  assert.equal(at('pipeline/x.ts', '../config/load.ts').length, 1);
  assert.equal(at('pipeline/x.ts', '../config/plan.ts').length, 0);
  assert.equal(at('exporters/a/index.ts', '../b/index.ts').length, 1);
  assert.equal(at('exporters/a/index.ts', './exporter.ts').length, 0);
  assert.equal(at('misc/x.ts', '../api/index.ts').length, 1);
});

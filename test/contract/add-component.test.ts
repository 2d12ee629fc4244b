// CONTRIBUTING.md says how to add an exporter; this follows it to the letter, with the code blocks that stand there.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';

const root = resolve(import.meta.dirname, '../..');

test('an exporter takes one folder and one line in the list', () => {
  const guide = readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8');
  const blocks = [...guide.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code!.replace(/^ {3}/gm, ''));
  assert.equal(blocks.length, 3, 'config, exporter and cover page');
  const copy = mkdtempSync(join(tmpdir(), 'flamegate-add-'));
  for (const part of ['src', 'scripts', 'docs', 'package.json', 'config.yaml', 'examples'])
    cpSync(join(root, part), join(copy, part), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));

  const folder = join(copy, 'src/exporters/line');
  mkdirSync(folder);
  for (const [at, file] of ['config.ts', 'exporter.ts', 'index.ts'].entries())
    writeFileSync(join(folder, file), blocks[at]!);
  writeFileSync(join(folder, 'example.yaml'), 'prefix: profile\n');
  writeFileSync(join(folder, 'README.md'), '# line exporter\n\n<!-- options -->\n<!-- /options -->\n');
  const list = join(copy, 'src/components.ts');
  const lines = readFileSync(list, 'utf8').replace(
    '\nexport const',
    "import line from './exporters/line/index.ts';\n\nexport const",
  );
  writeFileSync(list, lines.replace('  file,\n', '  file,\n  line,\n'));

  const run = (...args: string[]) =>
    spawnSync(process.execPath, args, { cwd: copy, encoding: 'utf8', timeout: 60_000 });
  const components = run('src/main.ts', 'components');
  assert.match(components.stdout, /line/, components.stderr);
  const config = join(copy, 'gateway.yaml');
  writeFileSync(
    config,
    'receivers: {self: {}}\nexporters: {line: {prefix: hello, timeout: 3s}}\nservice: {pipelines: {profiles: {receivers: [self], exporters: [line]}}}\n',
  );
  const valid = run('src/main.ts', 'validate', '--config', config);
  assert.deepEqual([valid.status, valid.stderr], [0, '']);
  writeFileSync(config, readFileSync(config, 'utf8').replace('prefix', 'prefx'));
  const misspelt = run('src/main.ts', 'validate', '--config', config);
  assert.equal(misspelt.status, 1);
  assert.match(misspelt.stderr, /did you mean .prefix/);
  assert.equal(run('scripts/gen.ts').status, 0);
  assert.match(readFileSync(join(folder, 'README.md'), 'utf8'), /First word of each line/);
});

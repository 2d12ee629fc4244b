import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parse } from 'yaml';
import { main, type Surroundings } from '../../../src/cli.ts';
import { factories } from './factories.ts';

const folder = mkdtempSync(join(tmpdir(), 'flamegate-cli-'));
after(() => rmSync(folder, { recursive: true }));
const file = (name: string, text: string | Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};
const GOOD = `receivers: {self: {}}
exporters: {debug: {}}
service: {pipelines: {profiles: {receivers: [self], exporters: [debug]}}}
`;
const good = file('good.yaml', GOOD);
const bad = file('bad.yaml', GOOD.replace('[debug]', '[debig]'));
const unused = file('unused.yaml', `${GOOD}extensions: {storage: {}}\n`);

async function call(argv: string[], more: Partial<Surroundings> = {}) {
  let out = '';
  let err = '';
  const code = await main(argv, {
    out: text => {
      out += text;
    },
    err: text => {
      err += text;
    },
    env: {},
    components: async () => factories,
    build: () => [],
    ...more,
  });
  return { code, out, err };
}

test('validate is silent and answers 0 for a sound configuration', async () => {
  assert.deepEqual(await call(['validate', '--config', good]), { code: 0, out: '', err: '' });
});
test('validate prints positioned errors and answers 1', async () => {
  const { code, out, err } = await call(['validate', '-c', bad]);
  assert.equal(code, 1);
  assert.equal(out, '');
  assert.match(err, /^\S+bad\.yaml:3:65: exporter `debig` is not defined\n.*\n +\^ did you mean `debug`\?\n$/);
});
test('validate prints warnings and answers 0', async () => {
  const { code, err } = await call(['validate', '--config', unused]);
  assert.equal(code, 0);
  assert.match(err, /warning: extensions\.storage is not used/);
});
test('validate answers 1 for what only building the graph finds', async () => {
  const finding = { severity: 'error', file: '', line: 0, column: 0, message: 'cannot be built' } as const;
  assert.deepEqual(await call(['validate', '--config', good], { build: () => [finding] }), {
    code: 1,
    out: '',
    err: 'cannot be built\n',
  });
});
test('validate names a file that is missing, not text, or too large', async () => {
  const binary = file('binary.yaml', Uint8Array.of(0xff, 0xfe, 0x80));
  const large = file('large.yaml', `# ${'x'.repeat(1024 * 1024)}\n`);
  const { code, err } = await call([
    'validate',
    ...[join(folder, 'none.yaml'), binary, large, folder].flatMap(path => ['--config', path]),
  ]);
  assert.equal(code, 1);
  assert.match(err, /none\.yaml: cannot read the configuration: no such file\n/);
  assert.match(err, /binary\.yaml: cannot read the configuration: it is not UTF-8 text\n/);
  assert.match(err, /large\.yaml: cannot read the configuration: it is larger than 1048576 bytes\n/);
  assert.match(err, /: cannot read the configuration: it is a directory\n/);
});
test('file references start from the folder of the file that has them', async () => {
  file('path.txt', './data\n');
  const config = file(
    'ref.yaml',
    GOOD.replace('debug: {}', 'debug: {}, file: {path: "${file:path.txt}"}').replace('[debug]', '[debug, file]'),
  );
  const { code, out, err } = await call(['print-config', '--config', config]);
  assert.equal(err, '');
  assert.equal(code, 0);
  assert.equal(parse(out).exporters.file.path, './data');
});
test('run hands files and settings on and answers what it answers', async () => {
  const seen: unknown[] = [];
  const run = async (options: unknown) => {
    seen.push(options);
    return 7;
  };
  const { code } = await call(['run', '--config', 'a', '-c', 'b', '--set', 'x=1'], { run });
  assert.equal(code, 7);
  await call(['run', '--config', 'a', '--watch'], { run });
  assert.deepEqual(seen, [
    { files: ['a', 'b'], set: ['x=1'], watch: false },
    { files: ['a'], set: [], watch: true },
  ]);
  assert.equal((await call(['validate', '--config', good, '--watch'])).code, 2, 'nothing to watch for');
});
test('components lists every factory as YAML', async () => {
  const { code, out } = await call(['components']);
  assert.equal(code, 0);
  const list = parse(out) as Record<string, string>[];
  assert.equal(list.length, factories.length);
  assert.deepEqual(Object.keys(list[0]!), ['type', 'kind', 'stability', 'summary', 'version']);
});
test('print-config of a configuration with mistakes prints it, says what is wrong, and answers 1', async () => {
  const { code, out, err } = await call(['print-config', '--config', bad, '--format', 'json']);
  assert.equal(code, 1);
  assert.deepEqual(JSON.parse(out).service.pipelines.profiles.exporters, ['debig']);
  assert.match(err, /debig/);
});
test('schema prints JSON', async () => {
  const { code, out } = await call(['schema']);
  assert.equal(code, 0);
  assert.equal(JSON.parse(out).$schema, 'https://json-schema.org/draft/2020-12/schema');
});
test('help and version are verbs and options', async () => {
  const help = await call(['help']);
  assert.match(help.out, /^usage: flamegate/);
  assert.deepEqual(await call(['--help']), help);
  assert.deepEqual(await call(['validate', '--help']), help);
  const version = await call(['version']);
  assert.match(version.out, /^flamegate \d+\.\d+\.\d+/);
  assert.deepEqual(await call(['--version']), version);
});
for (const [argv, says] of [
  [[], /say what to do/],
  [['validat'], /there is no verb `validat`; did you mean `validate`\?/],
  [['constructor'], /there is no verb `constructor`/],
  [['--config', 'x'], /give the verb before `--config`/],
  [['run'], /run: say which configuration: --config FILE/],
  [['validate', '--confg', 'x'], /there is no option `--confg` here; did you mean `--config`\?/],
  [['components', '--config', 'x'], /there is no option `--config` here/],
  [['validate', 'config.yaml'], /validate: Unexpected argument 'config\.yaml'/],
  [['print-config', '-c', 'x', '--format', 'toml'], /--format is yaml or json, not `toml`/],
] as const) {
  test(`flamegate ${argv.join(' ')} answers 2 with the usage`, async () => {
    const { code, out, err } = await call([...argv]);
    assert.equal(code, 2);
    assert.equal(out, '');
    assert.match(err, says);
    assert.match(err, /usage: flamegate <verb>/);
  });
}

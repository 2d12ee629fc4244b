// The verbs of the real process on real components.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';

const root = resolve(import.meta.dirname, '../..');
const flamegate = (...args: string[]) =>
  spawnSync(process.execPath, [join(root, 'bin/flamegate.js'), ...args], {
    cwd: root,
    encoding: 'utf8',
    timeout: 30_000,
  });

const SEVEN_MISTAKES = `receivers:
  pyroscop: {}
  pprof_http: {endpoint: nowhere}
processors:
  resource: {attributes: [{key: a, action: upsrt}]}
  memory_limiter: {limit_mb: 3}
exporters:
  pyroscope/a: {endpoint: "http://127.0.0.1:1", timout: 3s}
  file: {path: "\${env:NO_SUCH_VARIABLE}"}
service:
  pipelines:
    profiles: {receivers: [pprof_http], processors: [resource], exporters: [pyroscope/b]}
`;

test('seven mistakes are seven positioned errors in one run, and exit 1', () => {
  const file = join(mkdtempSync(join(tmpdir(), 'flamegate-')), 'gateway.yaml');
  writeFileSync(file, SEVEN_MISTAKES);
  for (const verb of ['validate', 'run']) {
    const { status, stderr } = flamegate(verb, '--config', file);
    assert.equal(status, 1, verb);
    const positions = [...stderr.matchAll(/gateway\.yaml:(\d+):(\d+): /g)].map(
      ([, line, column]) => `${line}:${column}`,
    );
    assert.deepEqual(positions, ['2:3', '3:26', '5:44', '6:20', '8:49', '9:17', '12:77'], stderr);
    assert.equal(stderr.match(/^ +\^/gm)?.length, 7, 'a caret each');
    for (const hint of ['pyroscope', 'upsert', 'limit_mib', 'timeout', 'pyroscope/a'])
      assert.match(stderr, new RegExp(`did you mean .${hint}.`));
  }
});

test('the shipped configurations are valid', () => {
  const files = ['config.yaml', ...globSync('examples/*.yaml', { cwd: root })];
  assert.ok(files.length > 1);
  for (const file of files) {
    const { status, stderr } = flamegate('validate', '--config', file);
    assert.deepEqual([status, stderr], [0, ''], file);
  }
});

test('print-config shows what was understood and no secret', () => {
  const { status, stdout } = flamegate(
    'print-config',
    '--config',
    'config.yaml',
    '--set',
    'exporters.pyroscope={endpoint: "http://127.0.0.1:1", auth: {basic: {username: u, password: hunter2}}}',
    '--origin',
  );
  assert.equal(status, 0);
  assert.match(stdout, /interval: 10s # config\.yaml:4/);
  assert.doesNotMatch(stdout, /hunter2/);
});

test('components and schema say what there is', () => {
  assert.match(flamegate('components').stdout, /type: pprof_http\n {2}kind: receiver/);
  const schema = JSON.parse(flamegate('schema').stdout) as { properties: Record<string, unknown> };
  assert.deepEqual(Object.keys(schema.properties).sort(), [
    'connectors',
    'exporters',
    'extensions',
    'plugins',
    'processors',
    'receivers',
    'service',
  ]);
});

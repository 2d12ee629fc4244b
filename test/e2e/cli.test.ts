// What a user types: checks, the first run, signals to the launcher.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { flamegate, olderNode, root } from '../kit/cli.ts';
import { freePort, Gateway } from '../kit/gateway.ts';
import { factsOf } from '../kit/pprof.ts';

const folder = mkdtempSync(join(tmpdir(), 'flamegate-cli-'));
after(() => rmSync(folder, { recursive: true }));

/** Seven mistakes, each at `line:column`. */
const SEVEN_MISTAKES = `receivers:
  pyroscope: {endpoint: 127.0.0.1}
  self: {intervall: 10s}
processors:
  resource: {attributes: [{key: a, value: b, action: replace}]}
  memory_limiter: {limit_mib: lots}
exporters:
  pyroscop: {endpoint: "http://127.0.0.1:4041"}
  file: {}
service:
  pipelines:
    profiles: {receivers: [pyroscope, self], processors: [resource, memory_limiter], exporters: [file, debug]}
`;
const PLACES = ['2:25', '3:10', '5:54', '6:31', '8:3', '9:3', '12:104'];

for (const verb of ['validate', 'run']) {
  test(`${verb} prints seven positioned errors for seven mistakes and exits 1`, async () => {
    const file = join(folder, 'mistakes.yaml');
    writeFileSync(file, SEVEN_MISTAKES);
    const { code, stdout, stderr } = await flamegate([verb, '--config', file]);
    assert.equal(code, 1);
    assert.equal(stdout, '');
    const places = [...stderr.matchAll(/mistakes\.yaml:(\d+:\d+): /g)].map(([, place]) => place);
    assert.deepEqual(places, PLACES, stderr);
    // Each with its line and a caret under it.
    assert.equal(stderr.match(/^ *\^/gm)?.length, 7, stderr);
    assert.match(stderr, /did you mean `interval`\?/);
    assert.match(stderr, /did you mean `pyroscope`\?/);
  });
}

test('the example of a fan-out and the own configuration are valid', async () => {
  for (const file of ['config.yaml', 'examples/fan-out.yaml'])
    assert.deepEqual(await flamegate(['validate', '--config', join(root, file)]), { code: 0, stdout: '', stderr: '' });
});

test('print-config shows no secret', async () => {
  const file = join(folder, 'secret.yaml');
  writeFileSync(
    file,
    `receivers: {self: {}}
exporters: {pyroscope: {endpoint: "http://127.0.0.1:4040", auth: {bearer: {token: "\${env:STORE_TOKEN}"}}}}
service: {pipelines: {profiles: {receivers: [self], exporters: [pyroscope]}}}
`,
  );
  const env = { ...process.env, STORE_TOKEN: 'hunter2-hunter2' };
  for (const more of [[], ['--origin'], ['--format', 'json']]) {
    const { code, stdout, stderr } = await flamegate(['print-config', '--config', file, ...more], { env });
    assert.equal(code, 0, stderr);
    assert.match(stdout, /pyroscope/);
    assert.doesNotMatch(stdout + stderr, /hunter2/);
  }
});

test('a port that is taken is one clear line and exit 1', async () => {
  const gateway = await Gateway.start({
    receivers: { pyroscope: { endpoint: `127.0.0.1:${await freePort()}` } },
    exporters: { debug: {} },
    service: { pipelines: { profiles: { receivers: ['pyroscope'], exporters: ['debug'] } } },
  });
  const second = await flamegate(['run', '--config', gateway.file]);
  assert.equal(second.code, 1);
  assert.match(second.stdout + second.stderr, /cannot listen on 127\.0\.0\.1:\d+: another process listens there/);
  assert.equal(await gateway.stop(), 0);
});

/** The repository's own configuration, moved to free ports. */
async function firstRun(node?: string): Promise<Gateway> {
  return Gateway.startWith(
    [
      ...['--config', join(root, 'config.yaml')],
      ...['--set', `receivers.pyroscope.endpoint=127.0.0.1:${await freePort()}`],
      ...['--set', 'receivers.self.interval=500ms'],
    ],
    node === undefined ? {} : { node },
  );
}

test("the repository's own configuration is up within 5 s and leaves own profiles in ./data", async () => {
  const startedMs = performance.now();
  const gateway = await firstRun();
  assert.ok(performance.now() - startedMs < 5000);
  assert.equal((await fetch(`${gateway.admin}/readyz`)).status, 200);
  const data = join(gateway.dir, 'data');
  const find = (kind: RegExp) => () => readdirSync(data).find(name => kind.test(name) && name.endsWith('.pb.gz'));
  const cpu = await gateway.until(find(/process_cpu/), 'own CPU profile');
  const memory = await gateway.until(find(/memory/), 'own heap profile');
  for (const name of [cpu, memory]) {
    const facts = factsOf(readFileSync(join(data, name)));
    assert.ok(facts.sampleCount > 0 && facts.functions.length > 0, name);
  }
  assert.equal(await gateway.stop('SIGINT'), 0);
});

const old = olderNode();
const skip =
  old === undefined ? 'no Node.js older than 24.11 is on PATH, so the launcher has nothing to bridge' : false;

test('started by an older Node.js, it is up within 5 s, drains on SIGTERM and exits 0', { skip }, async () => {
  const startedMs = performance.now();
  const gateway = await firstRun(old);
  assert.ok(performance.now() - startedMs < 5000);
  assert.equal((await fetch(`${gateway.admin}/livez`)).status, 200);
  assert.equal(await gateway.stop(), 0);
  assert.ok(gateway.logs.some(({ msg }) => msg === 'stopped'));
});

test('when the launcher is killed, the gateway drains and ends too', { skip }, async () => {
  const gateway = await firstRun(old);
  const out = gateway.child.stdout!;
  const ended = new Promise(resolve => out.on('close', resolve));
  gateway.child.kill('SIGKILL');
  // The pipe is the gateway's too: it closes when the last process that has it is gone.
  await ended;
  assert.equal(gateway.logs.find(({ msg }) => msg === 'draining')?.reason, 'launcher gone');
  assert.ok(gateway.logs.some(({ msg }) => msg === 'stopped'));
  await gateway.kill();
});

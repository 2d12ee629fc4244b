import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Secret } from '../../../src/api/index.ts';
import { type Loaded, loadPlan } from '../../../src/config/load.ts';
import { factories } from './factories.ts';

async function load(text: string, env: Record<string, string> = {}): Promise<Loaded> {
  return loadPlan({ files: ['config.yaml'], set: [], factories, env, read: async () => text });
}
async function plan(text: string, env?: Record<string, string>) {
  const loaded = await load(text, env);
  assert.ok(loaded.ok, JSON.stringify(loaded));
  return loaded.plan;
}
const config = (file: string, service = '') => `receivers: {self: {}}
exporters: {file: ${file}}
service: {${service} pipelines: {profiles: {receivers: [self], exporters: [file]}}}
`;

test('the service has its defaults', async () => {
  const { telemetry, drainTimeoutMs, extensions, warnings } = await plan(config('{path: x}'));
  assert.deepEqual(telemetry, { admin: { endpoint: '127.0.0.1:13133' }, logs: { level: 'info' } });
  assert.equal(drainTimeoutMs, 25_000);
  assert.deepEqual(extensions, []);
  assert.deepEqual(warnings, []);
});
test('the token of the admin port is a secret', async () => {
  const { telemetry } = await plan(config('{path: x}', 'drain_timeout: 1s, telemetry: {admin: {token: "${T}"}},'), {
    T: '0123',
  });
  assert.ok(telemetry.admin.token instanceof Secret);
  assert.equal(telemetry.admin.token.reveal(), '0123');
});
test('exporters have an outbox, and their own schema never sees its keys', async () => {
  const { components } = await plan(
    config('{path: x, timeout: 2s, sending_queue: {queue_size: 1GiB}, retry_on_failure: {enabled: false}}'),
  );
  const file = components.exporters.get('file')!;
  assert.deepEqual(file.config, { path: 'x', max_files: 1000 });
  assert.equal(file.outbox?.timeout, 2000);
  assert.equal(file.outbox?.sending_queue.queue_size, 1024 ** 3);
  assert.equal(file.outbox?.retry_on_failure.enabled, false);
  assert.equal(components.receivers.get('self')!.outbox, undefined);
});
test('fingerprints are equal for equal configurations however they are written, and differ for others', async () => {
  const of = async (file: string, env?: Record<string, string>) =>
    (await plan(config(file), env)).components.exporters.get('file')!.fingerprint;
  const one = await of('{path: x, timeout: 2s, max_files: 3}');
  assert.equal(one, await of('{max_files: 3, timeout: 2s, path: "${P}"}', { P: 'x' }));
  assert.notEqual(one, await of('{path: y, timeout: 2s, max_files: 3}'));
  assert.notEqual(one, await of('{path: x, timeout: 3s, max_files: 3}'));
  assert.match(one, /^[0-9a-f]{64}$/);
});
test('the plan holds only what is used', async () => {
  const { components, warnings } = await plan(config('{path: x}').replace('self: {}}', 'self: {}, pyroscope: {}}'));
  assert.deepEqual([...components.receivers.keys()], ['self']);
  assert.equal(warnings.length, 1);
});
test('keys such as __proto__ are unknown keys and nothing more', async () => {
  const loaded = await load(config('{path: x, __proto__: {polluted: 1}, constructor: 1}'));
  assert.ok(!loaded.ok);
  assert.deepEqual(
    loaded.findings.map(finding => finding.message),
    ['exporters.file: unknown key `__proto__`', 'exporters.file: unknown key `constructor`'],
  );
  assert.equal(({} as { polluted?: unknown }).polluted, undefined);
});
test('findings stop at a bound and say how many are left', async () => {
  const keys = Array.from({ length: 500 }, (_, index) => `key${index}: 1`).join(', ');
  const loaded = await load(config(`{path: x, ${keys}}`));
  assert.ok(!loaded.ok);
  assert.equal(loaded.findings.length, 201);
  assert.equal(loaded.findings.at(-1)?.message, 'and 300 more');
});
test('nesting that would exhaust the stack is one finding', async () => {
  for (const depth of [100, 50_000]) {
    const loaded = await load(`a: ${'['.repeat(depth)}${']'.repeat(depth)}`);
    assert.ok(!loaded.ok);
    assert.equal(loaded.findings.length, 1);
    assert.match(loaded.findings[0]!.message, /nested more than 64 levels deep/);
  }
});
test('lines that end with CR LF have the same positions and excerpts without CR', async () => {
  const loaded = await load(config('{pth: x}').replaceAll('\n', '\r\n'));
  assert.ok(!loaded.ok);
  const [finding] = loaded.findings;
  assert.equal(finding?.line, 2);
  assert.equal(finding?.column, 20);
  assert.equal(finding?.excerpt, 'exporters: {file: {pth: x}}');
});
test('a chain of connectors longer than the call stack is a plan', async () => {
  const length = 6000;
  const names = Array.from({ length }, (_, index) => index);
  const { pipelines } = await plan(`receivers: {self: {}}
connectors: {${names
    .slice(1)
    .map(name => `forward/${name}: {}`)
    .join(', ')}}
exporters: {debug: {}}
service:
  pipelines:
${names.map(name => `    profiles/${name}: {receivers: [${name === 0 ? 'self' : `forward/${name}`}], exporters: [${name + 1 === length ? 'debug' : `forward/${name + 1}`}]}`).join('\n')}
`);
  assert.equal(pipelines.length, length);
});

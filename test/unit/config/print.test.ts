import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { loadPlan } from '../../../src/config/load.ts';
import { type PrintOptions, printConfig } from '../../../src/config/print.ts';
import { factories } from './factories.ts';

const CONFIG = `receivers:
  self:
  pyroscope: {auth: {basic: {username: u, password: "\${PASSWORD}"}}}
exporters:
  pyroscope:
    endpoint: "http://user:hunter2@store:4040"
    headers: {Authorization: Bearer hunter2, Cookie: hunter2, X-Api-Key: "\${file:key}", X-Scope-OrgID: "\${TENANT}"}
    auth: {bearer: {token: "\${PASSWORD}"}}
  debug: {detailed: true}
service:
  telemetry: {admin: {token: hunter2}}
  pipelines:
    profiles: {receivers: [self, pyroscope], exporters: [pyroscope, debug]}
`;
async function print(options: PrintOptions): Promise<string> {
  const read = async (path: string) => (path === 'config.yaml' ? CONFIG : 'hunter2\n');
  const env = { PASSWORD: 'hunter2', TENANT: '0123' };
  const loaded = await loadPlan({ files: ['config.yaml'], set: ['exporters.debug=null'], factories, env, read });
  // Credentials in a URL are an error, and print-config shows what was understood all the same: without them.
  assert.ok(!loaded.ok && loaded.findings.length === 1 && loaded.resolved);
  return printConfig(loaded.resolved, options);
}

for (const format of ['yaml', 'json'] as const) {
  for (const origin of [false, true]) {
    test(`no secret is in the ${format} that is printed ${origin ? 'with' : 'without'} origins`, async () => {
      const text = await print({ format, origin });
      assert.doesNotMatch(text, /hunter2/);
      assert.equal(text.match(/\[redacted\]/g)?.length, 7);
    });
  }
}
test('what is printed can be read again, with text where the schema took text', async () => {
  const again = parse(await print({ format: 'yaml', origin: false }));
  assert.equal(again.exporters.pyroscope.headers['X-Scope-OrgID'], '0123');
  assert.equal(again.exporters.pyroscope.endpoint, 'http://user:[redacted]@store:4040');
  assert.deepEqual(again.service.pipelines.profiles.receivers, ['self', 'pyroscope']);
  assert.equal(again.exporters.pyroscope.timeout, undefined);
});
test('origins are the line, the variable, the file, --set and default', async () => {
  const text = await print({ format: 'yaml', origin: true });
  for (const line of [
    'interval: 10s # default',
    'username: u # config.yaml:3',
    'password: "[redacted]" # config.yaml:3, env PASSWORD',
    'X-Api-Key: "[redacted]" # config.yaml:7, file key',
    'X-Scope-OrgID: "0123" # config.yaml:7, env TENANT',
    'queue_size: 64MiB # default',
    'endpoint: 127.0.0.1:13133 # default',
    'drain_timeout: 25s # default',
  ])
    assert.ok(text.includes(`${line}\n`), `${line}\nin\n${text}`);
  assert.deepEqual(parse(text).service.extensions, []);
  assert.equal(parse(text).exporters.debug.detailed, false);
});
test('origins in JSON stand beside the values', async () => {
  const json = JSON.parse(await print({ format: 'json', origin: true }));
  assert.deepEqual(json.exporters.pyroscope.headers['X-Scope-OrgID'], {
    value: '0123',
    origin: 'config.yaml:7, env TENANT',
  });
});

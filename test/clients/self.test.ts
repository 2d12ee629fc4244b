import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Gateway } from '../kit/gateway.ts';
import { missing } from './programs.ts';

test("flamegate's own profile reads with go tool pprof", async (t: TestContext) => {
  const why = await missing('go');
  if (why) return t.skip(why);
  const gateway = await Gateway.start({
    receivers: { self: { interval: '500ms' } },
    exporters: { file: { path: './data' }, debug: {} },
    service: { pipelines: { profiles: { receivers: ['self'], exporters: ['file', 'debug'] } } },
  });
  t.after(() => gateway.stop());
  const data = join(gateway.dir, 'data');
  const find = () => readdirSync(data).find(name => /process_cpu.*\.pb\.gz$/.test(name));
  const name = await gateway.until(find, 'own CPU profile');
  const top = execFileSync('go', ['tool', 'pprof', '-top', join(data, name)], { encoding: 'utf8' });
  assert.match(top, /Type: cpu/);
  assert.match(top, /flat%/);
});

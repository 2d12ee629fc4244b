// What `npm publish` would send: it runs without the sources, from below a node_modules folder, where Node strips no types.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { root } from '../kit/cli.ts';
import { freePort, Gateway } from '../kit/gateway.ts';

const run = promisify(execFile);

test('the packed package runs, serves its page and gives plugins its types and values', async t => {
  const dir = await mkdtemp(join(tmpdir(), 'flamegate-package-'));
  t.after(() => rm(dir, { recursive: true }));
  // A copy, so that building leaves nothing in the checkout.
  const copy = join(dir, 'checkout');
  await cp(root, copy, {
    recursive: true,
    filter: from => !/\/(node_modules|\.git|dist|data|test)$/.test(from),
  });
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'));
  await run('npm', ['pack', '--pack-destination', dir], { cwd: copy });
  const tarball = (await readdir(dir)).find(name => name.endsWith('.tgz'))!;
  await run('tar', ['xzf', tarball], { cwd: dir });
  const installed = join(dir, 'project/node_modules/flamegate');
  await mkdir(join(dir, 'project/node_modules'), { recursive: true });
  await cp(join(dir, 'package'), installed, { recursive: true });
  await symlink(join(root, 'node_modules'), join(installed, 'node_modules'));
  assert.ok(!(await readdir(installed)).includes('src'));

  const gateway = await Gateway.start(
    {
      receivers: { pyroscope: { endpoint: `127.0.0.1:${await freePort()}` } },
      exporters: { debug: {} },
      service: { pipelines: { profiles: { receivers: ['pyroscope'], exporters: ['debug'] } } },
    },
    { launcher: join(installed, 'bin/flamegate.js') },
  );
  t.after(() => gateway.kill());
  for (const path of ['/', '/app.js', '/livez', '/metrics', '/api/v1/status'])
    assert.equal((await fetch(`${gateway.admin}${path}`)).status, 200, path);

  const plugin = join(dir, 'project/plugin.mjs');
  await writeFile(
    plugin,
    "import { combine } from 'flamegate/api'; console.log(combine(1, [{ kind: 'accepted' }]).kind);",
  );
  assert.equal((await run(process.execPath, [plugin])).stdout.trim(), 'accepted');
  assert.equal(await gateway.stop(), 0);
});

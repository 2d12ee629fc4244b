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
import { factsOf, numbered } from '../kit/pprof.ts';
import { FakeStore } from '../kit/store.ts';

const run = promisify(execFile);

test('the packed package runs with all its threads, serves its page and gives plugins its types and values', async t => {
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

  // Threads find their modules in the package too: those of stages, built in and of a plugin, and that of the queue file.
  const outside = join(dir, 'project/outside');
  await mkdir(outside);
  await writeFile(
    join(outside, 'index.mjs'),
    `import { stage } from 'flamegate/api';
     const config = { '~standard': { version: 1, vendor: 'test', validate: value => ({ value }) } };
     export default stage({ type: 'outside', summary: 's.', stability: 'alpha', home: import.meta.url, config });`,
  );
  await writeFile(
    join(outside, 'stage.mjs'),
    "import { KEEP } from 'flamegate/api'; export default () => () => ({ ...KEEP, set: new Map([['outside', 'yes']]) });",
  );
  const store = await new FakeStore().start();
  t.after(() => store.stop());
  const port = await freePort();
  const gateway = await Gateway.start(
    {
      plugins: [outside],
      extensions: { file_storage: { directory: join(dir, 'queue') } },
      receivers: { pyroscope: { endpoint: `127.0.0.1:${port}` } },
      processors: { labels: { actions: [{ action: 'set', key: 'team', value: 'checkout' }] }, outside: {} },
      exporters: { pyroscope: { endpoint: store.url, sending_queue: { storage: 'file_storage' } } },
      service: {
        extensions: ['file_storage'],
        pipelines: {
          profiles: { receivers: ['pyroscope'], processors: ['labels', 'outside'], exporters: ['pyroscope'] },
        },
      },
    },
    { launcher: join(installed, 'bin/flamegate.js') },
  );
  t.after(() => gateway.kill());
  const ingest = `http://127.0.0.1:${port}/ingest?name=app&format=pprof`;
  assert.equal((await fetch(ingest, { method: 'POST', body: numbered(7) })).status, 200);
  await store.until(() => store.deliveries.length === 1, 'delivery');
  assert.match(store.deliveries[0]!.query, /outside%3Dyes/);
  assert.ok(store.deliveries[0]!.body.includes('checkout'));
  assert.deepEqual(factsOf(store.deliveries[0]!.body).sums, ['7']);
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

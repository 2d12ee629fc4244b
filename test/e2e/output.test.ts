// Whoever reads our output may go away at any time: the gateway goes on, and ends as it should.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { launcher } from '../kit/cli.ts';
import { freePort, Gateway } from '../kit/gateway.ts';
import { numbered } from '../kit/pprof.ts';
import { FakeStore } from '../kit/store.ts';

for (const closed of [['stdout'], ['stdout', 'stderr']] as const)
  test(`a closed ${closed.join(' and ')} loses lines and nothing else`, async t => {
    const store = await new FakeStore().start();
    t.after(() => store.stop());
    const port = await freePort();
    const gateway = await Gateway.start({
      receivers: { pyroscope: { endpoint: `127.0.0.1:${port}` } },
      exporters: { debug: {}, pyroscope: { endpoint: store.url } },
      service: { pipelines: { profiles: { receivers: ['pyroscope'], exporters: ['debug', 'pyroscope'] } } },
    });
    t.after(() => gateway.kill());
    for (const stream of closed) {
      gateway.child[stream]!.destroy();
      await once(gateway.child[stream]!, 'close');
    }
    for (let n = 0; n < 20; n++) {
      const url = `http://127.0.0.1:${port}/ingest?name=app&format=pprof`;
      const answer = await fetch(url, { method: 'POST', body: new Uint8Array(numbered(n)) });
      assert.equal(answer.status, 200);
    }
    await store.until(() => store.deliveries.length === 20, '20 deliveries');
    assert.ok((await gateway.metric('flamegate_output_errors_total{id="process",stream="stdout"}')) > 0);
    assert.equal(await gateway.stop(), 0);
    if (closed.length === 1)
      assert.equal(gateway.stderr.match(/stdout cannot be written \(EPIPE\)/g)?.length, 1, gateway.stderr);
  });

test('a verb whose output nobody reads to its end is no crash', async () => {
  const child = spawn(process.execPath, [launcher, 'schema'], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.destroy();
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', text => {
    stderr += text;
  });
  const [code] = await once(child, 'close');
  assert.deepEqual([code, stderr], [0, '']);
});

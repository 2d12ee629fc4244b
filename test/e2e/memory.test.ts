// Memory of the real process: what bodies inflate to, all at once, stays within the limit, and nobody is locked out afterwards.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { freePort, Gateway } from '../kit/gateway.ts';

const MIB = 1024 * 1024;
const LIMIT_MIB = 400;
const AT_ONCE = 24;

/** A profile of 60 strings of 1 MiB. @param noise bytes of each that do not compress: they tell the ratio */
function largeProfile(noise: number): Buffer {
  const varint = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)]);
  const field = (number: number, bytes: Uint8Array) =>
    Buffer.concat([Buffer.from([number * 8 + 2, ...varint(bytes.length)]), bytes]);
  const strings = Array.from({ length: 60 }, () =>
    field(6, Buffer.concat([Buffer.from(randomBytes(noise).toString('hex')), Buffer.alloc(MIB, 'a')])),
  );
  const head = [field(1, Buffer.from([8, 1, 16, 2])), field(2, Buffer.from([16, 1]))];
  const names = ['', 'cpu', 'ns'].map(name => field(6, Buffer.from(name)));
  return gzipSync(Buffer.concat([...head, ...names, ...strings]), { level: 1 });
}

function rssMib(pid: number, which: 'VmHWM' | 'VmRSS'): number {
  return Number(new RegExp(`${which}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;
}

for (const [what, noise, codes] of [
  ['sound ones are taken', 2400, [200, 429]],
  ['bombs are refused', 100, [413, 429]],
] as const)
  test(`many bodies that inflate to 60 MiB at once: memory stays within the limit, ${what}`, async t => {
    if (process.platform !== 'linux') return t.skip('reads /proc');
    const port = await freePort();
    const gateway = await Gateway.start({
      receivers: { pyroscope: { endpoint: `127.0.0.1:${port}` } },
      processors: { memory_limiter: { limit_mib: LIMIT_MIB } },
      // Dead, so that there is always something held.
      exporters: { pyroscope: { endpoint: 'http://127.0.0.1:9' } },
      service: {
        pipelines: { profiles: { receivers: ['pyroscope'], processors: ['memory_limiter'], exporters: ['pyroscope'] } },
      },
    });
    t.after(() => gateway.kill());
    const body = largeProfile(noise);
    const post = async (bytes: Buffer) => {
      const answer = await fetch(`http://127.0.0.1:${port}/ingest?name=a&format=pprof`, {
        method: 'POST',
        body: bytes,
      });
      await answer.text();
      return answer.status;
    };
    const answers = await Promise.all(Array.from({ length: AT_ONCE }, () => post(body)));
    const counts = codes.map(code => answers.filter(answer => answer === code).length);
    assert.equal(counts[0]! + counts[1]!, AT_ONCE, String(answers));
    assert.ok(counts[0]! >= AT_ONCE / 2, String(answers));
    const peak = rssMib(gateway.child.pid!, 'VmHWM');
    assert.ok(peak < LIMIT_MIB, `${peak} MiB`);
    const small = gzipSync(Buffer.from([10, 4, 8, 1, 16, 2, 18, 2, 16, 1, 50, 0, 50, 1, 97, 50, 1, 98]));
    assert.equal(await post(small), 200, 'the next sender is served at once');
    t.diagnostic(`peak ${Math.round(peak)} MiB, answers ${codes} ${counts}`);
  });

test('after a burst that filled the memory everybody is served again, and the memory goes back', async t => {
  if (process.platform !== 'linux') return t.skip('reads /proc');
  const open = Promise.withResolvers<void>();
  const store = createServer((request, response) => {
    request.resume().on('end', () => void open.promise.then(() => response.end()));
  });
  await new Promise<void>(resolve => store.listen(0, '127.0.0.1', resolve));
  t.after(() => store.close().closeAllConnections());
  const port = await freePort();
  const queue = { queue_size: '1GiB', num_consumers: 100 };
  const gateway = await Gateway.start({
    // Random bytes, which nothing makes smaller, in a form that is not looked at.
    receivers: { pyroscope: { endpoint: `127.0.0.1:${port}`, validate: 'header' } },
    processors: { memory_limiter: { limit_mib: LIMIT_MIB } },
    exporters: {
      'pyroscope/slow': {
        endpoint: `http://127.0.0.1:${(store.address() as AddressInfo).port}`,
        timeout: '60s',
        // So that nothing is converted.
        max_profile_size: '16MiB',
        sending_queue: queue,
      },
      // Dead, with a queue that stays full: there is always more held than is always allowed.
      'pyroscope/dead': {
        endpoint: 'http://127.0.0.1:9',
        max_profile_size: '16MiB',
        sending_queue: { queue_size: '20MiB' },
      },
    },
    service: {
      pipelines: {
        profiles: {
          receivers: ['pyroscope'],
          processors: ['memory_limiter'],
          exporters: ['pyroscope/slow', 'pyroscope/dead'],
        },
      },
    },
  });
  t.after(() => gateway.kill());
  const base = rssMib(gateway.child.pid!, 'VmRSS');
  let count = 0;
  const post = async (bytes: Uint8Array) => {
    const url = `http://127.0.0.1:${port}/ingest?name=a${count++}&format=jfr`;
    const answer = await fetch(url, { method: 'POST', body: bytes });
    await answer.text();
    return answer.status;
  };
  const large = randomBytes(5_000_000);
  while ((await post(large)) === 200);
  const full = rssMib(gateway.child.pid!, 'VmRSS');
  assert.ok(full < LIMIT_MIB, `${full} MiB`);
  // What stays: 64 MiB of slabs for the next burst, the queue of the dead store, and what V8 adds to its heap for small profiles.
  const settled = base + 64 + 20 + 30;
  assert.ok(full > settled, `the burst was none: ${full} of ${base} MiB`);
  open.resolve();
  const deadline = Date.now() + 15_000;
  const small = randomBytes(1000);
  // Each request is a look; the last ones must all be served.
  for (let served = 0; served < 50; ) {
    served = (await post(small)) === 200 ? served + 1 : 0;
    if (rssMib(gateway.child.pid!, 'VmRSS') > settled) served = 0;
    assert.ok(
      Date.now() < deadline,
      `still ${rssMib(gateway.child.pid!, 'VmRSS')} MiB of ${full}, not ${settled}, or refused`,
    );
  }
  t.diagnostic(
    `${Math.round(base)} MiB, full ${Math.round(full)}, then ${Math.round(rssMib(gateway.child.pid!, 'VmRSS'))}`,
  );
});

// The main job with real SDKs: they push, the gateway fans out to two stores and a folder, one store goes away for half a minute.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Arrival, arrivalsIn, contentHash } from '../kit/arrival.ts';
import { freePort, Gateway } from '../kit/gateway.ts';
import { FakeStore } from '../kit/store.ts';
import { Tap } from '../kit/tap.ts';
import { clients, missing, RunningClient } from './programs.ts';

const OUTAGE_MS = 30_000;
/** Requests of each client that the healthy store must have seen before the outage, so that there is a median to compare with. */
const WARM_UP = 4;
/** A delivery takes some milliseconds; the clients' own work on a small machine makes that waver. A wait for the dead store costs seconds. */
const LATENCY_FACTOR = 5;
const LATENCY_SLACK_MS = 100;

/** Which profiles each program's SDK makes, as push.v1 names them. */
const NAMES: Record<string, string[]> = {
  go: ['block', 'goroutines', 'memory', 'mutex', 'process_cpu'],
  python: ['memory', 'process_cpu'],
  node: ['memory', 'wall'],
};

interface Timed extends Arrival {
  readonly atMs: number;
}
const timed = (requests: readonly (Parameters<typeof arrivalsIn>[0] & { atMs: number })[]): Timed[] =>
  requests.flatMap(request => arrivalsIn(request).map(arrival => ({ ...arrival, atMs: request.atMs })));

/** One readable line per profile, sorted: what must be equal wherever a profile went. */
const lines = (arrivals: readonly Arrival[], service: string): string[] =>
  arrivals
    .filter(one => one.service === service && one.sampleCount > 0)
    .map(({ labels, sampleTypes, sums, sha256 }) => JSON.stringify([labels, sampleTypes, sums, sha256]))
    .sort();

function median(values: readonly number[]): number {
  assert.ok(values.length > 0, 'a median needs values');
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

test('real SDKs push through the gateway to two stores and a folder', async t => {
  const lacking = new Map<string, string>();
  for (const { name, needs } of clients) {
    const why = await missing(needs);
    if (why) lacking.set(name, why);
  }
  const able = clients.filter(({ name }) => !lacking.has(name));
  const commands = await Promise.all(able.map(client => client.prepare()));

  const folder = mkdtempSync(join(tmpdir(), 'flamegate-profiles-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [a, b] = [await new FakeStore().start(), await new FakeStore().start()];
  t.after(() => Promise.all([a.stop(), b.stop()]));
  const port = await freePort();
  const gateway = await Gateway.start({
    receivers: { pyroscope: { endpoint: `127.0.0.1:${port}` } },
    exporters: {
      'pyroscope/a': {
        endpoint: a.url,
        retry_on_failure: { initial_interval: '500ms', max_interval: '2s' },
      },
      'pyroscope/b': { endpoint: b.url, protocol: 'push' },
      file: { path: folder, name: '{service_name}-{seq}' },
    },
    service: {
      pipelines: { profiles: { receivers: ['pyroscope'], exporters: ['pyroscope/a', 'pyroscope/b', 'file'] } },
    },
  });
  t.after(() => gateway.kill());
  const tap = await Tap.start(`http://127.0.0.1:${port}`);
  t.after(() => tap.stop());
  const running = able.map(({ name }, at) => new RunningClient(name, commands[at]!, tap.url));
  t.after(() => {
    for (const client of running) client.kill();
  });

  const seen = (name: string) =>
    b.deliveries.filter(({ pushed }) => pushed[0]?.labels.get('service_name') === `shop.${name}`);
  await b.until(() => able.every(({ name }) => seen(name).length >= WARM_UP), 'profiles of every SDK', 60_000);
  await a.stop();
  const stoppedMs = Date.now();
  // The clients push every two seconds or so: the healthy store's deliveries are the clock.
  await b.until(() => Date.now() - stoppedMs >= OUTAGE_MS, 'end of the outage', 2 * OUTAGE_MS);
  const component = ((await gateway.status()).components as { id: string; kind: string; health: string }[]).find(
    ({ id, kind }) => id === 'pyroscope/a' && kind === 'exporter',
  );
  await a.start();
  const backMs = Date.now();
  await Promise.all(running.map(client => client.finish()));
  assert.equal(await gateway.stop(), 0);

  const sent = timed(tap.sent);
  const atA = timed(a.deliveries);
  const atB = timed(b.deliveries);

  for (const { name } of clients)
    await t.test(
      `all that the SDK for ${name} sent is at both stores and in the folder`,
      { skip: lacking.get(name) ?? false },
      () => {
        const service = `shop.${name}`;
        const expected = lines(sent, service);
        assert.ok(expected.length > 10, `${expected.length} profiles were sent`);
        assert.deepEqual(lines(atA, service), expected, 'the store that went away');
        assert.deepEqual(lines(atB, service), expected, 'the healthy store');
        const files = readdirSync(folder).filter(file => file.startsWith(`${service}-`));
        assert.deepEqual(
          files.map(file => contentHash(readFileSync(join(folder, file)))).sort(),
          sent
            .filter(one => one.service === service && one.sampleCount > 0)
            .map(one => one.sha256)
            .sort(),
          'the folder',
        );
        const profiles = atB.filter(one => one.service === service);
        assert.deepEqual([...new Set(profiles.map(one => one.name))].sort(), NAMES[name]);
        for (const { labels } of profiles) assert.equal(labels.team, name);
      },
    );

  await t.test('every upload was answered 200, also while a store was gone', () => {
    assert.deepEqual([...new Set(tap.sent.map(({ status }) => status))], [200]);
    assert.ok(sent.some(({ atMs }) => atMs > stoppedMs && atMs < backMs));
  });

  await t.test('the outage showed as a degraded exporter and nothing was left behind', () => {
    assert.equal(component?.health, 'degraded');
    assert.equal(a.deliveries.filter(({ atMs }) => atMs > stoppedMs && atMs < backMs).length, 0);
    assert.equal(
      gateway.logs.find(({ msg }) => msg === 'left in the queue at shutdown'),
      undefined,
    );
  });

  await t.test('the outage of one store did not move the latency of the other', () => {
    const arrived = new Map(atB.map(({ sha256, atMs }) => [sha256, atMs]));
    const latency = (from: number, to: number) =>
      median(
        sent.flatMap(({ sha256, atMs, sampleCount }) =>
          sampleCount > 0 && atMs >= from && atMs < to ? [arrived.get(sha256)! - atMs] : [],
        ),
      );
    const [before, during] = [latency(0, stoppedMs), latency(stoppedMs, backMs)];
    t.diagnostic(`median latency to the healthy store: ${before} ms before, ${during} ms during the outage`);
    assert.ok(
      during <= before * LATENCY_FACTOR + LATENCY_SLACK_MS,
      `median latency was ${before} ms before and ${during} ms during the outage`,
    );
  });
});

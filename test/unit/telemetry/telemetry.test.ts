import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Secret } from '../../../src/api/index.ts';
import { steadyClock, systemClock } from '../../../src/telemetry/clock.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { Metrics } from '../../../src/telemetry/metrics.ts';

function log(options: { pretty?: boolean; level?: 'debug' | 'info' } = {}) {
  const lines: string[] = [];
  const logger = createLogger({
    level: options.level ?? 'info',
    pretty: options.pretty ?? false,
    write: line => lines.push(line),
  });
  return { logger, lines, parsed: () => lines.map(line => JSON.parse(line)) };
}

test('lines are JSON with the fields of the component; errors are their message, or with the stack when it is a bug', () => {
  const { logger, parsed } = log();
  const child = logger.child({ kind: 'exporter', id: 'file' });
  child.warn('disk full', { error: new Error('ENOSPC'), left: 3 });
  child.error('bug', { error: new Error('oops'), stack: true });
  const [warn, bug] = parsed();
  assert.deepEqual(
    [warn.level, warn.kind, warn.id, warn.msg, warn.error, warn.left],
    ['warn', 'exporter', 'file', 'disk full', 'ENOSPC', 3],
  );
  assert.match(bug.error.stack, /telemetry\.test\.ts/);
});

test('a level holds for children too, also when it changes later', () => {
  const { logger, lines } = log();
  const child = logger.child({ id: 'x' });
  child.debug('hidden');
  logger.setLevel('debug');
  child.debug('shown');
  logger.setLevel('error');
  child.info('hidden again');
  assert.equal(lines.length, 1);
});

test('no secret comes out, by type or by name', () => {
  const { logger, lines } = log();
  logger.info('config', {
    password: 'hunter2',
    auth: { token: 'hunter2' },
    secret: new Secret('hunter2'),
    header: new Secret('hunter2'),
  });
  assert.doesNotMatch(lines.join(), /hunter2/);
});

test('the same phrase is limited per component, others are not', () => {
  const { logger, lines } = log();
  const [a, b] = [logger.child({ id: 'a' }), logger.child({ id: 'b' })];
  for (let n = 0; n < 1000; n++) a.warn('export retrying');
  b.warn('export retrying');
  a.warn('another phrase');
  assert.equal(lines.length, 12);
});

test('on a terminal a line is readable', () => {
  const { logger, lines } = log({ pretty: true });
  logger.child({ kind: 'exporter', id: 'pyroscope/a' }).info('store answers again', { delayMs: 5, text: 'two words' });
  assert.match(
    lines[0]!,
    /^\d\d:\d\d:\d\d\.\d{3} info {2}exporter pyroscope\/a {2}store answers again {2}delayMs=5 text="two words"\n$/,
  );
});

test('components share a metric and differ by id; labels and values come out as Prometheus reads them', async () => {
  const metrics = new Metrics();
  const options = { help: 'Things.', labels: ['reason'] };
  for (const id of ['a', 'b'])
    metrics.meter(id).counter('flamegate_things_total', options).record(2, { reason: 'x"y\n' });
  metrics.meter('a').counter('flamegate_things_total', options).record(1, { reason: 'x"y\n' });
  metrics
    .meter('a')
    .histogram('flamegate_seconds', { help: 'Time.', buckets: [1, 2] })
    .record(1.5);
  const gauge = metrics.meter('a').gauge('flamegate_depth', { help: 'Depth.' });
  metrics.onCollect(() => gauge.record(7));
  const { contentType, body } = await metrics.render();
  assert.match(contentType, /^text\/plain/);
  assert.match(body, /^flamegate_things_total\{id="a",reason="x\\"y\\n"\} 3$/m);
  assert.match(body, /^flamegate_things_total\{id="b",reason="x\\"y\\n"\} 2$/m);
  assert.match(body, /^flamegate_seconds_bucket\{le="2",id="a"\} 1$/m);
  assert.match(body, /^flamegate_depth\{id="a"\} 7$/m);
  assert.throws(() => metrics.meter('c').counter('flamegate_things_total', { help: 'Things.' }), /other labels/);
  assert.throws(() => metrics.meter('c').gauge('flamegate_things_total', options), /another type/);
});

test('a sleep ends at its abort, and at once when that came first', async () => {
  const abort = new AbortController();
  const asleep = systemClock.sleep(60_000, abort.signal);
  abort.abort();
  await asleep;
  await systemClock.sleep(60_000, abort.signal);
});

test('a gauge can be forgotten, and is there again when it is recorded', async () => {
  const metrics = new Metrics();
  const gauge = metrics.meter('service').gauge('flamegate_queue_batches', { help: 'h', labels: ['queue'] });
  const shown = async () => (await metrics.render()).body.match(/^flamegate_queue_batches.*$/gm);
  gauge.record(1, { queue: 'a' });
  gauge.record(2, { queue: 'b' });
  gauge.forget?.({ queue: 'a' });
  gauge.forget?.({ queue: 'never there' });
  assert.deepEqual(await shown(), ['flamegate_queue_batches{id="service",queue="b"} 2']);
  gauge.record(3, { queue: 'a' });
  assert.equal((await shown())?.length, 2);
});

test('the steady clock says real time and does not jump with the wall clock', t => {
  const clock = steadyClock();
  const before = clock.now();
  assert.ok(Math.abs(before - Date.now()) < 1000);
  const real = Date.now;
  t.mock.method(Date, 'now', () => real() - 3_600_000);
  assert.ok(clock.now() >= before);
});

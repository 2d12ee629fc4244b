// What lies in files: forms, compressions, labels, and what is none of it.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import type { Result } from '../../../../src/api/index.ts';
import { toJson } from '../../../../src/wire/otlp/json-write.ts';
import { fixturesDir } from '../../../kit/corpus.ts';
import { framed, request as otlpRequest } from '../../../kit/otlp.ts';
import { numbered } from '../../../kit/pprof.ts';
import { bytes, number, text } from '../../../kit/protobuf.ts';
import { NOT_ACCEPTED, NOW_MS } from '../fixtures.ts';
import { rig, until } from './rig.ts';

const resource = (...attributes: [string, string][]) =>
  bytes(
    1,
    attributes.flatMap(([key, value]) => [...bytes(1, [...text(1, key), ...bytes(2, text(1, value))])]),
  );
const SAMPLE = [...number(1, 1), ...bytes(4, [7])];
const PROFILE = [...bytes(1, [...number(1, 1), ...number(2, 2)]), ...bytes(2, SAMPLE)];
const otlp = (...attributes: [string, string][]) => otlpRequest(PROFILE, undefined, resource(...attributes));
const CPUPROFILE = JSON.stringify({
  nodes: [
    {
      id: 1,
      callFrame: { functionName: '(root)', scriptId: '0', url: '', lineNumber: -1, columnNumber: -1 },
      children: [2],
    },
    { id: 2, callFrame: { functionName: 'work', scriptId: '1', url: 'file:///a.js', lineNumber: 3, columnNumber: 0 } },
  ],
  startTime: 1000,
  endTime: 3000,
  samples: [2, 2],
  timeDeltas: [1000, 1000],
});

test('files of many forms and compressions arrive with their labels, each as a batch', async t => {
  const { clock, made, receiver, put, arrived, settle } = rig(t, { labels: { env: 'test', service_name: 'nobody' } });
  const pprof = numbered(5);
  const bodies: Record<string, Uint8Array | string> = {
    plain: pprof,
    gzip: gzipSync(pprof),
    zstd: zstdCompressSync(pprof),
    both: zstdCompressSync(gzipSync(pprof)),
    twice: gzipSync(gzipSync(pprof)),
    folded: 'main;work 3\nmain;rest 4\n',
    folded_gzip: gzipSync('main;work 3\n'),
    cpuprofile: CPUPROFILE,
  };
  for (const [name, body] of Object.entries(bodies)) put(`in/eu/${name}.x`, body);
  await receiver.start();
  await clock.look();
  await arrived(Object.keys(bodies).length);
  const by = new Map(made.seen.map(seen => [seen.batch.profiles[0]!.attributes.get('service_name'), seen]));
  for (const [name, form, encoding, content] of [
    ['plain', 'pprof', 'identity', pprof],
    ['gzip', 'pprof', 'gzip', bodies.gzip],
    ['zstd', 'pprof', 'identity', pprof],
    ['both', 'pprof', 'gzip', gzipSync(pprof)],
    ['twice', 'pprof', 'gzip', gzipSync(pprof)],
    ['folded', 'groups', 'identity', bodies.folded],
    ['folded_gzip', 'groups', 'gzip', bodies.folded_gzip],
    ['cpuprofile', 'cpuprofile', 'identity', CPUPROFILE],
  ] as const) {
    const { batch, payloads } = by.get(name)!;
    assert.deepEqual(
      [batch.dialect, batch.tenant, batch.profiles.length, batch.receivedMs],
      ['pyroscope', '', 1, NOW_MS],
    );
    const { attributes, payload, origin } = batch.profiles[0]!;
    assert.deepEqual([payload.form, payload.encoding, origin?.door], [form, encoding, 'file'], name);
    assert.ok(origin!.timeMs! > 0, 'the time of what does not say it');
    assert.deepEqual(Object.fromEntries(attributes), { env: 'test', service_name: name });
    assert.ok(payloads[0]!.equals(Buffer.from(content!)), name);
    assert.equal(batch.sizeBytes, payloads[0]!.length);
    assert.ok(payload.summaries![0]!.samples > 0);
  }
  await settle();
});

test('without a label for it the service is unknown', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'file-receiver-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(join(dir, 'a.pb'), numbered(1));
  const { clock, made, receiver, arrived, settle } = rig(t, { include: [`${dir}/*`] });
  await receiver.start();
  await clock.look();
  await arrived(1);
  const { attributes } = made.only.batch.profiles[0]!;
  assert.deepEqual(Object.fromEntries(attributes), { service_name: 'unknown_service' });
  await settle();
});

test('OTLP keeps what its resources say; the path adds what is missing, in its spelling', async t => {
  const { clock, made, receiver, put, arrived, settle } = rig(t, { labels: { zone: 'eu' } });
  const named = otlp(['service.name', 'checkout'], ['zone', 'us']);
  const json = (request: Uint8Array) => Buffer.concat([...toJson(request, 'profiles')]);
  put('in/a.otlp', named);
  put('in/b.gz', gzipSync(otlp()));
  put('in/c.jsonl', Buffer.concat([json(named), Buffer.from('\n'), json(otlp()), Buffer.from('\n')]));
  put('in/d.json', JSON.stringify(JSON.parse(json(named).toString()), undefined, 2));
  put('in/e.proto', framed([named, otlp()]));
  await receiver.start();
  await clock.look();
  await arrived(5);
  const attributes = made.seen.map(({ batch }) => {
    assert.deepEqual([batch.dialect, batch.profiles[0]!.payload.form], ['otel', 'otlp']);
    return batch.profiles.map(profile => Object.fromEntries(profile.attributes));
  });
  const own = { 'service.name': 'checkout', zone: 'us' };
  const sorted = attributes.sort((x, y) => JSON.stringify(x).localeCompare(JSON.stringify(y)));
  assert.deepEqual(sorted, [
    [own, { 'service.name': 'c', zone: 'eu' }],
    [own, { 'service.name': 'e', zone: 'eu' }],
    [own],
    [own],
    [{ 'service.name': 'b', zone: 'eu' }],
  ]);
  await settle();
});

test('what is refused for good is counted once and stays, until it changes', async t => {
  const { clock, made, receiver, put, settle } = rig(t, { delete_after_read: true });
  const paths = [
    put('in/store.pb', numbered(1)),
    put('in/picture.png', readFileSync(join(fixturesDir, 'malformed/png.bin'))),
    put('in/cut.gz', gzipSync(numbered(1)).subarray(0, 40)),
    put('in/cut.pb', readFileSync(join(fixturesDir, 'malformed/nested-cut.pb'))),
    put('in/empty.zst', zstdCompressSync('')),
  ];
  made.answer = () => NOT_ACCEPTED[2] as Result;
  await receiver.start();
  await clock.look();
  await until(() => made.rejections === paths.length, 'rejections');
  clock.nowMs += 3_600_000;
  await clock.look(3);
  assert.equal(made.rejections, paths.length);
  for (const reason of ['not_accepted', 'unknown_format', 'bad_compression', 'empty_body'])
    assert.equal(made.rejected('file', reason), 1, reason);
  assert.equal(made.logged.filter(phrase => phrase === 'file rejected').length, paths.length);
  assert.ok(paths.every(existsSync));
  made.answer = () => ({ kind: 'accepted' });
  put('in/picture.png', numbered(2));
  await clock.look(2);
  await until(() => !existsSync(paths[1]!), 'the picture that became a profile');
  await settle();
});

test('files and bombs over the limits are refused', async t => {
  const { clock, made, receiver, put, settle } = rig(t, { max_file_size: '4KiB', max_inflated_size: '2MiB' });
  put('in/long.pb', Buffer.concat([numbered(1), Buffer.alloc(4096)]));
  put('in/bomb.gz', gzipSync(Buffer.alloc(3 << 20)));
  put('in/bomb.zst', zstdCompressSync(Buffer.alloc(3 << 20)));
  await receiver.start();
  await clock.look();
  await until(() => made.rejections === 3, 'three rejections');
  assert.equal(made.rejected('file', 'body_too_large'), 1);
  assert.equal(made.rejected('file', 'decompressed_too_large'), 2);
  await settle();
});

test('a profile without a sample is read, counted and goes nowhere', async t => {
  const { clock, made, receiver, put, settle } = rig(t);
  put('in/a.pb', readFileSync(join(fixturesDir, 'malformed/no-samples.pb')));
  await receiver.start();
  await clock.look();
  await until(() => made.dropped('empty_profile') === 1, 'the drop');
  await clock.look(2);
  await settle();
  assert.deepEqual([made.seen.length, made.rejections], [0, 0]);
});

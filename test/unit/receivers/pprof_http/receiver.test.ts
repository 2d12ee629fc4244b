import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { Config } from '../../../../src/receivers/pprof_http/config.ts';
import { protocolOf } from '../../../../src/receivers/pprof_http/receiver.ts';
import { malformed } from '../../../kit/corpus.ts';
import { numbered } from '../../../kit/pprof.ts';
import { formOf, NOT_ACCEPTED, problem, Rig, type Sent, sender } from '../fixtures.ts';

const profile = numbered(7);
const zipped = gzipSync(profile);

function door(config: object = {}, path = '/v1/pprof') {
  const rig = new Rig();
  return { rig, send: sender(protocolOf(Config.parse(config), rig.host, rig.next), path) };
}

test('every query key is a label, decoded, in its order; service_name has a default', async () => {
  const labels = async (query: string) => {
    const { rig, send } = door();
    assert.deepEqual(await send({ query, body: profile }), { status: 204 });
    assert.deepEqual(rig.only.batch.profiles[0]!.origin, { door: 'pprof_http' });
    return [...rig.only.batch.profiles[0]!.attributes];
  };
  assert.deepEqual(await labels('env=a+b%2Fc&service_name=shop&__name__=memory'), [
    ['env', 'a b/c'],
    ['service_name', 'shop'],
    ['__name__', 'memory'],
  ]);
  assert.deepEqual(await labels(''), [['service_name', 'unknown_service']]);
  assert.deepEqual(await labels('service_name='), [['service_name', 'unknown_service']]);
});

test('both paths take a profile', () => {
  const rig = new Rig();
  const { routes } = protocolOf(Config.parse({}), rig.host, rig.next);
  assert.deepEqual(
    routes.map(({ method, path }) => `${method} ${path}`),
    ['POST /v1/pprof', 'POST /'],
  );
});

test('bytes stay as they came, whatever gzip is around them', async () => {
  const gzip = { 'content-encoding': 'gzip' };
  const cases: [Sent, string, Buffer][] = [
    [{ body: profile }, 'identity', profile],
    [{ body: zipped, headers: { 'content-type': 'application/x-www-form-urlencoded' } }, 'gzip', zipped],
    [{ body: zipped, headers: gzip }, 'gzip', zipped],
    [{ body: gzipSync(zipped), headers: gzip }, 'gzip', zipped],
  ];
  for (const [sent, encoding, bytes] of cases) {
    const { rig, send } = door();
    assert.equal((await send(sent)).status, 204);
    assert.equal(rig.only.batch.profiles[0]!.payload.encoding, encoding);
    assert.ok(rig.only.payloads[0]!.equals(bytes));
  }
});

test('of a form it takes the part `profile`, or else the first file', async () => {
  const note = { name: 'note', data: Buffer.from('hello') };
  const file = { name: 'file', filename: 'cpu.pb.gz', data: zipped };
  const named = { name: 'profile', data: profile };
  for (const [parts, bytes] of [
    [[note, file], zipped],
    [[file, named], profile],
    [[{ name: 'x', data: profile }], profile],
  ] as const) {
    const { rig, send } = door();
    const form = formOf(parts);
    const headers = {
      'content-type': form.headers['content-type']!.replace('multipart/form-data', 'Multipart/Form-Data'),
    };
    assert.equal((await send({ headers, body: form.body })).status, 204);
    assert.ok(rig.only.payloads[0]!.equals(bytes));
  }
});

test('the same bytes with the same labels have the same id', async () => {
  const id = async (sent: Sent) => {
    const { rig, send } = door();
    await send(sent);
    return rig.only.id;
  };
  const once = await id({ query: 'a=1', body: profile });
  assert.equal(await id({ query: 'a=1', body: profile }), once);
  assert.notEqual(await id({ query: 'a=2', body: profile }), once);
});

test('each refusal is a sentence with its status, counts once and reaches no pipeline', async () => {
  const cases: [string, number, Sent][] = [
    ['bad_label', 400, { query: 'a=1&a=2', body: profile }],
    ['bad_label', 400, { query: '=1', body: profile }],
    ['bad_label', 400, { query: `a=${'v'.repeat(2049)}`, body: profile }],
    ['bad_label', 400, { query: Array.from({ length: 31 }, (_, n) => `k${n}=v`).join('&'), body: profile }],
    ['empty_body', 400, {}],
    ['empty_body', 400, formOf([])],
    ['bad_multipart', 400, { headers: formOf([]).headers, body: profile }],
    ['not_a_profile', 400, { body: gzipSync(zipped) }],
    ['bad_compression', 400, { body: profile, headers: { 'content-encoding': 'gzip' } }],
    ['body_too_large', 413, { body: problem('body_too_large') }],
    ['unknown_format', 415, { body: Buffer.from('<html>') }],
    ['unsupported_encoding', 415, { body: problem('unsupported_encoding') }],
    ['body_timeout', 408, { body: problem('body_timeout') }],
    ['body_aborted', 408, { body: problem('body_aborted') }],
    ['memory_limit', 429, { body: problem('memory_limit', 1000) }],
  ];
  for (const [reason, status, sent] of cases) {
    const { rig, send } = door();
    const answer = await send(sent);
    assert.equal(answer.status, status, `${reason}: ${answer.body}`);
    assert.equal(answer.headers?.['content-type'], 'text/plain; charset=utf-8');
    assert.match(String(answer.body), new RegExp(`^${reason}: .+\\n$`));
    assert.equal(answer.headers?.['retry-after'], reason === 'memory_limit' ? '1' : undefined);
    assert.deepEqual([rig.rejected('pprof_http', reason), rig.rejections, rig.seen.length], [1, 1, 0], reason);
  }
});

test('what the pipeline says reaches the sender', async () => {
  const heard = [];
  for (const result of NOT_ACCEPTED) {
    const { rig, send } = door();
    rig.answer = () => result;
    const { status, headers, body } = await send({ body: profile });
    heard.push([status, headers?.['retry-after'], body]);
  }
  assert.deepEqual(heard, [
    [429, '2', 'the queue is full\n'],
    [503, '30', 'the store is down\n'],
    [400, undefined, 'the store will not have it\n'],
    [500, undefined, 'a bug\n'],
  ]);
});

test('a profile without samples is answered 204, counted and goes no further; `header` does not look', async () => {
  const body = malformed('pprof').find(({ file }) => file === 'no-samples.pb')!.bytes;
  const [full, header] = [door(), door({ validate: 'header' })];
  assert.deepEqual([(await full.send({ body })).status, (await header.send({ body })).status], [204, 204]);
  assert.deepEqual([full.rig.dropped('empty_profile'), full.rig.seen.length, header.rig.seen.length], [1, 0, 1]);
});

for (const { file, what, expect, bytes } of malformed('pprof', 'any'))
  test(`${file}: ${what}`, async () => {
    const { rig, send } = door();
    const { status } = await send({ body: bytes });
    // Forwarded bytes are never rewritten, and stores refuse invalid UTF-8: so do we.
    const due = file === 'string-not-utf8.pb' ? { status: 400, reason: 'bad_string' } : expect;
    // Bytes that are no profile at all are no media type of this door, where the list lets a door choose.
    const wanted = due.reason === 'unknown_format' ? 415 : due.status === 200 ? 204 : due.status;
    assert.equal(status, wanted);
    if (due.status !== 200) assert.equal(rig.rejected('pprof_http', due.reason!), 1);
  });

test('whatever bytes and query come, the answer is one of the door', async () => {
  const known = new Set([204, 400, 413, 415]);
  await fc.assert(
    fc.asyncProperty(
      fc.string(),
      fc.oneof(
        fc.uint8Array(),
        fc.nat(zipped.length).map(n => zipped.subarray(0, n)),
      ),
      async (query, body) => {
        const { rig, send } = door();
        const { status } = await send({ query, body });
        assert.ok(known.has(status), String(status));
        assert.equal(rig.rejections, status === 204 ? 0 : 1);
      },
    ),
    { numRuns: 300 },
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Door, doorFor } from '../../../../src/exporters/pyroscope/door.ts';
import type { Plain } from '../../../../src/model/attributes.ts';
import type { Form, Origin } from '../../../../src/model/payload.ts';
import { profileOf, summaryAt } from '../fixtures.ts';

type Protocol = 'auto' | 'push' | 'ingest';
const NOW_NS = 1_700_000_000_000_000_000n;

async function doorOf(
  protocol: Protocol,
  attributes: Record<string, Plain>,
  of: { query?: string; form?: Form; parts?: Origin['parts']; door?: string; startNs?: bigint } = {},
): Promise<{ door: Door; summaries: number }> {
  let summaries = 0;
  const { query, parts } = of;
  const origin: Origin | undefined =
    query === undefined && of.door === undefined
      ? undefined
      : { door: of.door ?? 'ingest', ...(query !== undefined && { query }), ...(parts && { parts }) };
  const profile = profileOf(attributes, { form: of.form ?? 'pprof', ...(origin && { origin }) });
  const door = await doorFor({ protocol }, profile, async () => {
    summaries++;
    return summaryAt(of.startNs ?? NOW_NS);
  });
  return { door, summaries };
}
const PUSH: Door = { kind: 'push' };
const ingest = (query: string): Door => ({ kind: 'ingest', query });

test('auto sends a profile of /ingest with its own query, byte for byte, and asks for no summary', async () => {
  for (const [query, attributes] of [
    ['name=app&format=pprof', { service_name: 'app' }],
    ['until=2&name=app%7Bb%3D2%2C+a%3D1%7D&from=1', { service_name: 'app', a: '1', b: '2' }],
    [
      'name=app{a=1,__x__=y,__session_id__=5dc585e196675a5c}',
      { service_name: 'app', a: '1', __session_id__: '5dc585e196675a5c' },
    ],
    ['name=app{service_name=svc}', { service_name: 'svc' }],
    ['name=app{service_name=}', { service_name: 'app' }],
    ['name=app{k=}', { service_name: 'app', k: '' }],
    ['name=app{k=1', { service_name: 'app' }],
  ] as const) {
    const { door, summaries } = await doorOf('auto', attributes, { query });
    assert.deepEqual([door, summaries], [ingest(query), 0], query);
  }
});

test('a changed label changes the value of name and nothing else of the query', async () => {
  const query = 'until=1700000010&name=app%7Ba%3D1%7D&x=%2a&from=1700000000';
  const after = async (attributes: Record<string, Plain>, received = query) => {
    const { door } = await doorOf('auto', attributes, { query: received });
    return door.kind === 'ingest' ? door.query : door.kind;
  };
  const renamed = (name: string) => `until=1700000010&name=${encodeURIComponent(name)}&x=%2a&from=1700000000`;
  assert.equal(await after({ service_name: 'app', a: '1', region: 'eu' }), renamed('app{a=1,region=eu}'));
  assert.equal(await after({ service_name: 'app', a: '2' }), renamed('app{a=2}'));
  assert.equal(await after({ service_name: 'app' }), renamed('app{}'));
  assert.equal(await after({ service_name: 'other', a: '1' }), renamed('other{a=1}'));
  assert.equal(await after({ a: '1' }), query, '/ingest cannot say that there is no service');
  assert.equal(await after({ service_name: 'app', a: '1', none: null }), query, 'null is no label');
  assert.equal(await after({ service_name: 'app', a: '1', n: 5, t: true }), renamed('app{a=1,n=5,t=true}'));
});

test('an explicit service_name keeps the application and is updated beside it; reserved labels stay as received', async () => {
  const query = 'name=app{service_name=old,__x__=y}';
  const { door } = await doorOf('auto', { service_name: 'new' }, { query });
  assert.deepEqual(door, ingest(`name=${encodeURIComponent('app{__x__=y,service_name=new}')}`));
  const removed = await doorOf('auto', { a: '1' }, { query });
  assert.deepEqual(removed.door, ingest(`name=${encodeURIComponent('app{__x__=y,a=1}')}`));
});

test('labels that the syntax of name cannot say go by push with a pprof, and nowhere with another form', async () => {
  for (const labels of [{ a: 'x,y' }, { a: 'x}' }, { 'a b': '1' }, { ümlaut: '1' }, { a: ' padded ' }]) {
    const attributes = { service_name: 'app', ...labels };
    for (const protocol of ['auto', 'ingest'] as const)
      assert.deepEqual((await doorOf(protocol, attributes, { query: 'name=app' })).door, PUSH, JSON.stringify(labels));
    const { door } = await doorOf('auto', attributes, { query: 'name=app&format=jfr', form: 'jfr' });
    assert.ok(door.kind === 'none');
    assert.match(door.why, /a jfr profile .* labels cannot be written/);
  }
});

test('a __name__ that a processor gave is never written into name, which would rename the application', async () => {
  const attributes = { service_name: 'app', __name__: 'heap' };
  assert.deepEqual((await doorOf('auto', attributes, { query: 'name=app' })).door, PUSH);
  assert.deepEqual((await doorOf('ingest', attributes, { query: 'name=app' })).door, ingest('name=app'));
  const jfr = await doorOf('auto', { ...attributes, a: '1' }, { query: 'name=app&format=jfr', form: 'jfr' });
  assert.deepEqual(jfr.door, ingest(`name=${encodeURIComponent('app{a=1}')}&format=jfr`));
});

test('push takes pprof of any origin', async () => {
  assert.deepEqual((await doorOf('push', { service_name: 'app' }, { query: 'name=app' })).door, PUSH);
  assert.deepEqual((await doorOf('push', { service_name: 'app' }, { door: 'push' })).door, PUSH);
  assert.deepEqual((await doorOf('push', { service_name: 'app' }, { door: 'pprof_http', query: 'env=y' })).door, PUSH);
  assert.deepEqual((await doorOf('push', {})).door, PUSH);
});

test('what push.v1 cannot carry goes by /ingest under any setting', async () => {
  for (const protocol of ['auto', 'push', 'ingest'] as const)
    for (const form of ['jfr', 'groups', 'lines', 'tree', 'trie', 'speedscope'] as const) {
      const query = `name=app.cpu&format=${form}`;
      assert.deepEqual((await doorOf(protocol, { service_name: 'app.cpu' }, { query, form })).door, ingest(query));
    }
});

test('pprof that the /ingest door repairs goes by it under push', async () => {
  const at = async (query: string, of: Parameters<typeof doorOf>[2] = {}) =>
    (await doorOf('push', { service_name: 'app' }, { query, ...of })).door.kind;
  for (const spy of ['pyspy', 'rbspy', 'scripting', 'dotnetspy'])
    assert.equal(await at(`name=app&spyName=${spy}`), 'ingest', spy);
  assert.equal(await at('name=app&spyName=gospy'), 'push');
  const config = (json: string) => ({ parts: { sample_type_config: Buffer.from(json) } });
  assert.equal(await at('name=app', config('{"inuse-space":{}}')), 'ingest', 'the mark of an old .NET agent');
  assert.equal(await at('name=app', config('{"inuse_space":{}}')), 'push');
});

test('a profile without a time of its own goes by /ingest, unless push.v1 would give it the same time', async () => {
  const at = async (query: string, startNs: bigint) =>
    (await doorOf('push', { service_name: 'app' }, { query, startNs })).door.kind;
  assert.equal(await at('name=app&from=1700000000', 0n), 'ingest', 'from is its time');
  assert.equal(await at('name=app', 0n), 'push', 'both doors take the moment of arrival');
  assert.equal(await at('name=app', 86_400_000_000_000n), 'ingest', 'push.v1 refuses 1970 as too old');
  assert.equal(await at('name=app&from=1700000000', 86_400_000_000_000n), 'ingest');
  assert.equal(await at('name=app&from=1700000000', NOW_NS), 'push');
});

test('ingest names a pprof of another origin after its labels and gives it its times', async () => {
  const attributes = { __name__: 'process_cpu', __session_id__: 's', __x__: 'no', service_name: 'svc', b: '2', a: '1' };
  const { door } = await doorOf('ingest', attributes, { door: 'push' });
  const name = encodeURIComponent('svc{__session_id__=s,a=1,b=2}');
  assert.deepEqual(door, ingest(`name=${name}&format=pprof&from=1700000000&until=1700000010`));
  const timeless = await doorOf('ingest', { 'service.name': 'svc' }, { startNs: 0n });
  assert.deepEqual(timeless.door, ingest(`name=${encodeURIComponent('svc{}')}&format=pprof`));
  assert.deepEqual(
    (await doorOf('ingest', {}, { startNs: 0n })).door,
    ingest(`name=${encodeURIComponent('unknown_service{}')}&format=pprof`),
  );
  assert.deepEqual((await doorOf('ingest', { service_name: 'two words' })).door, PUSH);
});

test('a form of another origin that is not pprof has no door yet', async () => {
  const { door } = await doorOf('auto', { service_name: 'a' }, { form: 'otlp' });
  assert.deepEqual(door, {
    kind: 'none',
    why: 'a otlp profile can go to Pyroscope by /ingest only, and it did not come by /ingest',
  });
});

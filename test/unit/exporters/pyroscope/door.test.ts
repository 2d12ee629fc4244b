import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Door, doorFor, goesAsItCame } from '../../../../src/exporters/pyroscope/door.ts';
import type { Plain } from '../../../../src/model/attributes.ts';
import type { Profile } from '../../../../src/model/batch.ts';
import type { Form, Origin } from '../../../../src/model/payload.ts';
import { profileOf, summaryAt } from '../fixtures.ts';

type Protocol = 'auto' | 'push' | 'ingest';
const NOW_NS = 1_700_000_000_000_000_000n;

interface Of {
  query?: string;
  form?: Form;
  encoding?: 'gzip';
  parts?: Origin['parts'];
  door?: string;
  converted?: true;
  startNs?: bigint;
  maxBytes?: number;
  maxSamples?: number;
  samples?: number;
}

function profileBy(
  attributes: Record<string, Plain>,
  { query, parts, converted, door, form, encoding, samples }: Of,
): Profile {
  const origin: Origin | undefined =
    query === undefined && door === undefined
      ? undefined
      : {
          door: door ?? 'ingest',
          ...(query !== undefined && { query }),
          ...(parts && { parts }),
          ...(converted && { converted }),
        };
  const profile = profileOf(attributes, {
    form: form ?? 'pprof',
    ...(encoding && { encoding }),
    ...(origin && { origin }),
  });
  if (samples === undefined) return profile;
  return { ...profile, payload: { ...profile.payload, summaries: [{ ...summaryAt(NOW_NS), samples }] } };
}
const asItCame = (protocol: Protocol, attributes: Record<string, Plain>, of: Of) =>
  goesAsItCame(
    { protocol, max_profile_size: of.maxBytes ?? 1 << 22, max_samples: of.maxSamples ?? 16_000 },
    profileBy(attributes, of),
  );

async function doorOf(
  protocol: Protocol,
  attributes: Record<string, Plain>,
  of: Of = {},
): Promise<{ door: Door; summaries: number }> {
  let summaries = 0;
  const profile = profileBy(attributes, of);
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

test('labels that the syntax of name cannot say go by push with a pprof; another form has to be made one', async () => {
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

const FORMS = ['jfr', 'groups', 'lines', 'tree', 'trie', 'speedscope'] as const;
const serviceOf = (form: (typeof FORMS)[number]) => (form === 'jfr' ? 'app.cpu' : 'app');

test('other forms go by the /ingest of the store as they came, but where push.v1 is asked for', async () => {
  for (const form of FORMS) {
    const query = `name=app.cpu&format=${form}`;
    const attributes = { service_name: serviceOf(form) };
    for (const protocol of ['auto', 'ingest'] as const) {
      assert.deepEqual((await doorOf(protocol, attributes, { query, form })).door, ingest(query));
      assert.ok(asItCame(protocol, attributes, { query, form }), `${protocol} ${form}`);
    }
    assert.equal(asItCame('push', attributes, { query, form }), false, form);
    assert.equal(asItCame('auto', attributes, { door: 'file', query, form }), false, 'it came by no /ingest');
  }
});

test('a service that was renamed keeps the type behind its name', async () => {
  const { door } = await doorOf('auto', { service_name: 'shop' }, { query: 'name=app.cpu', form: 'groups' });
  assert.deepEqual(door, ingest(`name=${encodeURIComponent('shop.cpu{}')}`));
});

test('what the store would not read as it came is made pprof', () => {
  const service = { service_name: 'app' };
  const query = 'name=app.cpu';
  assert.ok(asItCame('auto', service, { query, form: 'groups' }));
  assert.equal(asItCame('auto', { ...service, a: 'x,y' }, { query, form: 'groups' }), false, 'no name says the labels');
  assert.equal(asItCame('auto', { ...service, __name__: 'wall' }, { query, form: 'groups' }), false);
  assert.equal(
    asItCame('auto', service, { query, form: 'groups', encoding: 'gzip' }),
    false,
    'it undoes no gzip there',
  );
  assert.equal(asItCame('auto', service, { query, form: 'cpuprofile' }), false, 'a form of ours');
  assert.equal(
    asItCame('auto', { service_name: 'my.app' }, { query: 'name=my.app', form: 'speedscope' }),
    false,
    'it knows no type',
  );
  for (const renamed of ['x.y', 'video.live'])
    assert.equal(asItCame('auto', { service_name: renamed }, { query: 'name=app', form: 'groups' }), false, 'nor here');
  assert.ok(asItCame('auto', { service_name: 'video.live' }, { query, form: 'groups' }), 'the type is behind it');
  const parts = { labels: Buffer.of() };
  assert.ok(
    asItCame('auto', service, { query: 'name=app', form: 'jfr', encoding: 'gzip', parts }),
    'of a part it does',
  );
  assert.equal(asItCame('auto', service, { query, form: 'groups', maxBytes: 3 }), false, 'it is over the limit');
  assert.equal(asItCame('auto', service, { query, form: 'groups', samples: 11, maxSamples: 10 }), false, 'so is this');
  assert.ok(asItCame('auto', service, { query, form: 'groups', samples: 10, maxSamples: 10 }));
});

test('what was made pprof on the way goes by push, with what its form said of the series', async () => {
  for (const protocol of ['auto', 'push', 'ingest'] as const) {
    const attributes = { service_name: 'app', __name__: 'memory' };
    const { door } = await doorOf(protocol, attributes, { query: 'name=app&format=jfr', converted: true });
    assert.deepEqual(door, PUSH);
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

test('OTLP has no door before it is made pprof', async () => {
  const { door } = await doorOf('auto', { service_name: 'a' }, { form: 'otlp' });
  assert.deepEqual(door, {
    kind: 'none',
    why: 'a otlp profile can go to Pyroscope by /ingest only, and it did not come by /ingest',
  });
});

// Every form of /ingest through a real process: to a push.v1 store, to an OTLP store, into folded and speedscope files, and edited on the way.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { arrivalsIn } from '../kit/arrival.ts';
import { recordedJfr, soundForms } from '../kit/forms.ts';
import { freePort, Gateway } from '../kit/gateway.ts';
import { attributesOf, profilesIn, sumOf } from '../kit/otlp-resolved.ts';
import { FakeOtlpStore } from '../kit/otlp-store.ts';
import { labelTexts } from '../kit/pprof.ts';
import { FakeStore } from '../kit/store.ts';

/** Nanoseconds of a sample at 100 a second. */
const PERIOD = 10_000_000n;
const dir = mkdtempSync(join(tmpdir(), 'flamegate-forms-'));
let gateway: Gateway;
let push: FakeStore;
let edited: FakeStore;
let hidden: FakeStore;
let otlp: FakeOtlpStore;
let url: string;

before(async () => {
  [push, edited, hidden, otlp] = await Promise.all([
    new FakeStore().start(),
    new FakeStore().start(),
    new FakeStore().start(),
    new FakeOtlpStore().start(),
  ]);
  const port = await freePort();
  url = `http://127.0.0.1:${port}/ingest`;
  const file = (format: string) => ({ path: join(dir, format), name: '{service_name}-{__name__}-{__type__}', format });
  gateway = await Gateway.start({
    receivers: { pyroscope: { endpoint: `127.0.0.1:${port}` } },
    processors: {
      'labels/set': { actions: [{ action: 'set', key: 'via', value: 'flamegate' }] },
      'labels/hide': { actions: [{ action: 'delete', key: 'no_such_label' }] },
    },
    exporters: {
      'pyroscope/push': { endpoint: push.url, protocol: 'push' },
      'pyroscope/edited': { endpoint: edited.url },
      'pyroscope/hidden': { endpoint: hidden.url },
      otlphttp: { endpoint: otlp.http },
      'file/folded': file('folded'),
      'file/speedscope': file('speedscope'),
    },
    service: {
      pipelines: {
        profiles: {
          receivers: ['pyroscope'],
          exporters: ['pyroscope/push', 'otlphttp', 'file/folded', 'file/speedscope'],
        },
        'profiles/edited': { receivers: ['pyroscope'], processors: ['labels/set'], exporters: ['pyroscope/edited'] },
        'profiles/hidden': { receivers: ['pyroscope'], processors: ['labels/hide'], exporters: ['pyroscope/hidden'] },
      },
    },
  });
});
after(async () => {
  await gateway.kill();
  await Promise.all([push.stop(), edited.stop(), hidden.stop(), otlp.stop()]);
  rmSync(dir, { recursive: true });
});

async function post(query: string, body: Uint8Array<ArrayBuffer> | FormData): Promise<void> {
  const { status } = await fetch(`${url}?${query}`, { method: 'POST', body });
  assert.equal(status, 200, query);
}
/** Name, sample type and sum of all that a store got of a service. */
const arrivedAt = (store: FakeStore, service: string) =>
  store.deliveries
    .filter(({ path }) => path.endsWith('/Push'))
    .flatMap(arrivalsIn)
    .filter(one => one.service === service);
const said = ({ name, sampleTypes, sums }: ReturnType<typeof arrivedAt>[number]) =>
  `${name} ${sampleTypes.map(({ type, unit }, at) => `${type}/${unit} ${sums[at]}`).join(' ')}`;

const FORMS: readonly (readonly [keyof typeof soundForms, string, string])[] = [
  ['groups', 'groups.app.cpu', `process_cpu cpu/nanoseconds ${3n * PERIOD}`],
  ['lines', 'lines.app.wall&format=lines', `wall wall/nanoseconds ${3n * PERIOD}`],
  ['tree', 'tree.app.alloc_space&format=tree', 'memory alloc_space/bytes 3'],
  ['trie', 'trie.app.mutex_count&format=trie', 'mutex contentions/count 3'],
  ['speedscope', 'speedscope.app.cpu&format=speedscope', 'process_cpu samples/count 3'],
];

for (const [form, name, wanted] of FORMS)
  test(`${form} arrives as pprof and as OTLP, and edited`, async () => {
    const service = `${form}.app`;
    await post(`name=${name}`, new Uint8Array(soundForms[form]));
    await push.until(() => arrivedAt(push, service).length === 1, 'at the store of push.v1');
    assert.deepEqual(arrivedAt(push, service).map(said), [wanted]);
    await edited.until(() => arrivedAt(edited, service).length === 1, 'edited on the way');
    assert.deepEqual(arrivedAt(edited, service).map(said), [wanted]);
    const ofOtlp = () =>
      otlp
        .by('http')
        .flatMap(({ body }) => profilesIn(body))
        .filter(({ of }) => attributesOf(of.resource)['service.name'] === service);
    await otlp.until(() => ofOtlp().length === 1, 'at the OTLP store');
    const [profile] = ofOtlp();
    assert.equal(
      `${attributesOf(profile!.of.resource).__name__} ${profile!.sampleType.type}/${profile!.sampleType.unit} ${sumOf(profile!)}`,
      wanted,
    );
  });

test('JFR is its kinds of profile at every store; where a stage is to hide something it never passes as it came', async () => {
  const { jfr } = recordedJfr();
  const form = new FormData();
  form.set('jfr', new File([new Uint8Array(jfr)], 'jfr'));
  await post('name=jvm&format=jfr&sampleRate=100&spyName=javaspy', form);
  const wanted = [`process_cpu cpu/nanoseconds ${69n * PERIOD}`];
  for (const store of [push, edited, hidden]) {
    await store.until(() => arrivedAt(store, 'jvm').length === 1, 'at a store');
    assert.deepEqual(arrivedAt(store, 'jvm').map(said), wanted);
    assert.equal(arrivedAt(store, 'jvm')[0]!.labels.jfr_event, 'itimer');
  }
  const jvm = edited.deliveries
    .flatMap(({ pushed }) => pushed)
    .find(({ labels }) => labels.get('service_name') === 'jvm');
  const labels = labelTexts(jvm!.rawProfile, 'via');
  assert.ok(labels.length > 0 && labels.every(text => text === 'flamegate'));
  assert.ok(!hidden.deliveries.some(({ path, query }) => path === '/ingest' && query.includes('jvm')));
});

test('files of one format hold what came in all', async () => {
  // What is queued is written before it exits.
  assert.equal(await gateway.stop(), 0);
  const names = (format: string) => readdirSync(join(dir, format)).sort();
  const folded = () => names('folded').filter(name => name.endsWith('.folded'));
  const wanted = [
    // What is folded text already is written as it came, by nobody read.
    'groups.app-groups-unknown',
    'jvm-process_cpu-cpu',
    'lines.app-wall-wall',
    'speedscope.app-process_cpu-samples',
  ];
  assert.deepEqual(
    folded()
      .filter(name => wanted.some(one => name.startsWith(one)))
      .map(name => name.replace(/\.folded$/, '')),
    wanted,
  );
  assert.deepEqual(readFileSync(join(dir, 'folded', 'groups.app-groups-unknown.folded')), soundForms.groups);
  assert.equal(
    readFileSync(join(dir, 'folded', 'lines.app-wall-wall.folded'), 'utf8'),
    `main;work ${2n * PERIOD}\nmain ${PERIOD}\n`,
  );
  const total = readFileSync(join(dir, 'folded', 'jvm-process_cpu-cpu.folded'), 'utf8')
    .trim()
    .split('\n')
    .reduce((sum, line) => sum + BigInt(line.slice(line.lastIndexOf(' ') + 1)), 0n);
  assert.equal(total, 69n * PERIOD);
  const files = names('speedscope').filter(name => name.startsWith('jvm'));
  assert.equal(files.length, 1);
  const file = JSON.parse(readFileSync(join(dir, 'speedscope', files[0]!), 'utf8'));
  assert.equal(
    file.profiles.flatMap(({ weights }: { weights: number[] }) => weights).reduce((a: number, b: number) => a + b, 0),
    Number(69n * PERIOD),
  );
});

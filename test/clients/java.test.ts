// The Pyroscope agent for Java pushes JFR; a store of push.v1 gets pprof that says what the JDK's own tool reads in the recordings.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { contentHash, partsOf } from '../kit/arrival.ts';
import { freePort, Gateway } from '../kit/gateway.ts';
import { byPprofFormat } from '../kit/oracles.ts';
import type { PlainProfile } from '../kit/plain.ts';
import { type Delivery, FakeStore } from '../kit/store.ts';
import { Tap } from '../kit/tap.ts';
import { AGENT, eventsIn, JAVA_NEEDS, type JdkEvent, javaProgram, summaryOf } from './java-program.ts';
import { missing, RunningClient } from './programs.ts';

const SERVICE = 'shop.java';
/** What an execution sample stands for at the agent's 100 a second, ns. */
const PERIOD = 10_000_000n;

/** What Shop.java works for: its threads are named after their vehicles, and `audit` works for none. */
const REQUESTS = [
  { vehicle: 'car', span: '00f067aa0ba902b7', name: 'GET /cars', trace: '4bf92f3577b34da6a3ce929d0e0e4736' },
  { vehicle: 'bike', span: 'd1a4c4b0e2f39a5b', name: 'POST /bikes {\u00e9, 1}', trace: '' },
] as const;
const METHODS = ['find', 'pack', 'checkout', 'audit'].map(method => `Shop.${method}`);

/** What becomes of each kind of event: the profile's name, its sample types, and an event's values. */
const KINDS: Readonly<Record<string, { name: string; types: string[]; values(event: JdkEvent): bigint[] }>> = {
  'jdk.ExecutionSample': { name: 'process_cpu', types: ['cpu/nanoseconds'], values: () => [PERIOD] },
  'jdk.ObjectAllocationInNewTLAB': {
    name: 'memory',
    types: ['alloc_in_new_tlab_objects/count', 'alloc_in_new_tlab_bytes/bytes'],
    values: ({ numbers }) => [1n, numbers.get('tlabSize')!],
  },
  'jdk.JavaMonitorEnter': {
    name: 'mutex',
    types: ['contentions/count', 'delay/nanoseconds'],
    values: ({ numbers }) => [1n, numbers.get('duration')!],
  },
  // Of the agent's own threads, now and then.
  'jdk.ThreadPark': {
    name: 'block',
    types: ['contentions/count', 'delay/nanoseconds'],
    values: ({ numbers }) => [1n, numbers.get('duration')!],
  },
};
/** What each request does that a kind of profile sees; `audit` does all of it by itself. */
const WORK: Readonly<Record<string, readonly string[]>> = {
  process_cpu: ['Shop.find', 'Shop.checkout'],
  memory: ['Shop.pack'],
  mutex: ['Shop.checkout'],
};

/** What samples are told apart by: when their recording began, profile, method of Shop, labels. */
interface Row {
  /** Unix nanoseconds. */
  readonly start: string;
  readonly name: string;
  readonly method: string;
  readonly vehicle: string;
  readonly span: string;
  readonly spanName: string;
  readonly trace: string;
}

/** Sums of the values of each row, one readable line for each, sorted. */
class Sums {
  readonly #rows = new Map<string, bigint[]>();

  add({ start, name, method, vehicle, span, spanName, trace }: Row, values: readonly bigint[]): void {
    const key = JSON.stringify([start, name, method, vehicle, span, spanName, trace]);
    const sums = this.#rows.get(key);
    this.#rows.set(key, sums ? sums.map((sum, at) => sum + values[at]!) : [...values]);
  }

  get lines(): string[] {
    return [...this.#rows].map(([key, sums]) => `${key} ${sums.join(' ')}`).sort();
  }
}

const methodIn = (stack: readonly string[]) => stack.find(frame => METHODS.includes(frame)) ?? '';
const hex = (id: bigint) => (id === 0n ? '' : BigInt.asUintN(64, id).toString(16).padStart(16, '0'));

/** Adds the events of one recording. */
function addEvents(sums: Sums, start: string, events: readonly JdkEvent[]): void {
  for (const event of events) {
    assert.notEqual(event.state, 'STATE_SLEEPING');
    const number = (key: string) => event.numbers.get(key)!;
    const span = hex(number('spanId'));
    const trace = hex(number('traceIdHi')) + hex(number('traceIdLo'));
    // The recording has ids for what labels say; the program's threads say it too.
    const vehicle = number('contextId') === 0n ? '' : event.thread;
    const spanName = number('spanName') === 0n ? '' : (REQUESTS.find(request => request.span === span)?.name ?? '?');
    const { name, values } = KINDS[event.type]!;
    sums.add({ start, name, method: methodIn(event.stack), vehicle, span, spanName, trace }, values(event));
  }
}

interface Arrived {
  readonly name: string;
  readonly series: ReadonlyMap<string, string>;
  readonly profile: PlainProfile;
}

const arrivedIn = (deliveries: readonly Delivery[]): Arrived[] =>
  deliveries.flatMap(({ pushed }) =>
    pushed.map(({ labels: series, rawProfile }) => ({
      name: series.get('__name__') ?? '',
      series,
      profile: byPprofFormat(rawProfile[0] === 0x1f ? gunzipSync(rawProfile) : rawProfile),
    })),
  );

/** The rows of a profile's samples, each with its values. */
function rowsOf({ name, profile }: Arrived): [Row, bigint[]][] {
  const functions = new Map(profile.functions.map(({ id, name }) => [id, name]));
  const frames = new Map(
    profile.locations.map(({ id, lines }) => [id, lines.map(({ function: of }) => functions.get(of)!)]),
  );
  return profile.samples.map(({ locations, values, labels }) => {
    const texts = new Map(labels.map(({ key, text }) => [key, text]));
    const known = ['vehicle', 'span_id', 'span_name', 'trace_id'].map(key => texts.get(key) ?? '');
    const [vehicle, span, spanName, trace] = known as [string, string, string, string];
    const method = methodIn(locations.flatMap(id => frames.get(id)!));
    return [{ start: String(profile.timeNanos), name, method, vehicle, span, spanName, trace }, [...values]];
  });
}

/** Whether all the work of both requests, and of `audit`, was seen. */
function isAllThere(arrived: readonly Arrived[]): boolean {
  const seen = new Set(arrived.flatMap(rowsOf).map(([{ name, method, span }]) => `${name} ${method} ${span}`));
  return Object.entries(WORK).every(
    ([name, methods]) =>
      seen.has(`${name} Shop.audit `) &&
      methods.every(method => REQUESTS.every(({ span }) => seen.has(`${name} ${method} ${span}`))),
  );
}

const inflated = (bytes: Buffer): Buffer => (bytes[0] === 0x1f ? gunzipSync(bytes) : bytes);

test('JFR of the Pyroscope agent for Java arrives as the profiles that its events are', async (t: TestContext) => {
  for (const tool of JAVA_NEEDS) {
    const why = await missing(tool);
    if (why) return t.skip(why);
  }
  const folder = mkdtempSync(join(tmpdir(), 'flamegate-java-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const store = await new FakeStore().start();
  t.after(() => store.stop());
  const port = await freePort();
  const gateway = await Gateway.start({
    receivers: { pyroscope: { endpoint: `127.0.0.1:${port}` } },
    exporters: {
      pyroscope: { endpoint: store.url, protocol: 'push' },
      file: { path: join(folder, 'as-it-came'), name: '{service_name}-{seq}' },
    },
    service: { pipelines: { profiles: { receivers: ['pyroscope'], exporters: ['pyroscope', 'file'] } } },
  });
  t.after(() => gateway.kill());
  const tap = await Tap.start(`http://127.0.0.1:${port}`);
  t.after(() => tap.stop());
  const command = await javaProgram({
    PYROSCOPE_APPLICATION_NAME: SERVICE,
    PYROSCOPE_SERVER_ADDRESS: tap.url,
    PYROSCOPE_PROFILER_EVENT: 'itimer',
    PYROSCOPE_PROFILER_ALLOC: '64k',
    PYROSCOPE_PROFILER_LOCK: '1ms',
    PYROSCOPE_UPLOAD_INTERVAL: '1s',
    PYROSCOPE_LABELS: 'team=java,region=eu-west(1)',
    PYROSCOPE_LOG_LEVEL: 'debug',
  });
  const client = new RunningClient('java', command, tap.url);
  t.after(() => client.kill());
  await store.until(() => isAllThere(arrivedIn(store.deliveries)), 'samples of all the work', 60_000);
  await client.finish();
  assert.equal(await gateway.stop(), 0);

  const arrived = arrivedIn(store.deliveries);
  // One at a time: of chunks in one file the JDK's tool mixes up the constants, whose ids async-profiler begins anew.
  const written = (recording: Buffer): string => {
    const file = join(folder, 'recording.jfr');
    writeFileSync(file, recording);
    return file;
  };
  const recordings = tap.sent.map(request => inflated(partsOf(request)!.get('jfr')!));

  await t.test('every upload is JFR and was answered 200', () => {
    assert.ok(tap.sent.length > 0);
    for (const { path, query, status } of tap.sent) {
      assert.deepEqual([path, status], ['/ingest', 200]);
      assert.equal(new URLSearchParams(query).get('format'), 'jfr');
    }
  });

  await t.test('each profile is of the series that it belongs to, of its types, once', () => {
    const times = new Set<string>();
    for (const { name, series, profile } of arrived) {
      const said = { ...Object.fromEntries(series) };
      assert.match(said['process.runtime.version'] ?? '', /^\d/);
      assert.deepEqual(
        { ...said, 'process.runtime.name': '', 'process.runtime.version': '' },
        {
          __name__: name,
          __delta__: 'false',
          service_name: SERVICE,
          pyroscope_spy: 'javaspy',
          jfr_event: 'itimer',
          team: 'java',
          region: 'eu-west(1)',
          'otel.scope.name': 'com.grafana.pyroscope/java',
          'otel.scope.version': AGENT,
          'process.runtime.name': '',
          'process.runtime.version': '',
        },
      );
      const kind = Object.values(KINDS).find(one => one.name === name);
      assert.deepEqual(
        profile.sampleTypes.map(({ type, unit }) => `${type}/${unit}`),
        kind?.types,
      );
      assert.ok(profile.durationNanos > 0n);
      times.add(`${name} ${profile.timeNanos}`);
      if (name !== 'process_cpu') continue;
      assert.deepEqual(profile.periodType, { type: 'cpu', unit: 'nanoseconds' });
      assert.equal(profile.period, PERIOD);
    }
    assert.equal(times.size, arrived.length);
  });

  await t.test("samples say the request's span and labels and the program's methods", () => {
    // Samples without such a method may lie between the calls that set the span and the trace.
    const rows = arrived.flatMap(rowsOf).map(([row]) => row);
    for (const { method, vehicle, span, spanName, trace } of rows.filter(({ method }) => method !== '')) {
      const request = REQUESTS.find(one => one.span === span);
      const due =
        method === 'Shop.audit' ? ['', '', '', ''] : [request?.vehicle, request?.span, request?.name, request?.trace];
      assert.deepEqual([vehicle, span, spanName, trace], due, method);
    }
  });

  await t.test(
    'the folder has the recordings as they came; the JDK counts in them what the store was told',
    async () => {
      const files = readdirSync(join(folder, 'as-it-came'));
      const contents = files.map(file => readFileSync(join(folder, 'as-it-came', file)));
      for (const file of files) assert.match(file, /^shop\.java-\d+\.jfr\.gz$/);
      const sent = recordings.map(contentHash);
      for (const content of contents) assert.ok(sent.includes(contentHash(content)));
      const counted = new Map<string, bigint>();
      for (const content of contents)
        for (const [type, count] of await summaryOf(written(inflated(content))))
          counted.set(type, (counted.get(type) ?? 0n) + count);
      for (const [type, { name }] of Object.entries(KINDS)) {
        const total = arrived
          .filter(one => one.name === name)
          .flatMap(({ profile }) => profile.samples.map(({ values }) => values[0]!))
          .reduce((sum, value) => sum + value, 0n);
        const count = counted.get(type) ?? 0n;
        assert.ok(count > 0n || !(name in WORK), type);
        assert.equal(total, name === 'process_cpu' ? count * PERIOD : count, type);
      }
    },
  );

  await t.test('by upload, method, span and labels, sums are what the JDK decodes', async () => {
    const due = new Sums();
    for (const recording of recordings)
      addEvents(due, startNanos(recording), await eventsIn(written(recording), Object.keys(KINDS)));
    const sums = new Sums();
    for (const [row, values] of arrived.flatMap(rowsOf)) sums.add(row, values);
    t.diagnostic(`${recordings.length} uploads, ${arrived.length} profiles, ${sums.lines.length} sums`);
    assert.deepEqual(sums.lines, due.lines);
  });
});

/** When a recording of one chunk began, Unix nanoseconds: in the chunk's header. */
function startNanos(recording: Buffer): string {
  return String(recording.readBigInt64BE(32));
}

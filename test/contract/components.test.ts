// One suite over THE LIST: what every component must do, whoever wrote it.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import type {
  Body,
  Component,
  Consumer,
  Factory,
  Host,
  ProfileBatch,
  Protocol,
  Request,
  Result,
  Sender,
  Stage,
} from '../../src/api/index.ts';
import { BatchId } from '../../src/api/index.ts';
import { components } from '../../src/components.ts';
import { systemClock } from '../../src/telemetry/clock.ts';
import { examineProfile } from '../../src/wire/convert/examine.ts';
import { receiveOtlp } from '../../src/wire/otlp/receive.ts';
import { decodePprof } from '../../src/wire/pprof/decode.ts';
import { encodePprof } from '../../src/wire/pprof/encode.ts';
import { scanPprof } from '../../src/wire/pprof/scan.ts';
import { SlabPool } from '../../src/workers/slabs.ts';
import { numbered } from '../kit/pprof.ts';

const ROOM: Record<Factory['kind'], string> = {
  receiver: 'receivers',
  processor: 'processors',
  stage: 'processors',
  exporter: 'exporters',
  extension: 'extensions',
};
const KINDS: readonly Result['kind'][] = ['accepted', 'refused', 'retryable', 'permanent'];
const RESULTS: Record<Result['kind'], Result> = {
  accepted: { kind: 'accepted' },
  refused: { kind: 'refused', reason: 'full', retryAfterMs: 1500 },
  retryable: { kind: 'retryable', error: new Error('down') },
  permanent: { kind: 'permanent', error: new Error('bad'), fault: 'sender' },
};

async function configOf(factory: Factory, overrides: object = {}): Promise<unknown> {
  const text = readFileSync(join(dirname(fileURLToPath(factory.home)), 'example.yaml'), 'utf8');
  const parsed = await factory.config['~standard'].validate({ ...parse(text), ...overrides });
  assert.ok(!parsed.issues, `example.yaml of ${factory.type}: ${JSON.stringify(parsed.issues)}`);
  return parsed.value;
}

interface Bench {
  readonly host: Host;
  readonly protocols: Protocol[];
  open: number;
}

function bench(): Bench {
  const instrument = { record() {} };
  const made: Bench = {
    open: 0,
    protocols: [],
    host: {
      id: 'x',
      log: { debug() {}, info() {}, warn() {}, error() {} },
      metrics: { counter: () => instrument, gauge: () => instrument, histogram: () => instrument },
      clock: systemClock,
      memory: new SlabPool({ budgetBytes: 1 << 26, poison: true }),
      listen: (_at, protocol) => {
        made.protocols.push(protocol);
        return {
          async start() {
            made.open++;
          },
          async stop() {
            made.open = Math.max(0, made.open - 1);
          },
        };
      },
      examine: (payload, maxBytes, origin) => examineProfile(payload, maxBytes, { origin }),
      otlp: async (bytes, asked) => receiveOtlp(bytes, asked),
      summary: async () => undefined,
      wanted: () => true,
      extension: () => undefined,
      report() {},
    },
  };
  return made;
}

function create(factory: Factory, config: unknown, host: Host, next: Consumer<never>): Component {
  if (factory.kind === 'stage') return factory.owner?.(config, host) ?? {};
  if (factory.kind === 'receiver' || factory.kind === 'processor') return factory.create(config, host, next as never);
  return factory.create(config, host);
}

function frozenBatch(): ProfileBatch {
  const batch: ProfileBatch = {
    signal: 'profiles',
    id: BatchId.of('id'),
    tenant: 't',
    dialect: 'pyroscope',
    receivedMs: 1,
    sizeBytes: 10,
    profiles: [
      {
        attributes: new Map([['service_name', 's']]),
        payload: { form: 'pprof', encoding: 'identity', bytes: numbered(1) },
        part: 0,
      },
    ],
  };
  for (const profile of batch.profiles) Object.freeze(Object.freeze(profile).payload);
  Object.freeze(batch.profiles);
  return Object.freeze(batch);
}

const accepting: Consumer<never> = { consume: async () => RESULTS.accepted };
const far = () => AbortSignal.timeout(5000);

describe('the list', () => {
  test('has no two components of one kind and type', () => {
    const names = components.map(({ kind, type }) => `${kind} ${type}`);
    assert.equal(new Set(names).size, names.length);
  });
});

for (const factory of components) {
  const home = dirname(fileURLToPath(factory.home));
  describe(`${factory.kind} ${factory.type}`, () => {
    test('lives where its kind and type say, with the files of its siblings', () => {
      assert.equal(basename(home), factory.type);
      assert.equal(basename(dirname(home)), ROOM[factory.kind]);
      for (const file of ['index.ts', 'config.ts', 'example.yaml', 'README.md', `${factory.kind}.ts`])
        assert.ok(existsSync(join(home, file)), `${file} is missing`);
      assert.match(factory.summary, /^[^\n]+\.$/);
    });

    test('its example validates, an unknown key does not, and every field is described', async () => {
      await configOf(factory);
      const unknown = await factory.config['~standard'].validate({
        ...((await configOf(factory)) as object),
        no_such_key: 1,
      });
      assert.ok(unknown.issues);
      const schema = factory.config['~standard'].jsonSchema!.input({
        target: 'draft-2020-12',
        libraryOptions: { unrepresentable: 'any' },
      } as never);
      for (const [key, field] of Object.entries((schema.properties ?? {}) as Record<string, { description?: string }>))
        assert.ok(field.description, `${key} has no description`);
    });

    test('its README has a generated table with each of its keys', async () => {
      const readme = readFileSync(join(home, 'README.md'), 'utf8');
      const table = /<!-- options -->([\s\S]*)<!-- \/options -->/.exec(readme)?.[1] ?? '';
      const schema = factory.config['~standard'].jsonSchema!.input({
        target: 'draft-2020-12',
        libraryOptions: { unrepresentable: 'any' },
      } as never);
      for (const key of Object.keys((schema.properties ?? {}) as object))
        assert.ok(table.includes(`\`${key}`), `${key} is not in the table`);
    });

    test('stops unstarted and twice, starts and stops twice in a row', async t => {
      const home = process.cwd();
      process.chdir(mkdtempSync(join(tmpdir(), 'contract-')));
      t.after(() => process.chdir(home));
      const made = bench();
      const component = create(factory, await configOf(factory), made.host, accepting);
      await component.stop?.(far());
      await component.stop?.(far());
      for (let round = 0; round < 2; round++) {
        await component.start?.();
        await component.stop?.(far());
        await component.stop?.(far());
      }
      assert.equal(made.open, 0, 'no port stays open');
    });

    if (factory.kind === 'processor')
      test('hands on each answer, leaves its input as it was, and loses no profile', async () => {
        for (const kind of KINDS) {
          let seen: ProfileBatch | undefined;
          const next = {
            consume: async (batch: ProfileBatch) => {
              seen = batch;
              return RESULTS[kind];
            },
          };
          const component = create(factory, await configOf(factory), bench().host, next as never) as Component &
            Consumer<'profiles'>;
          const batch = frozenBatch();
          assert.equal((await component.consume(batch, far())).kind, kind);
          assert.equal(seen?.profiles.length, 1);
          assert.equal(seen?.profiles[0]?.payload.bytes, batch.profiles[0]?.payload.bytes, 'the payload is shared');
          assert.deepEqual([...batch.profiles[0]!.attributes], [['service_name', 's']]);
        }
      });

    if (factory.kind === 'stage')
      test('its work loads, takes its configuration as a clone, and keeps every total', async () => {
        const config = structuredClone(await configOf(factory));
        const { default: work } = (await import(new URL('./stage.ts', factory.home).href)) as { default: Stage };
        const columns = decodePprof(numbered(7));
        const verdict = work(config)({ attributes: new Map([['service_name', 's']]) }, columns);
        assert.equal(verdict.keep, true);
        assert.equal(scanPprof(encodePprof(columns)).types[0]?.total, 7n);
      });

    if (factory.kind === 'exporter')
      test('answers within the result union, also when aborted or not started', async t => {
        const home = process.cwd();
        process.chdir(mkdtempSync(join(tmpdir(), 'contract-')));
        t.after(() => process.chdir(home));
        const component = create(factory, await configOf(factory), bench().host, accepting) as Component &
          Sender<'profiles'>;
        await component.start?.();
        for (const abort of [far(), AbortSignal.abort()]) {
          const result = await component.send(frozenBatch(), abort);
          assert.ok(KINDS.includes(result.kind) && result.kind !== 'refused', result.kind);
        }
        await component.stop?.(far());
      });

    if (factory.kind === 'receiver')
      test('acknowledges only after the pipeline answered, and says each answer', async () => {
        const made = bench();
        let answer: Result = RESULTS.accepted;
        let asked = 0;
        const next = {
          consume: async () => {
            asked++;
            return answer;
          },
        };
        create(factory, await configOf(factory), made.host, next as never);
        const posts = made.protocols.flatMap(({ routes }) => routes.filter(({ method }) => method === 'POST'));
        const door = posts.find(({ path }) => /ingest|pprof/.test(path));
        // A receiver without a door has nobody to answer.
        if (!door) return;
        const statuses: number[] = [];
        for (const kind of KINDS) {
          answer = RESULTS[kind];
          const before = asked;
          const { status, headers } = await door.handle(requestOf(numbered(1)));
          assert.equal(asked, before + 1, 'asked before answering');
          statuses.push(status);
          if (kind === 'refused') assert.equal(headers?.['retry-after'], '2');
        }
        assert.ok(statuses[0]! < 300, 'accepted');
        assert.deepEqual(statuses.slice(1, 3), [429, 503]);
        assert.ok(statuses[3]! >= 400 && statuses[3]! < 500, 'the sender is at fault');
      });
  });
}

function requestOf(bytes: Buffer): Request {
  const body: Body = {
    kind: 'body',
    bytes,
    encoding: 'identity',
    decoded: async () => body,
    rewritten: () => body,
  };
  return {
    method: 'POST',
    path: '/ingest',
    query: 'name=app&format=pprof',
    headers: {},
    remote: '127.0.0.1',
    framing: 'plain',
    abort: new AbortController().signal,
    read: async () => body,
  };
}

// Arbitrary bytes and mutated real input at every decoder of wire: it reads them or throws a DecodeError, in bounded time.
// The seed is fixed and printed; FUZZ_SEED and FUZZ_RUNS go further.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { DecodeError } from '../../src/wire/decode-error.ts';
import { MAX_INFLATED_BYTES } from '../../src/wire/gzip.ts';
import { parseMultipart } from '../../src/wire/multipart.ts';
import { decodePprof } from '../../src/wire/pprof/decode.ts';
import { encodePprof } from '../../src/wire/pprof/encode.ts';
import { patchLabels } from '../../src/wire/pprof/patch.ts';
import { isGzippedTwice, receivePprof } from '../../src/wire/pprof/receive.ts';
import { scanPprof } from '../../src/wire/pprof/scan.ts';
import { readConnectError } from '../../src/wire/pyroscope/connect.ts';
import { IngestQuery, ingestForm, renameQuery } from '../../src/wire/pyroscope/ingest.ts';
import { checkLabels } from '../../src/wire/pyroscope/labels.ts';
import { formatName, parseName } from '../../src/wire/pyroscope/name.ts';
import { parseSampleTypeConfig } from '../../src/wire/pyroscope/profile-name.ts';
import { decodePush, decodePushJson } from '../../src/wire/pyroscope/push.ts';
import { malformed, recordings } from '../kit/corpus.ts';

const seed = Number(process.env.FUZZ_SEED ?? 20261124);
const numRuns = Number(process.env.FUZZ_RUNS ?? 2000);
/** One input of at most 64 KiB; far above what any takes, far below what a stall would. */
const SLOW_MS = 2000;
const MAX_SEED_BYTES = 64 * 1024;

const requests = recordings();
const content = (type: string) =>
  requests.filter(({ headers }) =>
    headers.some(([name, value]) => name.toLowerCase() === 'content-type' && value.startsWith(type)),
  );
const inflated = (bytes: Buffer) => (bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes);
const small = (bytes: Buffer) => bytes.length > 0 && bytes.length <= MAX_SEED_BYTES;

const forms = content('multipart/form-data').map(({ headers, body }) => ({
  type: headers.find(([name]) => name.toLowerCase() === 'content-type')![1],
  body,
}));
const profiles = [
  ...malformed('pprof', 'any').map(({ bytes }) => bytes),
  ...forms.flatMap(({ body, type }) => [...parseMultipart(body, type).values()].map(({ data }) => data)),
].filter(small);
const pushes = content('application/proto').map(({ body, headers }) =>
  headers.some(([name, value]) => name.toLowerCase() === 'content-encoding' && value === 'gzip')
    ? inflated(body)
    : body,
);
const queries = requests.map(({ query }) => query).filter(query => query !== '');

interface Edit {
  readonly kind: 'set' | 'cut' | 'insert' | 'repeat';
  readonly at: number;
  readonly byte: number;
  readonly size: number;
}
const edits: fc.Arbitrary<Edit[]> = fc.array(
  fc.record({
    kind: fc.constantFrom('set', 'set', 'cut', 'insert', 'repeat'),
    at: fc.nat(),
    byte: fc.oneof(fc.constantFrom(0, 0x7f, 0x80, 0xff, 0x0a, 0x2c, 0x7d), fc.nat(255)),
    size: fc.nat(40),
  }),
  { maxLength: 6 },
);

function mutate(source: Buffer, changes: readonly Edit[]): Buffer {
  let bytes = Buffer.from(source);
  for (const { kind, at, byte, size } of changes) {
    const place = at % (bytes.length + 1);
    if (kind === 'set') bytes.fill(byte, place, Math.min(place + 1, bytes.length));
    else if (kind === 'cut') bytes = Buffer.concat([bytes.subarray(0, place), bytes.subarray(place + size)]);
    else {
      const middle = kind === 'insert' ? Buffer.alloc(size, byte) : bytes.subarray(place, place + size);
      bytes = Buffer.concat([bytes.subarray(0, place), middle, bytes.subarray(place)]);
    }
  }
  return bytes;
}

/** Runs `decode` over arbitrary and mutated bytes. Half of the calls read from shared memory, as in the gateway. */
async function holds(sources: readonly Buffer[], decode: (bytes: Buffer, at: number) => unknown): Promise<void> {
  assert.ok(sources.length > 0, 'there is something to mutate');
  const input = fc.oneof(
    {
      weight: 1,
      arbitrary: fc.record({
        at: fc.nat(sources.length - 1),
        bytes: fc.uint8Array({ maxLength: 200 }).map(one => Buffer.from(one)),
      }),
    },
    {
      weight: 4,
      arbitrary: fc
        .record({ at: fc.nat(sources.length - 1), edits })
        .map(({ at, edits: changes }) => ({ at, bytes: mutate(sources[at]!, changes) })),
    },
  );
  await fc.assert(
    fc.asyncProperty(input, fc.boolean(), async ({ at, bytes }, shared) => {
      const body = shared ? Buffer.from(new SharedArrayBuffer(bytes.length)) : bytes;
      if (shared) bytes.copy(body);
      const start = performance.now();
      try {
        await decode(body, at);
      } catch (error) {
        assert.ok(error instanceof DecodeError, `${error instanceof Error ? error.stack : error}`);
        assert.match(error.reason, /^[a-z][a-z0-9_]+$/);
        assert.ok(error.message.length < 200, 'the message does not echo the input');
      }
      assert.ok(performance.now() - start < SLOW_MS);
    }),
    { seed, numRuns },
  );
}

test(`only classified errors come out (seed ${seed}, ${numRuns} runs each)`, async t => {
  t.diagnostic(`FUZZ_SEED=${seed} FUZZ_RUNS=${numRuns}`);
  await t.test('scan of inflated pprof', () =>
    holds(
      profiles.filter(one => one[0] !== 0x1f),
      bytes => scanPprof(bytes),
    ),
  );
  await t.test('columns of inflated pprof, written again', () =>
    holds(
      profiles.filter(one => one[0] !== 0x1f),
      (bytes, at) => {
        const columns = decodePprof(bytes);
        columns.edited = at % 2 === 0;
        decodePprof(encodePprof(columns).slice());
        patchLabels(bytes, [{ key: 'env', value: 'test' }]);
      },
    ),
  );
  await t.test('pprof as received, plain and gzip', () =>
    holds(profiles, (bytes, at) => receivePprof(bytes, at % 2 ? 'full' : 'header', MAX_INFLATED_BYTES)),
  );
  await t.test('pprof inside HTTP gzip', () => holds(profiles, bytes => isGzippedTwice(bytes)));
  await t.test('push, protobuf', () => holds(pushes, bytes => decodePush(bytes)));
  await t.test('push, JSON', () =>
    holds(
      [
        Buffer.from(
          '{"series":[{"labels":[{"name":"a","value":"b"}],"samples":[{"ID":"1","rawProfile":"AAEC/w=="}]}]}',
        ),
      ],
      bytes => decodePushJson(bytes),
    ),
  );
  await t.test('forms', () =>
    holds(forms.map(({ body }) => body).filter(small), (bytes, at) => parseMultipart(bytes, forms[at]!.type)),
  );
  await t.test('sample type configs', () =>
    holds([Buffer.from('{"samples":{"display-name":"cpu","units":"samples"}}')], bytes => parseSampleTypeConfig(bytes)),
  );
  await t.test('errors of a store', () =>
    holds([Buffer.from('{"code":"internal","message":"m"}')], bytes => readConnectError(bytes)),
  );
  await t.test('queries and the names in them', () =>
    holds(
      queries.map(query => Buffer.from(query)),
      bytes => {
        const query = bytes.toString('latin1');
        const { name, format } = new IngestQuery(query);
        ingestForm(format, query);
        checkLabels(name.labels, 30);
        const text = formatName(name);
        assert.ok(text !== undefined, 'what was parsed can be written');
        assert.deepEqual(parseName(text), { app: name.app, labels: new Map([...name.labels].sort()) });
        assert.equal(formatName(new IngestQuery(renameQuery(query, text)).name), text);
      },
    ),
  );
});

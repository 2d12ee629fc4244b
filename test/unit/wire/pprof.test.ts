// The scan against independent decoders: what an oracle said of real profiles, protobufjs and pprof-format on made ones.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { Profile } from 'pprof-format';
import { DecodeError } from '../../../src/wire/decode-error.ts';
import { checkPprofHeader, examinePprof } from '../../../src/wire/pprof/payload.ts';
import { isGzippedTwice, receivePprof } from '../../../src/wire/pprof/receive.ts';
import { scanPprof } from '../../../src/wire/pprof/scan.ts';
import { corpusDir, malformed, recordings } from '../../kit/corpus.ts';
import { factsOf, numbered, pushed } from '../../kit/pprof.ts';

const LIMIT = 64 * 1024 * 1024;

const inflated = (bytes: Buffer) => (bytes[0] === 0x1f ? gunzipSync(bytes) : bytes);

function agree(bytes: Buffer, what: string): void {
  const summary = scanPprof(inflated(bytes));
  const facts = factsOf(bytes);
  assert.deepEqual(
    summary.types.map(({ type, unit }) => ({ type, unit })),
    facts.sampleTypes,
    what,
  );
  assert.deepEqual(
    summary.types.map(({ total }) => String(total)),
    facts.sums,
    what,
  );
  assert.equal(summary.samples, facts.sampleCount, what);
  assert.equal(summary.functions, facts.functions.length, what);
  const other = Profile.decode(inflated(bytes));
  const sums = other.sampleType.map((_type, at) =>
    other.sample.reduce((sum, { value }) => sum + BigInt.asIntN(64, BigInt(value[at]!)), 0n),
  );
  assert.deepEqual(
    summary.types.map(({ total }) => total),
    sums,
    `${what} by pprof-format`,
  );
  assert.deepEqual([summary.locations, summary.functions], [other.location.length, other.function.length], what);
}

test('recorded pushes: types, exact sums and counts are those of two other decoders', () => {
  let compared = 0;
  for (const { path, body, headers, file } of recordings()) {
    if (!path.endsWith('/Push')) continue;
    const gzipped = headers.some(([name, value]) => name.toLowerCase() === 'content-encoding' && value === 'gzip');
    for (const { rawProfile } of pushed(gzipped ? gunzipSync(body) : body)) {
      agree(rawProfile, file);
      compared++;
    }
  }
  assert.ok(compared > 3);
});

test('the corpus: every pprof has the totals, counts and times that its manifest says', {
  skip: corpusDir ? false : 'the shared corpus is not beside this checkout',
}, async () => {
  const { files } = JSON.parse(readFileSync(resolve(corpusDir!, 'MANIFEST.json'), 'utf8')) as {
    files: {
      file: string;
      format: string;
      facts: {
        valueSums: string[];
        samples: number;
        locations: number;
        functions: number;
        timeNanos: string;
        durationNanos: string;
        period: string;
      };
    }[];
  };
  const profiles = files.filter(({ format, file }) => format === 'pprof' && existsSync(resolve(corpusDir!, file)));
  assert.ok(profiles.length > 20);
  for (const { file, facts } of profiles) {
    const bytes = readFileSync(resolve(corpusDir!, file));
    const { summary } = await examinePprof({ encoding: checkPprofHeader(bytes), bytes }, LIMIT);
    assert.deepEqual(
      [
        summary.types.map(({ total }) => String(total)),
        summary.samples,
        summary.locations,
        summary.functions,
        String(summary.startNs),
        String(summary.durationNs),
        String(summary.period),
      ],
      [
        facts.valueSums,
        facts.samples,
        facts.locations,
        facts.functions,
        facts.timeNanos,
        facts.durationNanos,
        facts.period,
      ],
      file,
    );
  }
});

test('what is tricky but right is read exactly', async () => {
  for (const { file, expect, bytes } of malformed('pprof')) {
    if (expect.status !== 200 || !expect.facts?.valueSums) continue;
    const { types } = (await examinePprof({ encoding: checkPprofHeader(bytes), bytes }, LIMIT)).summary;
    assert.deepEqual(
      types.map(({ total }) => String(total)),
      expect.facts.valueSums,
      file,
    );
  }
});

test('any value survives the sum', () => {
  const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
  fc.assert(
    fc.property(fc.array(int64, { minLength: 1, maxLength: 50 }), values => {
      const varint = (value: bigint) => {
        const out: number[] = [];
        let rest = BigInt.asUintN(64, value);
        for (; rest >= 0x80n; rest >>= 7n) out.push(Number(rest & 0x7fn) | 0x80);
        return [...out, Number(rest)];
      };
      const field = (number: number, content: number[]) => [
        number * 8 + 2,
        ...varint(BigInt(content.length)),
        ...content,
      ];
      const raw = Uint8Array.from([
        ...field(1, [8, 1, 16, 1]),
        ...values.flatMap((value, n) => (n % 2 ? field(2, [16, ...varint(value)]) : field(2, field(2, varint(value))))),
        ...field(6, []),
        ...field(6, [0x78]),
      ]);
      assert.equal(
        scanPprof(raw).types[0]!.total,
        values.reduce((sum, value) => sum + value, 0n),
      );
    }),
  );
});

test('HTTP gzip around a plain profile is carried as a gzipped one, around a gzipped one it must be undone first', async () => {
  const plain = numbered(5);
  const once = gzipSync(plain);
  const twice = gzipSync(once);
  assert.equal(isGzippedTwice(once), false);
  assert.equal((await receivePprof(once, 'full', LIMIT)).bytes, once);
  assert.equal(isGzippedTwice(twice), true);
  await assert.rejects(receivePprof(twice, 'full', LIMIT), { reason: 'not_a_profile' });
  assert.throws(() => isGzippedTwice(plain), { reason: 'bad_compression' });
  assert.throws(() => isGzippedTwice(Buffer.alloc(0)), { reason: 'empty_body' });
});

test('mutated profiles are read or refused with a reason, never anything else', async () => {
  const seeds = [numbered(1), ...malformed('pprof').map(({ bytes }) => bytes)].filter(
    ({ length }) => length > 0 && length < 1000,
  );
  const mutation = fc.record({
    seed: fc.nat(seeds.length - 1),
    edits: fc.array(fc.record({ at: fc.nat(), byte: fc.nat(255) }), { maxLength: 8 }),
    cut: fc.option(fc.nat(), { freq: 4 }),
  });
  await fc.assert(
    fc.asyncProperty(mutation, async ({ seed, edits, cut }) => {
      const bytes = Buffer.from(seeds[seed]!);
      for (const { at, byte } of edits) bytes[at % bytes.length] = byte;
      const body = cut === null ? bytes : bytes.subarray(0, cut % bytes.length);
      for (const validate of ['full', 'header'] as const)
        try {
          await receivePprof(body, validate, LIMIT);
        } catch (error) {
          assert.ok(error instanceof DecodeError && /^[a-z_]+$/.test(error.reason), String(error));
        }
    }),
    { numRuns: 3000 },
  );
});

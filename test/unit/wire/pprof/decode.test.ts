// The decoder against decoders that share nothing with it, on real profiles, on random ones of every shape, and on damaged ones.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Columns } from '../../../../src/model/columns/columns.ts';
import { DecodeError } from '../../../../src/wire/decode-error.ts';
import { decodePprof } from '../../../../src/wire/pprof/decode.ts';
import { MAX_DECODED_BYTES } from '../../../../src/wire/pprof/limits.ts';
import { scanPprof } from '../../../../src/wire/pprof/scan.ts';
import { decodeToScratch, releaseScratch } from '../../../../src/wire/pprof/scratch.ts';
import { corpusDir, malformed } from '../../../kit/corpus.ts';
import { made } from '../../../kit/made.ts';
import { byPprofFormat, byProtobufjs } from '../../../kit/oracles.ts';
import { plainOf, sumsOf } from '../../../kit/plain.ts';
import { corpusProfiles, inflated, soundProfiles } from '../../../kit/profiles.ts';
import { bytes, number, text, varint } from '../../../kit/protobuf.ts';

test('real profiles are read as protobufjs and pprof-format read them', () => {
  let compared = 0;
  // The two larger ones would take as long as all the others.
  for (const { file, raw } of soundProfiles().filter(one => one.raw.length < 700_000)) {
    const plain = plainOf(decodePprof(raw));
    assert.deepEqual(plain, byProtobufjs(raw), `${file} by protobufjs`);
    assert.deepEqual(plain, byPprofFormat(raw), `${file} by pprof-format`);
    compared++;
  }
  assert.ok(compared > 10, `${compared} compared`);
});

test('the corpus: sums and counts are those of the manifest', {
  skip: corpusDir ? false : 'the shared corpus is not beside this checkout',
}, () => {
  for (const { file, raw, facts } of corpusProfiles()) {
    const columns = decodePprof(raw);
    assert.deepEqual(sumsOf(plainOf(columns)).map(String), facts!.valueSums, file);
    assert.deepEqual(
      [columns.samples.count, columns.locations.count - 1, columns.functions.count - 1],
      [facts!.samples, facts!.locations, facts!.functions],
      file,
    );
    assert.deepEqual(
      [columns.timeNanos, columns.durationNanos, columns.period].map(String),
      [facts!.timeNanos, facts!.durationNanos, facts!.period],
      file,
    );
  }
});

test('random profiles are read exactly, whatever their order, packing, padding and ids', () => {
  fc.assert(
    fc.property(made, ({ raw, plain }) => {
      const columns = decodePprof(raw);
      assert.deepEqual(plainOf(columns), plain);
      assert.equal(columns.edited, false);
    }),
    { numRuns: 400 },
  );
});

test('columns that held another profile, sound or not, hold nothing of it afterwards', () => {
  const columns = new Columns();
  fc.assert(
    fc.property(made, made, fc.nat(), (first, second, cut) => {
      try {
        decodePprof(first.raw.subarray(0, cut % (first.raw.length + 1)), columns);
      } catch (error) {
        assert.ok(error instanceof DecodeError);
      }
      columns.edited = true;
      assert.equal(decodePprof(second.raw, columns), columns);
      assert.deepEqual(plainOf(columns), second.plain);
      assert.equal(columns.edited, false);
      if (!second.hasUnknown) assert.equal(columns.unknown, undefined);
    }),
  );
});

test('the columns of a thread are used again, unless they grew large', () => {
  const deep = (frames: number) =>
    Buffer.concat([
      Buffer.from([...oneType, ...table, ...bytes(4, number(1, 1))]),
      Buffer.from([0x12, ...varint(frames + 3 + varint(frames).length + 1), 0x0a, ...varint(frames)]),
      Buffer.alloc(frames, 1),
      Buffer.of(0x12, 1, 1),
    ]);
  const first = decodeToScratch(deep(10));
  assert.equal(decodeToScratch(deep(1000)), first);
  releaseScratch();
  assert.equal(decodeToScratch(deep(9_000_000)), first);
  assert.ok(first.heldBytes >= 36e6);
  releaseScratch();
  const next = decodeToScratch(deep(10));
  assert.ok(next !== first && next.heldBytes < 1e5);
});

test('what a profile takes decoded is bounded, whichever table it is that grows', () => {
  const many = (field: number, content: readonly number[]) =>
    Buffer.alloc(60_000 * 2, Uint8Array.from(bytes(field, content)));
  // Ids that are not in order take more.
  const spread = (field: number) =>
    Buffer.concat(Array.from({ length: 20_000 }, (_, at) => Buffer.from(bytes(field, number(1, 7 * at + 5)))));
  const tables: Record<string, Buffer> = {
    strings: many(6, []),
    samples: Buffer.alloc(60_000 * 4, Uint8Array.from(bytes(2, number(2, 1)))),
    'labels of one sample': Buffer.from(bytes(2, [...number(2, 1), ...Array(60_000).fill(bytes(3, [])).flat()])),
    'lines of one location': Buffer.from(bytes(4, [...number(1, 1), ...Array(60_000).fill(bytes(4, [])).flat()])),
    locations: spread(4),
    functions: spread(5),
    mappings: spread(3),
    comments: Buffer.from(bytes(13, Array(200_000).fill(0))),
    'unknown fields': Buffer.from(
      Array(60_000)
        .fill([...bytes(2, [...number(2, 1), ...number(9, 1)])])
        .flat(),
    ),
  };
  const into = new Columns();
  for (const [what, rows] of Object.entries(tables)) {
    const raw = Buffer.concat([Buffer.from([...oneType, ...table]), rows]);
    assert.throws(
      () => decodePprof(raw, new Columns(), 400_000),
      (error: DecodeError) => error.reason === 'too_many_elements' && error.message.includes('400000 bytes decoded'),
      what,
    );
    const columns = decodePprof(raw);
    assert.ok(columns.heldBytes < 8e6, what);
    // What was left half filled is filled again, and what was filled before counts.
    assert.throws(() => decodePprof(raw, into, 400_000), DecodeError);
    assert.deepEqual(plainOf(decodePprof(raw, into)), plainOf(columns));
  }
});

test('real profiles stay far below what a profile may take', () => {
  for (const { file, raw } of soundProfiles())
    assert.ok(decodePprof(raw).heldBytes < Math.min(MAX_DECODED_BYTES / 10, 7 * raw.length + 50_000), file);
});

test('every listed malformed profile is refused with the reason listed', () => {
  let refused = 0;
  for (const { file, expect, bytes: body } of malformed('pprof', 'any')) {
    // What stands before the protobuf is not the decoder's.
    if (['bad_compression', 'decompressed_too_large', 'unknown_format', 'not_a_profile'].includes(expect.reason ?? ''))
      continue;
    const raw = inflated(body);
    if (file === 'string-not-utf8.pb') assert.throws(() => decodePprof(raw), { reason: 'bad_string' }, file);
    else if (expect.status === 200) decodePprof(raw);
    else {
      refused++;
      assert.throws(() => decodePprof(raw), { reason: expect.reason }, file);
    }
  }
  assert.ok(refused > 15, `${refused} refused`);
});

// Which of several damages is found first may differ once in a hundred thousand; a test that fails once in a while is no test.
const SEED = Number(process.env.FUZZ_SEED ?? 20261125);
const RUNS = Number(process.env.FUZZ_RUNS ?? 3000);

/** undefined, or the reason for which it was refused. */
function verdict(read: (raw: Uint8Array) => unknown, raw: Uint8Array): string | undefined {
  try {
    read(raw);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof DecodeError, `${error instanceof Error ? error.stack : error}`);
    return error.reason;
  }
}

test('damaged profiles are refused exactly where the scan refuses them, and with its reason', () => {
  const edit = fc.record({
    at: fc.nat(),
    byte: fc.oneof(fc.constantFrom(0, 1, 0x0a, 0x12, 0x7f, 0x80, 0xff), fc.nat(255)),
    kind: fc.constantFrom('set', 'set', 'insert', 'cut'),
  });
  const seeds = malformed('pprof', 'any')
    .map(one => one.bytes)
    .filter(one => one.length > 0 && one.length < 5000 && one[0] !== 0x1f);
  const source = fc.oneof(
    made.map(({ raw }) => Buffer.from(raw)),
    fc.constantFrom(...seeds),
  );
  let refused = 0;
  fc.assert(
    fc.property(source, fc.array(edit, { maxLength: 4 }), (sound, edits) => {
      let raw = Buffer.from(sound);
      for (const { at, byte, kind } of edits) {
        const place = at % (raw.length + 1);
        if (kind === 'set' && place < raw.length) raw[place] = byte;
        else if (kind === 'insert') raw = Buffer.concat([raw.subarray(0, place), Buffer.of(byte), raw.subarray(place)]);
        else if (kind === 'cut') raw = Buffer.concat([raw.subarray(0, place), raw.subarray(place + 1)]);
      }
      const due = verdict(scanPprof, raw);
      assert.equal(verdict(decodePprof, raw), due);
      if (due !== undefined) refused++;
    }),
    { seed: SEED, numRuns: RUNS },
  );
  assert.ok(refused > 300, `${refused} refused`);
});

const table = ['', 'cpu', 'ns'].flatMap(one => text(6, one));
const oneType = bytes(1, [...number(1, 1), ...number(2, 2)]);
const profile = (...fields: number[][]) => Uint8Array.from([...oneType, ...fields.flat(), ...table]);

test('a reference is looked up whatever its size', () => {
  const big = (1n << 64n) - 1n;
  const location = (id: bigint) => bytes(4, number(1, id));
  const sample = (id: bigint) => bytes(2, [...bytes(1, number(1, id).slice(1)), ...number(2, 5)]);
  assert.equal(decodePprof(profile(sample(big), location(big))).samples.stack[0], 1);
  for (const [named, held] of [
    [big, big - 1n],
    [1n << 32n, 1n],
    [(1n << 32n) + 1n, 1n],
    [1n << 31n, 1n],
    [2n, 1n],
    [1n, big],
  ] as const)
    assert.throws(() => decodePprof(profile(sample(named), location(held))), { reason: 'bad_reference' });
  assert.throws(() => decodePprof(profile(location(big), location(big))), { reason: 'duplicate_id' });
  assert.throws(() => decodePprof(profile(location(1n), location(2n), location(1n))), { reason: 'duplicate_id' });
});

test('of a field that comes twice the last one counts, for the scan too', () => {
  const twice = profile(
    bytes(4, [
      ...number(1, 9),
      ...number(1, 1),
      ...number(2, 7),
      ...number(2, 0),
      ...bytes(4, [...number(1, 7), 8, 0]),
    ]),
    bytes(2, [0x0a, 1, 1, ...number(2, 5)]),
  );
  assert.equal(scanPprof(twice).samples, 1);
  const { locations } = plainOf(decodePprof(twice));
  assert.deepEqual(locations, byProtobufjs(twice).locations);
});

test('an index of a string is checked whatever names it', () => {
  for (const field of [
    number(7, 3),
    number(8, 3),
    number(14, 3),
    number(15, 3),
    number(13, 3),
    bytes(13, [0, 3]),
    bytes(11, number(1, 3)),
    bytes(2, [...number(2, 1), ...bytes(3, number(4, 3))]),
    bytes(5, [...number(1, 1), ...number(3, 3)]),
    bytes(5, [...number(1, 1), ...number(2, 1n << 32n)]),
    bytes(3, [...number(1, 1), ...number(6, -1n)]),
  ])
    assert.throws(() => decodePprof(profile(field)), { reason: 'bad_reference' }, String(field));
});

test('a number that its message cuts off is cut off, whatever comes behind it', () => {
  for (const behind of [0x00, 0x01, 0x80]) {
    const cut = profile(bytes(2, [0x0a, 2, 1, 0x80]), [behind, 0]);
    assert.equal(verdict(scanPprof, cut), 'bad_protobuf');
    assert.equal(verdict(decodePprof, cut), 'bad_protobuf');
  }
});

test('what costs two bytes in a message cannot cost the process its memory', () => {
  const before = process.memoryUsage().arrayBuffers;
  const many = (field: number, inner: number, count: number) => {
    const content = Buffer.alloc(count * 2, Buffer.of(inner * 8 + 2, 0));
    const head = bytes(field, []).slice(0, -1);
    let size = content.length;
    for (; size > 0x7f; size = Math.floor(size / 128)) head.push((size % 128) | 0x80);
    return Buffer.concat([Buffer.from([...oneType, ...table, ...head, size]), content]);
  };
  assert.throws(() => decodePprof(many(2, 3, 8_000_001)), { reason: 'too_many_elements' });
  assert.throws(() => decodePprof(many(4, 4, 8_000_001)), { reason: 'too_many_elements' });
  assert.ok(process.memoryUsage().arrayBuffers - before < 800e6);
});

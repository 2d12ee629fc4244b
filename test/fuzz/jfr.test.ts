// Recordings with bytes flipped, cut, doubled, and numbers made huge: they are read, or a DecodeError says why not, within bounds of time and
// memory. The seed is fixed and printed; FUZZ_SEED and FUZZ_RUNS go further.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeJfr } from '../../src/wire/jfr/decode.ts';
import { corpusJfr, type SentJfr, sentJfr } from '../kit/jfr.ts';
import { Coder, jfr } from '../kit/jfr-writer.ts';
import { holds } from '../kit/otlp-fuzz.ts';

const seed = Number(process.env.FUZZ_SEED ?? 20261127);
const numRuns = Number(process.env.FUZZ_RUNS ?? 1000);
const HEADER_BYTES = 68;
const MAX_SOURCE_BYTES = 130_000;
const MAX_BYTES = 64 * 1024 * 1024;

const coder = new Coder();
const small = jfr({
  checkpoints: [
    {
      'jdk.types.StackTrace': [[1n, coder.stack([[1n, 5]])]],
      'jdk.types.Method': [[1n, coder.longs(1, 1, 0)]],
      'java.lang.Class': [[1n, Buffer.concat([coder.long(1), coder.int(0)])]],
    },
    { 'jdk.types.Symbol': [[1n, coder.string('name', 4)]], 'java.lang.String': [[3n, coder.string('event')]] },
  ],
  events: [
    ['jdk.ExecutionSample', coder.longs(5, 1, 1, 2, 3, 4, 5, 6)],
    ['jdk.ActiveSetting', Buffer.concat([coder.long(1), coder.stringKey(3n), coder.string('wall')])],
    ['jdk.ThreadPark', coder.longs(7, 1)],
  ],
});
const sources = [small, Buffer.concat([small, small]), ...[...sentJfr(), ...corpusJfr()].map(({ raw }) => raw)].filter(
  raw => raw.length < MAX_SOURCE_BYTES,
);

type Edit = (raw: Buffer) => Buffer;
const place = (raw: Buffer, at: number) => at % Math.max(1, raw.length);
const splice = (raw: Buffer, at: number, gone: number, more: Uint8Array) =>
  Buffer.concat([raw.subarray(0, at), more, raw.subarray(at + gone)]);
const HUGE = [Buffer.alloc(9, 0xff), Buffer.of(0xff, 0xff, 0xff, 0xff, 7), Buffer.of(0xff, 0xff, 0x7f), Buffer.of(0)];
const edit: fc.Arbitrary<Edit> = fc
  .record({
    at: fc.nat(),
    size: fc.integer({ min: 1, max: 40 }),
    kind: fc.constantFrom('flip', 'noise', 'cut', 'double', 'huge', 'head'),
  })
  .map(({ at, size, kind }) => raw => {
    const from = place(raw, at);
    if (raw.length === 0) return raw;
    switch (kind) {
      case 'flip': {
        const changed = Buffer.from(raw);
        changed[from]! ^= 1 << (size & 7);
        return changed;
      }
      case 'noise':
        return splice(raw, from, size, Buffer.from(Array.from({ length: size }, (_, n) => (n * at + size) & 0xff)));
      case 'cut':
        return splice(raw, from, size, Buffer.alloc(0));
      case 'double':
        return splice(raw, from, 0, raw.subarray(from, from + size));
      case 'huge':
        return splice(raw, from, 1, HUGE[size % HUGE.length]!);
      default: {
        const changed = Buffer.from(raw);
        changed[place(raw, at % HEADER_BYTES)] = size * 6;
        return changed;
      }
    }
  });

/** Says the size that the chunk has now, so that what is behind the head gets read; for recordings of one chunk. */
function resized(raw: Buffer): Buffer {
  if (raw.length < HEADER_BYTES) return raw;
  const changed = Buffer.from(raw);
  const grown = raw.length - Number(raw.readBigUInt64BE(8) & 0xffff_ffffn);
  changed.writeBigUInt64BE(BigInt(raw.length), 8);
  for (const offset of [16, 24]) {
    const moved = raw.readBigUInt64BE(offset) + BigInt(grown);
    // What stands at the end has moved with what was inserted before it, more often than not.
    if (offset === 24 && moved > 0n && moved < raw.length) changed.writeBigUInt64BE(moved, offset);
  }
  return changed;
}

const input = fc.oneof(
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map(bytes => Buffer.from(bytes)) },
  {
    weight: 9,
    arbitrary: fc
      .record({
        source: fc.nat(sources.length - 1),
        edits: fc.array(edit, { minLength: 1, maxLength: 3 }),
        fits: fc.boolean(),
      })
      .map(({ source, edits, fits }) => {
        const changed = edits.reduce((raw, change) => change(raw), sources[source]!);
        return fits ? resized(changed) : changed;
      }),
  },
);

test(`only classified errors come out of JFR (seed ${seed}, ${numRuns} runs)`, t => {
  t.diagnostic(`FUZZ_SEED=${seed} FUZZ_RUNS=${numRuns}`);
  const sound = holds(input, { seed, numRuns }, raw => {
    const { profiles } = decodeJfr(raw, { maxBytes: MAX_BYTES });
    for (const { columns } of profiles) {
      const { samples, locations, functions, strings } = columns;
      assert.ok(samples.count > 0 && samples.stackEnd[samples.count - 1] === samples.stackLength);
      for (let at = 0; at < samples.stackLength; at++) assert.ok(samples.stack[at]! < locations.count);
      for (let at = 1; at < functions.count; at++) assert.ok(functions.name[at]! < strings.count);
    }
  });
  assert.ok(sound > numRuns / 20, `${sound} were read to the end`);
});

test('only classified errors come out of the labels beside a recording', () => {
  const [{ raw, labels }] = sentJfr().filter(one => one.labels && one.raw.length < MAX_SOURCE_BYTES) as [SentJfr];
  const edited = fc
    .array(edit, { minLength: 1, maxLength: 3 })
    .map(edits => edits.reduce((all, one) => one(all), labels!));
  const sound = holds(edited, { seed, numRuns: Math.ceil(numRuns / 5) }, bytes => {
    decodeJfr(raw, { labels: bytes, maxBytes: MAX_BYTES });
  });
  assert.ok(sound > numRuns / 100, `${sound} were read to the end`);
});

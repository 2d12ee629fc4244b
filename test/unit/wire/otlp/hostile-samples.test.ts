// Bytes that are no sound request: only DecodeError, in memory and time that are bounded by what they are.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { toPprof } from '../../../../src/wire/convert/to-pprof.ts';
import { DecodeError } from '../../../../src/wire/decode-error.ts';
import { decodeOtlp, partsOf } from '../../../../src/wire/otlp/decode.ts';
import { encodeOtlp } from '../../../../src/wire/otlp/encode.ts';
import { mergeOtlp } from '../../../../src/wire/otlp/merge.ts';
import { scanPprof } from '../../../../src/wire/pprof/scan.ts';
import { dictionary, request } from '../../../kit/otlp.ts';
import { madeRequest } from '../../../kit/otlp-made.ts';
import { bytes, number, varint } from '../../../kit/protobuf.ts';

/** `FUZZ_RUNS=100000` for a long run by hand. */
const RUNS = Number(process.env.FUZZ_RUNS ?? 400);

const mutation = fc.record({
  at: fc.nat(),
  kind: fc.constantFrom('set', 'insert', 'delete', 'copy'),
  byte: fc.nat(255),
  size: fc.nat(20),
  from: fc.nat(),
});

function mutated(raw: Uint8Array, mutations: readonly (typeof mutation extends fc.Arbitrary<infer M> ? M : never)[]) {
  let out = Buffer.from(raw);
  for (const { at, kind, byte, size, from } of mutations) {
    const place = at % (out.length + 1);
    const source = from % (out.length + 1);
    if (kind === 'set' && place < out.length) out[place] = byte;
    if (kind === 'insert') out = Buffer.concat([out.subarray(0, place), Buffer.of(byte), out.subarray(place)]);
    if (kind === 'delete') out = Buffer.concat([out.subarray(0, place), out.subarray(place + size)]);
    if (kind === 'copy')
      out = Buffer.concat([out.subarray(0, place), out.subarray(source, source + size), out.subarray(place)]);
  }
  return out;
}

/** Runs everything that reads a request; what one reads, the next reads too. */
function readAll(raw: Uint8Array): boolean {
  const attempt = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      return undefined;
    }
  };
  const parts = attempt(() => partsOf(raw));
  attempt(() => mergeOtlp([raw]));
  if (parts === undefined) return false;
  let sound = true;
  for (let part = 0; part < parts; part++) {
    const columns = attempt(() => decodeOtlp(raw, part));
    if (!columns) {
      sound = false;
      continue;
    }
    const written = attempt(() => new Uint8Array(encodeOtlp([{ attributes: new Map(), columns }])));
    if (written) decodeOtlp(written, 0);
    const converted = attempt(() => toPprof('otlp', raw, { part }));
    for (const one of converted?.profiles ?? []) scanPprof(one);
  }
  return sound;
}

test('mutated requests are read or refused', () => {
  let sound = 0;
  fc.assert(
    fc.property(madeRequest, fc.array(mutation, { minLength: 1, maxLength: 3 }), (raw, mutations) => {
      if (readAll(mutated(raw, mutations))) sound++;
    }),
    { numRuns: RUNS },
  );
  // About one in twelve is; far fewer would mean that the others test nothing but the first check.
  assert.ok(sound > RUNS / 100, `${sound} of ${RUNS} were sound`);
});

const refused = (raw: Uint8Array, reason: string) =>
  assert.throws(
    () => decodeOtlp(raw, 0),
    (error: unknown) => error instanceof DecodeError && error.reason === reason,
  );
const sample = (...content: number[][]) => bytes(2, content.flat());

test('rows that do not exist, values without their timestamps and ids of wrong length are refused', () => {
  const value = bytes(4, [1]);
  refused(request(sample(number(1, 9), value)), 'bad_reference');
  refused(request(sample(bytes(2, [9]), value)), 'bad_reference');
  refused(request(sample(number(3, 9), value)), 'bad_reference');
  refused(request(sample(number(1, -1), value)), 'bad_reference');
  refused(request(bytes(11, [9])), 'bad_reference');
  refused(request(bytes(1, number(1, 99))), 'bad_reference');
  refused(request(sample(bytes(4, [1, 2]), bytes(5, new Array(8).fill(1)))), 'value_count');
  refused(request(sample(bytes(4, [1]), bytes(5, [1, 2, 3]))), 'bad_protobuf');
  const links = bytes(2, [...bytes(4, []), ...bytes(4, bytes(1, [1, 2])), ...bytes(5, [])]);
  refused(request(sample(number(3, 1), value), links), 'bad_link');
  const huge = varint((1n << 63n) - 1n);
  refused(request(sample(bytes(4, [...huge, ...huge]))), 'value_overflow');
  refused(Buffer.from([...request([]), ...dictionary()]), 'duplicate_field');
  refused(request([], bytes(2, bytes(5, [65]))), 'string_table');
});

test('a deep stack that many samples share does not take more than the limit', () => {
  const deep = bytes(1, new Array(100_000).fill(0));
  const tables = bytes(2, [...bytes(2, []), ...bytes(5, []), ...bytes(7, []), ...bytes(7, deep)]);
  const samples = Array.from({ length: 20_000 }, () => sample(number(1, 1), bytes(4, [1]))).flat();
  const before = performance.now();
  refused(request(samples, tables), 'too_many_elements');
  assert.ok(performance.now() - before < 5_000);
});

test('many samples of one identity are joined in time linear in their number', () => {
  const profile = bytes(2, Array.from({ length: 40_000 }, () => sample(bytes(4, [1]))).flat());
  const raw = Buffer.from([...bytes(1, bytes(2, [...profile, ...profile])), ...dictionary()]);
  const before = performance.now();
  const [columns] = decodeOtlp(raw, 0);
  assert.equal(columns!.samples.count, 40_000);
  assert.ok(performance.now() - before < 5_000);
});

test('thousands of small resources cost by what is theirs, not by the dictionary', () => {
  const attribute = (row: number) => bytes(6, [...number(1, 3), ...bytes(2, number(3, row))]);
  const tables = bytes(2, [
    ...bytes(5, []),
    ...Array.from({ length: 4 }, () => bytes(5, [97])).flat(),
    ...bytes(6, []),
    ...Array.from({ length: 50_000 }, (_none, row) => attribute(row)).flat(),
    ...bytes(7, []),
  ]);
  const part = bytes(1, bytes(2, bytes(2, sample(bytes(2, [9]), bytes(4, [1])))));
  const raw = Buffer.from([...Array.from({ length: 5_000 }, () => part).flat(), ...tables]);
  const before = performance.now();
  for (let at = 0; at < 5_000; at++) assert.equal(decodeOtlp(raw, at)[0]!.samples.count, 1);
  assert.ok(performance.now() - before < 5_000);
});

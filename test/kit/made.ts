// Random sound profiles: what they say, and bytes that say it in any way that protobuf allows.
import fc from 'fast-check';
import type { PlainProfile } from './plain.ts';
import { bytes, fieldsOf, number, text, varint } from './protobuf.ts';

const id = fc.oneof(
  fc.bigInt({ min: 1n, max: 40n }),
  fc.bigInt({ min: 1n, max: 1n << 23n }),
  fc.bigInt({ min: (1n << 31n) - 3n, max: (1n << 31n) + 3n }),
  fc.bigInt({ min: (1n << 32n) - 3n, max: (1n << 32n) + 3n }),
  fc.bigInt({ min: (1n << 64n) - 4n, max: (1n << 64n) - 1n }),
);
const int64 = fc.oneof(
  fc.bigInt({ min: -3n, max: 300n }),
  fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }),
  fc.constantFrom((1n << 63n) - 1n, -(1n << 63n), 1n << 31n, -(1n << 31n), 1n << 32n, 1n << 53n),
);
const uint64 = int64.map(value => BigInt.asUintN(64, value));
const word = fc.oneof(
  fc.constantFrom('cpu', 'main', 'é', '', 'x'.repeat(130)),
  fc.string({ unit: 'grapheme', maxLength: 12 }),
);
/** An index into whatever table there is. */
const pick = fc.nat(1000);

const sequential = (size: number) => Array.from({ length: size }, (_none, at) => BigInt(at + 1));
const ids = (maxLength: number) => fc.oneof(fc.nat(maxLength).map(sequential), fc.uniqueArray(id, { maxLength }));

const model = fc.record({
  strings: fc.array(word, { maxLength: 12 }).map(words => ['', ...words]),
  types: fc.array(fc.tuple(pick, pick), { minLength: 1, maxLength: 4 }),
  periodType: fc.option(fc.tuple(pick, pick)),
  singles: fc.record({
    drop: pick,
    keep: pick,
    defaultType: pick,
    doc: pick,
    time: int64,
    duration: int64,
    period: int64,
  }),
  comments: fc.array(pick, { maxLength: 4 }),
  mappings: ids(3).chain(list =>
    fc.tuple(
      ...list.map(one =>
        fc.record({
          id: fc.constant(one),
          start: uint64,
          limit: uint64,
          offset: uint64,
          file: pick,
          build: pick,
          flags: fc.nat(15),
        }),
      ),
    ),
  ),
  functions: ids(8).chain(list =>
    fc.tuple(
      ...list.map(one => fc.record({ id: fc.constant(one), name: pick, system: pick, file: pick, start: int64 })),
    ),
  ),
  locations: ids(20).chain(list =>
    fc.tuple(
      ...list.map(one =>
        fc.record({
          id: fc.constant(one),
          mapping: pick,
          address: uint64,
          folded: fc.boolean(),
          lines: fc.array(fc.record({ fn: pick, line: int64, column: fc.oneof(fc.constant(0n), int64) }), {
            maxLength: 3,
          }),
        }),
      ),
    ),
  ),
  samples: fc.array(
    fc.record({
      stack: fc.array(pick, { maxLength: 12 }),
      values: fc.array(int64, { minLength: 4, maxLength: 4 }),
      labels: fc.array(fc.record({ key: pick, text: fc.option(pick), number: int64, unit: pick }), { maxLength: 4 }),
    }),
    { maxLength: 8 },
  ),
});
type Model = typeof model extends fc.Arbitrary<infer M> ? M : never;

/** How the bytes are written. */
const manner = fc.record({
  /** Draws order, packing, padding and unknown fields, the same for the same seed. */
  seed: fc.nat(),
  shuffle: fc.boolean(),
  pad: fc.boolean(),
  unknown: fc.boolean(),
  packing: fc.constantFrom('packed', 'unpacked', 'mixed'),
  shared: fc.boolean(),
});
type Manner = typeof manner extends fc.Arbitrary<infer M> ? M : never;

export interface Made {
  readonly plain: PlainProfile;
  readonly raw: Uint8Array;
  readonly hasUnknown: boolean;
}

/** Random profiles as bytes, in shared memory half of the time, with what a decoder must read. */
export const made: fc.Arbitrary<Made> = fc.tuple(model, manner).map(([what, how]) => {
  const plain = plainOfModel(what);
  const flat = new Writer(how).profile(plain);
  const raw = new Uint8Array(how.shared ? new SharedArrayBuffer(flat.length + 3) : new ArrayBuffer(flat.length + 3), 3);
  raw.set(flat);
  return { plain, raw, hasUnknown: how.unknown };
});

function plainOfModel(what: Model): PlainProfile {
  const at = <T>(list: readonly T[], index: number) => list[index % list.length]!;
  const string = (index: number) => at(what.strings, index);
  const ref = (list: readonly { id: bigint }[], index: number) =>
    index % (list.length + 1) === 0 ? 0n : list[(index % (list.length + 1)) - 1]!.id;
  const type = ([one, unit]: [number, number]) => ({ type: string(one), unit: string(unit) });
  return {
    sampleTypes: what.types.map(type),
    samples: what.samples.map(({ stack, values, labels }) => ({
      locations: what.locations.length === 0 ? [] : stack.map(index => at(what.locations, index).id),
      values: values.slice(0, what.types.length),
      labels: labels.map(({ key, text: value, number: num, unit }) => ({
        key: string(key),
        text: value === null ? '' : string(value),
        number: value === null ? num : 0n,
        unit: value === null ? string(unit) : '',
      })),
    })),
    mappings: what.mappings.map(({ id: one, start, limit, offset, file, build, flags }) => ({
      id: one,
      start,
      limit,
      offset,
      file: string(file),
      buildId: string(build),
      flags: [1, 2, 4, 8].map(flag => (flags & flag) !== 0),
    })),
    locations: what.locations.map(({ id: one, mapping, address, folded, lines }) => ({
      id: one,
      mapping: ref(what.mappings, mapping),
      address,
      folded,
      lines: lines.map(({ fn, line, column }) => ({ function: ref(what.functions, fn), line, column })),
    })),
    functions: what.functions.map(({ id: one, name, system, file, start }) => ({
      id: one,
      name: string(name),
      systemName: string(system),
      file: string(file),
      startLine: start,
    })),
    strings: what.strings,
    dropFrames: string(what.singles.drop),
    keepFrames: string(what.singles.keep),
    timeNanos: what.singles.time,
    durationNanos: what.singles.duration,
    periodType: what.periodType ? type(what.periodType) : undefined,
    period: what.singles.period,
    comments: what.comments.map(string),
    defaultSampleType: string(what.singles.defaultType),
    docUrl: string(what.singles.doc),
  };
}

class Writer {
  readonly #how: Manner;
  #state: number;
  #strings: readonly string[] = [];

  constructor(how: Manner) {
    this.#how = how;
    this.#state = how.seed;
  }

  profile(plain: PlainProfile): number[] {
    this.#strings = plain.strings;
    return this.#message([
      ...plain.sampleTypes.map(type => bytes(1, this.#type(type))),
      ...plain.samples.map(({ locations, values, labels }) =>
        bytes(
          2,
          this.#message([
            ...this.#list(1, locations),
            ...this.#list(2, values),
            ...labels.map(label =>
              bytes(
                3,
                this.#message([
                  this.#text(1, label.key),
                  // Row 0 alone says that there is no text; another row that holds '' would hide the number.
                  label.text === '' ? [] : this.#text(2, label.text),
                  this.#number(3, label.number),
                  this.#text(4, label.unit),
                ]),
              ),
            ),
          ]),
        ),
      ),
      ...plain.mappings.map(mapping =>
        bytes(
          3,
          this.#message([
            this.#number(1, mapping.id),
            this.#number(2, mapping.start),
            this.#number(3, mapping.limit),
            this.#number(4, mapping.offset),
            this.#text(5, mapping.file),
            this.#text(6, mapping.buildId),
            ...mapping.flags.map((flag, at) => this.#number(7 + at, flag ? 1n : 0n)),
          ]),
        ),
      ),
      ...plain.locations.map(location =>
        bytes(
          4,
          this.#message([
            this.#number(1, location.id),
            this.#number(2, location.mapping),
            this.#number(3, location.address),
            ...location.lines.map(line =>
              bytes(
                4,
                this.#message([
                  this.#number(1, line.function),
                  this.#number(2, line.line),
                  this.#number(3, line.column),
                ]),
              ),
            ),
            this.#number(5, location.folded ? 1n : 0n),
          ]),
        ),
      ),
      ...plain.functions.map(fn =>
        bytes(
          5,
          this.#message([
            this.#number(1, fn.id),
            this.#text(2, fn.name),
            this.#text(3, fn.systemName),
            this.#text(4, fn.file),
            this.#number(5, fn.startLine),
          ]),
        ),
      ),
      ...plain.strings.map(one => text(6, one)),
      this.#text(7, plain.dropFrames),
      this.#text(8, plain.keepFrames),
      this.#number(9, plain.timeNanos),
      this.#number(10, plain.durationNanos),
      plain.periodType ? bytes(11, this.#type(plain.periodType)) : [],
      this.#number(12, plain.period),
      ...this.#list(
        13,
        plain.comments.map(one => BigInt(this.#row(one))),
      ),
      this.#text(14, plain.defaultSampleType),
      this.#text(15, plain.docUrl),
    ]);
  }

  #type({ type, unit }: { type: string; unit: string }): number[] {
    return this.#message([this.#text(1, type), this.#text(2, unit)]);
  }

  /** Any row with this text: the table may hold it more than once. */
  #row(value: string): number {
    const rows = this.#strings.flatMap((one, row) => (one === value ? [row] : []));
    return rows[this.#draw(rows.length)]!;
  }

  #text(field: number, value: string): number[] {
    return this.#number(field, BigInt(this.#row(value)));
  }

  #number(field: number, value: bigint): number[] {
    if (value === 0n && this.#draw(4) > 0) return [];
    return [...varint(field * 8, this.#padding()), ...varint(value, this.#padding())];
  }

  #list(field: number, values: readonly bigint[]): number[][] {
    const unpacked = this.#how.packing === 'unpacked' || (this.#how.packing === 'mixed' && this.#draw(2) === 0);
    if (unpacked) return values.map(value => number(field, value));
    const cut = this.#how.packing === 'mixed' ? this.#draw(values.length + 1) : values.length;
    return [values.slice(0, cut), values.slice(cut)].map(part =>
      part.length === 0 && this.#draw(3) > 0
        ? []
        : bytes(
            field,
            part.flatMap(value => varint(value, this.#padding())),
          ),
    );
  }

  /** Fields in one message: those of one number keep their order, the rest is mixed, with unknown ones among them. */
  #message(fields: readonly number[][]): number[] {
    const mixed = fields.filter(field => field.length > 0);
    if (this.#how.unknown)
      while (this.#draw(3) === 0) mixed.splice(this.#draw(mixed.length + 1), 0, this.#unknownField());
    if (!this.#how.shuffle) return mixed.flat();
    const queues = Map.groupBy(mixed, field => fieldsOf(Uint8Array.from(field))[0]!.field);
    const out: number[] = [];
    for (let left = [...queues.values()]; left.length > 0; left = left.filter(queue => queue.length > 0))
      out.push(...left[this.#draw(left.length)]!.shift()!);
    return out;
  }

  #unknownField(): number[] {
    const field = [16, 99, 5000, (1 << 29) - 1][this.#draw(4)]!;
    const kinds = [
      () => number(field, BigInt.asUintN(64, -1n)),
      () => text(field, 'nobody knows'),
      () => [...varint(field * 8 + 1), 1, 2, 3, 4, 5, 6, 7, 8],
      () => [...varint(field * 8 + 5), 1, 2, 3, 4],
    ];
    return kinds[this.#draw(kinds.length)]!();
  }

  #padding(): number {
    return this.#how.pad && this.#draw(4) === 0 ? this.#draw(4) : 0;
  }

  #draw(below: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) | 0;
    return below === 0 ? 0 : (this.#state >>> 8) % below;
  }
}

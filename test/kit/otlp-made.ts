// Random OTLP requests, by protobufjs: tables with rows that stand twice and rows that nothing leads to, values of every kind.
import fc from 'fast-check';
import { requestProto } from './otlp-tree.ts';

const pick = fc.nat(1000);
const int64 = fc.oneof(
  fc.bigInt({ min: -3n, max: 300n }),
  fc.bigInt({ min: -(1n << 61n), max: (1n << 61n) - 1n }),
  fc.constantFrom(1n << 31n, -(1n << 31n), 1n << 32n, 1n << 53n),
);
const uint64 = int64.map(value => BigInt.asUintN(64, value));
const word = fc.oneof(
  fc.constantFrom('cpu', 'main', 'é', '', 'trace_id', 'span_id', 'x'.repeat(130)),
  fc.string({ unit: 'grapheme', maxLength: 8 }),
);
const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

/** AnyValue as protobufjs has it; references come later, when the number of strings is known. */
const anyValue = fc.letrec<{ any: unknown }>(tie => ({
  any: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    word.map(stringValue => ({ stringValue })),
    int64.map(value => ({ intValue: String(value) })),
    fc.boolean().map(boolValue => ({ boolValue })),
    fc.double({ noNaN: true }).map(doubleValue => ({ doubleValue })),
    fc.uint8Array({ maxLength: 4 }).map(bytesValue => ({ bytesValue })),
    fc.constant({}),
    pick.map(reference => ({ reference })),
    fc.array(tie('any'), { maxLength: 3 }).map(values => ({ arrayValue: { values } })),
    fc
      .uniqueArray(fc.constantFrom('a', 'b', 'value', 'unit'), { maxLength: 3 })
      .chain(keys =>
        fc
          .tuple(...keys.map(key => tie('any').map(value => ({ key, value }))))
          .map(values => ({ kvlistValue: { values } })),
      ),
  ),
})).any;

const KEYS = [
  'pprof.mapping.has_functions',
  'pprof.mapping.has_inline_frames',
  'pprof.location.is_folded',
  'process.executable.build_id.gnu',
  'process.executable.build_id.go',
  'process.executable.build_id.htlhash',
  'profile.frame.type',
  'pprof.profile.drop_frames',
  'pprof.profile.doc_url',
];

const model = fc.record({
  strings: fc.array(word, { maxLength: 10 }).map(words => ['', ...words, ...KEYS]),
  attributes: fc.array(fc.record({ key: pick, value: anyValue, unit: fc.oneof(fc.constant(0), pick) }), {
    maxLength: 10,
  }),
  mappings: fc.array(
    fc.record({
      start: uint64,
      limit: uint64,
      offset: uint64,
      file: pick,
      attributes: fc.array(pick, { maxLength: 3 }),
    }),
    { maxLength: 3 },
  ),
  functions: fc.array(fc.record({ name: pick, system: pick, file: pick, start: int64 }), { maxLength: 6 }),
  locations: fc.array(
    fc.record({
      mapping: pick,
      address: uint64,
      lines: fc.array(fc.record({ fn: pick, line: int64, column: int64 }), { maxLength: 3 }),
      attributes: fc.array(pick, { maxLength: 3 }),
    }),
    { maxLength: 8 },
  ),
  stacks: fc.array(fc.array(pick, { maxLength: 8 }), { maxLength: 5 }),
  links: fc.array(fc.tuple(bytesOf(16), bytesOf(8)), { maxLength: 3 }),
  parts: fc.array(
    fc.record({
      service: word,
      references: fc.boolean(),
      scopes: fc.array(
        fc.record({
          name: word,
          attribute: anyValue,
          profiles: fc.array(
            fc.record({
              type: fc.tuple(pick, pick),
              time: fc.constantFrom(1n, 2n, (1n << 64n) - 1n),
              period: fc.option(fc.tuple(pick, pick, fc.constantFrom(0n, 1n))),
              id: fc.uint8Array({ maxLength: 16 }),
              payload: fc.option(fc.uint8Array({ minLength: 1, maxLength: 3 })),
              attributes: fc.array(pick, { maxLength: 2 }),
              samples: fc.array(
                fc.record({
                  stack: pick,
                  attributes: fc.array(pick, { maxLength: 3 }),
                  link: pick,
                  shape: fc.constantFrom('value', 'values', 'times', 'both'),
                  values: fc.array(int64, { minLength: 1, maxLength: 3 }),
                  times: fc.array(uint64, { minLength: 3, maxLength: 3 }),
                }),
                { maxLength: 6 },
              ),
            }),
            { minLength: 1, maxLength: 4 },
          ),
        }),
        { minLength: 1, maxLength: 2 },
      ),
    }),
    { minLength: 1, maxLength: 3 },
  ),
});

type Made = typeof model extends fc.Arbitrary<infer M> ? M : never;

/** Requests of OTLP 1.10 in every shape that is legal. */
export const madeRequest: fc.Arbitrary<Uint8Array> = model.map(write);

function write(made: Made): Uint8Array {
  const row = (count: number) => (index: number) => index % count;
  const string = row(made.strings.length);
  const attribute = row(made.attributes.length + 1);
  /** The keys of one list differ. */
  const list = (picks: readonly number[]) => {
    const keys = new Set<string>();
    return picks.map(attribute).filter(index => {
      const key = index === 0 ? '' : made.strings[string(made.attributes[index - 1]!.key)]!;
      if (index === 0 || keys.has(key)) return false;
      keys.add(key);
      return true;
    });
  };
  const resolved = (value: unknown): unknown =>
    JSON.parse(
      JSON.stringify(value, (_key, one) =>
        one instanceof Uint8Array
          ? { bytes: Buffer.from(one).toString('base64') }
          : one?.reference !== undefined
            ? { stringValueStrindex: string(one.reference) }
            : one,
      ),
      (_key, one) => (typeof one?.bytes === 'string' ? Buffer.from(one.bytes, 'base64') : one),
    );
  const finite = (value: unknown): unknown => resolved(value);
  const object = {
    dictionary: {
      stringTable: made.strings,
      attributeTable: [
        {},
        ...made.attributes.map(({ key, value, unit }) => ({
          keyStrindex: string(key),
          value: finite(value),
          unitStrindex: string(unit),
        })),
      ],
      mappingTable: [
        {},
        ...made.mappings.map(({ start, limit, offset, file, attributes }) => ({
          memoryStart: String(start),
          memoryLimit: String(limit),
          fileOffset: String(offset),
          filenameStrindex: string(file),
          attributeIndices: list(attributes),
        })),
      ],
      functionTable: [
        {},
        ...made.functions.map(({ name, system, file, start }) => ({
          nameStrindex: string(name),
          systemNameStrindex: string(system),
          filenameStrindex: string(file),
          startLine: String(start),
        })),
      ],
      locationTable: [
        {},
        ...made.locations.map(({ mapping, address, lines, attributes }) => ({
          mappingIndex: row(made.mappings.length + 1)(mapping),
          address: String(address),
          lines: lines.map(({ fn, line, column }) => ({
            functionIndex: row(made.functions.length + 1)(fn),
            line: String(line),
            column: String(column),
          })),
          attributeIndices: list(attributes),
        })),
      ],
      stackTable: [{}, ...made.stacks.map(stack => ({ locationIndices: stack.map(row(made.locations.length + 1)) }))],
      linkTable: [{}, ...made.links.map(([traceId, spanId]) => ({ traceId, spanId }))],
    },
    resourceProfiles: made.parts.map(({ service, references, scopes }, at) => ({
      resource: {
        attributes: [
          { key: 'service.name', value: { stringValue: service } },
          ...(references ? [{ keyStrindex: 1 % made.strings.length, value: { stringValueStrindex: 1 } }] : []),
        ],
        droppedAttributesCount: at,
        entityRefs: at === 1 ? [{ type: 'host', idKeys: ['host.id'] }] : [],
      },
      schemaUrl: at === 1 ? 'https://schema' : '',
      scopeProfiles: scopes.map(({ name, attribute: value, profiles }) => ({
        scope: { name, version: '1', attributes: [{ key: 'scope', value: finite(value) }], droppedAttributesCount: 3 },
        schemaUrl: name,
        profiles: profiles.map(({ type, time, period, id, payload, attributes, samples }) => ({
          sampleType: { typeStrindex: string(type[0]), unitStrindex: string(type[1]) },
          timeUnixNano: String(time),
          durationNano: '9',
          ...(period && {
            periodType: { typeStrindex: string(period[0]), unitStrindex: string(period[1]) },
            period: String(period[2]),
          }),
          profileId: id,
          ...(payload && { originalPayloadFormat: 'jfr', originalPayload: payload }),
          attributeIndices: list(attributes),
          samples: samples.map(sample => ({
            stackIndex: row(made.stacks.length + 1)(sample.stack),
            attributeIndices: list(sample.attributes),
            linkIndex: row(made.links.length + 1)(sample.link),
            values:
              sample.shape === 'times' ? [] : sample.values.slice(0, sample.shape === 'value' ? 1 : 3).map(String),
            timestampsUnixNano:
              sample.shape === 'times'
                ? sample.times.map(String)
                : sample.shape === 'both'
                  ? sample.times.slice(0, sample.values.length).map(String)
                  : [],
          })),
        })),
      })),
    })),
  };
  return requestProto.encode(requestProto.fromObject(object)).finish();
}

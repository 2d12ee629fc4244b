// Mutated requests at the check that stands before every acknowledgement, and at JSON both ways. What the check lets through, an oracle
// that shares nothing with it has to find sound. The seed is fixed and printed; FUZZ_SEED and FUZZ_RUNS go further.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { examineOtlp } from '../../src/wire/otlp/examine.ts';
import { examineTraces } from '../../src/wire/otlp/examine-traces.ts';
import { fromJson } from '../../src/wire/otlp/json-read.ts';
import { toJson } from '../../src/wire/otlp/json-write.ts';
import { relayout } from '../../src/wire/otlp/relayout.ts';
import { wireVersionOf } from '../../src/wire/otlp/version.ts';
import { malformed, recordings } from '../kit/corpus.ts';
import { CURRENT, capture, noCorpus } from '../kit/otlp.ts';
import { holds, mutated } from '../kit/otlp-fuzz.ts';
import { encoded, PROTO, tree } from '../kit/otlp-proto.ts';

const seed = Number(process.env.FUZZ_SEED ?? 20261127);
const numRuns = Number(process.env.FUZZ_RUNS ?? 2000);
const settings = { seed, numRuns };
type Signal = 'profiles' | 'traces';

const attributes = [
  { key: 'service.name', value: { stringValue: 'shop' } },
  {
    keyStrindex: 3,
    value: { kvlistValue: { values: [{ key: 'böx', value: { doubleValue: 1.5 } }, { keyStrindex: 1 }] } },
  },
  {
    key: 'b',
    value: { arrayValue: { values: [{ intValue: '-1' }, { stringValueStrindex: 4 }, { boolValue: true }, {}] } },
  },
  { key: 'c', value: { bytesValue: Buffer.from([0, 255]) } },
];
const scope = { name: 'agent', version: '1', attributes };
const small = encoded('profiles', {
  resourceProfiles: [
    {
      resource: { attributes, droppedAttributesCount: 1, entityRefs: [{ type: 'host', idKeys: ['a'] }] },
      scopeProfiles: [
        {
          scope,
          profiles: [
            {
              sampleType: { typeStrindex: 1, unitStrindex: 2 },
              samples: [
                {
                  stackIndex: 1,
                  attributeIndices: [1, 2],
                  linkIndex: 1,
                  values: ['5', '-1'],
                  timestampsUnixNano: ['1', '2'],
                },
                { stackIndex: 2, timestampsUnixNano: ['7', '8'] },
              ],
              timeUnixNano: '1763042723039590702',
              durationNano: '5000000000',
              periodType: { typeStrindex: 2 },
              period: '-9223372036854775808',
              profileId: Buffer.alloc(16, 7),
              originalPayloadFormat: 'jfr',
              originalPayload: Buffer.from('JFR'),
              attributeIndices: [1],
            },
            { sampleType: { typeStrindex: 2 }, samples: [{ values: ['9223372036854775807'] }] },
          ],
        },
      ],
    },
    { schemaUrl: 'x' },
  ],
  dictionary: {
    mappingTable: [{}, { memoryStart: '18446744073709551615', filenameStrindex: 3, attributeIndices: [1] }],
    locationTable: [
      {},
      { mappingIndex: 1, address: '4096', lines: [{ functionIndex: 1, line: '3' }, {}], attributeIndices: [2] },
    ],
    functionTable: [{}, { nameStrindex: 3, systemNameStrindex: 4, filenameStrindex: 1, startLine: '1' }],
    linkTable: [{}, { traceId: Buffer.alloc(16, 1), spanId: Buffer.alloc(8, 2) }],
    stringTable: ['', 'cpu', 'count', 'main', 'böx'],
    attributeTable: [{}, { keyStrindex: 3, value: { stringValueStrindex: 1 } }, { keyStrindex: 4, unitStrindex: 2 }],
    stackTable: [{}, { locationIndices: [1, 1] }, { locationIndices: [1] }],
  },
});
const span = {
  traceId: Buffer.alloc(16, 1),
  spanId: Buffer.alloc(8, 1),
  parentSpanId: Buffer.alloc(8, 2),
  name: 'GET /',
  kind: 2,
  startTimeUnixNano: '1',
  attributes,
  events: [{ timeUnixNano: '5', name: 'e', attributes }],
  links: [{ traceId: Buffer.alloc(16, 3), spanId: Buffer.alloc(8, 4), flags: 1 }],
  status: { code: 2, message: 'no' },
  flags: 257,
};
const SOURCES: Record<Signal, readonly Buffer[]> = {
  profiles: [
    small,
    small,
    ...(noCorpus ? [] : [...CURRENT, 'ebpf-profile.v1_8.pb', 'ebpf-profile.v1_9.pb'].map(capture)),
    ...malformed('otlp')
      .filter(({ file }) => file.endsWith('.pb'))
      .map(one => one.bytes),
  ],
  traces: [
    encoded('traces', { resourceSpans: [{ resource: { attributes }, scopeSpans: [{ scope, spans: [span, span] }] }] }),
    ...recordings()
      .filter(one => one.parts[0]?.format === 'otlp-traces' && one.body.length < 8192)
      .map(({ body }) => (body[0] === 0x1f ? gunzipSync(body) : body)),
  ],
};

interface Row {
  readonly [name: string]: unknown;
}
/** Which table a field of this name refers to. */
const TABLES: Record<string, string> = {
  stackIndex: 'stackTable',
  attributeIndices: 'attributeTable',
  linkIndex: 'linkTable',
  locationIndices: 'locationTable',
  mappingIndex: 'mappingTable',
  functionIndex: 'functionTable',
};
const tableOf = (name: string) => TABLES[name] ?? (name.endsWith('Strindex') ? 'stringTable' : undefined);

/** Every row that anything in the tree names is there, and values fit timestamps; and the sum of all samples. */
function oracle(raw: Buffer): bigint {
  const request = tree('profiles', raw) as Row;
  const dictionary = (request.dictionary ?? {}) as Record<string, unknown[]>;
  let sum = 0n;
  const look = (node: unknown, message: string): void => {
    if (Array.isArray(node)) for (const one of node) look(one, message);
    else if (typeof node === 'object' && node !== null)
      for (const [name, value] of Object.entries(node)) {
        const table = tableOf(name);
        if (table === undefined) look(value, name);
        else
          for (const row of [value].flat() as number[])
            assert.ok(row === 0 || (row > 0 && row < (dictionary[table]?.length ?? 0)), `${name} ${row} in ${table}`);
        if (name !== 'samples') continue;
        for (const { values = [], timestampsUnixNano: stamps = [] } of value as Record<string, string[]>[]) {
          assert.ok(
            values.length + stamps.length > 0 && (values.length === stamps.length || !values.length || !stamps.length),
          );
          sum += values.length > 0 ? values.reduce((all, one) => all + BigInt(one), 0n) : BigInt(stamps.length);
        }
      }
  };
  look(request, '');
  return sum;
}

const sumOf = (raw: Uint8Array) =>
  examineOtlp(raw).parts.reduce((all, { summary }) => summary.types.reduce((sum, { total }) => sum + total, all), 0n);

/** JSON texts changed as text and as trees. */
function mutatedJson(signal: Signal): fc.Arbitrary<Buffer> {
  const texts = SOURCES[signal].flatMap(raw => {
    try {
      return [Buffer.concat(toJson(raw, signal)).toString()];
    } catch {
      return [];
    }
  });
  const pieces = [
    'null',
    '-0',
    '1e400',
    '1e20',
    '18446744073709551616',
    '9007199254740993',
    '"NaN"',
    '{}',
    '[',
    '"\\ud800"',
    '\ufeff',
    '0x1',
    '',
  ];
  const edit = fc.record({
    at: fc.nat(),
    kind: fc.constantFrom('cut', 'piece', 'value', 'byte', 'double', 'deep'),
    piece: fc.constantFrom(...pieces),
    size: fc.nat(700),
  });
  const change = (
    text: string,
    { at, kind, piece, size }: typeof edit extends fc.Arbitrary<infer T> ? T : never,
  ): string => {
    const from = at % (text.length + 1);
    switch (kind) {
      case 'cut':
        return text.slice(0, from) + (size % 3 === 0 ? '' : text.slice(from + (size % 20)));
      case 'piece':
        return text.slice(0, from) + piece + text.slice(from);
      case 'value': {
        // The next value behind a colon.
        const start = text.indexOf(':', from) + 1;
        const length = /^(?:"[^"]*"|[^,}\]]*)/.exec(text.slice(start, start + 300))?.[0].length ?? 0;
        return text.slice(0, start) + piece + text.slice(start + length);
      }
      case 'byte':
        return text.slice(0, from) + String.fromCharCode(size % 256) + text.slice(from + 1);
      case 'double': {
        const end = text.indexOf(',', from) + 1;
        return text.slice(0, end) + text.slice(Math.max(0, end - size), end) + text.slice(end);
      }
      default:
        return text.slice(0, from) + '[{"values":'.repeat(size % 400) + text.slice(from);
    }
  };
  return fc
    .record({ at: fc.nat(texts.length - 1), edits: fc.array(edit, { maxLength: 3 }) })
    .map(({ at, edits }) => Buffer.from(edits.reduce(change, texts[at]!)));
}

test(`what is examined is sound, and only classified errors come out (seed ${seed}, ${numRuns} runs each)`, async t => {
  t.diagnostic(`FUZZ_SEED=${seed} FUZZ_RUNS=${numRuns}`);
  await t.test('profiles', () => {
    const sound = holds(mutated(SOURCES.profiles), settings, raw => {
      const sum = sumOf(raw);
      assert.equal(sum, oracle(raw));
      const json = Buffer.concat(toJson(raw, 'profiles'));
      assert.equal(sumOf(fromJson(json, 'profiles')), sum);
    });
    assert.ok(sound > numRuns / 20, `${sound} were sound`);
  });
  await t.test('profiles of any age', () => {
    const sound = holds(mutated(SOURCES.profiles), settings, raw => {
      examineOtlp(relayout(raw, wireVersionOf(raw, 'auto'), '1.10'));
    });
    assert.ok(sound > numRuns / 20, `${sound} were sound`);
  });
  await t.test('traces', () => {
    const sound = holds(mutated(SOURCES.traces), settings, raw => {
      const { spans } = examineTraces(raw);
      assert.deepEqual(examineTraces(fromJson(Buffer.concat(toJson(raw, 'traces')), 'traces')), { spans });
      tree('traces', raw);
    });
    assert.ok(sound > numRuns / 20, `${sound} were sound`);
  });
  for (const signal of ['profiles', 'traces'] as const)
    await t.test(`JSON of ${signal}`, () => {
      const sound = holds(mutatedJson(signal), settings, text => {
        const raw = fromJson(text, signal);
        assert.ok(raw.length <= 5 * text.length, 'a byte of JSON is at most a fixed64 or a double');
        JSON.parse(text.toString());
        PROTO[signal].decode(raw);
        const json = Buffer.concat(toJson(raw, signal));
        assert.deepEqual(Buffer.concat(toJson(fromJson(json, signal), signal)), json);
      });
      assert.ok(sound > numRuns / 20, `${sound} were read to the end`);
    });
});

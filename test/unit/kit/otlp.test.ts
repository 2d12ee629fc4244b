// What proves the product must itself be right: the decoder against the facts of the corpus, and against rows in another order.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { corpusDir } from '../../kit/corpus.ts';
import { CURRENT, capture, noCorpus } from '../../kit/otlp.ts';
import { attributesOf, profilesIn, resolvedProfiles, sumOf } from '../../kit/otlp-resolved.ts';
import { decodeMessage, encodeMessage, statusBytes, statusFacts } from '../../kit/otlp-schema.ts';
import { bytes, number } from '../../kit/protobuf.ts';

interface Facts {
  readonly perProfile: readonly {
    resource: Record<string, string>;
    sampleType: object;
    samples: number;
    effectiveValueSum: string;
    timestamps: number;
    maxDepth: number;
    timeUnixNano: string;
  }[];
}

test('the decoder says of the corpus what its manifest says', { skip: noCorpus }, () => {
  const { files } = JSON.parse(readFileSync(resolve(corpusDir!, 'MANIFEST.json'), 'utf8')) as {
    files: { file: string; facts: Facts }[];
  };
  for (const name of CURRENT) {
    const { facts } = files.find(({ file }) => file === `otlp/${name}`)!;
    const profiles = profilesIn(capture(name));
    assert.deepEqual(
      profiles.map(one => ({
        resource: attributesOf(one.of.resource),
        sampleType: one.sampleType,
        samples: one.samples.length,
        effectiveValueSum: String(sumOf(one)),
        timestamps: one.samples.reduce((sum, { timestamps }) => sum + timestamps.length, 0),
        maxDepth: Math.max(...one.samples.map(({ stack }) => stack.length)),
        timeUnixNano: String(one.timeUnixNano),
      })),
      facts.perProfile.map(
        ({ resource, sampleType, samples, effectiveValueSum, timestamps, maxDepth, timeUnixNano }) => ({
          resource,
          sampleType,
          samples,
          effectiveValueSum,
          timestamps,
          maxDepth,
          timeUnixNano,
        }),
      ),
      name,
    );
  }
});

/** One sample on one frame; the names stand at rows that the order of the table says. */
function small(strings: readonly string[], extra: object = {}): Buffer {
  const row = (word: string) => strings.indexOf(word);
  return encodeMessage('ExportProfilesServiceRequest', {
    resourceProfiles: [
      {
        resource: { attributes: [{ keyStrindex: row('host'), value: { stringValueStrindex: row('main') } }] },
        scopeProfiles: [
          {
            profiles: [
              { sampleType: { typeStrindex: row('cpu') }, samples: [{ stackIndex: 1, values: [5], ...extra }] },
            ],
          },
        ],
      },
    ],
    dictionary: {
      mappingTable: [{}],
      locationTable: [{}, { lines: [{ functionIndex: 1, line: 7 }] }],
      functionTable: [{}, { nameStrindex: row('main') }],
      linkTable: [{}],
      stringTable: strings,
      attributeTable: [{}],
      stackTable: [{}, { locationIndices: [1] }],
    },
  });
}

test('the order of rows says nothing, a reference is its string, an index outside throws', () => {
  const one = small(['', 'cpu', 'main', 'host']);
  assert.deepEqual(resolvedProfiles(one), resolvedProfiles(small(['', 'host', 'main', 'cpu'])));
  assert.deepEqual(attributesOf(resolvedProfiles(one)[0]!.resource), { host: 'main' });
  assert.notDeepEqual(resolvedProfiles(one), resolvedProfiles(small(['', 'main', 'cpu', 'host'], { values: [6] })));
  assert.throws(
    () => resolvedProfiles(small(['', 'cpu', 'main', 'host'], { stackIndex: 2 })),
    /row 2 of 2 in stackTable/,
  );
  assert.throws(
    () => resolvedProfiles(small(['', 'cpu', 'main', 'host'], { attributeIndices: [9] })),
    /attributeTable/,
  );
});

test('an unknown field shows wherever it stands', () => {
  const unknown = bytes(99, [1, 2]);
  const plain = Buffer.from(bytes(1, bytes(2, bytes(2, bytes(2, number(4, 1))))));
  const dictionary = bytes(2, [...bytes(5, []), ...bytes(7, [])]);
  const marked = Buffer.from(bytes(1, bytes(2, bytes(2, bytes(2, [...number(4, 1), ...unknown])))));
  const [one, two] = [plain, marked].map(request =>
    resolvedProfiles(Buffer.concat([request, Buffer.from(dictionary)])),
  );
  assert.equal(one![0]!.scopes[0]!.profiles[0]!.samples[0]!.unknown, undefined);
  assert.deepEqual(two![0]!.scopes[0]!.profiles[0]!.samples[0]!.unknown, [Buffer.from(unknown).toString('hex')]);
});

test('exact 64-bit numbers, and statuses with their delay', () => {
  const value = (1n << 63n) - 1n;
  assert.equal(decodeMessage('AnyValue', encodeMessage('AnyValue', { intValue: value })).intValue, value);
  assert.equal(
    decodeMessage('AnyValue', Buffer.from(number(8, 0))).stringValueStrindex,
    0,
    'a reference to row 0 is there',
  );
  assert.deepEqual(statusFacts(statusBytes(8, 'full', 1500)), { code: 8, message: 'full', retryAfterMs: 1500 });
});

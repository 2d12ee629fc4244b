import { createHash } from 'node:crypto';
import { encodeMessage } from '../kit/otlp-schema.ts';

/** What a load overwrites with a number of its own, so that no two requests are the same batch. */
export const NUMBER = 'x=0000000000';

/** An OTLP request of about this many bytes, the same each time: one profile, names like real ones, stacks 20 deep. */
export function otlpOfSize(size: number): Buffer {
  let functions = Math.ceil(size / 100);
  for (;;) {
    const bytes = build(functions);
    if (Math.abs(bytes.length - size) < size * 0.02) return bytes;
    functions = Math.max(1, Math.round((functions * size) / bytes.length));
  }
}

function build(functions: number): Buffer {
  const names = Array.from({ length: functions }, (_, n) => {
    const word = createHash('sha1').update(String(n)).digest('hex');
    return `example.com/shop/${word.slice(0, 6)}.(*Server).${word.slice(6, 20)}`;
  });
  const rows = names.map((_, n) => n + 1);
  const attribute = (key: string, stringValue: string) => ({ key, value: { stringValue } });
  return encodeMessage('ExportProfilesServiceRequest', {
    resourceProfiles: [
      {
        resource: {
          attributes: [
            attribute('service.name', 'shop'),
            attribute('host.name', 'node-7'),
            attribute('container.id', createHash('sha256').update('c').digest('hex')),
            attribute('request', NUMBER),
          ],
        },
        scopeProfiles: [
          {
            scope: { name: 'bench' },
            profiles: [
              {
                sampleType: { typeStrindex: 1, unitStrindex: 2 },
                periodType: { typeStrindex: 1, unitStrindex: 2 },
                period: 10_000_000,
                timeUnixNano: 1795000000000000000n,
                durationNano: 10_000_000_000n,
                samples: rows.map(row => ({
                  stackIndex: row,
                  attributeIndices: [(row % 8) + 1],
                  values: [((row % 13) + 1) * 10_000_000],
                })),
              },
            ],
          },
        ],
      },
    ],
    dictionary: {
      mappingTable: [{}],
      linkTable: [{}],
      stringTable: ['', 'cpu', 'nanoseconds', 'thread.name', ...names],
      attributeTable: [
        {},
        ...Array.from({ length: 8 }, (_, n) => ({ keyStrindex: 3, value: { stringValue: `worker-${n}` } })),
      ],
      functionTable: [{}, ...rows.map(row => ({ nameStrindex: row + 3 }))],
      locationTable: [{}, ...rows.map(row => ({ lines: [{ functionIndex: row, line: row % 997 }] }))],
      stackTable: [
        {},
        ...rows.map(row => ({
          locationIndices: Array.from({ length: 20 }, (_, at) => ((row * 31 + at * at * 7) % functions) + 1),
        })),
      ],
    },
  });
}

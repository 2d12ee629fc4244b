// A profile as plain values with every reference resolved: what decoders that have nothing in common can be held against each other by.
import type { Columns, ValueTypeRows } from '../../src/model/columns/columns.ts';
import type { Ids } from '../../src/model/columns/ids.ts';

export interface PlainType {
  readonly type: string;
  readonly unit: string;
}
export interface PlainLabel {
  readonly key: string;
  readonly text: string;
  readonly number: bigint;
  readonly unit: string;
}
export interface PlainSample {
  readonly locations: readonly bigint[];
  readonly values: readonly bigint[];
  readonly labels: readonly PlainLabel[];
}
export interface PlainProfile {
  readonly sampleTypes: readonly PlainType[];
  readonly samples: readonly PlainSample[];
  readonly mappings: readonly {
    readonly id: bigint;
    readonly start: bigint;
    readonly limit: bigint;
    readonly offset: bigint;
    readonly file: string;
    readonly buildId: string;
    readonly flags: readonly boolean[];
  }[];
  readonly locations: readonly {
    readonly id: bigint;
    readonly mapping: bigint;
    readonly address: bigint;
    readonly folded: boolean;
    readonly lines: readonly { readonly function: bigint; readonly line: bigint; readonly column: bigint }[];
  }[];
  readonly functions: readonly {
    readonly id: bigint;
    readonly name: string;
    readonly systemName: string;
    readonly file: string;
    readonly startLine: bigint;
  }[];
  readonly strings: readonly string[];
  readonly dropFrames: string;
  readonly keepFrames: string;
  readonly timeNanos: bigint;
  readonly durationNanos: bigint;
  readonly periodType: PlainType | undefined;
  readonly period: bigint;
  readonly comments: readonly string[];
  readonly defaultSampleType: string;
  readonly docUrl: string;
}

const upTo = (count: number, from = 0) => Array.from({ length: count - from }, (_none, at) => from + at);
const unsigned = (value: bigint) => BigInt.asUintN(64, value);

/** What columns say. */
export function plainOf(columns: Columns): PlainProfile {
  const { strings, samples, labels, locations, functions, mappings } = columns;
  const text = (row: number | undefined) => strings.text(row!);
  const valueType = ({ type, unit }: ValueTypeRows) => ({ type: text(type), unit: text(unit) });
  const id = (ids: Ids, row: number) => (row === 0 ? 0n : (BigInt(ids.hi(row)) << 32n) | BigInt(ids.lo(row)));
  const chain = (sample: number) => {
    const rows: number[] = [];
    for (let label = samples.firstLabel[sample]!; label !== 0; label = labels.next[label]!) rows.push(label);
    return rows;
  };
  return {
    sampleTypes: columns.sampleTypes.map(valueType),
    samples: upTo(samples.count).map(row => ({
      locations: [...samples.stack.subarray(samples.stackStart[row], samples.stackEnd[row])].map(location =>
        id(locations.ids, location),
      ),
      values: [...samples.values.values.subarray(row * samples.width, (row + 1) * samples.width)],
      labels: chain(row).map(label => ({
        key: text(labels.key[label]),
        text: text(labels.text[label]),
        number: labels.number.at(label),
        unit: text(labels.unit[label]),
      })),
    })),
    mappings: upTo(mappings.count, 1).map(row => ({
      id: id(mappings.ids, row),
      start: unsigned(mappings.start.at(row)),
      limit: unsigned(mappings.limit.at(row)),
      offset: unsigned(mappings.offset.at(row)),
      file: text(mappings.file[row]),
      buildId: text(mappings.buildId[row]),
      flags: [1, 2, 4, 8].map(flag => (mappings.flags[row]! & flag) !== 0),
    })),
    locations: upTo(locations.count, 1).map(row => ({
      id: id(locations.ids, row),
      mapping: id(mappings.ids, locations.mapping[row]!),
      address: unsigned(locations.address.at(row)),
      folded: locations.folded[row] === 1,
      lines: upTo(locations.lineEnd[row]!, locations.lineStart[row]).map(line => ({
        function: id(functions.ids, locations.lines.function[line]!),
        line: locations.lines.line.at(line),
        column: locations.lines.column.at(line),
      })),
    })),
    functions: upTo(functions.count, 1).map(row => ({
      id: id(functions.ids, row),
      name: text(functions.name[row]),
      systemName: text(functions.systemName[row]),
      file: text(functions.file[row]),
      startLine: functions.startLine.at(row),
    })),
    strings: upTo(strings.count).map(text),
    dropFrames: text(columns.dropFrames),
    keepFrames: text(columns.keepFrames),
    timeNanos: columns.timeNanos,
    durationNanos: columns.durationNanos,
    periodType: columns.periodType && valueType(columns.periodType),
    period: columns.period,
    comments: upTo(columns.comments.length).map(at => text(columns.comments.items[at])),
    defaultSampleType: text(columns.defaultSampleType),
    docUrl: text(columns.docUrl),
  };
}

/** Exact sums per sample type. */
export function sumsOf({ sampleTypes, samples }: PlainProfile): bigint[] {
  return sampleTypes.map((_type, at) => samples.reduce((sum, { values }) => sum + values[at]!, 0n));
}

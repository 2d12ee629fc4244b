// Two decoders that share nothing with src: protobufjs, by reflection over the whole schema, and pprof-format.

import { Profile } from 'pprof-format';
import protobuf from 'protobufjs';
import type { PlainProfile } from './plain.ts';

const { root } = protobuf.parse(`syntax = "proto3";
message Profile {
  repeated ValueType sample_type = 1; repeated Sample sample = 2; repeated Mapping mapping = 3; repeated Location location = 4;
  repeated Function function = 5; repeated string string_table = 6; int64 drop_frames = 7; int64 keep_frames = 8; int64 time_nanos = 9;
  int64 duration_nanos = 10; ValueType period_type = 11; int64 period = 12; repeated int64 comment = 13; int64 default_sample_type = 14;
  int64 doc_url = 15; }
message ValueType { int64 type = 1; int64 unit = 2; }
message Sample { repeated uint64 location_id = 1; repeated int64 value = 2; repeated Label label = 3; }
message Label { int64 key = 1; int64 str = 2; int64 num = 3; int64 num_unit = 4; }
message Mapping { uint64 id = 1; uint64 memory_start = 2; uint64 memory_limit = 3; uint64 file_offset = 4; int64 filename = 5;
  int64 build_id = 6; bool has_functions = 7; bool has_filenames = 8; bool has_line_numbers = 9; bool has_inline_frames = 10; }
message Location { uint64 id = 1; uint64 mapping_id = 2; uint64 address = 3; repeated Line line = 4; bool is_folded = 5; }
message Line { uint64 function_id = 1; int64 line = 2; int64 column = 3; }
message Function { uint64 id = 1; int64 name = 2; int64 system_name = 3; int64 filename = 4; int64 start_line = 5; }`);

/** The whole of profile.proto, by reflection. */
export const profileProto = root.lookupType('Profile');

type Number64 = number | bigint | { toString(): string };
interface Decoded {
  readonly sampleType: readonly { type: Number64; unit: Number64 }[];
  readonly sample: readonly {
    locationId: readonly Number64[];
    value: readonly Number64[];
    label: readonly { key: Number64; str: Number64; num: Number64; numUnit: Number64 }[];
  }[];
  readonly mapping: readonly {
    id: Number64;
    memoryStart: Number64;
    memoryLimit: Number64;
    fileOffset: Number64;
    filename: Number64;
    buildId: Number64;
    hasFunctions: boolean;
    hasFilenames: boolean;
    hasLineNumbers: boolean;
    hasInlineFrames: boolean;
  }[];
  readonly location: readonly {
    id: Number64;
    mappingId: Number64;
    address: Number64;
    line: readonly { functionId: Number64; line: Number64; column: Number64 }[];
    isFolded: boolean;
  }[];
  readonly function: readonly {
    id: Number64;
    name: Number64;
    systemName: Number64;
    filename: Number64;
    startLine: Number64;
  }[];
  readonly stringTable: readonly string[];
  readonly dropFrames: Number64;
  readonly keepFrames: Number64;
  readonly timeNanos: Number64;
  readonly durationNanos: Number64;
  readonly periodType?: { type: Number64; unit: Number64 } | null;
  readonly period: Number64;
  readonly comment: readonly Number64[];
  readonly defaultSampleType: Number64;
  readonly docUrl?: Number64;
}

export function byProtobufjs(raw: Uint8Array): PlainProfile {
  const decoded = profileProto.decode(raw) as unknown as Decoded;
  return plain(decoded, decoded.stringTable);
}

/** pprof-format does not know `doc_url`. */
export function byPprofFormat(raw: Uint8Array): PlainProfile {
  const decoded = Profile.decode(raw);
  return plain(decoded as unknown as Decoded, decoded.stringTable.strings);
}

function plain(decoded: Decoded, strings: readonly string[]): PlainProfile {
  const text = (row: Number64) => strings[Number(row.toString())]!;
  const int = (value: Number64) => BigInt.asIntN(64, BigInt(value.toString()));
  const uint = (value: Number64) => BigInt.asUintN(64, BigInt(value.toString()));
  const valueType = ({ type, unit }: { type: Number64; unit: Number64 }) => ({ type: text(type), unit: text(unit) });
  return {
    sampleTypes: decoded.sampleType.map(valueType),
    samples: decoded.sample.map(sample => ({
      locations: sample.locationId.map(uint),
      values: sample.value.map(int),
      labels: sample.label.map(({ key, str, num, numUnit }) => ({
        key: text(key),
        text: text(str),
        number: int(num),
        unit: text(numUnit),
      })),
    })),
    mappings: decoded.mapping.map(mapping => ({
      id: uint(mapping.id),
      start: uint(mapping.memoryStart),
      limit: uint(mapping.memoryLimit),
      offset: uint(mapping.fileOffset),
      file: text(mapping.filename),
      buildId: text(mapping.buildId),
      flags: [mapping.hasFunctions, mapping.hasFilenames, mapping.hasLineNumbers, mapping.hasInlineFrames],
    })),
    locations: decoded.location.map(location => ({
      id: uint(location.id),
      mapping: uint(location.mappingId),
      address: uint(location.address),
      folded: location.isFolded,
      lines: location.line.map(line => ({
        function: uint(line.functionId),
        line: int(line.line),
        column: int(line.column),
      })),
    })),
    functions: decoded.function.map(fn => ({
      id: uint(fn.id),
      name: text(fn.name),
      systemName: text(fn.systemName),
      file: text(fn.filename),
      startLine: int(fn.startLine),
    })),
    strings,
    dropFrames: text(decoded.dropFrames),
    keepFrames: text(decoded.keepFrames),
    timeNanos: int(decoded.timeNanos),
    durationNanos: int(decoded.durationNanos),
    periodType: decoded.periodType ? valueType(decoded.periodType) : undefined,
    period: int(decoded.period),
    comments: decoded.comment.map(text),
    defaultSampleType: text(decoded.defaultSampleType),
    docUrl: text(decoded.docUrl ?? 0),
  };
}

// What a pprof says, by an independent decoder: protobufjs with the schema below, nothing of src.
import { gunzipSync } from 'node:zlib';
import protobuf from 'protobufjs';

const { root } = protobuf.parse(`syntax = "proto3";
message Profile { repeated ValueType sample_type = 1; repeated Sample sample = 2; repeated Mapping mapping = 3; repeated Location location = 4;
  repeated Function function = 5; repeated string string_table = 6; int64 time_nanos = 9; int64 duration_nanos = 10; ValueType period_type = 11; int64 period = 12; }
message ValueType { int64 type = 1; int64 unit = 2; }
message Sample { repeated uint64 location_id = 1; repeated int64 value = 2; repeated Label label = 3; }
message Label { int64 key = 1; int64 str = 2; int64 num = 3; int64 num_unit = 4; }
message Mapping { uint64 id = 1; }
message Location { uint64 id = 1; uint64 mapping_id = 2; uint64 address = 3; repeated Line line = 4; }
message Line { uint64 function_id = 1; int64 line = 2; }
message Function { uint64 id = 1; int64 name = 2; }
message PushRequest { repeated RawProfileSeries series = 1; }
message RawProfileSeries { repeated LabelPair labels = 1; repeated RawSample samples = 2; }
message LabelPair { string name = 1; string value = 2; }
message RawSample { bytes raw_profile = 1; string ID = 2; }`);

interface Decoded {
  sampleType: { type: unknown; unit: unknown }[];
  sample: { value: unknown[]; label: { key: unknown; str: unknown }[] }[];
  function: { name: unknown }[];
  location: unknown[];
  stringTable: string[];
  timeNanos: unknown;
}

export interface Facts {
  readonly sampleTypes: { type: string; unit: string }[];
  readonly sums: string[];
  readonly sampleCount: number;
  readonly functions: string[];
}

function decoded(bytes: Uint8Array): Decoded {
  const raw = bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : Buffer.from(bytes);
  return root.lookupType('Profile').decode(raw) as unknown as Decoded;
}

/** Texts of a label, of each sample that has it. */
export function labelTexts(bytes: Uint8Array, key: string): string[] {
  const { sample, stringTable } = decoded(bytes);
  const text = (index: unknown) => stringTable[Number(String(index))] ?? '';
  return sample.flatMap(({ label }) => label.filter(one => text(one.key) === key).map(({ str }) => text(str)));
}

/** Sample types, exact sums per type, counts. Gzip is undone. */
export function factsOf(bytes: Uint8Array): Facts {
  const profile = decoded(bytes);
  const text = (index: unknown) => profile.stringTable[Number(String(index))] ?? '';
  return {
    sampleTypes: profile.sampleType.map(({ type, unit }) => ({ type: text(type), unit: text(unit) })),
    sums: profile.sampleType.map((_type, at) =>
      String(profile.sample.reduce((sum, { value }) => sum + BigInt(String(value[at])), 0n)),
    ),
    sampleCount: profile.sample.length,
    functions: profile.function.map(({ name }) => text(name)),
  };
}

export interface Pushed {
  readonly labels: Map<string, string>;
  readonly rawProfile: Buffer;
}

/** Series of a push.v1 PushRequest, one entry per sample. */
export function pushed(body: Uint8Array): Pushed[] {
  const request = root.lookupType('PushRequest').decode(body) as unknown as {
    series: { labels: { name: string; value: string }[]; samples: { rawProfile: Uint8Array }[] }[];
  };
  return request.series.flatMap(({ labels, samples }) =>
    samples.map(({ rawProfile }) => ({
      labels: new Map(labels.map(({ name, value }) => [name, value])),
      rawProfile: Buffer.from(rawProfile),
    })),
  );
}

/** A PushRequest with one sample, as bytes. */
export function pushRequest(labels: Record<string, string>, rawProfile: Uint8Array): Buffer {
  const type = root.lookupType('PushRequest');
  const pairs = Object.entries(labels).map(([name, value]) => ({ name, value }));
  return Buffer.from(
    type.encode(type.fromObject({ series: [{ labels: pairs, samples: [{ rawProfile, ID: 'id' }] }] })).finish(),
  );
}

/** A small sound pprof whose first value is `value`, for load whose parts can be told apart. */
export function numbered(value: number): Buffer {
  const type = root.lookupType('Profile');
  const profile = {
    stringTable: ['', 'samples', 'count', 'main'],
    sampleType: [{ type: 1, unit: 2 }],
    sample: [{ locationId: [1], value: [value] }],
    location: [{ id: 1, line: [{ functionId: 1, line: 1 }] }],
    function: [{ id: 1, name: 3 }],
    timeNanos: String(BigInt(Date.now()) * 1_000_000n),
  };
  return Buffer.from(type.encode(type.fromObject(profile)).finish());
}

// What an OTLP request says, by an independent decoder (protobufjs with the schema below, nothing of src), every reference resolved.
import protobuf from 'protobufjs';

const { root } = protobuf.parse(`syntax = "proto3";
message Request { repeated ResourceProfiles resource_profiles = 1; Dictionary dictionary = 2; }
message Dictionary { repeated Mapping mapping_table = 1; repeated Location location_table = 2; repeated Function function_table = 3;
  repeated Link link_table = 4; repeated string string_table = 5; repeated KeyValueAndUnit attribute_table = 6; repeated Stack stack_table = 7; }
message ResourceProfiles { Resource resource = 1; repeated ScopeProfiles scope_profiles = 2; string schema_url = 3; }
message Resource { repeated KeyValue attributes = 1; uint32 dropped_attributes_count = 2; }
message ScopeProfiles { Scope scope = 1; repeated Profile profiles = 2; string schema_url = 3; }
message Scope { string name = 1; string version = 2; repeated KeyValue attributes = 3; uint32 dropped_attributes_count = 4; }
message Profile { ValueType sample_type = 1; repeated Sample samples = 2; fixed64 time_unix_nano = 3; uint64 duration_nano = 4;
  ValueType period_type = 5; int64 period = 6; bytes profile_id = 7; uint32 dropped_attributes_count = 8;
  string original_payload_format = 9; bytes original_payload = 10; repeated int32 attribute_indices = 11; }
message Sample { int32 stack_index = 1; repeated int32 attribute_indices = 2; int32 link_index = 3; repeated int64 values = 4;
  repeated fixed64 timestamps_unix_nano = 5; }
message Stack { repeated int32 location_indices = 1; }
message Location { int32 mapping_index = 1; uint64 address = 2; repeated Line lines = 3; repeated int32 attribute_indices = 4; }
message Line { int32 function_index = 1; int64 line = 2; int64 column = 3; }
message Function { int32 name_strindex = 1; int32 system_name_strindex = 2; int32 filename_strindex = 3; int64 start_line = 4; }
message Mapping { uint64 memory_start = 1; uint64 memory_limit = 2; uint64 file_offset = 3; int32 filename_strindex = 4; repeated int32 attribute_indices = 5; }
message Link { bytes trace_id = 1; bytes span_id = 2; }
message ValueType { int32 type_strindex = 1; int32 unit_strindex = 2; }
message KeyValueAndUnit { int32 key_strindex = 1; AnyValue value = 2; int32 unit_strindex = 3; }
message KeyValue { string key = 1; AnyValue value = 2; int32 key_strindex = 3; }
message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; ArrayValue array_value = 5;
  KeyValueList kvlist_value = 6; bytes bytes_value = 7; int32 string_value_strindex = 8; } }
message ArrayValue { repeated AnyValue values = 1; }
message KeyValueList { repeated KeyValue values = 1; }`);

/** ExportProfilesServiceRequest of OTLP 1.10, by reflection. */
export const requestProto = root.lookupType('Request');

// biome-ignore lint/suspicious/noExplicitAny: messages by reflection
type Message = any;

const DICTIONARY = ['mapping', 'location', 'function', 'link', 'string', 'attribute', 'stack'] as const;

export interface OtlpTree {
  /** By resource; profiles of a scope and samples of a profile sorted by what they say. */
  readonly resources: readonly unknown[];
  /** Rows that nothing leads to, but row 0, and rows that stand twice: `string 3`. */
  readonly orphans: readonly string[];
  readonly duplicates: readonly string[];
}

const text = (value: unknown): string => String(value ?? 0);
const hex = (value: Uint8Array | undefined): string => Buffer.from(value ?? []).toString('hex');

/** The whole request as plain values without row numbers. */
export function treeOf(request: Uint8Array): OtlpTree {
  const decoded: Message = requestProto.decode(request);
  const dictionary: Message = decoded.dictionary ?? {};
  const tables: Record<string, Message[]> = {};
  for (const name of DICTIONARY) tables[name] = dictionary[`${name}Table`] ?? [];
  const named = new Set<string>();
  const row = (table: (typeof DICTIONARY)[number], index: number): Message => {
    named.add(`${table} ${index ?? 0}`);
    const found = tables[table]![index ?? 0];
    if (found === undefined && index) throw new Error(`${table} ${index} does not exist`);
    return found;
  };
  const string = (index: number): string => row('string', index) ?? '';
  const value = (any: Message): unknown => {
    if (!any?.value) return null;
    switch (any.value) {
      case 'stringValue':
        return any.stringValue;
      case 'stringValueStrindex':
        return string(any.stringValueStrindex);
      case 'boolValue':
        return any.boolValue;
      case 'intValue':
        return { int: text(any.intValue) };
      case 'doubleValue':
        return { double: String(any.doubleValue) };
      case 'bytesValue':
        return { bytes: hex(any.bytesValue) };
      case 'arrayValue':
        return any.arrayValue.values.map(value);
      default:
        return { kvlist: any.kvlistValue.values.map(pair) };
    }
  };
  const pair = ({ key, keyStrindex, value: one }: Message): unknown => [
    keyStrindex ? string(keyStrindex) : key,
    value(one),
  ];
  const attributes = (indices: number[] | undefined): string[] =>
    (indices ?? [])
      .filter(index => index !== 0)
      .map(index => {
        const { keyStrindex, value: one, unitStrindex } = row('attribute', index);
        return JSON.stringify([string(keyStrindex), value(one), string(unitStrindex)]);
      })
      .sort();
  const fn = (index: number): unknown => {
    const found = row('function', index) ?? {};
    return [
      string(found.nameStrindex),
      string(found.systemNameStrindex),
      string(found.filenameStrindex),
      text(found.startLine),
    ];
  };
  const mapping = (index: number): unknown => {
    const found = row('mapping', index) ?? {};
    const { memoryStart, memoryLimit, fileOffset, filenameStrindex } = found;
    return [
      text(memoryStart),
      text(memoryLimit),
      text(fileOffset),
      string(filenameStrindex),
      attributes(found.attributeIndices),
    ];
  };
  const location = (index: number): unknown => {
    const found = row('location', index) ?? {};
    const lines = (found.lines ?? []).map(({ functionIndex, line, column }: Message) => [
      fn(functionIndex),
      text(line),
      text(column),
    ]);
    return [mapping(found.mappingIndex), text(found.address), lines, attributes(found.attributeIndices)];
  };
  const link = (index: number): unknown => {
    const found = row('link', index);
    // Zeros are no link, whichever row they stand in.
    if (!index || ![...(found.traceId ?? []), ...(found.spanId ?? [])].some(byte => byte !== 0)) return null;
    return [hex(found.traceId).padEnd(32, '0'), hex(found.spanId).padEnd(16, '0')];
  };
  const sample = (found: Message): string =>
    JSON.stringify({
      stack: (row('stack', found.stackIndex)?.locationIndices ?? []).map(location),
      attributes: attributes(found.attributeIndices),
      link: link(found.linkIndex),
      values: found.values.map(text),
      times: found.timestampsUnixNano.map(text),
    });
  const type = (found: Message): unknown => [string(found?.typeStrindex), string(found?.unitStrindex)];
  const profile = (found: Message): unknown => ({
    type: type(found.sampleType),
    time: text(found.timeUnixNano),
    duration: text(found.durationNano),
    periodType: found.periodType ? type(found.periodType) : null,
    period: text(found.period),
    id: hex(found.profileId),
    dropped: found.droppedAttributesCount,
    format: found.originalPayloadFormat,
    payload: hex(found.originalPayload),
    attributes: attributes(found.attributeIndices),
    samples: found.samples.map(sample).sort(),
  });
  const resources = decoded.resourceProfiles.map((found: Message) => ({
    attributes: (found.resource?.attributes ?? []).map(pair),
    dropped: found.resource?.droppedAttributesCount ?? 0,
    schemaUrl: found.schemaUrl,
    scopes: found.scopeProfiles.map((scope: Message) => ({
      name: scope.scope?.name ?? '',
      version: scope.scope?.version ?? '',
      attributes: (scope.scope?.attributes ?? []).map(pair),
      dropped: scope.scope?.droppedAttributesCount ?? 0,
      schemaUrl: scope.schemaUrl,
      profiles: scope.profiles
        .map((one: Message) => JSON.stringify(profile(one)))
        .sort()
        .map((one: string) => JSON.parse(one)),
    })),
  }));
  const all = DICTIONARY.flatMap(name => tables[name]!.map((_one, at) => `${name} ${at}`));
  const duplicates = DICTIONARY.flatMap(name => {
    const seen = new Set<string>();
    return tables[name]!.flatMap((one, at) => {
      const key = typeof one === 'string' ? one : JSON.stringify(one);
      if (seen.has(key)) return [`${name} ${at}`];
      seen.add(key);
      return [];
    });
  });
  return { resources, orphans: all.filter(one => !named.has(one) && !one.endsWith(' 0')), duplicates };
}

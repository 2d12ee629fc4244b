// OTLP read by an independent decoder: protobufjs with the schema below, written from the field tables of the
// specification (proto 1.10 and 1.11), nothing of src. Unknown fields are kept and shown.
import protobuf from 'protobufjs';

const { root } = protobuf.parse(`syntax = "proto3";
message ExportProfilesServiceRequest { repeated ResourceProfiles resource_profiles = 1; ProfilesDictionary dictionary = 2; }
message ExportProfilesServiceResponse { ExportProfilesPartialSuccess partial_success = 1; }
message ExportProfilesPartialSuccess { int64 rejected_profiles = 1; string error_message = 2; }
message ProfilesDictionary { repeated Mapping mapping_table = 1; repeated Location location_table = 2; repeated Function function_table = 3;
  repeated Link link_table = 4; repeated string string_table = 5; repeated KeyValueAndUnit attribute_table = 6; repeated Stack stack_table = 7; }
message ResourceProfiles { Resource resource = 1; repeated ScopeProfiles scope_profiles = 2; string schema_url = 3; }
message ScopeProfiles { InstrumentationScope scope = 1; repeated Profile profiles = 2; string schema_url = 3; }
message Profile { ValueType sample_type = 1; repeated Sample samples = 2; fixed64 time_unix_nano = 3; uint64 duration_nano = 4;
  ValueType period_type = 5; int64 period = 6; bytes profile_id = 7; uint32 dropped_attributes_count = 8;
  string original_payload_format = 9; bytes original_payload = 10; repeated int32 attribute_indices = 11; }
message Sample { int32 stack_index = 1; repeated int32 attribute_indices = 2; int32 link_index = 3; repeated int64 values = 4;
  repeated fixed64 timestamps_unix_nano = 5; }
message Stack { repeated int32 location_indices = 1; }
message Location { int32 mapping_index = 1; uint64 address = 2; repeated Line lines = 3; repeated int32 attribute_indices = 4; }
message Line { int32 function_index = 1; int64 line = 2; int64 column = 3; }
message Function { int32 name_strindex = 1; int32 system_name_strindex = 2; int32 filename_strindex = 3; int64 start_line = 4; }
message Mapping { uint64 memory_start = 1; uint64 memory_limit = 2; uint64 file_offset = 3; int32 filename_strindex = 4;
  repeated int32 attribute_indices = 5; }
message Link { bytes trace_id = 1; bytes span_id = 2; }
message ValueType { int32 type_strindex = 1; int32 unit_strindex = 2; }
message KeyValueAndUnit { int32 key_strindex = 1; AnyValue value = 2; int32 unit_strindex = 3; }

message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4;
  ArrayValue array_value = 5; KeyValueList kvlist_value = 6; bytes bytes_value = 7; int32 string_value_strindex = 8; } }
message ArrayValue { repeated AnyValue values = 1; }
message KeyValueList { repeated KeyValue values = 1; }
message KeyValue { string key = 1; AnyValue value = 2; int32 key_strindex = 3; }
message InstrumentationScope { string name = 1; string version = 2; repeated KeyValue attributes = 3; uint32 dropped_attributes_count = 4; }
message EntityRef { string schema_url = 1; string type = 2; repeated string id_keys = 3; repeated string description_keys = 4; }
message Resource { repeated KeyValue attributes = 1; uint32 dropped_attributes_count = 2; repeated EntityRef entity_refs = 3; }

message ExportTraceServiceRequest { repeated ResourceSpans resource_spans = 1; }
message ExportTraceServiceResponse { ExportTracePartialSuccess partial_success = 1; }
message ExportTracePartialSuccess { int64 rejected_spans = 1; string error_message = 2; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; string schema_url = 3; }
message ScopeSpans { InstrumentationScope scope = 1; repeated Span spans = 2; string schema_url = 3; }
message Span { bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; string name = 5; int32 kind = 6;
  fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9; uint32 dropped_attributes_count = 10;
  repeated SpanEvent events = 11; uint32 dropped_events_count = 12; repeated SpanLink links = 13; uint32 dropped_links_count = 14;
  SpanStatus status = 15; fixed32 flags = 16; }
message SpanEvent { fixed64 time_unix_nano = 1; string name = 2; repeated KeyValue attributes = 3; uint32 dropped_attributes_count = 4; }
message SpanLink { bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; repeated KeyValue attributes = 4;
  uint32 dropped_attributes_count = 5; fixed32 flags = 6; }
message SpanStatus { string message = 2; int32 code = 3; }

message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
message Any { string type_url = 1; bytes value = 2; }
message RetryInfo { Duration retry_delay = 1; }
message Duration { int64 seconds = 1; int32 nanos = 2; }
message BadRequest { repeated FieldViolation field_violations = 1; }
message FieldViolation { string field = 1; string description = 2; }`);
root.resolveAll();

/** A message as plain values: int64 as bigint, bytes as hex; a single field that is not on the wire is absent; `unknown` has raw fields in hex. */
export interface Plain {
  // biome-ignore lint/suspicious/noExplicitAny: by reflection over a whole schema; those who read it name its fields
  readonly [field: string]: any;
  readonly unknown?: readonly string[];
}

const LONGS = new Set(['int64', 'uint64', 'fixed64']);

export function decodeMessage(type: string, bytes: Uint8Array): Plain {
  const found = root.lookupType(type);
  const reader = protobuf.Reader.create(bytes);
  reader.discardUnknown = false;
  return plainOf(found, found.decode(reader));
}

/** Bytes of a message given in protobufjs' way: names in camelCase, 64-bit integers as bigint, number or string. */
export function encodeMessage(type: string, fields: object): Buffer {
  const found = root.lookupType(type);
  return Buffer.from(found.encode(found.fromObject(fields as Record<string, unknown>)).finish());
}

function plainOf(type: protobuf.Type, message: object): Plain {
  const values = message as Record<string, unknown> & { $unknowns?: Uint8Array[] };
  const plain: Record<string, unknown> = {};
  for (const field of type.fieldsArray) {
    const value = values[field.name];
    if (field.repeated) plain[field.name] = (value as unknown[]).map(one => scalarOf(field, one));
    else if (Object.hasOwn(values, field.name) && value != null) plain[field.name] = scalarOf(field, value);
  }
  if (values.$unknowns?.length) plain.unknown = values.$unknowns.map(raw => Buffer.from(raw).toString('hex')).sort();
  return plain;
}

function scalarOf(field: protobuf.Field, value: unknown): unknown {
  if (field.resolvedType instanceof protobuf.Type) return plainOf(field.resolvedType, value as object);
  if (field.type === 'bytes') return Buffer.from(value as Uint8Array).toString('hex');
  return LONGS.has(field.type) ? BigInt(String(value)) : value;
}

/** google.rpc.Status with the details that OTLP speaks of. */
export interface StatusFacts {
  readonly code: number;
  readonly message: string;
  readonly retryAfterMs?: number;
  readonly badRequest?: readonly string[];
}

export function statusFacts(bytes: Uint8Array): StatusFacts {
  const { code = 0, message = '', details } = decodeMessage('Status', bytes);
  const facts: { -readonly [K in keyof StatusFacts]: StatusFacts[K] } = { code, message };
  for (const { typeUrl, value } of details as { typeUrl: string; value: string }[]) {
    const inner = Buffer.from(value, 'hex');
    if (typeUrl === 'type.googleapis.com/google.rpc.RetryInfo') {
      const { seconds = 0n, nanos = 0 } = decodeMessage('RetryInfo', inner).retryDelay ?? {};
      facts.retryAfterMs = Number(seconds) * 1000 + nanos / 1e6;
    } else if (typeUrl === 'type.googleapis.com/google.rpc.BadRequest')
      facts.badRequest = decodeMessage('BadRequest', inner).fieldViolations.map((one: Plain) => one.description);
    else throw new Error(`status: a detail of type ${typeUrl}`);
  }
  return facts;
}

/** google.rpc.Status, as a server would write it. */
export function statusBytes(code: number, message: string, retryAfterMs?: number): Buffer {
  const details =
    retryAfterMs === undefined
      ? []
      : [
          {
            typeUrl: 'type.googleapis.com/google.rpc.RetryInfo',
            value: encodeMessage('RetryInfo', {
              retryDelay: { seconds: Math.floor(retryAfterMs / 1000), nanos: (retryAfterMs % 1000) * 1e6 },
            }),
          },
        ];
  return encodeMessage('Status', { code, message, details });
}

/** A request of profiles by reflection, for those who measure. */
export const requestByProtobufjs = root.lookupType('ExportProfilesServiceRequest');

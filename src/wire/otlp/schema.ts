import { BYTES, VARINT } from '../protobuf.ts';
import { DICTIONARY } from './fields.ts';

/** How a field is written: on the wire by protobuf's rules, in JSON by OTLP's (OTLP specification, "JSON Protobuf Encoding"). */
export const TYPE = {
  string: 0,
  bytes: 1,
  /** Bytes of a set length; hex in JSON. */
  id: 2,
  bool: 3,
  /** Also an enum, which OTLP's JSON writes as a number. */
  int32: 4,
  uint32: 5,
  int64: 6,
  uint64: 7,
  fixed64: 8,
  fixed32: 9,
  double: 10,
  message: 11,
} as const;
export type Type = (typeof TYPE)[keyof typeof TYPE];

export interface Field {
  readonly number: number;
  /** As in the .proto file. */
  readonly name: string;
  readonly json: string;
  readonly type: Type;
  readonly repeated: boolean;
  /** Number of the table in ProfilesDictionary that the value is a row of; 0 where it is none. */
  readonly table: number;
  /** Bytes of an id, where it is not empty. */
  readonly size: number;
  /** Of a field of type message. */
  readonly message: Message | undefined;
}

export interface Message {
  readonly name: string;
  readonly fields: readonly Field[];
  readonly byNumber: readonly (Field | undefined)[];
  /** By tags of one byte, those fields that a varint follows: numbers, lists of rows, and what has its length in front; no references. */
  readonly byTag: readonly (Field | undefined)[];
  /** By the names that JSON may use: lowerCamelCase, snake_case, and those of 1.8. */
  readonly byName: ReadonlyMap<string, Field>;
  /** Whether all fields are one oneof, of which the last on the wire counts and a zero value is a value. */
  readonly oneof: boolean;
}

type Scalar = Exclude<keyof typeof TYPE, 'id' | 'message'> | 'id8' | 'id16' | `row of ${keyof typeof DICTIONARY}`;
type Kind = Scalar | keyof typeof MESSAGES;

// Field number, name and kind; `[]` is repeated. opentelemetry-proto 1.10: common, resource, profiles and trace; 1.11 is the same.
const MESSAGES = {
  ProfilesRequest: ['1 resource_profiles ResourceProfiles[]', '2 dictionary ProfilesDictionary'],
  ProfilesDictionary: [
    '1 mapping_table Mapping[]',
    '2 location_table Location[]',
    '3 function_table Function[]',
    '4 link_table Link[]',
    '5 string_table string[]',
    '6 attribute_table KeyValueAndUnit[]',
    '7 stack_table Stack[]',
  ],
  ResourceProfiles: ['1 resource Resource', '2 scope_profiles ScopeProfiles[]', '3 schema_url string'],
  ScopeProfiles: ['1 scope InstrumentationScope', '2 profiles Profile[]', '3 schema_url string'],
  Profile: [
    '1 sample_type ValueType',
    '2 samples Sample[]',
    '3 time_unix_nano fixed64',
    '4 duration_nano uint64',
    '5 period_type ValueType',
    '6 period int64',
    '7 profile_id id16',
    '8 dropped_attributes_count uint32',
    '9 original_payload_format string',
    '10 original_payload bytes',
    '11 attribute_indices row of attributeTable[]',
  ],
  Sample: [
    '1 stack_index row of stackTable',
    '2 attribute_indices row of attributeTable[]',
    '3 link_index row of linkTable',
    '4 values int64[]',
    '5 timestamps_unix_nano fixed64[]',
  ],
  Stack: ['1 location_indices row of locationTable[]'],
  Location: [
    '1 mapping_index row of mappingTable',
    '2 address uint64',
    '3 lines Line[]',
    '4 attribute_indices row of attributeTable[]',
  ],
  Line: ['1 function_index row of functionTable', '2 line int64', '3 column int64'],
  Function: [
    '1 name_strindex row of stringTable',
    '2 system_name_strindex row of stringTable',
    '3 filename_strindex row of stringTable',
    '4 start_line int64',
  ],
  Mapping: [
    '1 memory_start uint64',
    '2 memory_limit uint64',
    '3 file_offset uint64',
    '4 filename_strindex row of stringTable',
    '5 attribute_indices row of attributeTable[]',
  ],
  Link: ['1 trace_id id16', '2 span_id id8'],
  ValueType: ['1 type_strindex row of stringTable', '2 unit_strindex row of stringTable'],
  KeyValueAndUnit: ['1 key_strindex row of stringTable', '2 value AnyValue', '3 unit_strindex row of stringTable'],
  Resource: ['1 attributes KeyValue[]', '2 dropped_attributes_count uint32', '3 entity_refs EntityRef[]'],
  EntityRef: ['1 schema_url string', '2 type string', '3 id_keys string[]', '4 description_keys string[]'],
  InstrumentationScope: [
    '1 name string',
    '2 version string',
    '3 attributes KeyValue[]',
    '4 dropped_attributes_count uint32',
  ],
  KeyValue: ['1 key string', '2 value AnyValue', '3 key_strindex row of stringTable'],
  AnyValue: [
    '1 string_value string',
    '2 bool_value bool',
    '3 int_value int64',
    '4 double_value double',
    '5 array_value ArrayValue',
    '6 kvlist_value KeyValueList',
    '7 bytes_value bytes',
    '8 string_value_strindex row of stringTable',
  ],
  ArrayValue: ['1 values AnyValue[]'],
  KeyValueList: ['1 values KeyValue[]'],
  TracesRequest: ['1 resource_spans ResourceSpans[]'],
  ResourceSpans: ['1 resource Resource', '2 scope_spans ScopeSpans[]', '3 schema_url string'],
  ScopeSpans: ['1 scope InstrumentationScope', '2 spans Span[]', '3 schema_url string'],
  Span: [
    '1 trace_id id16',
    '2 span_id id8',
    '3 trace_state string',
    '4 parent_span_id id8',
    '5 name string',
    '6 kind int32',
    '7 start_time_unix_nano fixed64',
    '8 end_time_unix_nano fixed64',
    '9 attributes KeyValue[]',
    '10 dropped_attributes_count uint32',
    '11 events SpanEvent[]',
    '12 dropped_events_count uint32',
    '13 links SpanLink[]',
    '14 dropped_links_count uint32',
    '15 status Status',
    '16 flags fixed32',
  ],
  SpanEvent: [
    '1 time_unix_nano fixed64',
    '2 name string',
    '3 attributes KeyValue[]',
    '4 dropped_attributes_count uint32',
  ],
  SpanLink: [
    '1 trace_id id16',
    '2 span_id id8',
    '3 trace_state string',
    '4 attributes KeyValue[]',
    '5 dropped_attributes_count uint32',
    '6 flags fixed32',
  ],
  Status: ['2 message string', '3 code int32'],
} as const satisfies Record<string, readonly `${number} ${string} ${string}`[]>;

/** What JSON of 1.8 calls the fields that 1.9 renamed. */
const NAMES_OF_1_8: Readonly<Record<string, string>> = { 'Profile.samples': 'sample', 'Location.lines': 'line' };

interface Growing extends Message {
  readonly fields: Field[];
  readonly byNumber: (Field | undefined)[];
  readonly byTag: (Field | undefined)[];
  readonly byName: Map<string, Field>;
}

const messages = new Map<string, Growing>(
  Object.keys(MESSAGES).map(name => [
    name,
    {
      name,
      fields: [],
      byNumber: [undefined],
      byTag: Array.from({ length: 256 }, () => undefined),
      byName: new Map(),
      oneof: name === 'AnyValue',
    },
  ]),
);

for (const [name, definitions] of Object.entries(MESSAGES)) {
  const message = messages.get(name)!;
  for (const definition of definitions) {
    const field = fieldOf(definition);
    message.fields.push(field);
    while (message.byNumber.length <= field.number) message.byNumber.push(undefined);
    message.byNumber[field.number] = field;
    const wires = isReference(name, field) ? [] : varintWires(field);
    for (const wire of wires) if (field.number < 16) message.byTag[field.number * 8 + wire] = field;
    const old = NAMES_OF_1_8[`${name}.${field.name}`];
    for (const spelling of [field.json, field.name, ...(old === undefined ? [] : [old])])
      message.byName.set(spelling, field);
  }
}

/** Whether the field names a string that others write in place: new in 1.10, and rare. */
export function isReference(message: string, { table }: Field): boolean {
  return table !== 0 && (message === 'KeyValue' || message === 'AnyValue');
}

function varintWires({ type, table, repeated }: Field): number[] {
  if (type === TYPE.message || type === TYPE.string || type === TYPE.bytes || type === TYPE.id) return [BYTES];
  if (type === TYPE.fixed64 || type === TYPE.fixed32 || type === TYPE.double) return [];
  return table !== 0 && repeated ? [VARINT, BYTES] : [VARINT];
}

function fieldOf(definition: string): Field {
  const [number, name, ...rest] = definition.split(' ');
  const repeated = definition.endsWith('[]');
  const kind = rest.join(' ').replace('[]', '') as Kind;
  const table = /^row of (.+)$/.exec(kind)?.[1];
  const size = /^id(\d+)$/.exec(kind)?.[1];
  const message = messages.get(kind);
  const type = message ? 'message' : table ? 'int32' : size ? 'id' : kind;
  return {
    number: Number(number),
    name: name!,
    json: name!.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    type: TYPE[type as keyof typeof TYPE],
    repeated,
    table: table ? DICTIONARY[table as keyof typeof DICTIONARY] : 0,
    size: Number(size ?? 0),
    message,
  };
}

/** The schema of a message of OTLP profiles or traces. */
export const messageOf = (name: keyof typeof MESSAGES): Message => messages.get(name)!;

/** The request of each signal. */
export const REQUESTS = { profiles: messageOf('ProfilesRequest'), traces: messageOf('TracesRequest') } as const;

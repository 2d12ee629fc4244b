// Field numbers of OTLP profiles 1.10 (opentelemetry-proto, profiles/v1development and common/v1) that the wire code needs by name.
// ExportProfilesServiceRequest and ProfilesData have the same numbers, so that one reader serves both.

export const REQUEST = { resourceProfiles: 1, dictionary: 2 } as const;
export const RESOURCE_PROFILES = { resource: 1, scopeProfiles: 2, schemaUrl: 3 } as const;
export const SCOPE_PROFILES = { scope: 1, profiles: 2, schemaUrl: 3 } as const;
export const RESOURCE = { attributes: 1, droppedAttributesCount: 2 } as const;
export const SCOPE = { name: 1, version: 2, attributes: 3, droppedAttributesCount: 4 } as const;

export const DICTIONARY = {
  mappingTable: 1,
  locationTable: 2,
  functionTable: 3,
  linkTable: 4,
  stringTable: 5,
  attributeTable: 6,
  stackTable: 7,
} as const;

export const PROFILE = {
  sampleType: 1,
  samples: 2,
  timeUnixNano: 3,
  durationNano: 4,
  periodType: 5,
  period: 6,
  profileId: 7,
  droppedAttributesCount: 8,
  originalPayloadFormat: 9,
  originalPayload: 10,
  attributeIndices: 11,
} as const;

export const SAMPLE = { stackIndex: 1, attributeIndices: 2, linkIndex: 3, values: 4, timestampsUnixNano: 5 } as const;

export const KEY_VALUE = { key: 1, value: 2, keyStrindex: 3 } as const;
/** Array and kvlist hold their elements in field 1. */
export const LIST = { values: 1 } as const;
export const ANY_VALUE = {
  string: 1,
  bool: 2,
  int: 3,
  double: 4,
  array: 5,
  kvlist: 6,
  bytes: 7,
  stringStrindex: 8,
} as const;

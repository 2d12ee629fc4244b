import type { LossEntry } from './loss-entry.ts';

/** What pprof and OTLP lose to each other. Rules: pprof's profile.proto, opentelemetry-proto v1.10.0, OTel semantic conventions. */
export const PPROF_OTLP_LOSSES = {
  pprof_unknown_field: {
    from: 'pprof',
    to: 'otlp',
    item: 'field',
    sentence: 'A field that the schema of pprof does not have: its number means something else in OTLP.',
  },
  pprof_no_time: {
    from: 'pprof',
    to: 'otlp',
    item: 'profile',
    sentence: 'A profile whose time is 0 or negative gets the time when it was received.',
  },
  pprof_negative_duration: {
    from: 'pprof',
    to: 'otlp',
    item: 'profile',
    sentence: 'A negative duration becomes 0, since OTLP has no sign for it.',
  },
  pprof_label_number: {
    from: 'pprof',
    to: 'otlp',
    item: 'label',
    sentence: 'A label that has a text and a number, against the schema, keeps its text.',
  },
  pprof_unreferenced: {
    from: 'pprof',
    to: 'otlp',
    item: 'mapping, location or function',
    sentence: 'What no sample leads to, such as a mapping that was loaded and never seen, since OTLP wants no orphans.',
  },
  otlp_1_8_comment: {
    from: 'otlp',
    to: 'otlp',
    item: 'comment',
    sentence:
      'The comments of a profile of OTLP 1.8 that is upgraded as it arrives: later layouts have no field for them.',
  },
  otlp_timestamp: {
    from: 'otlp',
    to: 'pprof',
    item: 'timestamp',
    sentence: 'When a sample was taken. A sample that has timestamps and no values counts 1 for each.',
  },
  otlp_values: {
    from: 'otlp',
    to: 'pprof',
    item: 'sample',
    sentence: 'The single values of a sample that has more than one: their sum stays.',
  },
  otlp_attribute_value: {
    from: 'otlp',
    to: 'pprof',
    item: 'attribute of a sample',
    sentence:
      'A value that is neither a string, nor an int64, nor a list of two or more of them becomes a label of its JSON text; a list of one becomes its element.',
  },
  otlp_link: {
    from: 'otlp',
    to: 'pprof',
    item: 'sample',
    sentence:
      'The link of a sample, where the sample has an attribute `trace_id` or `span_id` already: the labels of these names are for it otherwise.',
  },
  otlp_scope: {
    from: 'otlp',
    to: 'pprof',
    item: 'scope',
    sentence: 'Name, version and attributes of the instrumentation scope, other than the `pprof.scope.*` ones.',
  },
  otlp_resource_field: {
    from: 'otlp',
    to: 'pprof',
    item: 'field',
    sentence: 'What a resource says beside its attributes: references to entities.',
  },
  otlp_schema_url: {
    from: 'otlp',
    to: 'pprof',
    item: 'schema URL',
    sentence: 'Schema URLs of resources and scopes.',
  },
  otlp_profile_attribute: {
    from: 'otlp',
    to: 'pprof',
    item: 'attribute',
    sentence: 'Attributes of the profile, other than the `pprof.profile.*` ones.',
  },
  otlp_mapping_attribute: {
    from: 'otlp',
    to: 'pprof',
    item: 'attribute',
    sentence:
      'Attributes of mappings, other than `pprof.mapping.*` and one build id: the GNU one, else that of Go, else the hash.',
  },
  otlp_location_attribute: {
    from: 'otlp',
    to: 'pprof',
    item: 'attribute',
    sentence: 'Attributes of locations, such as `profile.frame.type`, other than `pprof.location.is_folded`.',
  },
  otlp_profile_id: {
    from: 'otlp',
    to: 'pprof',
    item: 'profile',
    sentence: 'The id of a profile.',
  },
  otlp_original_payload: {
    from: 'otlp',
    to: 'pprof',
    item: 'profile',
    sentence: 'The original payload of a profile, and the name of its format.',
  },
  otlp_dropped_attributes: {
    from: 'otlp',
    to: 'pprof',
    item: 'count',
    sentence: 'How many attributes a sender dropped from a resource, a scope or a profile.',
  },
  otlp_unknown_field: {
    from: 'otlp',
    to: 'pprof',
    item: 'field',
    sentence: 'A field that the schema of OTLP 1.10 does not have.',
  },
  series_labels: {
    from: 'otlp',
    to: 'pprof',
    item: 'label',
    sentence:
      'To Pyroscope: resource attributes beyond `max_label_names` or whose name is too long go, and a value that is too long ends early.',
  },
  resource_attribute: {
    from: 'otlp',
    to: 'pprof',
    item: 'attribute',
    sentence:
      'To a file, by `flamegate convert`: attributes of the resource. Where profiles are received and sent, they travel beside the pprof.',
  },
  edited_original_payload: {
    from: 'otlp',
    to: 'otlp',
    item: 'profile',
    sentence:
      'The original payload of a profile whose samples were edited: it would say what the profile no longer says.',
  },
  edited_unknown_field: {
    from: 'otlp',
    to: 'otlp',
    item: 'field',
    sentence: 'A field that the schema of OTLP 1.10 does not have, in a profile whose samples were edited.',
  },
} as const satisfies Record<string, LossEntry>;

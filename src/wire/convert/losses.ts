/**
 * The two forms that say the most (from one to itself: OTLP that was decoded, edited and encoded again), and the others. A form is read into
 * columns, which hold what it says but for what stands here as `to: 'any'`; what another form cannot say of columns is `from: 'any'`.
 */
export type FormName = 'pprof' | 'otlp' | 'jfr' | 'folded' | 'speedscope' | 'v8' | 'perf' | 'legacy' | 'any';

/** What one form says and another has no place for. Every entry is counted, by the outbox when the store took what is left: nothing is lost in silence. */
interface LossEntry {
  readonly from: FormName;
  readonly to: FormName;
  /** What an item of the count is. */
  readonly item: string;
  readonly sentence: string;
}

/** The one table of what conversions lose; `docs/fidelity.md` is made from it. Rules: pprof's profile.proto, opentelemetry-proto v1.10.0, OTel semantic conventions. */
export const LOSSES = {
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
  v8_node_detail: {
    from: 'v8',
    to: 'any',
    item: 'node',
    sentence: 'Ticks per line of a function, and why it was deoptimised.',
  },
  perf_event_text: {
    from: 'perf',
    to: 'any',
    item: 'line',
    sentence: 'The fields of a tracepoint, branch stacks, and other text of `perf script` beside stack and period.',
  },
  legacy_comment: {
    from: 'legacy',
    to: 'any',
    item: 'line',
    sentence:
      'Comments that are no symbols and no labels, such as memory statistics, and how many samples were discarded.',
  },
  legacy_thread_name: {
    from: 'legacy',
    to: 'any',
    item: 'thread',
    sentence: 'The name and id of a thread: threads of one stack are one sample.',
  },
  jfr_no_stack: {
    from: 'jfr',
    to: 'any',
    item: 'event',
    sentence: 'A sample without a stack trace, or with one that the recording does not have.',
  },
  jfr_truncated: {
    from: 'jfr',
    to: 'any',
    item: 'event',
    sentence: 'That a stack was cut at the depth the profiler was set to.',
  },
  jfr_frame: {
    from: 'jfr',
    to: 'any',
    item: 'frame',
    sentence: 'A frame whose method the recording does not describe.',
  },
  jfr_event_unused: {
    from: 'jfr',
    to: 'any',
    item: 'event',
    sentence:
      'A sample of a kind that Pyroscope has no profile for, such as native methods or old objects, or of a thread that sleeps.',
  },
  jfr_context: {
    from: 'jfr',
    to: 'any',
    item: 'context',
    sentence: 'A context that events name and the labels beside the recording do not have.',
  },
  jfr_label: {
    from: 'jfr',
    to: 'any',
    item: 'label',
    sentence: 'A label whose name or value is empty, or is not among the labels beside the recording.',
  },
  folded_bad_line: {
    from: 'folded',
    to: 'any',
    item: 'line',
    sentence: 'A line that is no stack and value, where such lines are not refused.',
  },
  folded_sample_type: {
    from: 'any',
    to: 'folded',
    item: 'sample type',
    sentence: 'Sample types other than the one that a text is of.',
  },
  folded_negative: {
    from: 'any',
    to: 'folded',
    item: 'sample',
    sentence:
      'A sample whose value is negative, since readers refuse it; and one whose value is 0, where each occurrence is a line.',
  },
  folded_frame_text: {
    from: 'any',
    to: 'folded',
    item: 'sample',
    sentence:
      'How a frame is spelt: `;` becomes a bar, control characters become their pictures, what is not UTF-8 becomes U+FFFD, and what looks like a comment or like labels gets a space. Also that a stack is one frame without a name; and where each occurrence is a line, no stack is the frame `[no stack]`.',
  },
  folded_symbol: {
    from: 'any',
    to: 'folded',
    item: 'location',
    sentence:
      'What a location says beside the name of a function: address, mapping, file, line, and which calls were inlined. Also locations that no written sample leads to.',
  },
  folded_labels: {
    from: 'any',
    to: 'folded',
    item: 'label',
    sentence: 'Labels of samples, where they are not written; and those whose name the syntax cannot say.',
  },
  folded_label_value: {
    from: 'any',
    to: 'folded',
    item: 'label',
    sentence:
      'That the value of a label is a number and in which unit, or is neither text nor number: it becomes text. Control characters become their pictures, what is not UTF-8 becomes U+FFFD.',
  },
  folded_profile_field: {
    from: 'any',
    to: 'folded',
    item: 'profile',
    sentence:
      'Time, duration, period, comments, patterns of frames, the default sample type, and fields that the schema of pprof does not have.',
  },
  speedscope_rounded: {
    from: 'speedscope',
    to: 'any',
    item: 'sample',
    sentence: 'The part of a weight that is no whole nanosecond, or of one without unit or in bytes, no whole number.',
  },
  speedscope_negative: {
    from: 'any',
    to: 'speedscope',
    item: 'sample',
    sentence: 'A value below 0, which speedscope refuses: it becomes 0.',
  },
  speedscope_labels: {
    from: 'any',
    to: 'speedscope',
    item: 'label',
    sentence: 'Labels of samples.',
  },
  speedscope_symbol: {
    from: 'any',
    to: 'speedscope',
    item: 'location',
    sentence:
      'What a location says beside name, file, line and column of its functions: address, mapping, system name, start line, and which calls were inlined into it; and a location that no sample leads to.',
  },
  speedscope_profile_field: {
    from: 'any',
    to: 'speedscope',
    item: 'profile',
    sentence:
      'Time, duration, period, comments, the default sample type (it is shown first) and patterns of frames of a profile, and fields that nobody knows.',
  },
} as const satisfies Record<string, LossEntry>;

/** snake_case: the label of the counter. */
export type LossReason = keyof typeof LOSSES;

export interface Loss {
  readonly reason: LossReason;
  readonly items: number;
}

/** What is written in another way and says the same; not counted. For `docs/fidelity.md`. */
export const NORMALISED: readonly { readonly where: string; readonly sentence: string }[] = [
  {
    where: 'both',
    sentence:
      'Ids, row numbers and the order of tables carry no meaning and are drawn anew. So is the order of labels with different keys; those of one key stay in order.',
  },
  {
    where: 'both',
    sentence:
      'A function or mapping that says nothing is the same as none, and a location that says nothing stays one.',
  },
  {
    where: 'both',
    sentence: 'Of pprof the text `""` in row 0 and the number 0 are the same bytes: such a label is a number.',
  },
  {
    where: 'pprof → OTLP',
    sentence:
      'Samples are never combined, though OTLP would have those of equal stack, attributes and link combined: a profile comes back with as many samples as it had. A sample is left out of the profiles of types in which it is 0, unless it is 0 in all (then it stays in the first) or has a twin (then it stays in all, so that the n-th of one profile belongs to the n-th of the next).',
  },
  {
    where: 'pprof → OTLP',
    sentence:
      'One profile per sample type, the default one first; the scope attributes `pprof.scope.sample_type_order` and, where one was set, `pprof.scope.default_sample_type` say what it was.',
  },
  {
    where: 'pprof → OTLP',
    sentence:
      'Labels that share a key become one attribute with a list. Units of lists belong to their numbers; where units differ, elements are `{value, unit}`.',
  },
  {
    where: 'pprof → OTLP',
    sentence:
      'A sample with one label `trace_id` of 32 and one `span_id` of 16 lower-case hex digits, neither zero, gets a link for them. A `span_id` alone stays an attribute, since a link without a trace is none.',
  },
  {
    where: 'pprof → OTLP',
    sentence: 'A build id with a `/` is one of Go, others are GNU ones.',
  },
  {
    where: 'OTLP → pprof',
    sentence:
      'Profiles of one scope with equal time, duration, period and attributes become one pprof, unless a type would come twice; their samples are joined by stack, attributes and link, and are 0 in the types where they have no value.',
  },
  {
    where: 'OTLP → pprof',
    sentence:
      'The default sample type is what the scope says; without `pprof.scope.sample_type_order` it is the type of the first profile.',
  },
  {
    where: 'OTLP',
    sentence:
      'Where samples are edited, a scope without profiles goes, and of a resource without any the attributes stay.',
  },
  {
    where: 'OTLP',
    sentence:
      'Comments that are numbered (`pprof.profile.comment.0`) or one text with commas are written as a list, and references in attributes as the strings they name.',
  },
  {
    where: 'speedscope',
    sentence:
      'Of an evented profile, equal stacks are one sample, with the time in which they were open and nothing in them; time with nothing open belongs to none. Sample types are written as profiles of their own and read back as one.',
  },
];

/** Counts what a conversion lost. */
export class Losses {
  readonly #items = new Map<LossReason, number>();

  add(reason: LossReason, items = 1): void {
    if (items > 0) this.#items.set(reason, (this.#items.get(reason) ?? 0) + items);
  }

  /** In the order of the table. */
  list(): Loss[] {
    return (Object.keys(LOSSES) as LossReason[]).flatMap(reason => {
      const items = this.#items.get(reason);
      return items === undefined ? [] : [{ reason, items }];
    });
  }
}

/** `docs/fidelity.md`. */
export function fidelityPage(): string {
  const entries = Object.entries(LOSSES) as [LossReason, LossEntry][];
  const rows = (from: FormName, to: FormName) =>
    entries
      .filter(([, entry]) => entry.from === from && entry.to === to)
      .map(([reason, { item, sentence }]) => `| \`${reason}\` | ${item} | ${sentence} |`)
      .join('\n');
  const table = (from: FormName, to: FormName) =>
    `| reason | counted by | what is lost |\n| --- | --- | --- |\n${rows(from, to)}`;
  return `<!-- made by npm run gen -->
# Fidelity: what a conversion keeps and what it loses

Profiles that are not converted keep every byte. A conversion between pprof and OTLP keeps stacks, labels, values, sample types, their
order, the default one, symbols, mappings, times, comments and patterns of frames. What the other form has no place for is listed
here and counted by reason; on the way to a store, when the store took what is left.

## pprof → OTLP

${table('pprof', 'otlp')}

## OTLP → pprof

${table('otlp', 'pprof')}

## OTLP that stages edited

${table('otlp', 'otlp')}

## Written in another way

| where | what |
| --- | --- |
${NORMALISED.map(({ where, sentence }) => `| ${where} | ${sentence} |`).join('\n')}
`;
}

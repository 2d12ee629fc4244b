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

// docs/fidelity.md: the table of losses, and what is only written in another way.
import type { FormName, LossEntry } from './loss-entry.ts';
import { LOSSES, type LossReason } from './losses.ts';

/** What is written in another way and says the same; not counted. For `docs/fidelity.md`. */
const NORMALISED: readonly { readonly where: string; readonly sentence: string }[] = [
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
  {
    where: 'JFR',
    sentence:
      'Events of one kind with equal stack, labels and span are one sample, whose values are their sums; durations in ticks of the clock become nanoseconds (a Pyroscope server takes ticks for nanoseconds). Thread, time of each event, byte code index and kind of a frame are not kept, nor is what the JVM says of itself in other events.',
  },
  {
    where: 'JFR, perf, legacy, to speedscope',
    sentence: 'What is not UTF-8 in a name becomes U+FFFD, and is not counted.',
  },
  {
    where: 'folded, tree, trie',
    sentence:
      "What they measure and when is told by the application's name and the query of /ingest; a file is samples/count, without a time.",
  },
];

const TITLES: Partial<Record<FormName, string>> = {
  jfr: 'JFR',
  folded: 'Folded text',
  speedscope: 'Speedscope',
  v8: 'CPU and heap profiles of V8',
  perf: '`perf script`',
  legacy: 'Legacy pprof',
};
const HEAD = '| reason | counted by | what is lost |\n| --- | --- | --- |';
const rowOf = ([reason, { item, sentence }]: [LossReason, LossEntry]) => `| \`${reason}\` | ${item} | ${sentence} |`;

/** `docs/fidelity.md`. */
export function fidelityPage(): string {
  const entries = Object.entries(LOSSES) as [LossReason, LossEntry][];
  const table = (from: FormName, to: FormName) =>
    `${HEAD}\n${entries
      .filter(([, entry]) => entry.from === from && entry.to === to)
      .map(rowOf)
      .join('\n')}`;
  const groups = (title: (form: FormName) => string, pick: (entry: LossEntry) => FormName | undefined) =>
    [...Map.groupBy(entries, ([, entry]) => pick(entry))]
      .filter(([form]) => form !== undefined)
      .map(([form, own]) => `### ${title(form!)}\n\n${HEAD}\n${own.map(rowOf).join('\n')}`)
      .join('\n\n');
  return `<!-- made by npm run gen -->
# Fidelity: what a conversion keeps and what it loses

Profiles that are not converted keep every byte. A conversion between pprof and OTLP keeps stacks, labels, values, sample types, their
order, the default one, symbols, mappings, times, comments and patterns of frames. The other forms are read into the same columns, so that what pprof or
OTLP keeps of one is all that is read of it. What a form has no place for is listed here and counted by reason; on the way to a store, when the store took
what is left; on the command line on stderr.

## pprof → OTLP

${table('pprof', 'otlp')}

## OTLP → pprof

${table('otlp', 'pprof')}

## OTLP that stages edited

${table('otlp', 'otlp')}

## Reading other forms

${groups(
  form => TITLES[form] ?? form,
  ({ from, to }) => (to === 'any' ? from : undefined),
)}

## Writing other forms

${groups(
  form => TITLES[form] ?? form,
  ({ from, to }) => (from === 'any' ? to : undefined),
)}

## Written in another way

| where | what |
| --- | --- |
${NORMALISED.map(({ where, sentence }) => `| ${where} | ${sentence} |`).join('\n')}
`;
}

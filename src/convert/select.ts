// What the profiles of a file are called, and which of them is meant.
import { type Attributes, labelText, withSaid } from '../model/attributes.ts';
import type { Columns } from '../model/columns/columns.ts';
import type { ValueType } from '../model/summary.ts';
import type { ReadProfile } from '../wire/convert/read.ts';
import { profileName } from '../wire/pyroscope/profile-name.ts';
import type { ProfileOptions } from './options.ts';
import { Refusal } from './refusal.ts';

/** A profile as a file holds it. */
export interface FoundProfile extends ReadProfile {
  /** Those of the OTLP resource; empty for other forms. */
  readonly resource: Attributes;
  /** Which resource of an OTLP file. */
  readonly part: number;
}
export interface NamedProfile extends FoundProfile {
  /** No other profile of the file has it. */
  readonly name: string;
  /** What it is a profile of; others may have it too: `process_cpu`. */
  readonly series: string;
}

/** What is taken of several where nobody chose. */
const PREFERRED = ['process_cpu', 'wall'];
/** Names that an error lists. */
const MAX_LISTED = 10;

export function typesOf({ sampleTypes, strings }: Columns): ValueType[] {
  return sampleTypes.map(({ type, unit }) => ({ type: strings.text(type), unit: strings.text(unit) }));
}

/**
 * The sample type of this name; without one the profile's default, which is the last where it names none, as pprof has it. -1 where there
 * is no such type.
 */
export function typeAt(columns: Columns, name?: string): number {
  const { sampleTypes, strings, defaultSampleType } = columns;
  if (name !== undefined) return sampleTypes.findIndex(({ type }) => strings.text(type) === name);
  if (strings.byteLength(defaultSampleType) > 0) {
    const named = sampleTypes.findIndex(({ type }) => strings.same(type, defaultSampleType));
    if (named >= 0) return named;
  }
  return sampleTypes.length - 1;
}

/**
 * Gives each profile a name. Those of one series are told apart by the sample type where that tells (`memory:alloc_in_new_tlab_bytes`), and
 * then by a number (`process_cpu#2`).
 */
export function named(profiles: readonly FoundProfile[]): NamedProfile[] {
  const series = profiles.map(seriesOf);
  const types = profiles.map(({ columns }) => typesOf(columns)[typeAt(columns)]?.type ?? '');
  const ofSeries = new Map<string, Set<string>>();
  for (const [at, name] of series.entries()) ofSeries.set(name, (ofSeries.get(name) ?? new Set()).add(types[at]!));
  // A profile of a speedscope file has a name that no other run need know, such as a thread's.
  const typed = series.map(
    (name, at) =>
      labelText(profiles[at]!.attributes.get('profile_name')) ||
      (ofSeries.get(name)!.size > 1 ? `${name}:${types[at]}` : name),
  );
  const alike = Map.groupBy(typed, name => name);
  const count = new Map<string, number>();
  return profiles.map((profile, at) => {
    const own = typed[at]!;
    count.set(own, (count.get(own) ?? 0) + 1);
    const name = alike.get(own)!.length === 1 ? own : `${own}#${count.get(own)}`;
    return { ...profile, name, series: series[at]! };
  });
}

/** What the file calls it, else what its types say. */
function seriesOf({ columns, attributes, resource }: FoundProfile): string {
  const all = withSaid(resource, attributes);
  return labelText(all.get('__name__')) || profileName(typesOf(columns)) || 'profile';
}

/**
 * The profiles that `--profile` and `--type` allow.
 * @throws Refusal when there is none
 */
export function candidates(
  file: string,
  profiles: readonly NamedProfile[],
  { profile, type }: Pick<ProfileOptions, 'profile' | 'type'>,
): readonly NamedProfile[] {
  if (profiles.length === 0) throw new Refusal(`${file}: holds no profile`);
  const exact = profiles.filter(({ name }) => name === profile);
  const of =
    profile === undefined ? profiles : exact.length > 0 ? exact : profiles.filter(({ series }) => series === profile);
  if (of.length === 0)
    throw new Refusal(`${file}: has no profile \`${profile}\`; there are: ${listed(profiles.map(({ name }) => name))}`);
  const having = type === undefined ? of : of.filter(({ columns }) => typeAt(columns, type) >= 0);
  if (having.length > 0) return having;
  const types = new Set(of.flatMap(({ columns }) => typesOf(columns).map(one => one.type)));
  throw new Refusal(`${file}: has no sample type \`${type}\`; there are: ${listed([...types])}`);
}

/** The series that is meant where nobody named one: CPU, else wall time, else the first. */
export function preferred(profiles: readonly NamedProfile[]): NamedProfile {
  for (const name of PREFERRED) {
    const found = profiles.filter(({ series }) => series === name);
    // What `perf` counts beside time is filed there too.
    const timed = found.find(({ columns }) => typesOf(columns).some(({ unit }) => unit === 'nanoseconds'));
    if (found.length > 0) return timed ?? found[0]!;
  }
  return profiles[0]!;
}

/** Some names, and how many more there are. */
export function listed(names: readonly string[]): string {
  const more = names.length - MAX_LISTED;
  return `${names.slice(0, MAX_LISTED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

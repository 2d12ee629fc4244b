// What there is to say of a file: the document of `inspect --json`. 64-bit numbers are strings, absent times null.
import { labelText } from '../model/attributes.ts';
import type { Columns } from '../model/columns/columns.ts';
import { totalsOf } from '../wire/convert/summary.ts';
import { FunctionTotals } from './functions.ts';
import type { Opened } from './open.ts';
import { type NamedProfile, typeAt, typesOf } from './select.ts';
import { timeText } from './units.ts';

/** Values of a label that are listed. */
const LABEL_VALUES = 5;

export interface LabelFinding {
  readonly key: string;
  /** That have it. */
  readonly samples: number;
  readonly distinct: number;
  /** The most frequent ones. */
  readonly values: readonly { readonly value: string; readonly samples: number }[];
}
export interface TopFinding {
  /** The sample type that is ranked by; null of a profile without any. */
  readonly type: string | null;
  readonly unit: string | null;
  readonly total: string;
  readonly functions: readonly { readonly name: string; readonly self: string; readonly total: string }[];
}
export interface ProfileFinding {
  readonly name: string;
  readonly types: readonly { readonly type: string; readonly unit: string; readonly total: string }[];
  readonly defaultType: string | null;
  readonly samples: number;
  readonly startNs: string | null;
  /** RFC 3339. */
  readonly start: string | null;
  readonly durationNs: string | null;
  readonly period: { readonly type: string; readonly unit: string; readonly value: string } | null;
  /** Of the OTLP resource, and what the form says of the series. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly labels: readonly LabelFinding[];
  readonly locations: number;
  readonly functions: number;
  readonly mappings: number;
  readonly buildIds: number;
  readonly comments: number;
  readonly top: TopFinding;
}
export interface FileFinding {
  readonly file: string;
  readonly form: string;
  readonly version: string;
  /** Compression that was undone, outermost first. */
  readonly compression: readonly string[];
  readonly bytes: number;
  readonly inflatedBytes: number;
  readonly profiles: readonly ProfileFinding[];
}

export function findingsOf(opened: Opened, top: number, type: string | undefined): FileFinding {
  const { name, form, version, layers, size, inflatedBytes, profiles } = opened;
  return {
    ...{ file: name, form, version, compression: layers, bytes: size, inflatedBytes },
    profiles: profiles.map(profile => profileFinding(profile, top, type)),
  };
}

function profileFinding(profile: NamedProfile, top: number, type: string | undefined): ProfileFinding {
  const { name, columns, resource, attributes } = profile;
  const { samples, locations, functions, mappings, timeNanos, durationNanos, period, periodType, strings } = columns;
  const types = typesOf(columns);
  const totals = totalsOf(columns);
  const builds = new Set(
    Array.from({ length: mappings.count - 1 }, (_none, at) => strings.text(mappings.buildId[at + 1]!)),
  );
  builds.delete('');
  return {
    name,
    types: types.map((one, at) => ({ ...one, total: String(totals.value(at)) })),
    defaultType: types[typeAt(columns)]?.type ?? null,
    samples: samples.count,
    startNs: timeNanos > 0n ? String(timeNanos) : null,
    start: timeNanos > 0n ? timeText(timeNanos) : null,
    durationNs: durationNanos > 0n ? String(durationNanos) : null,
    period: periodType
      ? { type: strings.text(periodType.type), unit: strings.text(periodType.unit), value: String(period) }
      : null,
    attributes: Object.fromEntries(
      [...attributes, ...resource].flatMap(([key, value]) => {
        const text = labelText(value);
        return text === undefined ? [] : [[key, text]];
      }),
    ),
    labels: labelsOf(columns),
    locations: locations.count - 1,
    functions: functions.count - 1,
    mappings: mappings.count - 1,
    buildIds: builds.size,
    comments: columns.comments.length,
    top: topOf([profile], top, type),
  };
}

/** The functions that take the most themselves, of profiles that have the sample type. */
export function topOf(profiles: readonly NamedProfile[], top: number, type: string | undefined): TopFinding {
  const [first] = profiles;
  const asked = first ? typeAt(first.columns, type) : -1;
  const at = first && asked < 0 ? typeAt(first.columns) : asked;
  const found = at < 0 ? undefined : typesOf(first!.columns)[at]!;
  if (!found) return { type: null, unit: null, total: '0', functions: [] };
  const totals = new FunctionTotals();
  for (const { columns } of profiles) {
    const same = typeAt(columns, found.type);
    if (same >= 0) totals.add(columns, same);
  }
  const functions = totals
    .values()
    .filter(({ total }) => total !== 0n)
    .sort(
      (one, other) => order(other.self, one.self) || order(other.total, one.total) || (one.name < other.name ? -1 : 1),
    )
    .slice(0, top)
    .map(({ name, self, total }) => ({ name, self: String(self), total: String(total) }));
  return { ...found, total: String(totals.all), functions };
}

const order = (one: bigint, other: bigint) => (one < other ? -1 : Number(one > other));

function labelsOf(columns: Columns): LabelFinding[] {
  const { samples, labels, strings } = columns;
  const keys = new Map<string, { samples: number; values: Map<string, number> }>();
  for (let sample = 0; sample < samples.count; sample++) {
    const seen = new Set<string>();
    for (let label = samples.firstLabel[sample]!; label !== 0; label = labels.next[label]!) {
      const key = strings.text(labels.key[label]!);
      let found = keys.get(key);
      if (!found) {
        found = { samples: 0, values: new Map() };
        keys.set(key, found);
      }
      if (!seen.has(key)) found.samples++;
      seen.add(key);
      const unit = labels.isNumber(label) ? strings.text(labels.unit[label]!) : '';
      const value = `${columns.labelText(label)}${unit && ` ${unit}`}`;
      found.values.set(value, (found.values.get(value) ?? 0) + 1);
    }
  }
  return [...keys].map(([key, { samples: count, values }]) => ({
    ...{ key, samples: count, distinct: values.size },
    values: [...values]
      .sort(([, one], [, other]) => other - one)
      .slice(0, LABEL_VALUES)
      .map(([value, times]) => ({ value, samples: times })),
  }));
}

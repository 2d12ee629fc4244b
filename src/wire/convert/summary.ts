import type { Columns } from '../../model/columns/columns.ts';
import type { Summary, ValueType } from '../../model/summary.ts';
import { Totals } from '../pprof/total.ts';

/** What columns say of themselves; of several profiles together, whose types follow each other. */
export function summaryOf(profiles: readonly Columns[]): Summary {
  const types: (ValueType & { total: bigint })[] = [];
  let samples = 0;
  let locations = 0;
  let functions = 0;
  let startNs = 0n;
  let endNs = 0n;
  for (const columns of profiles) {
    const totals = totalsOf(columns);
    for (const [at, { type, unit }] of columns.sampleTypes.entries())
      types.push({ type: columns.strings.text(type), unit: columns.strings.text(unit), total: totals.value(at) });
    samples += columns.samples.count;
    locations += columns.locations.count - 1;
    functions += columns.functions.count - 1;
    const { timeNanos, durationNanos } = columns;
    if (timeNanos > 0n && (startNs === 0n || timeNanos < startNs)) startNs = timeNanos;
    if (timeNanos + durationNanos > endNs) endNs = timeNanos + durationNanos;
  }
  const [first] = profiles;
  const periodType = first?.periodType && {
    type: first.strings.text(first.periodType.type),
    unit: first.strings.text(first.periodType.unit),
  };
  return {
    types,
    ...(periodType && { periodType }),
    period: first?.period ?? 0n,
    startNs,
    durationNs: endNs > startNs ? endNs - startNs : 0n,
    samples,
    locations,
    functions,
  };
}

/** Exact sums of all values, by sample type. */
export function totalsOf({ samples }: Columns): Totals {
  const totals = new Totals();
  const { count, width } = samples;
  const { halves } = samples.values;
  for (let at = 0, sample = 0; sample < count; sample++)
    for (let type = 0; type < width; type++, at += 2) totals.addHalves(type, halves[at]!, halves[at + 1]!);
  return totals;
}

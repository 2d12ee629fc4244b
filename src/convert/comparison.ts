// What grew and what shrank from one profile to another, per function. Values are exact; percentages and rates are doubles.
import { FunctionTotals, type FunctionValues } from './functions.ts';
import { type NamedProfile, typeAt } from './select.ts';

/** One of the two sides. */
export interface Side {
  readonly total: bigint;
  /** Nanoseconds in which at least one of its profiles ran; 0 where one of them does not say how long. */
  readonly durationNs: bigint;
  readonly functions: ReadonlyMap<string, FunctionValues>;
}

/** What a value was and is: per second where that was asked for. */
export interface Pair {
  readonly a: bigint;
  readonly b: bigint;
  /** In the unit of the type, or in it per second. */
  readonly change: number;
  /** Change in percent of A's total (of the whole profile). */
  readonly points: number;
}
export interface FunctionChange {
  readonly name: string;
  readonly self: Pair;
  readonly total: Pair;
}
/** Something that grew by more than the limit; `name` is undefined for the whole profile. */
export interface Over {
  readonly name: string | undefined;
  readonly pair: Pair;
}
export interface Comparison {
  readonly perSecond: boolean;
  readonly total: Pair;
  /** Functions that changed, those whose own value changed most first. */
  readonly changes: readonly FunctionChange[];
}

/** @param profiles that have the sample type; their values are added up */
export function sideOf(profiles: readonly NamedProfile[], type: string): Side {
  const totals = new FunctionTotals();
  for (const { columns } of profiles) totals.add(columns, typeAt(columns, type));
  const functions = new Map(totals.values().map(one => [one.name, one]));
  return { total: totals.all, durationNs: lastedNs(profiles), functions };
}

/** How long at least one of the profiles ran: processes run beside each other, and windows follow each other. */
function lastedNs(profiles: readonly NamedProfile[]): bigint {
  const times = profiles.map(({ columns }) => columns).sort((one, other) => Number(one.timeNanos - other.timeNanos));
  let lasted = 0n;
  let until = 0n;
  for (const { timeNanos, durationNanos } of times) {
    if (durationNanos <= 0n) return 0n;
    const end = timeNanos + durationNanos;
    const from = timeNanos > until ? timeNanos : until;
    if (end > from) lasted += end - from;
    if (end > until) until = end;
  }
  return lasted;
}

/** @param perSecond whether both sides are divided by how long they lasted, which both must say */
export function compare(a: Side, b: Side, perSecond: boolean): Comparison {
  const rateA = perSecond ? 1e9 / Number(a.durationNs) : 1;
  const rateB = perSecond ? 1e9 / Number(b.durationNs) : 1;
  const whole = Math.abs(Number(a.total) * rateA);
  const pairOf = (one: bigint, other: bigint): Pair => {
    // Of exact values the difference is exact too, however large they are.
    const change = perSecond ? Number(other) * rateB - Number(one) * rateA : Number(other - one);
    return { a: one, b: other, change, points: pointsOf(change, whole) };
  };
  const names = new Set([...a.functions.keys(), ...b.functions.keys()]);
  const changes: FunctionChange[] = [];
  for (const name of names) {
    const one = a.functions.get(name);
    const other = b.functions.get(name);
    const self = pairOf(one?.self ?? 0n, other?.self ?? 0n);
    const total = pairOf(one?.total ?? 0n, other?.total ?? 0n);
    if (self.change !== 0 || total.change !== 0) changes.push({ name, self, total });
  }
  changes.sort(
    (one, other) =>
      Math.abs(other.self.change) - Math.abs(one.self.change) ||
      Math.abs(other.total.change) - Math.abs(one.total.change) ||
      (one.name < other.name ? -1 : 1),
  );
  return { perSecond, total: pairOf(a.total, b.total), changes };
}

/**
 * What is over the limit: the whole profile, and each function with its callees, that grew by more than so many percent of A's total. So a
 * function that doubled and is nothing does not count, and one that took over what another gave up does. Where A is nothing, any
 * growth is over.
 */
export function overLimit({ total, changes }: Comparison, percent: number): Over[] {
  const grown = [
    { name: undefined, pair: total },
    ...changes
      .map(change => ({ name: change.name, pair: change.total }))
      .sort((one, other) => other.pair.change - one.pair.change),
  ];
  return grown.filter(({ pair }) => pair.points > percent);
}

function pointsOf(change: number, whole: number): number {
  if (change === 0) return 0;
  return whole === 0 ? Math.sign(change) * Number.POSITIVE_INFINITY : (100 * change) / whole;
}

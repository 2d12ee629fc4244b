// `flamegate diff A B`.
import { plain, table } from '../terminal.ts';
import { type Comparison, compare, type Over, overLimit, type Pair, type Side, sideOf } from './comparison.ts';
import { PIPE } from './input.ts';
import { type Opened, open } from './open.ts';
import type { ProfileOptions, Speaker } from './options.ts';
import { DONE, FAILED, MISUSED, Refusal } from './refusal.ts';
import { sayLosses } from './say-losses.ts';
import { candidates, listed, type NamedProfile, preferred, typeAt, typesOf } from './select.ts';
import { change, human, percentText } from './units.ts';

/** Functions that are listed unless told otherwise. */
const TOP = 20;
/** Percent of A's total that a function must have changed by to be listed. */
const MIN_PERCENT = 0.1;
/** Reasons that are printed one by one. */
const MAX_REASONS = 5;

/** One side, and what it is called. */
interface Chosen {
  readonly name: string;
  readonly profiles: readonly NamedProfile[];
}

/** @throws Refusal */
export async function diff(options: ProfileOptions, say: Speaker): Promise<number> {
  const [fileA, fileB] = options.operands as [string, string];
  if (fileA === PIPE && fileB === PIPE) throw new Refusal('diff: only one of A and B can be a pipe', MISUSED);
  const openedA = await open(fileA, options);
  const openedB = await open(fileB, options);
  const { series, type, unit, a, b } = chosen(openedA, openedB, options);
  for (const { losses } of [openedA, openedB]) sayLosses(losses, say);
  const sides = [sideOf(a.profiles, type), sideOf(b.profiles, type)] as const;
  if (options.perSecond)
    for (const [at, side] of sides.entries())
      if (side.durationNs === 0n)
        throw new Refusal(`${[a, b][at]!.name}: does not say how long it lasted, which --per-second divides by`);
  const found = compare(...sides, options.perSecond);
  const over = options.failOver === undefined ? [] : overLimit(found, options.failOver);
  const min = options.min ?? MIN_PERCENT;
  const listedChanges = found.changes.filter(
    ({ self, total }) => Math.max(Math.abs(self.points), Math.abs(total.points)) >= min,
  );
  const shown = listedChanges.slice(0, options.top ?? TOP);
  if (options.json) {
    const document = { profile: series, type, unit, ...documentOf(found, shown, sides, [a.name, b.name]) };
    const failOver = options.failOver === undefined ? null : options.failOver;
    say.out(`${JSON.stringify({ ...document, failOver, over: over.map(overJson) }, undefined, 2)}\n`);
  } else {
    say.out(headText(found, sides, [a.name, b.name], `${plain(series)} ${plain(type)}`, unit));
    say.out(changesText(shown, unit, found.changes.length));
  }
  if (over.length === 0) return DONE;
  for (const one of over.slice(0, MAX_REASONS)) say.err(`flamegate: ${reasonOf(one, unit, options.failOver!)}\n`);
  if (over.length > MAX_REASONS) say.err(`flamegate: and ${over.length - MAX_REASONS} more functions\n`);
  return FAILED;
}

/**
 * The same sample type of both: what `--profile` and `--type` say, else what A has by itself. Profiles of one name are added up, as of the
 * processes of an OTLP file.
 */
function chosen(openedA: Opened, openedB: Opened, options: ProfileOptions) {
  const allowed = candidates(openedA.name, openedA.profiles, options);
  const one = preferred(allowed);
  const alike = allowed.filter(({ series }) => series === one.series);
  const at = typeAt(one.columns, options.type);
  if (at < 0) throw new Refusal(`${openedA.name}: ${one.name} has no sample types`);
  const { type, unit } = typesOf(one.columns)[at]!;
  const a: Chosen = { name: openedA.name, profiles: having(alike, type, unit) };
  const found = having(candidates(openedB.name, openedB.profiles, options), type, unit);
  // The name may differ where the type tells more: of a pprof it is guessed from its types.
  const same = found.filter(({ series }) => series === one.series);
  if (found.length === 0) {
    const types = new Set(
      openedB.profiles.flatMap(({ columns }) => typesOf(columns).map(has => `${has.type} (${has.unit})`)),
    );
    throw new Refusal(
      `${openedB.name}: has no sample type ${type} (${unit}), which is compared; there are: ${listed([...types])}; --type NAME compares another`,
    );
  }
  if (same.length === 0 && (found.length > 1 || a.profiles.length > 1 || (isSaid(one) && isSaid(found[0]!))))
    throw new Refusal(
      `${openedB.name}: has no profile ${one.series}, which is compared; there are: ${listed([...new Set(found.map(({ series }) => series))])}; --profile NAME compares another`,
    );
  const b: Chosen = { name: openedB.name, profiles: same.length > 0 ? same : found };
  return { series: one.series, type, unit, a, b };
}

/** Whether the file names the profile; else its types are all that there is to go by. */
const isSaid = ({ attributes, resource }: NamedProfile) => attributes.has('__name__') || resource.has('__name__');

function having(profiles: readonly NamedProfile[], type: string, unit: string): readonly NamedProfile[] {
  return profiles.filter(({ columns }) => typesOf(columns).some(one => one.type === type && one.unit === unit));
}

function headText(
  { total, perSecond }: Comparison,
  sides: readonly [Side, Side],
  names: readonly string[],
  what: string,
  unit: string,
): string {
  const rows = sides.map(({ total: value, durationNs }, at) => {
    const lasted = durationNs > 0n ? `in ${human(durationNs, 'ns')}` : '';
    return ['AB'[at]!, plain(names[at]!), human(value, unit), `${value} ${plain(unit)}`, lasted];
  });
  const grew = `${change(total.change, unit)}${perSecond ? ' per second' : ''}, ${percentText(total.points, '+')}`;
  return `${what}: ${grew}\n${table('llrrl', rows)}\n`;
}

function changesText(shown: Comparison['changes'], unit: string, changed: number): string {
  if (changed === 0) return 'no function changed\n';
  const pair = (one: Pair) => [human(one.a, unit), human(one.b, unit), percentText(one.points, '+')];
  const rows = shown.map(({ name, self, total }) => [...pair(self), ...pair(total), plain(name)]);
  const head = ['SELF A', 'B', 'CHANGE', 'TOTAL A', 'B', 'CHANGE', "FUNCTION (change in percent of A's total)"];
  const rest = changed - shown.length;
  return `${table('rrrrrrl', [head, ...rows])}${rest > 0 ? `${rest} more changed; --top N and --min 0% show them\n` : ''}`;
}

function reasonOf({ name, pair }: Over, unit: string, limit: number): string {
  const what = name === undefined ? 'the total' : plain(name);
  const of = Number.isFinite(pair.points) ? `${percentText(pair.points)} of A's total` : 'from a total of nothing';
  return `${what} grew by ${human(Math.abs(pair.change), unit)}, ${of}: over ${limit} %`;
}

const pairJson = ({ a, b, points }: Pair) => ({
  a: String(a),
  b: String(b),
  points: Number.isFinite(points) ? points : null,
});
const overJson = ({ name, pair }: Over) => ({ function: name ?? null, ...pairJson(pair) });

/** 64-bit numbers are strings. `points` is null where A is nothing. */
function documentOf(
  { total, perSecond, changes }: Comparison,
  shown: Comparison['changes'],
  sides: readonly [Side, Side],
  names: readonly string[],
) {
  const side = (at: 0 | 1) => ({
    file: names[at]!,
    total: String(sides[at].total),
    durationNs: String(sides[at].durationNs),
  });
  return {
    ...{ a: side(0), b: side(1), perSecond, total: pairJson(total), changed: changes.length },
    functions: shown.map(({ name, self, total: all }) => ({ name, self: pairJson(self), total: pairJson(all) })),
  };
}

// `flamegate inspect FILE`.

import { keyIn } from '../model/attributes.ts';
import { counted, plain, table } from '../terminal.ts';
import {
  type FileFinding,
  findingsOf,
  type LabelFinding,
  type ProfileFinding,
  type TopFinding,
  topOf,
} from './findings.ts';
import { open } from './open.ts';
import type { ProfileOptions, Speaker } from './options.ts';
import { DONE } from './refusal.ts';
import { sayLosses } from './say-losses.ts';
import { candidates, type NamedProfile, preferred } from './select.ts';
import { human, percentOf, percentText } from './units.ts';

/** Functions that are listed unless told otherwise. */
const TOP = 10;
/** Profiles that people see; `--json` has all. */
const MAX_PROFILES = 20;

/** @throws Refusal */
export async function inspect(options: ProfileOptions, say: Speaker): Promise<number> {
  const top = options.top ?? TOP;
  const opened = await open(options.operands[0]!, options);
  const { name, profiles } = opened;
  sayLosses(opened.losses, say);
  const isChosen = options.profile !== undefined || options.type !== undefined;
  const allowed = isChosen ? candidates(name, profiles, options) : profiles;
  const found = findingsOf({ ...opened, profiles: allowed }, top, options.type);
  if (options.json) {
    say.out(`${JSON.stringify(found, undefined, 2)}\n`);
    return DONE;
  }
  say.out(headText(found));
  if (allowed.length === 0) return DONE;
  say.out(`\n${profilesText(found.profiles)}`);
  const one = preferred(allowed);
  const alike = allowed.filter(({ series }) => series === one.series);
  say.out(`\n${detailText(found.profiles[allowed.indexOf(one)]!)}`);
  say.out(`\n${topText(topOf(alike, top, options.type), alike)}`);
  return DONE;
}

function headText({ file, version, compression, bytes, inflatedBytes, profiles }: FileFinding): string {
  const inflated = compression.length === 0 ? '' : ` (${human(inflatedBytes, 'bytes')} inflated)`;
  const size = `${human(bytes, 'bytes')}${inflated}`;
  return `${plain(file)}: ${[version, ...compression, size, counted(profiles.length, 'profile')].join(', ')}\n`;
}

/** A line for each sample type; a star marks the default one. */
function profilesText(profiles: readonly ProfileFinding[]): string {
  const rows = profiles.slice(0, MAX_PROFILES).flatMap(({ name, samples, types, defaultType, attributes }) => {
    const own = types.length === 0 ? [{ type: '-', unit: '-', total: '0' }] : types;
    const service = attributes[keyIn(new Map(Object.entries(attributes)), 'service_name') ?? ''] ?? '';
    return own.map(({ type, unit, total }, at) => [
      at === 0 ? plain(name) : '',
      at === 0 ? String(samples) : '',
      `${plain(type)}${type === defaultType && types.length > 1 ? ' *' : ''}`,
      plain(unit),
      human(BigInt(total), unit),
      total,
      at === 0 ? plain(service) : '',
    ]);
  });
  const more = profiles.length - MAX_PROFILES;
  const rest = more > 0 ? `and ${more} more; --json lists all\n` : '';
  const service = rows.some(row => row.at(-1) !== '') ? 'SERVICE' : '';
  return `${table('lrllrrl', [['PROFILE', 'SAMPLES', 'TYPE', 'UNIT', 'TOTAL', 'EXACT', service], ...rows])}${rest}`;
}

function detailText(profile: ProfileFinding): string {
  const { name, start, durationNs, period, attributes, labels, mappings, buildIds, functions, locations } = profile;
  const lasted = durationNs === null ? '' : ` for ${human(BigInt(durationNs), 'ns')}`;
  const code = [
    counted(functions, 'function'),
    counted(locations, 'location'),
    counted(mappings, 'mapping'),
    counted(buildIds, 'build id'),
  ];
  const values = ({ distinct, values: most }: LabelFinding) =>
    most.map(({ value, samples }) => `${JSON.stringify(value)} ${samples}`).join(', ') +
    (distinct > most.length ? ', …' : '');
  const rows = [
    ...listing('time', [`${start ?? 'not said'}${lasted}`]),
    ...listing('period', period && period.value !== '0' ? [periodText(period)] : []),
    ...listing('code', [code.join(', ')]),
    ...listing('comments', profile.comments > 0 ? [String(profile.comments)] : []),
    ...listing(
      'attributes',
      Object.entries(attributes).map(([key, value]) => `${key}=${JSON.stringify(value)}`),
    ),
    ...listing(
      'labels',
      labels.map(one => {
        const { key, samples, distinct } = one;
        return `${key}: ${counted(samples, 'sample')}, ${counted(distinct, 'value')}: ${values(one)}`;
      }),
    ),
  ];
  return `${plain(name)}\n${table('ll', rows)}`;
}

function periodText({ type, unit, value }: NonNullable<ProfileFinding['period']>): string {
  return `${type} ${human(BigInt(value), unit)} (${value} ${unit})`;
}

/** Rows under one title. */
function listing(title: string, texts: readonly string[]): [string, string][] {
  return texts.map((text, at) => [at === 0 ? `  ${title}` : '', plain(text)]);
}

function topText({ type, unit, total, functions }: TopFinding, of: readonly NamedProfile[]): string {
  if (type === null || unit === null) return 'no sample types\n';
  if (functions.length === 0) return 'no functions\n';
  const all = BigInt(total);
  const rows = functions.map(one => [
    human(BigInt(one.self), unit),
    percentText(percentOf(BigInt(one.self), all)),
    human(BigInt(one.total), unit),
    percentText(percentOf(BigInt(one.total), all)),
    plain(one.name),
  ]);
  const several = of.length > 1 ? `, ${of.length} profiles of ${plain(of[0]!.series)}` : '';
  return table('rrrrl', [['SELF', '', 'TOTAL', '', `FUNCTION (${plain(type)}${several})`], ...rows]);
}

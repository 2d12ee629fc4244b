// Which door of the store a profile goes by, and what must be said there.
import type { Attributes, Profile, ProfileBatch, Summary } from '../../api/index.ts';
import { keyIn, labelText } from '../../model/attributes.ts';
import { formatName, parseName, type SeriesName } from '../../wire/pyroscope/name.ts';
import type { Config } from './config.ts';

/** Agents whose pprof the /ingest door of a store repairs (function names, function ids): their bytes must go by that door. */
const REPAIRED_SPIES = new Set(['pyspy', 'rbspy', 'scripting', 'dotnetspy']);
/** The label that alone of the `__` ones an /ingest store keeps. */
const SESSION = '__session_id__';
/** A profile that says it began before this has no time of its own; /ingest then takes `from`. 1971 in unix ns. */
const YEAR_1971_NS = 31_536_000_000_000_000n;

export type Door =
  | { readonly kind: 'ingest'; readonly query: string; readonly summary?: Summary }
  | { readonly kind: 'push' };

/** What of the origin's query matters here; parsed only where it is needed. */
interface Asked {
  readonly name: SeriesName;
  readonly spyName: string;
  readonly hasFrom: boolean;
}

function asked(query: string): Asked {
  const keys = new URLSearchParams(query);
  return { name: parseName(keys.get('name') ?? ''), spyName: keys.get('spyName') ?? '', hasFrom: keys.has('from') };
}

/** The new `name` of a profile that came by /ingest: the received one where nothing changed; undefined when the syntax cannot say it. */
function nameAfter(received: SeriesName, attributes: Attributes): string | undefined | 'same' {
  const labels = new Map<string, string>();
  const explicit = received.labels.get('service_name');
  const serviceKey = keyIn(attributes, 'service_name');
  const service = labelText(serviceKey === undefined ? undefined : attributes.get(serviceKey)) ?? '';
  let { app } = received;
  let changed = false;
  if (explicit) {
    if (service !== '') labels.set('service_name', service);
    changed = service !== explicit;
  } else if (service !== '' && service !== app) {
    app = service;
    changed = true;
  }
  for (const [key, value] of received.labels) {
    // The receiver keeps these back because the store ignores them; they stay in the name as they were.
    if (key.startsWith('__') && key !== SESSION) labels.set(key, value);
    else if (key !== 'service_name' && labelText(attributes.get(key)) !== value) changed = true;
  }
  for (const [key, value] of attributes) {
    if (key === serviceKey) continue;
    const text = labelText(value);
    if (text === undefined) continue;
    labels.set(key, text);
    if (!received.labels.has(key)) changed = true;
  }
  return changed ? formatName({ app, labels }) : 'same';
}

/** `name` for a profile that was not born at /ingest; undefined when the syntax cannot say it. */
function nameOf(attributes: Attributes): string | undefined {
  const serviceKey = keyIn(attributes, 'service_name');
  const labels = new Map<string, string>();
  for (const [key, value] of attributes) {
    const text = labelText(value);
    if (key === serviceKey || text === undefined || (key.startsWith('__') && key !== SESSION)) continue;
    labels.set(key, text);
  }
  return formatName({
    app: labelText(serviceKey === undefined ? undefined : attributes.get(serviceKey)) || 'unknown_service',
    labels,
  });
}

/** Whether the store's /ingest changes these bytes, which push.v1 would not. */
async function needsIngest(
  query: Asked,
  profile: Profile,
  summary: () => Promise<Summary | undefined>,
): Promise<boolean> {
  if (REPAIRED_SPIES.has(query.spyName)) return true;
  const config = profile.origin?.parts?.sample_type_config;
  if (config && Buffer.from(config).includes('"inuse-space"')) return true;
  const known = await summary();
  return query.hasFrom && known !== undefined && known.startNs < YEAR_1971_NS;
}

/**
 * The door for one profile under `protocol`. A form that push.v1 cannot carry goes by /ingest under any setting; labels that the
 * syntax of `name` cannot say go by push.
 * @returns undefined when neither door can carry it
 */
export async function doorFor(
  config: Config,
  profile: Profile,
  summary: () => Promise<Summary | undefined>,
  rename: (query: string, name: string) => string,
): Promise<Door | undefined> {
  const { origin, payload, attributes } = profile;
  const isPprof = payload.form === 'pprof';
  if (origin?.door === 'ingest' && origin.query !== undefined) {
    const query = asked(origin.query);
    const byPush = config.protocol === 'push' && isPprof && !(await needsIngest(query, profile, summary));
    if (byPush) return { kind: 'push' };
    const name = nameAfter(query.name, attributes);
    if (name === 'same') return { kind: 'ingest', query: origin.query };
    if (name !== undefined) return { kind: 'ingest', query: rename(origin.query, name) };
    return isPprof ? { kind: 'push' } : undefined;
  }
  if (config.protocol !== 'ingest' || !isPprof) return isPprof ? { kind: 'push' } : undefined;
  const name = nameOf(attributes);
  if (name === undefined) return { kind: 'push' };
  const known = await summary();
  const seconds = (ns: bigint) => String(ns / 1_000_000_000n);
  const times =
    known && known.startNs > 0n
      ? `&from=${seconds(known.startNs)}&until=${seconds(known.startNs + known.durationNs)}`
      : '';
  return { kind: 'ingest', query: `name=${encodeURIComponent(name)}&format=pprof${times}` };
}

/** X-Scope-OrgID of the batch, unless the configuration sets one for all. */
export function tenantHeader(
  batch: ProfileBatch,
  configured: Readonly<Record<string, string>>,
): Record<string, string> {
  if (batch.tenant === '' || Object.keys(configured).some(name => name.toLowerCase() === 'x-scope-orgid')) return {};
  return { 'x-scope-orgid': batch.tenant };
}

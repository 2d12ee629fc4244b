// Which door of the store a profile goes by, and what must be said there.
import type { Attributes, Profile, Summary } from '../../api/index.ts';
import { IngestQuery, renameQuery } from '../../wire/pyroscope/ingest.ts';
import type { Config } from './config.ts';
import { nameAfter, nameOf } from './series.ts';

/** Agents whose pprof the /ingest door of a store repairs (function names, function ids): their bytes must go by that door. */
const REPAIRED_SPIES = new Set(['pyspy', 'rbspy', 'scripting', 'dotnetspy']);
/** A profile that says it began before this has no time of its own; /ingest repairs it. 1971 in unix ns. */
const YEAR_1971_NS = 31_536_000_000_000_000n;

export type Door =
  | { readonly kind: 'ingest'; readonly query: string }
  | { readonly kind: 'push' }
  /** Neither door can carry it. */
  | { readonly kind: 'none'; readonly why: string };

const PUSH: Door = { kind: 'push' };

/** Whether the store's /ingest changes these bytes, which push.v1 would not. Asks for the summary only when nothing else decides. */
async function needsIngest(
  query: IngestQuery,
  profile: Profile,
  summary: () => Promise<Summary | undefined>,
): Promise<boolean> {
  if (REPAIRED_SPIES.has(query.spyName)) return true;
  const config = profile.origin?.parts?.sample_type_config;
  if (config && Buffer.from(config.buffer, config.byteOffset, config.byteLength).includes('"inuse-space"')) return true;
  const startNs = (await summary())?.startNs;
  if (startNs === undefined || startNs >= YEAR_1971_NS) return false;
  // push.v1 takes the moment of arrival for a time of 0 or less, as /ingest does without `from`; any other of 1970 it refuses as too old.
  return query.saysFrom || startNs > 0n;
}

/**
 * The door for one profile under `protocol`. A form that push.v1 cannot carry goes by /ingest under any setting; labels that the
 * syntax of `name` cannot say go by push, and so does a `__name__` that somebody gave to a profile of /ingest, which has no word for it.
 */
export async function doorFor(
  { protocol }: Pick<Config, 'protocol'>,
  profile: Profile,
  summary: () => Promise<Summary | undefined>,
): Promise<Door> {
  const { origin, payload, attributes } = profile;
  const isPprof = payload.form === 'pprof';
  if (origin?.door === 'ingest' && origin.query !== undefined) {
    const query = new IngestQuery(origin.query);
    const wantsPush = protocol === 'push' || (protocol === 'auto' && attributes.has('__name__'));
    if (isPprof && wantsPush && !(await needsIngest(query, profile, summary))) return PUSH;
    const name = nameAfter(query.name, attributes);
    if (name === 'same') return { kind: 'ingest', query: origin.query };
    if (name !== undefined) return { kind: 'ingest', query: renameQuery(origin.query, name) };
    return isPprof ? PUSH : none(payload.form, 'its labels cannot be written in the name of /ingest');
  }
  if (!isPprof) return none(payload.form, 'it did not come by /ingest');
  return protocol === 'ingest' ? await ingestDoor(attributes, summary) : PUSH;
}

/** /ingest for a pprof that was not born there. */
async function ingestDoor(attributes: Attributes, summary: () => Promise<Summary | undefined>): Promise<Door> {
  const name = nameOf(attributes);
  if (name === undefined) return PUSH;
  const known = await summary();
  const seconds = (ns: bigint) => String(ns / 1_000_000_000n);
  const times =
    known && known.startNs > 0n
      ? `&from=${seconds(known.startNs)}&until=${seconds(known.startNs + known.durationNs)}`
      : '';
  return { kind: 'ingest', query: `name=${encodeURIComponent(name)}&format=pprof${times}` };
}

function none(form: string, reason: string): Door {
  return { kind: 'none', why: `a ${form} profile can go to Pyroscope by /ingest only, and ${reason}` };
}

// Which door of the store a profile goes by, and what must be said there.
import type { Attributes, Form, Profile, Summary } from '../../api/index.ts';
import { inflatedSize } from '../../wire/gzip.ts';
import { IngestQuery, renameQuery } from '../../wire/pyroscope/ingest.ts';
import { parseName } from '../../wire/pyroscope/name.ts';
import { isRawForm, rawTypeOf, suffixOf } from '../../wire/pyroscope/raw-type.ts';
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
 * Whether a profile in another form than pprof can go by the store's /ingest as it came by ours: where push.v1 is not asked for, the store
 * reads it, and `name` can say its labels. All others are made pprof first.
 */
export function goesAsItCame(
  { protocol, max_profile_size, max_samples }: Pick<Config, 'protocol' | 'max_profile_size' | 'max_samples'>,
  { origin, payload, attributes }: Profile,
): boolean {
  const { form, encoding, bytes } = payload;
  if (protocol === 'push' || origin?.door !== 'ingest' || origin.query === undefined || origin.converted) return false;
  if (form !== 'jfr' && !isRawForm(form)) return false;
  // Of a form with parts the store undoes gzip, within its limit on profiles; of a bare body it does not.
  if (encoding !== 'identity' && (form !== 'jfr' || !origin.parts)) return false;
  // The store's limits are on what it makes of it, which is less than all there is.
  if (inflatedSize(bytes, encoding) > max_profile_size) return false;
  if ((payload.summaries?.[0]?.samples ?? 0) > max_samples) return false;
  // A form that has no name for it here would lose what a processor set.
  if (protocol === 'auto' && attributes.has('__name__')) return false;
  return ingestName(origin.query, attributes, form) !== undefined;
}

/** The query with which a profile of /ingest goes on; undefined where its name cannot say the labels, or the store would not know its type. */
function ingestName(query: string, attributes: Attributes, form: Form): string | undefined {
  const { name } = new IngestQuery(query);
  const after = nameAfter(name, attributes, suffixOf(name.app, form));
  if (after === undefined || (isRawForm(form) && !rawTypeOf(name.app).raw)) return undefined;
  if (after === 'same') return query;
  // A name without a type must stay one: behind a dot in the new one the store would look for it.
  if (isRawForm(form) && !name.app.includes('.') && parseName(after).app.includes('.')) return undefined;
  return renameQuery(query, after);
}

/**
 * The door for one profile under `protocol`. Labels that the syntax of `name` cannot say go by push, and so does a `__name__` that somebody
 * gave to a profile of /ingest, and what was made pprof of another form: that door has no word for what the form said of the series.
 */
export async function doorFor(
  { protocol }: Pick<Config, 'protocol'>,
  profile: Profile,
  summary: () => Promise<Summary | undefined>,
): Promise<Door> {
  const { origin, payload, attributes } = profile;
  const { form } = payload;
  const isPprof = form === 'pprof';
  if (origin?.door === 'ingest' && origin.query !== undefined && !origin.converted) {
    const wantsPush = protocol === 'push' || (protocol === 'auto' && attributes.has('__name__'));
    if (isPprof && wantsPush && !(await needsIngest(new IngestQuery(origin.query), profile, summary))) return PUSH;
    const query = ingestName(origin.query, attributes, form);
    if (query !== undefined) return { kind: 'ingest', query };
    return isPprof ? PUSH : none(form, 'its labels cannot be written in the name of /ingest');
  }
  if (!isPprof) return none(form, 'it did not come by /ingest');
  return protocol === 'ingest' && !origin?.converted ? await ingestDoor(attributes, summary) : PUSH;
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

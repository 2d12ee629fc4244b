import type { Attributes, Plain, Profile, ProfileBatch } from '../../api/index.ts';
import { keyIn } from '../../model/attributes.ts';
import { skeletonFor } from '../../wire/otlp/skeleton.ts';
import { type Contents, ORIGIN } from './contents.ts';

type Dialect = ProfileBatch['dialect'];

const DEFAULT_SERVICE = 'unknown_service';
/** One label that each dialect spells in its own way. */
const SERVICE: Record<Dialect, string> = { pyroscope: 'service_name', otel: 'service.name' };
const SPELLINGS = Object.values(SERVICE);

export interface Profiles {
  readonly dialect: Dialect;
  readonly profiles: readonly Profile[];
  /** Profiles without anything in them; they go no further. */
  readonly empty: number;
}

/**
 * What the pipeline is given of a file.
 * @param labels of the path and the configuration; what the file says of itself stands before them
 * @param modifiedMs the time of profiles that do not say when they were made
 */
export function profilesOf(
  { form, payloads }: Contents,
  labels: ReadonlyMap<string, string>,
  modifiedMs: number,
): Profiles {
  const origin = { ...ORIGIN, timeMs: modifiedMs };
  const dialect = form === 'otlp' ? 'otel' : 'pyroscope';
  const profiles: Profile[] = [];
  let empty = 0;
  for (const payload of payloads) {
    const parts: readonly { readonly attributes: Attributes }[] =
      form === 'otlp' ? skeletonFor(payload).parts : [{ attributes: new Map() }];
    for (const [part, { attributes }] of parts.entries()) {
      const summary = payload.summaries?.[part];
      // A resource without a profile has no type; one without samples may hold an original payload.
      if (form === 'otlp' ? summary?.types.length === 0 : summary?.samples === 0) empty++;
      else profiles.push({ attributes: completed(attributes, labels, dialect), payload, part, origin });
    }
  }
  return { dialect, profiles, empty };
}

/**
 * Labels are added where they are missing; the very attributes that came, where none is. What came without a resource has a service at
 * least; an OTLP resource without one is left to the store, as that of any sender.
 */
function completed(attributes: Attributes, labels: ReadonlyMap<string, string>, dialect: Dialect): Attributes {
  const added = new Map<string, Plain>();
  for (const [name, value] of labels) {
    const spelled = SPELLINGS.includes(name) ? SERVICE[dialect] : name;
    if (keyIn(attributes, spelled) === undefined) added.set(spelled, value);
  }
  if (dialect === 'pyroscope' && !added.has(SERVICE.pyroscope)) added.set(SERVICE.pyroscope, DEFAULT_SERVICE);
  return added.size === 0 ? attributes : new Map([...attributes, ...added]);
}

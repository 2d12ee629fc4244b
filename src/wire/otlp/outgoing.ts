import type { Attributes } from '../../model/attributes.ts';
import { keyIn } from '../../model/attributes.ts';
import type { Dialect, Profile } from '../../model/batch.ts';
import { relayout } from './relayout.ts';
import { skeletonFor } from './skeleton.ts';
import { type References, spliced } from './splice.ts';
import type { WireVersion } from './version.ts';

/** How a store wants its requests. */
export interface Layout {
  readonly version: WireVersion;
  /** `intern` is `inline` towards 1.8 and 1.9, which know no references. */
  readonly references: References;
}

/**
 * The profiles of one form 'otlp', by request: neighbours that share a payload go together, since their samples share its dictionary.
 * Those of two payloads never do: an index means something else in each.
 */
export function byRequest(profiles: readonly Profile[]): Profile[][] {
  const groups: Profile[][] = [];
  for (const profile of profiles) {
    const group = groups.at(-1);
    if (group && group[0]?.payload === profile.payload) group.push(profile);
    else groups.push([profile]);
  }
  return groups;
}

/**
 * ExportProfilesServiceRequest of profiles that share a payload, as chunks: views on the payload where nothing changed.
 * @throws DecodeError what `spliced` and `relayout` throw
 */
export function outgoing(
  profiles: readonly Profile[],
  dialect: Dialect,
  { version, references }: Layout,
): Uint8Array[] {
  const wanted = profiles.map(({ part, attributes }) => ({ part, attributes: otelNames(attributes, dialect) }));
  const isCurrent = version === '1.10';
  const chunks = spliced(skeletonFor(profiles[0]!.payload), wanted, isCurrent ? references : 'inline');
  return isCurrent ? chunks : [relayout(Buffer.concat(chunks), '1.10', version)];
}

/** Names as OTLP has them. */
function otelNames(attributes: Attributes, dialect: Dialect): Attributes {
  if (dialect === 'otel' || keyIn(attributes, 'service.name') !== 'service_name') return attributes;
  return new Map([...attributes].map(([key, value]) => [key === 'service_name' ? 'service.name' : key, value]));
}

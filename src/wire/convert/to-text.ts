import { type Attributes, keyIn, labelText, withSaid } from '../../model/attributes.ts';
import type { Columns } from '../../model/columns/columns.ts';
import type { Form } from '../../model/payload.ts';
import { encodeFolded } from '../folded/encode.ts';
import { profileName } from '../pyroscope/profile-name.ts';
import { type Loss, Losses } from './losses.ts';
import { type About, type ReadProfile, readProfiles } from './read.ts';
import { toLabels, writeSpeedscope } from './write.ts';

/** Forms that people look at. */
export type TextForm = 'groups' | 'speedscope';

/** What a folded text measures, as Pyroscope calls it; a profile of several sample types becomes as many texts. */
const TYPE = '__type__';
const UNIT = '__unit__';

/**
 * A payload in any form as folded texts, one for each sample type of each profile in it, or as one speedscope file.
 * @param raw inflated; may lie in shared memory
 * @param envelope attributes of the profile: service and `__name__` name what a speedscope file shows
 * @throws DecodeError as `readProfiles`
 */
export function toText(
  to: TextForm,
  form: Form,
  raw: Uint8Array,
  about: About,
  envelope: Attributes,
): {
  readonly profiles: readonly { readonly bytes: Uint8Array; readonly attributes: ReadonlyMap<string, string> }[];
  readonly losses: readonly Loss[];
} {
  const losses = new Losses();
  const read = readProfiles(form, raw, about, losses);
  if (to === 'speedscope') {
    const sources = read.map(one => ({ name: titleOf(one, envelope), columns: one.columns }));
    const bytes = writeSpeedscope(sources, losses);
    return { profiles: [{ bytes, attributes: read[0]?.attributes ?? new Map() }], losses: losses.list() };
  }
  const profiles = read.flatMap(({ columns, attributes }) => {
    toLabels(columns, losses);
    return columns.sampleTypes.map(({ type, unit }, at) => ({
      bytes: groupsOf(columns, at, losses),
      attributes: new Map([...attributes, [TYPE, columns.strings.text(type)], [UNIT, columns.strings.text(unit)]]),
    }));
  });
  return { profiles, losses: losses.list() };
}

/** One text of several: no sample type is lost with them, and what a profile loses it loses once; values are each type's own. */
function groupsOf(columns: Columns, type: number, losses: Losses): Uint8Array {
  const own = new Losses();
  const bytes = encodeFolded(columns, { type, values: 'count', labels: false }, own);
  for (const { reason, items } of own.list()) {
    const isOfProfile = reason !== 'folded_negative';
    if (reason !== 'folded_sample_type' && !(isOfProfile && type > 0)) losses.add(reason, items);
  }
  return bytes;
}

/** Service and kind of profile, as far as they are known. */
export function titleOf({ columns, attributes }: ReadProfile, envelope: Attributes): string {
  const all = withSaid(envelope, attributes);
  const service = keyIn(all, 'service_name');
  const types = columns.sampleTypes.map(({ type, unit }) => ({
    type: columns.strings.text(type),
    unit: columns.strings.text(unit),
  }));
  const name = labelText(all.get('__name__')) ?? profileName(types);
  return [service && labelText(all.get(service)), name].filter(Boolean).join(' ');
}

import type { Form } from '../../model/payload.ts';
import { releaseOutput } from '../pprof/encode.ts';
import { type Loss, Losses } from './losses.ts';
import { countOfResource } from './otlp-losses.ts';
import { type About, readProfiles } from './read.ts';
import { writePprof } from './write.ts';

/**
 * A payload in any form as pprof profiles; of a part of OTLP one for each group of Profiles of a scope that agree in time, duration, period
 * and attributes. The attributes of an OTLP resource are the envelope's, and not in them. docs/fidelity.md says what is lost.
 * @param raw inflated; may lie in shared memory
 * @returns profiles in memory of their own, not compressed, and what each says of its series (see `ReadProfile`)
 * @throws DecodeError as `readProfiles`
 */
export function toPprof(
  form: Form,
  raw: Uint8Array,
  about: About,
): {
  readonly profiles: readonly Uint8Array[];
  readonly attributes: readonly ReadonlyMap<string, string>[];
  readonly losses: readonly Loss[];
} {
  const losses = new Losses();
  const read = readProfiles(form, raw, about, losses);
  if (form === 'otlp')
    countOfResource(
      read.map(({ columns }) => columns),
      losses,
    );
  const profiles = read.map(({ columns }) => new Uint8Array(writePprof(columns, losses)));
  releaseOutput();
  return { profiles, attributes: read.map(({ attributes }) => attributes), losses: losses.list() };
}

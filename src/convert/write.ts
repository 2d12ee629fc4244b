// Profiles of a file in another form.
import { keyIn, labelText, withSaid } from '../model/attributes.ts';
import { countOfResource } from '../wire/convert/otlp-losses.ts';
import { prepare } from '../wire/convert/to-otlp.ts';
import { writeFolded, writePprof, writeSpeedscope } from '../wire/convert/write.ts';
import { DecodeError } from '../wire/decode-error.ts';
import { encodeOtlp, type PartColumns, releaseOtlpOutput } from '../wire/otlp/encode.ts';
import { toJson } from '../wire/otlp/json-write.ts';
import { skeletonOf } from '../wire/otlp/skeleton.ts';
import { spliced } from '../wire/otlp/splice.ts';
import { releaseOutput } from '../wire/pprof/encode.ts';
import type { Opened } from './open.ts';
import type { ProfileOptions } from './options.ts';
import { Refusal } from './refusal.ts';
import { type NamedProfile, typeAt } from './select.ts';
import type { Format } from './target.ts';

const NEWLINE = Buffer.from('\n');

/**
 * The profiles as one file. Columns are changed, so that each profile is written once. What came in this form already, and of which nothing
 * is left out, keeps its bytes.
 * @param profiles of `opened`; one, where the form holds no more
 * @throws Refusal
 */
export function write(
  profiles: readonly NamedProfile[],
  format: Format,
  opened: Opened,
  options: Pick<ProfileOptions, 'type' | 'labels'>,
): Uint8Array {
  const { losses, form } = opened;
  try {
    switch (format) {
      case 'otlp':
        return otlp(profiles, opened);
      case 'otlp_json':
        return Buffer.concat([...toJson(otlp(profiles, opened), 'profiles'), NEWLINE]);
      case 'pprof':
        if (form === 'pprof') return opened.raw;
        countResources(profiles, opened);
        return new Uint8Array(writePprof(profiles[0]!.columns, losses));
      case 'speedscope': {
        if (form === 'speedscope' && isAll(profiles, opened)) return opened.raw;
        countResources(profiles, opened);
        const sources = profiles.map(one => ({ name: titleOf(one), columns: one.columns }));
        return writeSpeedscope(sources, losses);
      }
      default: {
        countResources(profiles, opened);
        const [{ columns }] = profiles as [NamedProfile];
        const values = format === 'folded' ? 'count' : 'lines';
        return writeFolded(columns, { type: typeAt(columns, options.type), values, labels: options.labels }, losses);
      }
    }
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    const other = format === 'lines' ? '; --to folded writes a stack once, with its value' : '';
    throw new Refusal(`${opened.name}: cannot be written as ${format}: ${error.message} (${error.reason})${other}`);
  } finally {
    releaseOutput();
  }
}

/** One request: what came as OTLP as the parts it came in, anything else a resource for each profile. */
function otlp(profiles: readonly NamedProfile[], opened: Opened): Uint8Array {
  const { form, raw, losses, writtenMs } = opened;
  if (form === 'otlp' && isAll(profiles, opened)) {
    const skeleton = skeletonOf(raw);
    const kept = skeleton.parts.map(({ attributes }, part) => ({ part, attributes }));
    // Strings in place: what reads the file need not know of references, which are new in 1.10.
    return Buffer.concat(spliced(skeleton, kept, 'inline'));
  }
  const parts: PartColumns[] = [];
  if (form === 'otlp')
    for (const group of byPart(profiles))
      parts.push({ attributes: group[0]!.resource, columns: group.map(({ columns }) => columns) });
  else
    for (const { columns, attributes, resource } of profiles) {
      prepare(columns, { receivedMs: writtenMs }, losses);
      parts.push({ attributes: withSaid(resource, attributes), columns: [columns] });
    }
  const bytes = new Uint8Array(encodeOtlp(parts, losses));
  releaseOtlpOutput();
  return bytes;
}

const isAll = (profiles: readonly NamedProfile[], opened: Opened) => profiles.length === opened.profiles.length;

/** Service and profile. */
function titleOf({ name, resource }: NamedProfile): string {
  const service = labelText(resource.get(keyIn(resource, 'service_name') ?? ''));
  return service ? `${service} ${name}` : name;
}

/** What a resource says, and its scopes, which has no place beside the profiles of other forms. */
function countResources(profiles: readonly NamedProfile[], { form, losses }: Opened): void {
  if (form !== 'otlp') return;
  for (const group of byPart(profiles)) {
    losses.add('resource_attribute', group[0]!.resource.size);
    countOfResource(
      group.map(({ columns }) => columns),
      losses,
    );
  }
}

function byPart(profiles: readonly NamedProfile[]): NamedProfile[][] {
  return [...Map.groupBy(profiles, ({ part }) => part).values()];
}

// A file in any form as profiles.
import type { Encoding, Form } from '../model/payload.ts';
import { Losses } from '../wire/convert/losses.ts';
import { type About, readProfiles } from '../wire/convert/read.ts';
import { partsOf } from '../wire/otlp/decode.ts';
import { formOfFile } from '../wire/otlp/requests.ts';
import { skeletonOf } from '../wire/otlp/skeleton.ts';
import { type Input, readInput } from './input.ts';
import type { ProfileOptions } from './options.ts';
import { readOtlpFile } from './otlp-file.ts';
import { MISUSED, Refusal, refusalOf } from './refusal.ts';
import { type FoundProfile, type NamedProfile, named } from './select.ts';
import { FORM_NAMES, verdictOf } from './verdict.ts';

/** What all columns of a file may take together, bytes. */
const MAX_COLUMNS_BYTES = 2 * 1024 ** 3;

/** Other names that people have for them. */
const SYNONYMS: ReadonlyMap<string, Form> = new Map([
  ['folded', 'groups'],
  ['collapsed', 'groups'],
  ['otlp_json', 'otlp'],
]);

export interface Opened extends Pick<Input, 'name' | 'size' | 'writtenMs'> {
  readonly form: Form;
  readonly layers: readonly Encoding[];
  /** Inflated; of OTLP the request in the 1.10 layout. */
  readonly raw: Uint8Array;
  /** Of the file, bytes. */
  readonly inflatedBytes: number;
  /** What it is, for people: `OTLP 1.9`. */
  readonly version: string;
  readonly profiles: readonly NamedProfile[];
  /** What of it nothing can carry on; conversions add theirs. */
  readonly losses: Losses;
}

/** @throws Refusal */
export async function open(
  file: string,
  { from, jfrLabels }: Pick<ProfileOptions, 'from' | 'jfrLabels'>,
): Promise<Opened> {
  const asked = from === undefined ? undefined : formNamed(from);
  const labels = jfrLabels === undefined ? undefined : (await readInput(jfrLabels)).raw;
  const input = await readInput(file);
  const { name, raw, size, layers, writtenMs } = input;
  const form = asked ?? formOfFile(raw);
  if (!form) throw unknown(name);
  if (labels && form !== 'jfr')
    throw new Refusal(`${name}: is ${FORM_NAMES[form]}; --jfr-labels goes with JFR alone`, MISUSED);
  const losses = new Losses();
  try {
    const opened = { name, size, layers, writtenMs, form, inflatedBytes: raw.length, losses };
    if (form === 'otlp') {
      const { request, version } = readOtlpFile(raw, losses);
      return { ...opened, raw: request, version, profiles: named(readParts(request, losses)) };
    }
    const origin = labels && { door: 'file', parts: { labels } };
    const profiles = read(form, raw, { badLines: 'skip', origin }, losses, MAX_COLUMNS_BYTES);
    return { ...opened, raw, version: verdictOf(form, raw), profiles: named(profiles) };
  } catch (error) {
    throw refusalOf(`${name}: cannot be read as ${FORM_NAMES[form]}`, error);
  }
}

function read(form: Form, raw: Uint8Array, about: About, losses: Losses, maxBytes: number): FoundProfile[] {
  const part = about.part ?? 0;
  return readProfiles(form, raw, about, losses, maxBytes).map(one => ({ ...one, resource: new Map(), part }));
}

function readParts(request: Uint8Array, losses: Losses): FoundProfile[] {
  const { parts } = skeletonOf(request);
  const profiles: FoundProfile[] = [];
  let heldBytes = 0;
  for (let part = 0; part < partsOf(request); part++) {
    const resource = parts[part]!.attributes;
    for (const one of read('otlp', request, { part }, losses, MAX_COLUMNS_BYTES - heldBytes)) {
      heldBytes += one.columns.heldBytes;
      profiles.push({ ...one, resource });
    }
  }
  return profiles;
}

function formNamed(from: string): Form {
  const form = SYNONYMS.get(from) ?? (Object.hasOwn(FORM_NAMES, from) ? (from as Form) : undefined);
  if (form) return form;
  const names = [...Object.keys(FORM_NAMES), ...SYNONYMS.keys()].join(', ');
  throw new Refusal(`--from is one of ${names}, not \`${from}\``, MISUSED);
}

function unknown(name: string): Refusal {
  const { lines: _lines, tree: _tree, trie: _trie, ...told } = FORM_NAMES;
  return new Refusal(
    `${name}: no profile is recognised in it; looked for ${Object.values(told).join(', ')}; name what cannot be told by content: --from lines, tree or trie`,
  );
}

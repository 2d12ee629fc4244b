// `flamegate convert IN OUT`.
import { compressHere } from '../wire/gzip.ts';
import { open } from './open.ts';
import type { ProfileOptions, Speaker } from './options.ts';
import { place } from './place.ts';
import { DONE, MISUSED, Refusal } from './refusal.ts';
import { sayLosses } from './say-losses.ts';
import { candidates, listed, type NamedProfile, preferred, typeAt, typesOf } from './select.ts';
import { HOLDS_SEVERAL, targetOf } from './target.ts';
import { write } from './write.ts';

/** In the name of the output: each profile becomes a file of its own. */
const EACH = '{profile}';
const UNSAFE = /[^\p{L}\p{N}._-]+/gu;

/** @throws Refusal */
export async function convert(options: ProfileOptions, say: Speaker): Promise<number> {
  const [from, to] = options.operands as [string, string];
  const { format, encoding } = targetOf(to, options.to);
  if (options.labels && format !== 'folded' && format !== 'lines')
    throw new Refusal('--labels goes with folded text alone; other forms hold labels anyway', MISUSED);
  const opened = await open(from, options);
  const allowed = candidates(opened.name, opened.profiles, options);
  const isEach = to.includes(EACH);
  const documents = isEach
    ? allowed.map(one => [one])
    : [HOLDS_SEVERAL[format] ? allowed : [chosen(opened.name, allowed, options, say)]];
  const names = isEach ? fileNames(to, allowed) : [to];
  for (const [at, profiles] of documents.entries()) {
    const bytes = write(profiles, format, opened, options);
    await place(names[at]!, compressHere(bytes, encoding));
    if (isEach) say.err(`flamegate: wrote ${names[at]}\n`);
  }
  if (format === 'folded' || format === 'lines') sayType(documents.flat(), options, say);
  sayLosses(opened.losses, say);
  return DONE;
}

/** The one that is written where there is room for one, and a line on the others. */
function chosen(
  file: string,
  allowed: readonly NamedProfile[],
  { profile }: ProfileOptions,
  say: Speaker,
): NamedProfile {
  const [first, second] = allowed;
  if (!second) return first!;
  const names = allowed.map(({ name }) => name);
  if (profile !== undefined)
    throw new Refusal(`${file}: \`${profile}\` is the name of ${allowed.length} profiles; say which: ${listed(names)}`);
  const one = preferred(allowed);
  const others = listed(names.filter(name => name !== one.name));
  say.err(
    `flamegate: ${file} holds ${allowed.length} profiles; ${one.name} is written, not ${others} (--profile NAME for one of them, ${EACH} in the name of the output for all)\n`,
  );
  return one;
}

/** The name of a file for each, which no two have. */
function fileNames(pattern: string, profiles: readonly NamedProfile[]): string[] {
  const taken = new Set<string>();
  return profiles.map(({ name }) => {
    const clean = name.replace(UNSAFE, '_').replace(/^\.+/, '_');
    let file = pattern.replaceAll(EACH, clean);
    // Only names that differ in what a file system does not take come here.
    for (let n = 2; taken.has(file); n++) file = pattern.replaceAll(EACH, `${clean}_${n}`);
    taken.add(file);
    return file;
  });
}

/** A line on the sample types that folded text left out. */
function sayType(profiles: readonly NamedProfile[], options: ProfileOptions, say: Speaker): void {
  for (const { name, columns } of profiles) {
    const types = typesOf(columns).map(({ type }) => type);
    const at = typeAt(columns, options.type);
    if (types.length < 2) continue;
    const others = listed(types.filter((_type, other) => other !== at));
    say.err(`flamegate: ${types[at]} of ${name} is written, not ${others} (--type NAME for one of them)\n`);
  }
}

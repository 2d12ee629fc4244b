// What stands in one file: a profile, or all parts of one OTLP request that a batch holds.
import type { Profile } from '../../api/index.ts';
import { endingOf } from '../../model/payload.ts';
import { gzip } from '../../wire/gzip.ts';
import { toJson } from '../../wire/otlp/json-write.ts';
import { skeletonFor } from '../../wire/otlp/skeleton.ts';
import { spliced } from '../../wire/otlp/splice.ts';

const JSON_LINES = '.otlp.jsonl';
const NEWLINE = Buffer.from('\n');

/** Profiles that go into one file; the first one names it. */
export type Document = readonly [Profile, ...Profile[]];

/** Parts of one OTLP request stay together; they share its dictionary. */
export function documentsOf(profiles: readonly Profile[]): Document[] {
  const documents: [Profile, ...Profile[]][] = [];
  for (const profile of profiles) {
    const last = documents.at(-1);
    const isPart = profile.payload.form === 'otlp' && last?.[0].payload === profile.payload;
    if (last && isPart) last.push(profile);
    else documents.push([profile]);
  }
  return documents;
}

/**
 * @param json whether OTLP is written as one line of JSON
 * @throws DecodeError where an OTLP request cannot be read
 */
export async function contentOf(
  document: Document,
  json: boolean,
): Promise<{ readonly chunks: readonly Uint8Array[]; readonly ending: string }> {
  const { payload } = document[0];
  const { form, encoding, bytes } = payload;
  if (form === 'otlp') {
    // Strings in place: what reads the file need not know of references, which are new in 1.10.
    const chunks = spliced(skeletonFor(payload), document, 'inline');
    if (!json) return { chunks, ending: endingOf(form, 'identity') };
    return { chunks: [...toJson(Buffer.concat(chunks), 'profiles'), NEWLINE], ending: JSON_LINES };
  }
  if (form !== 'pprof' || encoding !== 'identity') return { chunks: [bytes], ending: endingOf(form, encoding) };
  return { chunks: [await gzip(bytes)], ending: endingOf(form, 'gzip') };
}

import { type Attributes, withSaid } from '../../model/attributes.ts';
import type { Columns } from '../../model/columns/columns.ts';
import type { Form } from '../../model/payload.ts';
import { encodeOtlp, type PartColumns } from '../otlp/encode.ts';
import { mergeOtlp } from '../otlp/merge.ts';
import { MAX_DECODED_BYTES } from '../pprof/limits.ts';
import { decodeToScratch, releaseScratch } from '../pprof/scratch.ts';
import { timeOf } from './ingested.ts';
import { labelsToLinks } from './links.ts';
import { type Loss, Losses } from './losses.ts';
import { type About, type ReadProfile, readProfiles } from './read.ts';

/** How many times its inflated size a real profile takes decoded, at most. */
const DECODED_SIZE = 7;

/** A payload in any form but OTLP. */
export interface OtlpSource {
  /** Those of the envelope: they become the resource's. */
  readonly attributes: Attributes;
  readonly form: Exclude<Form, 'otlp'>;
  /** Inflated; may lie in shared memory. */
  readonly raw: Uint8Array;
  readonly about: About & { readonly receivedMs: number };
}

/**
 * Payloads as one ProfilesData of OTLP 1.10: each profile in them is one resource_profiles with one scope, in this order. What comes back
 * of a pprof by `toPprof` is the same, as a multiset of stack, labels and values, with its sample types in their order; docs/fidelity.md
 * says what is not.
 * @param maxBytes what columns may take at once: more profiles than that are decoded by and by, and merged
 * @returns `bytes`: a view on scratch memory that is valid until the next call of anything that encodes OTLP; `said`: what each payload's form said of
 * each resource_profiles that it became
 * @throws DecodeError as `readProfiles`
 */
export function toOtlp(
  sources: readonly OtlpSource[],
  maxBytes = MAX_DECODED_BYTES,
): {
  readonly bytes: Uint8Array;
  readonly said: readonly (readonly ReadProfile['attributes'][])[];
  readonly losses: readonly Loss[];
} {
  const losses = new Losses();
  const requests: Uint8Array[] = [];
  const said: ReadProfile['attributes'][][] = [];
  let parts: PartColumns[] = [];
  let heldBytes = 0;
  try {
    for (const source of sources) {
      if (parts.length > 0 && heldBytes + DECODED_SIZE * source.raw.length > maxBytes) {
        requests.push(new Uint8Array(encodeOtlp(parts, losses)));
        parts = [];
        heldBytes = 0;
      }
      const profiles = read(source, sources.length === 1, losses, maxBytes - heldBytes);
      for (const { columns, attributes } of profiles) {
        heldBytes += columns.heldBytes;
        prepare(columns, source.about, losses);
        parts.push({ attributes: withSaid(source.attributes, attributes), columns: [columns] });
      }
      said.push(profiles.map(({ attributes }) => attributes));
    }
    const last = encodeOtlp(parts, losses);
    const bytes = requests.length === 0 ? last : mergeOtlp([...requests, last]);
    return { bytes, said, losses: losses.list() };
  } finally {
    releaseScratch();
  }
}

function read({ form, raw, about }: OtlpSource, isOnly: boolean, losses: Losses, maxBytes: number): ReadProfile[] {
  // One pprof, which is what most requests hold, uses the arrays of the one before.
  if (isOnly && form === 'pprof') return [{ columns: decodeToScratch(raw), attributes: new Map() }];
  return readProfiles(form, raw, about, losses, maxBytes);
}

/** What OTLP asks for otherwise than pprof. */
export function prepare(columns: Columns, about: OtlpSource['about'], losses: Losses): void {
  losses.add('pprof_unknown_field', columns.unknown?.count ?? 0);
  if (columns.timeNanos <= 0n) {
    columns.timeNanos = timeOf(about);
    losses.add('pprof_no_time');
  }
  if (columns.durationNanos < 0n) {
    columns.durationNanos = 0n;
    losses.add('pprof_negative_duration');
  }
  labelsToLinks(columns);
}

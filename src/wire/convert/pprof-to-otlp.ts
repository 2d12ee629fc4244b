import type { Attributes } from '../../model/attributes.ts';
import type { Columns } from '../../model/columns/columns.ts';
import { encodeOtlp, type PartColumns } from '../otlp/encode.ts';
import { mergeOtlp } from '../otlp/merge.ts';
import { decodePprof } from '../pprof/decode.ts';
import { MAX_DECODED_BYTES } from '../pprof/limits.ts';
import { decodeToScratch, releaseScratch } from '../pprof/scratch.ts';
import { labelsToLinks } from './links.ts';
import { type Loss, Losses } from './losses.ts';

/** How many times its inflated size a real profile takes decoded, at most. */
const DECODED_SIZE = 7;

export interface PprofSource {
  /** Those of the envelope: they become the resource's. */
  readonly attributes: Attributes;
  /** Inflated; may lie in shared memory. */
  readonly raw: Uint8Array;
  /** What a profile without a time gets, Unix milliseconds. */
  readonly receivedMs: number;
}

/**
 * pprof profiles as one ProfilesData of OTLP 1.10, profile n as resource_profiles[n] with one scope. What comes back by `otlpToPprof` is
 * the same, as a multiset of stack, labels and values, with its sample types in their order; docs/fidelity.md says what is not.
 * @param maxBytes what columns may take at once: more profiles than that are decoded by and by, and merged
 * @returns `bytes`: a view on scratch memory that is valid until the next call of anything that encodes OTLP
 * @throws DecodeError as `decodePprof`
 */
export function pprofToOtlp(
  profiles: readonly PprofSource[],
  maxBytes = MAX_DECODED_BYTES,
): { bytes: Uint8Array; losses: readonly Loss[] } {
  const losses = new Losses();
  const requests: Uint8Array[] = [];
  let parts: PartColumns[] = [];
  let heldBytes = 0;
  try {
    for (const { attributes, raw, receivedMs } of profiles) {
      if (parts.length > 0 && heldBytes + DECODED_SIZE * raw.length > maxBytes) {
        requests.push(new Uint8Array(encodeOtlp(parts, losses)));
        parts = [];
        heldBytes = 0;
      }
      // One profile, which is what most requests hold, uses the arrays of the one before.
      const columns = profiles.length === 1 ? decodeToScratch(raw) : decodePprof(raw, undefined, maxBytes - heldBytes);
      heldBytes += columns.heldBytes;
      prepare(columns, receivedMs, losses);
      parts.push({ attributes, columns: [columns] });
    }
    const last = encodeOtlp(parts, losses);
    return { bytes: requests.length === 0 ? last : mergeOtlp([...requests, last]), losses: losses.list() };
  } finally {
    releaseScratch();
  }
}

/** What OTLP asks for otherwise than pprof. */
function prepare(columns: Columns, receivedMs: number, losses: Losses): void {
  losses.add('pprof_unknown_field', columns.unknown?.count ?? 0);
  if (columns.timeNanos <= 0n) {
    columns.timeNanos = BigInt(Math.trunc(receivedMs)) * 1_000_000n;
    losses.add('pprof_no_time');
  }
  if (columns.durationNanos < 0n) {
    columns.durationNanos = 0n;
    losses.add('pprof_negative_duration');
  }
  labelsToLinks(columns);
}

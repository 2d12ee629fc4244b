import type { Attributes } from '../../model/attributes.ts';
import type { Columns } from '../../model/columns/columns.ts';
import { encodeOtlp } from '../otlp/encode.ts';
import { decodePprof } from '../pprof/decode.ts';
import { MAX_DECODED_BYTES } from '../pprof/limits.ts';
import { labelsToLinks } from './links.ts';
import { type Loss, Losses } from './losses.ts';

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
 * @returns `bytes`: a view on scratch memory that is valid until the next call of anything that encodes OTLP
 * @throws DecodeError as `decodePprof`
 */
export function pprofToOtlp(profiles: readonly PprofSource[]): { bytes: Uint8Array; losses: readonly Loss[] } {
  const losses = new Losses();
  let leftBytes = MAX_DECODED_BYTES;
  const parts = profiles.map(({ attributes, raw, receivedMs }) => {
    const columns = decodePprof(raw, undefined, leftBytes);
    leftBytes -= columns.heldBytes;
    prepare(columns, receivedMs, losses);
    return { attributes, columns: [columns] };
  });
  return { bytes: encodeOtlp(parts, losses), losses: losses.list() };
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

import { DecodeError } from '../decode-error.ts';
import type { Loss } from './losses.ts';

export function otlpToPprof(
  _request: Uint8Array,
  _part: number,
): { profiles: readonly Uint8Array[]; losses: readonly Loss[] } {
  throw new DecodeError('unsupported_form', 'OTLP cannot be made pprof yet');
}

import type { Attributes } from '../../model/attributes.ts';
import { DecodeError } from '../decode-error.ts';
import type { Loss } from './losses.ts';

export function pprofToOtlp(_profiles: readonly { attributes: Attributes; raw: Uint8Array; receivedMs: number }[]): {
  bytes: Uint8Array;
  losses: readonly Loss[];
} {
  throw new DecodeError('unsupported_form', 'pprof cannot be made OTLP yet');
}

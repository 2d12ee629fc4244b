import type { Columns } from '../../model/columns/columns.ts';
import { DecodeError } from '../decode-error.ts';

export function decodeOtlp(_request: Uint8Array, _part: number): Columns[] {
  throw new DecodeError('unsupported_form', 'OTLP cannot be decoded yet');
}

import type { Attributes } from '../../model/attributes.ts';
import type { Columns } from '../../model/columns/columns.ts';
import { DecodeError } from '../decode-error.ts';

export function encodeOtlp(_parts: readonly { attributes: Attributes; columns: readonly Columns[] }[]): Uint8Array {
  throw new DecodeError('unsupported_form', 'OTLP cannot be encoded yet');
}

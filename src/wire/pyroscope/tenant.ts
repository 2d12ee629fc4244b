import { DecodeError } from '../decode-error.ts';

/** Longest tenant id, bytes, and its characters, as Pyroscope wants them. */
const MAX_TENANT_BYTES = 150;
const TENANT = /^[0-9a-zA-Z!\-_.*'()]+$/;

/** The one tenant that `X-Scope-OrgID` names in a write; '' without it. @throws DecodeError bad_tenant */
export function tenantOf(header: string | undefined): string {
  if (header === undefined || header === '') return '';
  if (header.length > MAX_TENANT_BYTES || !TENANT.test(header) || header === '.' || header === '..')
    throw new DecodeError('bad_tenant', 'X-Scope-OrgID must name exactly one tenant');
  return header;
}

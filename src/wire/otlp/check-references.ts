import { Reader } from '../protobuf.ts';
import { DICTIONARY, RESOURCE, RESOURCE_PROFILES, SCOPE, SCOPE_PROFILES } from './fields.ts';
import { countKeyValue, countKeyValueAndUnit } from './inline.ts';
import { ResolvedBytes } from './resolved-bytes.ts';
import type { Skeleton } from './skeleton.ts';

/** Skeletons whose references are known to stand for no more than the limit. */
const checked = new WeakSet<Skeleton>();

/**
 * Refuses a request whose references, of resources, scopes and the attribute table together, stand for too many bytes. Goes through a
 * skeleton once; makes nothing per reference.
 * @returns false where there is none
 * @throws DecodeError bad_protobuf, too_deep, too_large
 */
export function checkReferences(skeleton: Skeleton): boolean {
  const { bytes, dictionary, parts } = skeleton;
  // Without a dictionary no reference has a string.
  if (!dictionary || checked.has(skeleton)) return true;
  const resolved = new ResolvedBytes(skeleton.lengthAt);
  countResources(skeleton, resolved);
  for (const { start, end } of parts) {
    const reader = new Reader(bytes, start, end);
    reader.each(RESOURCE_PROFILES.scopeProfiles, () =>
      reader.each(SCOPE_PROFILES.scope, () => reader.each(SCOPE.attributes, () => countKeyValue(reader, resolved))),
    );
  }
  const tables = new Reader(bytes, dictionary.start, dictionary.end);
  tables.each(DICTIONARY.attributeTable, () => countKeyValueAndUnit(tables, resolved));
  checked.add(skeleton);
  return resolved.any;
}

/** As `checkReferences`, of the resources alone. */
export function checkResourceReferences(skeleton: Skeleton): void {
  if (skeleton.dictionary) countResources(skeleton, new ResolvedBytes(skeleton.lengthAt));
}

function countResources({ bytes, parts }: Skeleton, resolved: ResolvedBytes): void {
  for (const { resource } of parts) {
    if (!resource) continue;
    const reader = new Reader(bytes, resource.start, resource.end);
    reader.each(RESOURCE.attributes, () => countKeyValue(reader, resolved));
  }
}

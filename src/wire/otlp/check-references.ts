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
  for (const { start, end } of parts)
    each(new Reader(bytes, start, end), RESOURCE_PROFILES.scopeProfiles, scopes =>
      each(scopes, SCOPE_PROFILES.scope, scope =>
        each(scope, SCOPE.attributes, attribute => countKeyValue(attribute, resolved)),
      ),
    );
  const tables = new Reader(bytes, dictionary.start, dictionary.end);
  each(tables, DICTIONARY.attributeTable, row => countKeyValueAndUnit(row, resolved));
  checked.add(skeleton);
  return resolved.any;
}

/** As `checkReferences`, of the resources alone. */
export function checkResourceReferences(skeleton: Skeleton): void {
  if (skeleton.dictionary) countResources(skeleton, new ResolvedBytes(skeleton.lengthAt));
}

function countResources({ bytes, parts }: Skeleton, resolved: ResolvedBytes): void {
  for (const { resource } of parts)
    if (resource)
      each(new Reader(bytes, resource.start, resource.end), RESOURCE.attributes, attribute =>
        countKeyValue(attribute, resolved),
      );
}

/** Reads the messages in this field, with the reader narrowed to each; passes over all others. */
function each(reader: Reader, field: number, read: (reader: Reader) => void): void {
  while (reader.next()) {
    if (reader.field !== field) {
      reader.skip();
      continue;
    }
    const outer = reader.enter();
    read(reader);
    reader.leave(outer);
  }
}

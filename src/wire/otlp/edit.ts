import type { Attributes } from '../../model/attributes.ts';
import type { Columns } from '../../model/columns/columns.ts';
import { type Loss, Losses } from '../convert/losses.ts';
import { MAX_DECODED_BYTES } from '../pprof/limits.ts';
import { decodeOtlp } from './decode.ts';
import { encodeOtlp } from './encode.ts';

export interface EditedOtlp {
  /**
   * A request that holds what was kept, the n-th part given as part n; undefined where nothing changed. A view on scratch memory that is
   * valid until the next call of anything that encodes OTLP.
   */
  readonly bytes: Uint8Array | undefined;
  readonly losses: readonly Loss[];
}

/**
 * Runs `edit` over parts of a request, group by group as `decodeOtlp` makes them, and writes them again only where something was edited or
 * a group was let go. Untouched groups that are written again beside edited ones say the same as before.
 * @param parts with the attributes that their resources are to have
 * @param edit returns false to let the group go; `at` is the place of its part among those given
 * @throws DecodeError as `decodeOtlp`; and what `edit` throws
 */
export function editOtlp(
  request: Uint8Array,
  parts: readonly { readonly part: number; readonly attributes: Attributes }[],
  edit: (columns: Columns, at: number) => boolean,
  maxBytes = MAX_DECODED_BYTES,
): EditedOtlp {
  const losses = new Losses();
  let leftBytes = maxBytes;
  let changed = false;
  const kept = parts.map(({ part, attributes }, at) => {
    const groups = decodeOtlp(request, part, leftBytes);
    const columns = groups.filter(group => {
      const keep = edit(group, at);
      changed ||= !keep || group.edited;
      if (keep) leftBytes -= group.heldBytes;
      return keep;
    });
    return { attributes, columns };
  });
  if (!changed) return { bytes: undefined, losses: [] };
  for (const { otlp, edited } of kept.flatMap(({ columns }) => columns)) {
    losses.add('edited_unknown_field', otlp!.unknownFields);
    if (edited) losses.add('edited_original_payload', otlp!.types.filter(({ payload }) => payload).length);
  }
  return { bytes: encodeOtlp(kept), losses: losses.list() };
}

import { ColumnsBuilder } from '../../model/columns/builder.ts';
import type { Columns } from '../../model/columns/columns.ts';
import { Rows } from '../../model/columns/growth.ts';
import { DecodeError } from '../decode-error.ts';
import { fillWithin } from '../fill-within.ts';
import { MAX_DECODED_BYTES } from '../pprof/limits.ts';
import { FrameRows } from './frame-rows.ts';
import { MAX_CHILDREN } from './limits.ts';
import { NodeReader } from './node-reader.ts';
import { TrieKeys } from './trie-keys.ts';

const SAMPLES = [{ type: 'samples', unit: 'count' }];

/**
 * A `tree` of Pyroscope: nodes in pre-order, as `NodeReader` says; the name is that of one frame, the value is what the frame itself has, the
 * root has no name (grafana/pyroscope, pkg/og/storage/tree/serialize.go). One sample type samples/count; a sample for each node with a value,
 * in the order of nodes. A value of the root is a sample without a stack; Pyroscope leaves it out.
 * @param raw may lie in shared memory; must not change while the columns are in use
 * @param maxBytes what the columns may take
 * @throws DecodeError empty_body, bad_tree, bad_string, value_overflow, too_deep, too_many_elements
 */
export function decodeTree(raw: Uint8Array, maxBytes: number = MAX_DECODED_BYTES): Columns {
  return decoded(raw, maxBytes, 'bad_tree', (nodes, frames) => {
    walk(nodes, depth => {
      if (nodes.children > MAX_CHILDREN)
        throw new DecodeError('too_many_elements', `a node has more than ${MAX_CHILDREN} children`);
      if (depth > 0) {
        frames.cut(depth - 1);
        frames.push(nodes.nameFrom, nodes.nameTo);
      } else if (nodes.nameTo !== nodes.nameFrom) throw nodes.bad('the root has a name');
      if (nodes.value !== 0n) frames.sample(nodes.value);
    });
  });
}

/**
 * A `trie` of Pyroscope: nodes in pre-order, as `NodeReader` says; the names from the root to a node, one behind the other, are a folded stack,
 * wherever they are cut, and the value is that of the stack (grafana/pyroscope, pkg/og/structs/transporttrie/serialize.go). One sample type
 * samples/count; a sample for each node with a value, in the order of nodes; the empty text is a stack without frames.
 * @param raw may lie in shared memory; must not change while the columns are in use
 * @param maxBytes what the columns may take, and the names that are put together on the way
 * @throws DecodeError empty_body, bad_trie, bad_string, value_overflow, too_deep, too_many_elements
 */
export function decodeTrie(raw: Uint8Array, maxBytes: number = MAX_DECODED_BYTES): Columns {
  return decoded(raw, maxBytes, 'bad_trie', (nodes, frames) => {
    const keys = new TrieKeys(raw, frames);
    walk(nodes, depth => {
      keys.enter(depth, nodes.nameFrom, nodes.nameTo);
      if (nodes.value !== 0n) keys.sample(nodes.value);
    });
  });
}

function decoded(
  raw: Uint8Array,
  maxBytes: number,
  reason: string,
  read: (nodes: NodeReader, frames: FrameRows) => void,
): Columns {
  if (raw.length === 0) throw new DecodeError('empty_body', 'the profile is empty');
  return fillWithin(maxBytes, 0, () => {
    const builder = new ColumnsBuilder(SAMPLES, raw);
    read(new NodeReader(raw, reason), new FrameRows(builder, raw, reason));
    return builder.columns;
  });
}

/** Reads all nodes; `visit` gets how many nodes lie above each. */
function walk(nodes: NodeReader, visit: (depth: number) => void): void {
  /** Children that are still to come, by depth of their parent. */
  const owed = new Rows();
  for (;;) {
    nodes.next();
    visit(owed.length);
    if (nodes.children > 0) {
      owed.push(nodes.children);
      owed.items[owed.length - 1]!--;
      continue;
    }
    while (owed.length > 0 && owed.items[owed.length - 1] === 0) owed.length--;
    if (owed.length === 0) break;
    owed.items[owed.length - 1]!--;
  }
  nodes.end();
}

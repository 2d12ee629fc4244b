import { ColumnsBuilder } from '../../model/columns/builder.ts';
import type { Columns } from '../../model/columns/columns.ts';
import { takeRoom } from '../../model/columns/growth.ts';
import type { Losses } from '../convert/losses.ts';
import { DecodeError } from '../decode-error.ts';
import { fillWithin } from '../fill-within.ts';
import { JsonCursor } from '../json-cursor.ts';
import { MAX_DECODED_BYTES, MAX_ELEMENTS } from '../pprof/limits.ts';
import { idOf, numberOf, readCallFrame } from './call-frame.ts';
import { Nodes } from './nodes.ts';

/** Frames of a stack. V8 takes 128 unless asked for more. Reading so many takes 0.6 MB of our own stack, of which a thread has 1 or more. */
const MAX_FRAMES = 520;
/** Each node lies in an object in a list; the profile and what is in a node come on top. */
const MAX_DEPTH = 2 * MAX_FRAMES + 8;

/** Of an array of numbers while it grows, bytes each. */
const NUMBER_BYTES = 16;

interface HeapNodes {
  readonly nodes: Nodes;
  /** By node, bytes, and sampled objects. */
  readonly bytes: number[];
  readonly objects: number[];
}

/**
 * A `.heapprofile` of V8: HeapProfiler.SamplingHeapProfile of the DevTools protocol, as `node --heap-prof` writes it. Sample type
 * `space/bytes`, which V8 scaled to all that was allocated; one sample per node of the call tree. Where the file lists its samples,
 * `objects/count` is the number of them: objects that were sampled, since the file does not say of how many each is one.
 * @throws DecodeError bad_json, bad_string, too_deep, bad_value, bad_reference, too_many_elements
 */
export function decodeHeapProfile(raw: Uint8Array, _losses?: Losses, maxBytes = MAX_DECODED_BYTES): Columns {
  return fillWithin(maxBytes, 0, () => {
    const json = new JsonCursor(raw, MAX_DEPTH);
    const builder = new ColumnsBuilder([]);
    const heap: HeapNodes = { nodes: new Nodes(), bytes: [], objects: [] };
    /** Ids of the nodes of samples, in front of the nodes. */
    let samples: number[] | undefined;
    let hasHead = false;
    json.object(key => {
      if (key === 'head' && !hasHead) {
        hasHead = true;
        readNode(json, builder, heap);
      } else if (key === 'samples') samples = readSamples(json);
      else json.skip();
    });
    json.finish();
    if (!hasHead) throw new DecodeError('bad_json', 'there is no head');
    return filled(builder, heap, samples);
  });
}

function filled(builder: ColumnsBuilder, { nodes, bytes, objects }: HeapNodes, samples?: readonly number[]): Columns {
  if (samples) builder.addType('objects', 'count');
  builder.addType('space', 'bytes');
  for (const id of samples ?? []) objects[nodes.at(id)]!++;
  for (let node = 0; node < nodes.count; node++) {
    if (bytes[node] === 0 && objects[node] === 0) continue;
    const space = BigInt(bytes[node]!);
    const row = nodes.sample(node, builder, samples ? BigInt(objects[node]!) : space);
    if (samples) builder.value(row, 1, space);
  }
  return builder.columns;
}

/** A node and, inside it, those that it calls. Takes one round of recursion per frame: the depth of JSON bounds it. */
function readNode(json: JsonCursor, builder: ColumnsBuilder, heap: HeapNodes, parent?: number): void {
  const { nodes, bytes, objects } = heap;
  const node = nodes.add(parent);
  bytes.push(0);
  objects.push(0);
  json.object(key => {
    if (key === 'callFrame') nodes.location[node] = readCallFrame(json, builder);
    else if (key === 'selfSize') bytes[node] = sizeOf(json);
    else if (key === 'id') nodes.name(node, idOf(json));
    else if (key === 'children') json.list(() => readNode(json, builder, heap, node));
    else json.skip();
  });
}

function sizeOf(json: JsonCursor): number {
  const size = numberOf(json);
  if (!Number.isInteger(size) || size < 0)
    throw new DecodeError('bad_value', `a size is no whole number of bytes, at byte ${json.at}`);
  return size;
}

function readSamples(json: JsonCursor): number[] {
  const samples: number[] = [];
  json.list(() => {
    if (samples.length >= MAX_ELEMENTS)
      throw new DecodeError('too_many_elements', `there are more than ${MAX_ELEMENTS} samples`);
    json.object(key => {
      if (key !== 'nodeId') json.skip();
      else {
        takeRoom(NUMBER_BYTES);
        samples.push(idOf(json));
      }
    });
  });
  return samples;
}

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
import { timesOf } from './times.ts';

/** Of an array of numbers while it grows, bytes each. */
const NUMBER_BYTES = 16;

interface CpuProfile {
  readonly nodes: Nodes;
  /** By node. */
  readonly hits: number[];
  /** Number of the parent and id of the child, one after the other; and of a child and its parent. */
  readonly children: number[];
  readonly parents: number[];
  /** Ids of nodes. */
  samples: number[] | undefined;
  /** Microseconds since the sample before, of the first since the start. */
  timeDeltas: number[] | undefined;
  startTime: number | undefined;
  endTime: number | undefined;
}

/**
 * A `.cpuprofile` of V8: Profiler.Profile of the DevTools protocol, as `node --cpu-prof` writes it. Sample types `sample/count` and
 * `wall/nanoseconds`, as pprof-nodejs calls them; one sample per node of the call tree, root left out, idle time and the program kept. Without
 * times only the first, from the hit counts. Its clock is that of the machine, so there is no time; the duration is.
 * @throws DecodeError bad_json, bad_string, too_deep, bad_value, value_count, bad_reference, too_many_elements
 */
export function decodeCpuProfile(raw: Uint8Array, losses?: Losses, maxBytes = MAX_DECODED_BYTES): Columns {
  return fillWithin(maxBytes, 0, () => {
    const builder = new ColumnsBuilder([{ type: 'sample', unit: 'count' }]);
    const profile = readProfile(new JsonCursor(raw), builder, losses);
    const { nodes, children, parents, samples, timeDeltas, startTime, endTime } = profile;
    for (let at = 0; at < children.length; at += 2) nodes.link(children[at]!, nodes.at(children[at + 1]!));
    for (let at = 0; at < parents.length; at += 2) nodes.link(nodes.at(parents[at + 1]!), parents[at]!);
    nodes.checkNoCycle();
    const { columns } = builder;
    const lasts = startTime === undefined || endTime === undefined ? undefined : endTime - startTime;
    if (lasts !== undefined && lasts > 0) columns.durationNanos = nanos(lasts);
    let { hits } = profile;
    let times: Float64Array | undefined;
    if (samples) {
      hits = new Array(nodes.count).fill(0);
      for (const id of samples) hits[nodes.at(id)]!++;
    }
    if (samples && timeDeltas) {
      if (samples.length !== timeDeltas.length)
        throw new DecodeError('value_count', 'there are not as many time deltas as samples');
      builder.addType('wall', 'nanoseconds');
      times = timesOf(samples, timeDeltas, lasts, nodes);
    }
    for (let node = 0; node < nodes.count; node++) {
      if (hits[node] === 0) continue;
      const row = nodes.sample(node, builder, BigInt(hits[node]!));
      if (times) builder.value(row, 1, nanos(times[node]!));
    }
    return columns;
  });
}

/** Exact for whole microseconds. */
const nanos = (micros: number): bigint =>
  Number.isInteger(micros) ? BigInt(micros) * 1000n : BigInt(Math.round(micros * 1000));

function readProfile(json: JsonCursor, builder: ColumnsBuilder, losses: Losses | undefined): CpuProfile {
  const profile: CpuProfile = {
    nodes: new Nodes(),
    hits: [],
    children: [],
    parents: [],
    samples: undefined,
    timeDeltas: undefined,
    startTime: undefined,
    endTime: undefined,
  };
  let hasNodes = false;
  json.object(key => {
    switch (key) {
      case 'nodes':
        hasNodes = true;
        json.list(() => readNode(json, profile, builder, losses));
        break;
      case 'samples':
        profile.samples = numbers(json, idOf);
        break;
      case 'timeDeltas':
        profile.timeDeltas = numbers(json, numberOf);
        break;
      case 'startTime':
        profile.startTime = numberOf(json);
        break;
      case 'endTime':
        profile.endTime = numberOf(json);
        break;
      default:
        json.skip();
    }
  });
  json.finish();
  if (!hasNodes) throw new DecodeError('bad_json', 'there are no nodes');
  return profile;
}

function readNode(json: JsonCursor, profile: CpuProfile, builder: ColumnsBuilder, losses: Losses | undefined): void {
  const { nodes, hits, children, parents } = profile;
  const node = nodes.add();
  let hasId = false;
  let hasDetail = false;
  hits.push(0);
  json.object(key => {
    switch (key) {
      case 'id':
        if (hasId) throw new DecodeError('bad_json', `a node has two ids, at byte ${json.at}`);
        hasId = true;
        nodes.name(node, idOf(json));
        break;
      case 'callFrame':
        nodes.location[node] = readCallFrame(json, builder);
        break;
      case 'hitCount':
        hits[node] = idOf(json);
        break;
      case 'parent':
        takeRoom(2 * NUMBER_BYTES);
        parents.push(node, idOf(json));
        break;
      case 'children':
        json.list(() => {
          takeRoom(2 * NUMBER_BYTES);
          children.push(node, idOf(json));
        });
        break;
      case 'positionTicks':
      case 'deoptReason':
        hasDetail = true;
        json.skip();
        break;
      default:
        json.skip();
    }
  });
  if (!hasId) throw new DecodeError('bad_json', `a node has no id, at byte ${json.at}`);
  if (hasDetail) losses?.add('v8_node_detail');
}

function numbers(json: JsonCursor, read: (json: JsonCursor) => number): number[] {
  const found: number[] = [];
  json.list(() => {
    if (found.length >= MAX_ELEMENTS)
      throw new DecodeError('too_many_elements', `there are more than ${MAX_ELEMENTS} samples`);
    takeRoom(NUMBER_BYTES);
    found.push(read(json));
  });
  return found;
}

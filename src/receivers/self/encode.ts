// V8's profiles as pprof. An object model is natural here: a few hundred nodes every ten seconds.
import type { HeapProfiler, Profiler, Runtime } from 'node:inspector';
import { Line, Location, Function as PprofFunction, Profile, Sample, StringTable, ValueType } from 'pprof-format';
import { objectsIn } from './heap-objects.ts';
import { HEAP_SAMPLE_BYTES } from './profiler.ts';

/** Not work: waiting, and V8 outside JavaScript that it cannot name. */
const NOT_WORK = new Set(['(root)', '(idle)', '(program)']);

/** What V8 answers beyond Node's typings: ids of nodes, and the live samples by node. */
interface HeapNode extends HeapProfiler.SamplingHeapProfileNode {
  readonly id: number;
  readonly children: HeapNode[];
}
export interface HeapProfile {
  readonly head: HeapNode;
  /** `size` stands for all objects that the sample represents. */
  readonly samples: readonly { readonly nodeId: number; readonly size: number }[];
}

class Builder {
  readonly strings = new StringTable();
  readonly functions: PprofFunction[] = [];
  readonly locations: Location[] = [];
  readonly samples: Sample[] = [];
  readonly #ids = new Map<string, number>();

  type(type: string, unit: string): ValueType {
    return new ValueType({ type: this.strings.dedup(type), unit: this.strings.dedup(unit) });
  }

  /** V8 tells the line on which a function begins, not the one that ran: one location per function. */
  location({ functionName, url, lineNumber }: Runtime.CallFrame): number {
    const name = functionName || '(anonymous)';
    const key = `${name}\n${url}\n${lineNumber}`;
    let id = this.#ids.get(key);
    if (id === undefined) {
      id = this.functions.length + 1;
      this.#ids.set(key, id);
      // -1 is V8's own code.
      const line = lineNumber + 1;
      const at = this.strings.dedup(name);
      this.functions.push(
        new PprofFunction({
          id,
          name: at,
          systemName: at,
          filename: this.strings.dedup(url),
          startLine: line,
        }),
      );
      this.locations.push(new Location({ id, line: [new Line({ functionId: id, line })] }));
    }
    return id;
  }
}

/**
 * CPU samples as `samples/count` and `cpu/nanoseconds`; undefined without a sample of work.
 * @param endedMs unix ms at which sampling stopped
 */
export function encodeCpu(profile: Profiler.Profile, endedMs: number, periodNs: number): Uint8Array | undefined {
  const build = new Builder();
  const types = [build.type('samples', 'count'), build.type('cpu', 'nanoseconds')];
  const nodes = new Map(profile.nodes.map(node => [node.id, node]));
  const parents = new Map<number, number>();
  for (const { id, children } of profile.nodes) for (const child of children ?? []) parents.set(child, id);
  const spent = new Map<number, { count: number; us: number }>();
  for (const [at, id] of (profile.samples ?? []).entries()) {
    const entry = spent.get(id) ?? { count: 0, us: 0 };
    entry.count++;
    // A delta is the time before its sample; V8 may report a negative one when a thread was late.
    entry.us += Math.max(0, profile.timeDeltas?.[at] ?? 0);
    spent.set(id, entry);
  }
  for (const [id, { count, us }] of spent) {
    const leaf = nodes.get(id);
    if (!leaf || NOT_WORK.has(leaf.callFrame.functionName)) continue;
    const locationId: number[] = [];
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const frame = nodes.get(at)!.callFrame;
      if (frame.functionName !== '(root)') locationId.push(build.location(frame));
    }
    build.samples.push(new Sample({ locationId, value: [count, us * 1000] }));
  }
  if (build.samples.length === 0) return undefined;
  const durationNanos = Math.round((profile.endTime - profile.startTime) * 1000);
  return profileOf(build, types, build.type('cpu', 'nanoseconds'), periodNs, endedMs, durationNanos);
}

/** Live objects as `inuse_objects/count` and `inuse_space/bytes`; undefined without a sample. */
export function encodeHeap(profile: HeapProfile, nowMs: number): Uint8Array | undefined {
  const build = new Builder();
  const types = [build.type('inuse_objects', 'count'), build.type('inuse_space', 'bytes')];
  const live = new Map<number, { count: number; bytes: number }>();
  for (const { nodeId, size } of profile.samples) {
    const entry = live.get(nodeId) ?? { count: 0, bytes: 0 };
    entry.count += objectsIn(size, HEAP_SAMPLE_BYTES);
    entry.bytes += size;
    live.set(nodeId, entry);
  }
  const walk: { node: HeapNode; stack: number[] }[] = [{ node: profile.head, stack: [] }];
  for (let next = walk.pop(); next; next = walk.pop()) {
    const { node } = next;
    const stack =
      node.callFrame.functionName === '(root)' ? next.stack : [build.location(node.callFrame), ...next.stack];
    const entry = live.get(node.id);
    if (entry && stack.length > 0)
      build.samples.push(new Sample({ locationId: stack, value: [entry.count, Math.round(entry.bytes)] }));
    for (const child of node.children) walk.push({ node: child, stack });
  }
  if (build.samples.length === 0) return undefined;
  return profileOf(build, types, build.type('space', 'bytes'), HEAP_SAMPLE_BYTES, nowMs, 0);
}

function profileOf(
  build: Builder,
  sampleType: ValueType[],
  periodType: ValueType,
  period: number,
  endedMs: number,
  durationNanos: number,
): Uint8Array {
  const { strings, functions, locations, samples } = build;
  return new Profile({
    sampleType,
    sample: samples,
    location: locations,
    function: functions,
    stringTable: strings,
    timeNanos: BigInt(Math.round(endedMs)) * 1_000_000n - BigInt(durationNanos),
    durationNanos,
    periodType,
    period,
  }).encode();
}

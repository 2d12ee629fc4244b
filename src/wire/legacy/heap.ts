import type { Columns } from '../../model/columns/columns.ts';
import type { Losses } from '../convert/losses.ts';
import { TextLines, trimBlanks } from '../text-lines.ts';
import { AddressSamples } from './address-samples.ts';
import { GoComments } from './go-comments.ts';
import { unsampled } from './heap-scale.ts';
import { readMemoryMap } from './memory-map.ts';
import { addresses, badLine, callOf, int64, isMapTitle, seekMap } from './text.ts';

const NUMBERS = '(-?[0-9]+): *(-?[0-9]+) *\\[ *([0-9]+): *([0-9]+) *\\] *@';
/** In use: count, bytes; allocated in all: count, bytes; kind; bytes between two samples. */
export const HEAP_TITLE = new RegExp(
  `heap profile: *${NUMBERS} *(heapz_v2|heap_v2|heapprofile|heap|growthz?|fragmentationz?)(?![_a-z0-9])/?([0-9]*)`,
);
const SAMPLE = new RegExp(`^${NUMBERS}([ x0-9a-f]*)`);

interface Sampling {
  /** What is written as period. */
  readonly period: bigint;
  /** Bytes between two samples; 0 where all are there or values are scaled already. */
  readonly rate: bigint;
}

/** `heap` is Go's, whose sampler had twice the rate in its title that it sampled with. */
function samplingOf(kind: string, rate: bigint): Sampling {
  switch (kind) {
    case 'heapz_v2':
    case 'heap_v2':
      return { period: rate, rate };
    case 'heap':
      return { period: rate / 2n, rate: rate / 2n };
    default:
      return { period: 1n, rate: 0n };
  }
}

/**
 * The text heap profiles of tcmalloc, gperftools and Go: `heap profile: <in use> [<allocated>] @ <kind>/<rate>`, then the same numbers per
 * stack. Sample types `objects`, `space`; four of `alloc_` and `inuse_` where title says that the two differ. Sampled values are scaled as
 * pprof does; a label `bytes` has the size of a block (google/pprof, profile/legacy_profile.go).
 * @throws DecodeError bad_legacy, value_overflow, too_many_elements
 */
export function decodeHeap(raw: Uint8Array, losses: Losses | undefined): Columns {
  const lines = new TextLines(raw);
  lines.next();
  const title = HEAP_TITLE.exec(lines.text);
  if (!title) throw badLine('this is no title of a heap profile', lines);
  const [, useCount, useBytes, allCount, allBytes, kind, rate] = title as unknown as string[];
  const { period, rate: sampled } = samplingOf(kind!, rate === '' ? 0n : int64(rate!, lines));
  const differs = (one: string, other: string) => one !== other && one !== '0';
  const hasAllocated = kind!.startsWith('heap') && (differs(allCount!, useCount!) || differs(allBytes!, useBytes!));
  const prefixes = hasAllocated ? ['alloc_', 'inuse_'] : [''];
  const samples = new AddressSamples(
    prefixes.flatMap(prefix => [[`${prefix}objects`, 'count'] as const, [`${prefix}space`, 'bytes'] as const]),
  );
  const { builder } = samples;
  builder.period('space', 'bytes', period);
  const blockSize = builder.string('bytes');
  const comments = new GoComments(lines, samples, losses);
  while (lines.next() && !isMapTitle(lines.text)) {
    const line = trimBlanks(lines.text);
    if (line === '' || line[0] === '#') {
      if (line !== '') comments.take();
      continue;
    }
    comments.end();
    const found = SAMPLE.exec(line);
    if (!found) throw badLine('this is no sample of a heap profile', lines);
    const use = numbersOf(found[1]!, found[2]!, lines);
    // Where it is not told apart, what was allocated says nothing, and some writers do not keep it right.
    const groups = hasAllocated ? [numbersOf(found[3]!, found[4]!, lines), use] : [use];
    let size = 0n;
    for (const { count, bytes } of groups) if (count !== 0n) size = bytes / count;
    const values = groups.flatMap(({ count, bytes }) =>
      sampled === 0n ? [count, bytes] : unsampled(count, bytes, sampled),
    );
    samples.add(addresses(found[5]!, lines).map(callOf), ...values);
    if (size !== 0n) builder.numberLabel(blockSize, size);
  }
  comments.end();
  seekMap(lines);
  return samples.finish(readMemoryMap(lines));
}

function numbersOf(countText: string, bytesText: string, lines: TextLines): { count: bigint; bytes: bigint } {
  const [count, bytes] = [int64(countText, lines), int64(bytesText, lines)];
  if (count === 0n && bytes !== 0n) throw badLine('bytes without an object', lines);
  return { count, bytes };
}

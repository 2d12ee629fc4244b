import type { Columns } from '../../model/columns/columns.ts';
import { bounded } from '../bounded.ts';
import { DecodeError } from '../decode-error.ts';
import { TextLines } from '../text-lines.ts';
import { AddressSamples } from './address-samples.ts';
import { readJavaNames } from './java-names.ts';
import { readMemoryMap } from './memory-map.ts';
import { callOf, checkDepth } from './text.ts';
import { removeTwinLeaves } from './thread.ts';
import { type CpuTitle, cpuTitleOf } from './words.ts';

/**
 * The binary CPU profile of gperftools, and that of Java: a title, then per stack a count, the number of its frames and their addresses, up to
 * 0, 1, 0; then text, a memory map or the names of frames. Sample types `samples` and `cpu` in nanoseconds.
 * @throws DecodeError bad_legacy, value_overflow, too_many_elements
 */
export function decodeCpu(raw: Uint8Array): Columns {
  const title = cpuTitleOf(raw);
  if (!title) throw new DecodeError('bad_legacy', 'this is no title of a CPU profile, at byte 0');
  const samples = new AddressSamples([
    ['samples', 'count'],
    ['cpu', 'nanoseconds'],
  ]);
  const period = bounded(title.periodMicros * 1000n);
  samples.builder.period('cpu', 'nanoseconds', period);
  readSamples(title, samples, period);
  const lines = new TextLines(raw, title.words.at);
  if (title.isJava) {
    readJavaNames(lines, samples);
    return samples.finish([], false);
  }
  removeHandlers(samples);
  const map = readMemoryMap(lines);
  removeTwinLeaves(samples);
  return samples.finish(map);
}

function readSamples({ words, isJava }: CpuTitle, samples: AddressSamples, period: bigint): void {
  const stack: bigint[] = [];
  while (words.left > 0) {
    const from = words.at;
    const cut = () => new DecodeError('bad_legacy', `a sample is longer than the file, at byte ${from}`);
    if (words.left < 2) throw cut();
    const count = words.next();
    const length = words.next();
    if (length > BigInt(words.left)) throw cut();
    if (length > 0n) checkDepth(Number(length) - 1);
    stack.length = 0;
    for (let frame = 0; frame < Number(length); frame++) {
      const address = words.next();
      // All but the leaf are where a call returns to; Java numbers its frames.
      stack.push(frame > 0 && !isJava ? callOf(address) : address);
    }
    if (count === 0n && length === 1n && stack[0] === 0n) return;
    samples.add(stack, bounded(count), bounded(count * period));
  }
}

/** How many samples may have another second frame, of as many. */
const SIMILAR = 32;

/**
 * Takes out the frames of the signal handler: where nearly all samples have the same second frame, it is no caller of theirs. Up to two. As in
 * pprof, so that a single stack loses them too.
 */
function removeHandlers(samples: AddressSamples): void {
  const { samples: rows } = samples.columns;
  const least = rows.count - Math.floor(rows.count / SIMILAR);
  for (let round = 0; round < 2; round++) {
    const counts = new Map<bigint, number>();
    for (let sample = 0; sample < rows.count; sample++) {
      const second = samples.addressAt(sample, 1);
      if (second !== undefined) counts.set(second, (counts.get(second) ?? 0) + 1);
    }
    for (const [handler, count] of counts) {
      if (count < least) continue;
      for (let sample = 0; sample < rows.count; sample++)
        if (samples.addressAt(sample, 1) === handler) samples.remove(sample, 1);
      break;
    }
  }
}

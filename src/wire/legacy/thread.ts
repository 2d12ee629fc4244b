import type { Columns } from '../../model/columns/columns.ts';
import { bounded } from '../bounded.ts';
import type { Losses } from '../convert/losses.ts';
import { TextLines, trimBlanks, utf8 } from '../text-lines.ts';
import { AddressSamples } from './address-samples.ts';
import { readMemoryMap } from './memory-map.ts';
import { address, addresses, badLine, callOf, checkDepth, isEmptyOrComment, isMapTitle, seekMap } from './text.ts';

export const THREADS_TITLE = /^--- threadz [0-9]+ ---/;
export const THREAD_TITLE = /^--- Thread ([0-9a-fA-F]+) \(name: (.*)\/([0-9]+)\) stack: ---/;
const SYMBOL = /^(?:PC:[ \t]+)?0x([0-9a-f]+): (.+)$/;

/**
 * Threads and their stacks: `--- Thread <id> (name: …/<tid>) stack: ---`, then a frame per line, leaf first, and what created the thread as
 * its roots. One sample per stack, type `thread`; a thread that is the `same as previous` counts there, so names are not kept.
 * @throws DecodeError bad_legacy, too_many_elements
 */
export function decodeThreads(raw: Uint8Array, losses: Losses | undefined): Columns {
  const lines = new TextLines(raw);
  while (lines.next() && isEmptyOrComment(lines.text));
  if (THREADS_TITLE.test(lines.text)) while (lines.next() && !isMapTitle(lines.text) && lines.text[0] !== '-');
  else if (!THREAD_TITLE.test(lines.text)) throw badLine('this is no title of a profile of threads', lines);
  const samples = new AddressSamples([['thread', 'count']]);
  const { builder } = samples;
  builder.period('thread', 'count', 1n);
  while (lines.text !== '' && !isMapTitle(lines.text) && !lines.text.startsWith('---- no stack trace for')) {
    if (!THREAD_TITLE.test(lines.text)) throw badLine('this is no title of a thread', lines);
    losses?.add('legacy_thread_name');
    const stack = readThread(lines, samples);
    if (stack) samples.add(stack, 1n);
    else if (samples.columns.samples.count > 0) {
      const last = samples.columns.samples.count - 1;
      builder.value(last, 0, bounded(samples.columns.samples.values.at(last) + 1n));
    }
  }
  seekMap(lines);
  removeTwinLeaves(samples);
  return samples.finish(readMemoryMap(lines));
}

/** Reads frames up to the next title; undefined where they are those of the thread before. */
function readThread(lines: TextLines, samples: AddressSamples): bigint[] | undefined {
  const stack: bigint[] = [];
  let isSame = false;
  while (lines.next()) {
    const line = trimBlanks(lines.text);
    if (line.startsWith('---')) break;
    if (line.includes('same as previous thread')) {
      isSame = true;
      continue;
    }
    checkDepth(stack.length);
    const [, hex, name] = SYMBOL.exec(line) ?? [];
    if (hex === undefined) {
      for (const one of addresses(line, lines)) stack.push(stack.length === 0 ? one : callOf(one));
      continue;
    }
    const at = address(hex, lines);
    stack.push(stack.length === 0 ? at : callOf(at));
    samples.symbol(stack.at(-1)!, [{ name: utf8(name!), file: '', line: 0n }]);
  }
  return isSame || stack.length === 0 ? undefined : stack;
}

/** Takes out a second leaf: an unwinder may find the address of the signal again, where it becomes that of a call. */
export function removeTwinLeaves(samples: AddressSamples): void {
  for (let sample = 0; sample < samples.columns.samples.count; sample++) {
    const second = samples.addressAt(sample, 1);
    if (second !== undefined && samples.addressAt(sample, 0) === BigInt.asUintN(64, second + 1n))
      samples.remove(sample, 1);
  }
}

import type { Columns } from '../../model/columns/columns.ts';
import type { Losses } from '../convert/losses.ts';
import { TextLines } from '../text-lines.ts';
import { AddressSamples } from './address-samples.ts';
import { GoComments } from './go-comments.ts';
import { readMemoryMap } from './memory-map.ts';
import { addresses, badLine, callOf, int64, isEmptyOrComment, seekMap } from './text.ts';

export const GO_COUNT = /^([^ \t]+) profile: total [0-9]+$/;
const SAMPLE = /^([0-9]+) @([ x0-9a-f]*)$/;
/** Asked once a stack is known to be of bounded length: repeating a group takes stack for each. */
const STACK = /^(?: 0x[0-9a-f]+)*$/;

/**
 * A count profile of Go with `debug=1`: `goroutine profile: total 7`, then `<count> @ <addresses>`, each with comments.
 * One sample type, which is called as the profile.
 * @throws DecodeError bad_legacy, too_many_elements
 */
export function decodeGoCount(raw: Uint8Array, losses: Losses | undefined): Columns {
  const lines = new TextLines(raw);
  while (lines.next() && isEmptyOrComment(lines.text));
  const type = GO_COUNT.exec(lines.text)?.[1];
  if (type === undefined) throw badLine('this is no title of a count profile', lines);
  const samples = new AddressSamples([[type, 'count']]);
  samples.builder.period(type, 'count', 1n);
  const comments = new GoComments(lines, samples, losses);
  while (lines.next() && !lines.text.startsWith('---')) {
    if (isEmptyOrComment(lines.text)) {
      if (lines.text[0] === '#') comments.take();
      continue;
    }
    comments.end();
    const [, count, stack] = SAMPLE.exec(lines.text) ?? [];
    const found = addresses(stack ?? '', lines);
    if (count === undefined || !STACK.test(stack!))
      throw badLine('this is neither a count with addresses nor a comment', lines);
    samples.add(found.map(callOf), int64(count, lines));
  }
  comments.end();
  seekMap(lines);
  return samples.finish(readMemoryMap(lines));
}

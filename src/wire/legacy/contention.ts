import type { Columns } from '../../model/columns/columns.ts';
import { bounded } from '../bounded.ts';
import type { Losses } from '../convert/losses.ts';
import { TextLines, trimBlanks } from '../text-lines.ts';
import { AddressSamples } from './address-samples.ts';
import { GoComments } from './go-comments.ts';
import { readMemoryMap } from './memory-map.ts';
import { addresses, badLine, callOf, int64, seekMap, whole } from './text.ts';

/** Of C++, and the two of Go. */
export const CONTENTION_TITLE = /^--- (?:contentionz |mutex:|contention:)/;
const SAMPLE = /^([0-9]+) +([0-9]+) @([ x0-9a-f]*)/;
const NANOSECONDS = 1e9;

/**
 * What threads waited for: lines `name = value`, then `<cycles> <contentions> @ <addresses>`. Sample types `contentions`, `delay` in
 * nanoseconds, both multiplied by the sampling period; delays become time by `cycles/second`, in doubles, as in pprof. Without it they are
 * what the file says.
 * @throws DecodeError bad_legacy, value_overflow, too_many_elements
 */
export function decodeContention(raw: Uint8Array, losses: Losses | undefined): Columns {
  const lines = new TextLines(raw);
  lines.next();
  if (!CONTENTION_TITLE.test(lines.text)) throw badLine('this is no title of a contention profile', lines);
  const samples = new AddressSamples([
    ['contentions', 'count'],
    ['delay', 'nanoseconds'],
  ]);
  let period = 1n;
  let hertz = 0n;
  for (let more = lines.next(); more; more = lines.next()) {
    const line = trimBlanks(lines.text);
    if (line === '' || line[0] === '#') continue;
    const equals = line.indexOf('=');
    if (line.startsWith('---') || equals < 0) break;
    const value = trimBlanks(line.slice(equals + 1));
    switch (trimBlanks(line.slice(0, equals))) {
      case 'cycles/second':
        hertz = int64(value, lines);
        break;
      case 'sampling period':
        period = int64(value, lines);
        break;
      case 'ms since reset':
        samples.columns.durationNanos = bounded(int64(value, lines) * 1_000_000n);
        break;
      case 'discarded samples':
        losses?.add('legacy_comment');
        break;
      default:
        throw badLine('an attribute that a contention profile does not have', lines);
    }
  }
  samples.builder.period('contentions', 'count', period);
  const comments = new GoComments(lines, samples, losses);
  for (let more = lines.text !== ''; more && !lines.text.startsWith('---'); more = lines.next()) {
    const line = trimBlanks(lines.text);
    if (line === '' || line[0] === '#') {
      if (line !== '') comments.take();
      continue;
    }
    comments.end();
    const [, delay, count, stack] = SAMPLE.exec(line) ?? [];
    if (delay === undefined) throw badLine('this is no sample of a contention profile', lines);
    const [cycles, contentions] = [int64(delay, lines), int64(count!, lines)];
    const isScaled = period > 0n;
    const time =
      isScaled && hertz > 0n ? whole((Number(cycles) * Number(period)) / (Number(hertz) / NANOSECONDS)) : cycles;
    samples.add(addresses(stack!, lines).map(callOf), isScaled ? bounded(contentions * period) : contentions, time);
  }
  comments.end();
  seekMap(lines);
  return samples.finish(readMemoryMap(lines));
}

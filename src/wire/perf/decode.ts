import type { Columns } from '../../model/columns/columns.ts';
import type { Losses } from '../convert/losses.ts';
import { DecodeError } from '../decode-error.ts';
import { fillWithin } from '../fill-within.ts';
import { MAX_DECODED_BYTES } from '../pprof/limits.ts';
import { TextLines, trimBlanks, utf8 } from '../text-lines.ts';
import { EventSamples } from './event.ts';
import { frameOf, isSourceLine } from './frames.ts';
import { type Header, headerOf } from './header.ts';

export interface PerfProfile {
  /** As printed, e.g. `cycles:u`, `cpu-clock`. */
  readonly event: string;
  readonly columns: Columns;
}

/** How far the first sample may lie behind comments, and how many events there may be. */
const HEAD_BYTES = 65_536;
const MAX_EVENTS = 1000;

const badPerf = (message: string, lines: TextLines) =>
  new DecodeError('bad_perf', `${message}, at line ${lines.number}`);

/**
 * What `perf script` prints (tools/perf/Documentation/perf-script.txt of Linux): per sample a header, a frame per line, leaf first, and an
 * empty line. One profile per event, samples of equal stack and task combined. Sample types `samples/count` and, named as the event, the sum of periods:
 * `cpu/nanoseconds` for the two clocks, which have none where no period is printed; other events count 1 then. Labels `comm`, `pid` and `tid`; the only
 * number behind a command is that of the thread. perf's clock is no time of day, so there is no time; the duration is from first to last.
 * @throws DecodeError bad_perf, value_overflow, too_many_elements
 */
export function decodePerf(raw: Uint8Array, losses?: Losses, maxBytes = MAX_DECODED_BYTES): PerfProfile[] {
  return fillWithin(maxBytes, 0, () => {
    const events = new Map<string, EventSamples>();
    const lines = new TextLines(raw);
    let more = lines.next();
    while (more) {
      if (lines.text === '' || lines.text[0] === '#' || trimBlanks(lines.text) === '') {
        more = lines.next();
        continue;
      }
      const header = headerOf(lines.text);
      if (!header) throw badPerf('this is no first line of a sample', lines);
      let samples = events.get(header.event);
      if (!samples) {
        if (events.size >= MAX_EVENTS)
          throw new DecodeError('too_many_elements', `there are more than ${MAX_EVENTS} events`);
        samples = new EventSamples(header);
        events.set(header.event, samples);
      }
      more = readSample(lines, header, samples, losses);
    }
    if (events.size === 0) throw badPerf('there are no samples', lines);
    return Array.from(events, ([event, samples]) => ({ event: utf8(event), columns: samples.finish() }));
  });
}

/** Reads to the line behind a sample; false at the end. */
function readSample(lines: TextLines, header: Header, samples: EventSamples, losses: Losses | undefined): boolean {
  let length = 0;
  /** Lines of the place at hand, as `Frames` wants them. */
  let place = '';
  let address = '';
  const end = () => {
    if (place !== '') samples.push(length++, samples.frames.row(place));
    place = '';
  };
  /** Those that were inlined come first, with the address of the frame they are in. */
  let isOpen = false;
  const take = (line: string): boolean => {
    const frame = samples.frames.frame(line);
    if (!frame) return false;
    if (!isOpen || frame.address !== address) end();
    place = place === '' ? line : `${place}\n${line}`;
    address = frame.address;
    isOpen = frame.object === 'inlined';
    return true;
  };
  if (trimBlanks(header.rest) !== '') {
    const isFrame = samples.frames.frame(header.rest)?.object !== '' && take(header.rest);
    if (!isFrame) losses?.add('perf_event_text');
  }
  const title = lines.number;
  let more = lines.next();
  for (; more && trimBlanks(lines.text) !== ''; more = lines.next()) {
    const { text, number } = lines;
    const isInside = text[0] === ' ' || text[0] === '\t';
    // Samples without a stack follow each other without an empty line; frames begin with a tab.
    if (number === title + 1 && text[0] !== '\t' && headerOf(text)) break;
    if (isInside && take(text)) continue;
    if (isInside && place !== '' && isSourceLine(text)) place += `\n${text}`;
    else if (text[0] !== '#') throw badPerf('this is no frame', lines);
  }
  end();
  samples.add(header, length);
  return more;
}

/** Whether the text begins with a sample, maybe behind comments. */
export function isPerf(raw: Uint8Array): boolean {
  const lines = new TextLines(raw.subarray(0, HEAD_BYTES));
  while (lines.next()) {
    if (lines.text[0] === '#' || trimBlanks(lines.text) === '') continue;
    const header = headerOf(lines.text);
    // Without a time a header is nearly any line with a number and a colon.
    return header !== undefined && (header.time !== '' || (lines.next() && frameOf(lines.text)?.object !== undefined));
  }
  return false;
}

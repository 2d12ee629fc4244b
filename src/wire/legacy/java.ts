import type { Columns } from '../../model/columns/columns.ts';
import { bounded } from '../bounded.ts';
import { TextLines, trimBlanks, utf8 } from '../text-lines.ts';
import { AddressSamples } from './address-samples.ts';
import { unsampled } from './heap-scale.ts';
import { readJavaNames } from './java-names.ts';
import { addresses, badLine, int64 } from './text.ts';

export const JAVA_TITLE = /^--- (heapz|contentionz) 1 ---[ \t]*$/;
const ATTRIBUTE = /^([A-Za-z0-9_ ]+)=([A-Za-z0-9_ ]+)$/;
const SAMPLE = /^([0-9]+) +([0-9]+) +@ +([ x0-9a-f]*)/;
/** Bytes between two samples; no file says it. */
const HEAP_RATE = 524288n;

/** Whether it is of Java: that of C++ has the same title and no format. */
export function isJava(raw: Uint8Array): boolean {
  const lines = new TextLines(raw);
  if (!lines.next() || !JAVA_TITLE.test(lines.text)) return false;
  while (lines.next() && trimBlanks(lines.text) === '');
  return /^[ \t]*(?:format|resolution)[ \t]*=/.test(lines.text) || lines.text.includes('heapz');
}

/**
 * Heap and contention profiles of Java: a title, lines `name = value`, then `<value> <count> @ <numbers of frames>`, then what the numbers stand
 * for. Sample types `inuse_objects` and `inuse_space`, or `contentions` and `delay`, in the unit that `resolution` says.
 * @throws DecodeError bad_legacy, value_overflow, too_many_elements
 */
export function decodeJava(raw: Uint8Array): Columns {
  const lines = new TextLines(raw);
  lines.next();
  const isHeap = JAVA_TITLE.exec(lines.text)?.[1] === 'heapz';
  let unit = '';
  let period = 0n;
  let durationNanos = 0n;
  for (let more = lines.next(); more; more = lines.next()) {
    const line = trimBlanks(lines.text);
    if (line === '') continue;
    const [, name, value] = ATTRIBUTE.exec(line)?.map(trimBlanks) ?? [];
    if (name === undefined || value === undefined) break;
    if (name === 'resolution') unit = utf8(value);
    else if (name === 'sampling period' && !isHeap) period = int64(value, lines);
    else if (name === 'ms since reset' && !isHeap) durationNanos = bounded(int64(value, lines) * 1_000_000n);
    else if (name !== 'format' || value !== 'java') throw badLine('an attribute that no profile of Java has', lines);
  }
  if (unit === '') throw badLine('no resolution is said', lines);
  const samples = new AddressSamples(
    isHeap
      ? [
          ['inuse_objects', 'count'],
          ['inuse_space', unit],
        ]
      : [
          ['contentions', 'count'],
          ['delay', unit],
        ],
  );
  if (period !== 0n) samples.builder.period('contentions', 'count', period);
  samples.columns.durationNanos = durationNanos;
  readSamples(lines, samples, isHeap, period);
  readJavaNames(lines, samples);
  return samples.finish([], false);
}

function readSamples(lines: TextLines, samples: AddressSamples, isHeap: boolean, period: bigint): void {
  const { builder } = samples;
  for (let more = true; more; more = lines.next()) {
    const line = trimBlanks(lines.text);
    if (line === '') continue;
    const [, first, second, stack] = SAMPLE.exec(line) ?? [];
    if (first === undefined) return;
    const [count, value] = [int64(second!, lines), int64(first, lines)];
    const frames = addresses(stack!, lines);
    if (!isHeap) {
      const factor = period === 0n ? 1n : period;
      samples.add(frames, bounded(count * factor), bounded(value * factor));
      continue;
    }
    if (count === 0n) throw badLine('bytes without an object', lines);
    samples.add(frames, ...unsampled(count, value, HEAP_RATE));
    builder.numberLabel(builder.string('bytes'), value / count);
  }
}

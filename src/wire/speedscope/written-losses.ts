import type { Columns } from '../../model/columns/columns.ts';
import type { Losses } from '../convert/losses.ts';
import type { LocationFrames } from './written-frames.ts';

/** Counts what a speedscope file does not say of columns that were written. One pass over samples and labels. */
export function countUnwritten(columns: Columns, locations: LocationFrames, losses: Losses): void {
  const { samples, labels } = columns;
  let labelCount = 0;
  let negative = 0;
  for (let sample = samples.from; sample < samples.count; sample++) {
    for (let label = samples.firstLabel[sample]!; label !== 0; label = labels.next[label]!) labelCount++;
    if (hasNegative(columns, sample)) negative++;
  }
  losses.add('speedscope_labels', labelCount);
  losses.add('speedscope_symbol', locations.richer + locations.unmet);
  losses.add('speedscope_negative', negative);
  losses.add('speedscope_profile_field', Number(saysMore(columns)));
}

function hasNegative({ samples }: Columns, sample: number): boolean {
  const { width, values } = samples;
  for (let at = sample * width; at < (sample + 1) * width; at++) if ((values.halves[2 * at + 1]! | 0) < 0) return true;
  return false;
}

function saysMore(columns: Columns): boolean {
  const { timeNanos, durationNanos, period, periodType, comments, unknown } = columns;
  const { dropFrames, keepFrames, defaultSampleType, docUrl } = columns;
  const isTimed = timeNanos !== 0n || durationNanos !== 0n || period !== 0n || periodType !== undefined;
  const isAnnotated = comments.length + dropFrames + keepFrames + defaultSampleType + docUrl > 0;
  return isTimed || isAnnotated || (unknown?.count ?? 0) > 0;
}

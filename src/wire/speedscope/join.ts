import type { Samples } from '../../model/columns/samples.ts';
import { DecodeError } from '../decode-error.ts';
import { MAX_SAMPLE_TYPES } from '../pprof/limits.ts';
import type { ProfileReader } from './decode-profile.ts';

/**
 * Puts sample types together that we wrote as profiles of their own: those of one source that follow each other and have the same
 * stacks. Groups of profiles, of which the first holds all values.
 */
export function joined(profiles: readonly ProfileReader[]): ProfileReader[] {
  const kept: ProfileReader[] = [];
  for (let at = 0; at < profiles.length; ) {
    const first = profiles[at]!;
    let end = at + 1;
    while (end < profiles.length && belong(first, profiles[end]!)) end++;
    if (end > at + 1) widen(profiles.slice(at, end));
    kept.push(first);
    at = end;
  }
  return kept;
}

function belong(first: ProfileReader, next: ProfileReader): boolean {
  if (!first.own || !next.own || first.own.source !== next.own.source || first.own.name !== next.own.name) return false;
  return sameStacks(first.builder.columns.samples, next.builder.columns.samples);
}

function sameStacks(one: Samples, other: Samples): boolean {
  if (one.count !== other.count || one.stackLength !== other.stackLength) return false;
  for (let row = 0; row < one.count; row++) if (one.stackEnd[row] !== other.stackEnd[row]) return false;
  for (let at = 0; at < one.stackLength; at++) if (one.stack[at] !== other.stack[at]) return false;
  return true;
}

function widen(group: readonly ProfileReader[]): void {
  const [first, ...others] = group;
  const { builder } = first!;
  const { samples } = builder.columns;
  const width = group.length;
  if (width > MAX_SAMPLE_TYPES)
    throw new DecodeError('too_many_elements', `a profile has more than ${MAX_SAMPLE_TYPES} sample types`);
  samples.values.ensure(samples.count * width);
  for (let row = samples.count - 1; row > 0; row--) samples.values.copy(row, row * width);
  const { halves } = samples.values;
  for (const [at, { own, builder: other }] of others.entries()) {
    builder.addType(own!.type, own!.unit);
    const from = other.columns.samples.values.halves;
    for (let row = 0; row < samples.count; row++) {
      const to = 2 * (row * width + at + 1);
      halves[to] = from[2 * row]!;
      halves[to + 1] = from[2 * row + 1]!;
    }
  }
}

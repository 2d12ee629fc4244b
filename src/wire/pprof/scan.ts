import type { Summary, ValueType } from '../../model/summary.ts';
import { DecodeError } from '../decode-error.ts';
import { Reader } from '../protobuf.ts';
import type { IdSet } from './id-set.ts';
import { type ValueTypeAt, Walk } from './walk.ts';

const STRING_TABLE = 6;

/**
 * Checks an inflated pprof (profile.proto of google/pprof) and sums it up, in one pass where ids are 1…n, in two where they are
 * not. No object per sample, location or string. Speeds are in test/bench/README.md's terms: some 500 MB/s to 1 GB/s.
 * A profile without samples is sound.
 * @param raw may lie in shared memory
 * @throws DecodeError empty_body, bad_protobuf, bad_reference, duplicate_id, value_count, string_table, bad_string,
 * no_sample_type, too_many_elements
 */
export function scanPprof(raw: Uint8Array): Summary {
  if (raw.length === 0) throw new DecodeError('empty_body', 'the profile is empty');
  const walk = new Walk(raw);
  walk.run();
  check(walk);
  const { types, periodType } = walk;
  const texts = stringsAt(raw, walk.stringsAt, periodType ? [...types, periodType] : types);
  const named = (at: ValueTypeAt): ValueType => ({ type: texts.get(at.type)!, unit: texts.get(at.unit)! });
  return {
    types: types.map((at, column) => ({ ...named(at), total: walk.totals.value(column) })),
    ...(periodType && { periodType: named(periodType) }),
    period: walk.period,
    startNs: walk.startNs,
    durationNs: walk.durationNs,
    samples: walk.samples,
    locations: walk.locations.size,
    functions: walk.functions.size,
  };
}

/** What can only be said once all was seen, since fields come in any order. */
function check(walk: Walk): void {
  if (walk.strings === 0) throw new DecodeError('string_table', 'the string table is missing');
  if (walk.types.length === 0) throw new DecodeError('no_sample_type', 'the profile has no sample type');
  if (walk.maxString >= walk.strings) throw new DecodeError('bad_reference', 'an index is outside the string table');
  if (walk.values >= 0 && walk.values !== walk.types.length)
    throw new DecodeError('value_count', `a sample has ${walk.values} values for ${walk.types.length} sample types`);
  const settled = [
    settles(walk.locations, walk.maxLocation, 'a sample names a location'),
    settles(walk.functions, walk.maxFunction, 'a line names a function'),
    settles(walk.mappings, walk.maxMapping, 'a location names a mapping'),
  ];
  if (settled.includes(false)) walk.checkReferences();
}

/** Whether the highest id named settles that all exist. */
function settles(ids: IdSet, max: number, who: string): boolean {
  if (ids.dense && max > ids.max) throw new DecodeError('bad_reference', `${who} that does not exist`);
  return ids.dense;
}

/** The strings that value types name. They mostly stand at the front of the table, so the look ends early. */
function stringsAt(raw: Uint8Array, from: number, wanted: readonly ValueTypeAt[]): Map<number, string> {
  const texts = new Map<number, string>();
  const missing = new Set(wanted.flatMap(({ type, unit }) => [type, unit]));
  const reader = new Reader(raw, from);
  for (let index = 0; missing.size > 0 && reader.next(); ) {
    if (reader.field !== STRING_TABLE) reader.skip();
    else if (missing.delete(index++)) texts.set(index - 1, reader.string());
    else reader.skip();
  }
  return texts;
}

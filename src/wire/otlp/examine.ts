import type { Summary, ValueType } from '../../model/summary.ts';
import { Reader } from '../protobuf.ts';
import { Checker, TABLE_COUNT } from './checker.ts';
import { checkDictionary, countRows, dictionaryIn, stringLengths } from './examine-dictionary.ts';
import { type PartAt, ProfilesWalk, type TypeAt } from './examine-profiles.ts';
import { DICTIONARY } from './fields.ts';
import type { Span } from './skeleton.ts';

/** One ResourceProfiles of a request. */
export interface ExaminedPart {
  /**
   * Types in the order in which its profiles have them first, each with the sum over those of that type: of the values, and of a
   * sample that has only timestamps their number. Period and times are the first profile's; locations and functions are those of the
   * dictionary, which all parts share.
   */
  readonly summary: Summary;
  readonly profiles: number;
  readonly samples: number;
}

export interface OtlpExamined {
  /** In the order of resource_profiles. */
  readonly parts: readonly ExaminedPart[];
  /** Whether some attribute names a string of the dictionary instead of holding it. */
  readonly references: boolean;
}

/**
 * Checks an ExportProfilesServiceRequest (or ProfilesData) in the 1.10 layout down to its leaves and sums it up: protobuf, every row
 * that anything names, UTF-8, lengths of ids, as many values as timestamps where a sample has both, and counts. Two passes over the
 * dictionary, a third where an attribute holds a reference, one over the rest; no object per sample or row. Not checked: that the keys of one list of attributes differ, and that
 * rows are not there twice, which readers can bear. A request without profiles is sound.
 * @param bytes inflated; may lie in shared memory
 * @throws DecodeError bad_protobuf, bad_reference, bad_string, duplicate_field, id_length, string_table, too_deep, too_large,
 * too_many_elements, value_count; the sentence says where
 */
export function examineOtlp(bytes: Uint8Array): OtlpExamined {
  const dictionary = dictionaryIn(bytes);
  const rows = dictionary ? countRows(bytes, dictionary) : new Int32Array(TABLE_COUNT);
  const checker = new Checker(bytes, rows, () =>
    dictionary ? stringLengths(bytes, dictionary, rows[DICTIONARY.stringTable]!) : new Int32Array(0),
  );
  if (dictionary) checkDictionary(checker, dictionary);
  const walk = new ProfilesWalk(checker);
  walk.run();
  const texts = textsOf(bytes, dictionary, walk);
  const parts = walk.parts.map(part => {
    const { profiles, samples } = part;
    return { summary: summaryOf(part, walk, texts, rows), profiles, samples };
  });
  return { parts, references: checker.references };
}

function summaryOf(part: PartAt, walk: ProfilesWalk, texts: ReadonlyMap<number, string>, rows: Int32Array): Summary {
  const named = ({ type, unit }: TypeAt): ValueType => ({ type: texts.get(type) ?? '', unit: texts.get(unit) ?? '' });
  const { firstProfile, profiles, samples, periodType, period, startNs, durationNs } = part;
  const totals = new Map<string, ValueType & { total: bigint }>();
  for (let profile = firstProfile; profile < firstProfile + profiles; profile++) {
    if (!walk.counted[profile]) continue;
    const at = walk.types[profile]!;
    const key = `${at.type} ${at.unit}`;
    const total = (totals.get(key)?.total ?? 0n) + walk.totals.value(profile);
    totals.set(key, { ...named(at), total });
  }
  return {
    types: [...totals.values()],
    ...(periodType && { periodType: named(periodType) }),
    period,
    startNs,
    durationNs,
    samples,
    locations: Math.max(0, rows[DICTIONARY.locationTable]! - 1),
    functions: Math.max(0, rows[DICTIONARY.functionTable]! - 1),
  };
}

/** The strings that types name, by row. */
function textsOf(bytes: Uint8Array, dictionary: Span | undefined, walk: ProfilesWalk): Map<number, string> {
  const texts = new Map<number, string>();
  const periods = walk.parts.flatMap(({ periodType }) => periodType ?? []);
  const missing = new Set([...walk.types, ...periods].flatMap(({ type, unit }) => [type, unit]));
  const reader = new Reader(bytes, dictionary?.start ?? 0, dictionary?.end ?? 0);
  for (let row = 0; missing.size > 0 && reader.next(); ) {
    if (reader.field !== DICTIONARY.stringTable) reader.skip();
    else if (missing.delete(row++)) texts.set(row - 1, reader.string());
    else reader.skip();
  }
  return texts;
}

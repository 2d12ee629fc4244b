import { type SourceAttribute, sourceAttribute } from './decode-attributes.ts';
import { checkRow, type SourceDictionary } from './decode-dictionary.ts';

// Attributes of mappings and locations that pprof has a field for (OTel semantic conventions, model/pprof and model/profile).

export const IS_FOLDED = 'pprof.location.is_folded';
/** In the order of the flags of a mapping. */
export const MAPPING_FLAGS = [
  'pprof.mapping.has_functions',
  'pprof.mapping.has_filenames',
  'pprof.mapping.has_line_numbers',
  'pprof.mapping.has_inline_frames',
] as const;
export const BUILD_ID_GNU = 'process.executable.build_id.gnu';
export const BUILD_ID_GO = 'process.executable.build_id.go';
export const BUILD_ID_HASH = 'process.executable.build_id.htlhash';
/** `.profiling` is the deprecated name of the hash. */
const BUILD_IDS = [BUILD_ID_GNU, BUILD_ID_GO, BUILD_ID_HASH, 'process.executable.build_id.profiling'];

/** What a row of the attribute table is to a mapping or location. */
export const ORDINARY = 1;
/** 2 and 3: is_folded, false and true; 4 to 11: the flags of a mapping, false and true. */
const FOLDED = 2;
const FLAGS = 4;
/** 12 to 15: build ids, the best one first. */
const IDS = 12;

export const isFoldedKind = (kind: number): boolean => kind === FOLDED || kind === FOLDED + 1;
/** The number of the flag; -1 for what is none. */
export const flagOf = (kind: number): number => (kind >= FLAGS && kind < IDS ? (kind - FLAGS) >>> 1 : -1);
/** What the boolean of the former two is. */
export const isTrue = (kind: number): boolean => (kind & 1) === 1;
/** 0 for the best build id; -1 for what is none. */
export const buildIdOf = (kind: number): number => (kind >= IDS ? kind - IDS : -1);

const kinds = new WeakMap<SourceDictionary, Uint8Array>();

/** What an attribute row is, found once per request. @throws DecodeError */
export function kindOf(source: SourceDictionary, row: number): number {
  let known = kinds.get(source);
  if (!known) {
    known = new Uint8Array(Math.max(1, source.attributes.count));
    kinds.set(source, known);
  }
  checkRow(row, source.attributes, 'an attribute');
  if (known[row] === 0) known[row] = classify(source, sourceAttribute(source, row));
  return known[row]!;
}

function classify(source: SourceDictionary, { key, unit, value }: SourceAttribute): number {
  if (unit !== 0) return ORDINARY;
  const { strings } = source;
  const length = key === 0 ? 0 : strings.ends.items[key]! - strings.starts.items[key]!;
  // The shortest and the longest of the names.
  if (length < IS_FOLDED.length || length > 40) return ORDINARY;
  const name = source.stringAt(key);
  const bool = value.length === 2 && value[0] === 0x10 && value[1]! < 2 ? value[1]! : -1;
  if (bool >= 0) {
    if (name === IS_FOLDED) return FOLDED + bool;
    const flag = MAPPING_FLAGS.indexOf(name as (typeof MAPPING_FLAGS)[number]);
    return flag < 0 ? ORDINARY : FLAGS + 2 * flag + bool;
  }
  const id = BUILD_IDS.indexOf(name);
  const from = textStart(value);
  return id >= 0 && from > 0 && from < value.length ? IDS + id : ORDINARY;
}

/** Where the text begins in an AnyValue that is one string of less than 16 KiB, written as short as possible; -1 for others. */
export function textStart(value: Uint8Array): number {
  if (value[0] !== 0x0a || value.length < 2) return -1;
  if (value[1]! < 0x80) return value[1] === value.length - 2 ? 2 : -1;
  const second = value[2] ?? 0;
  return second > 0 && second < 0x80 && (value[1]! & 0x7f) + 128 * second === value.length - 3 ? 3 : -1;
}

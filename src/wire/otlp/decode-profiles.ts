import { DecodeError } from '../decode-error.ts';
import { MAX_SAMPLE_TYPES } from '../pprof/limits.ts';
import { fieldTooLong, int64 } from '../protobuf.ts';
import { checkRow, type SourceDictionary } from './decode-dictionary.ts';

/** Profiles of one resource. Real ones have up to 8; each may become columns of its own, which take some 5 KB. */
const MAX_PROFILES = 10_000;

/** A range of the source. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** What a Profile says beside its samples. Strings and attributes are rows of the dictionary. */
export interface Header extends Range {
  type: number;
  unit: number;
  /** Unsigned, as on the wire. */
  timeNanos: bigint;
  durationNanos: bigint;
  periodType: { type: number; unit: number } | undefined;
  period: bigint;
  profileId: Range | undefined;
  droppedAttributes: number;
  payloadFormat: Range | undefined;
  payload: Range | undefined;
  readonly attributes: number[];
  unknownFields: number;
}

/** A ScopeProfiles. */
export interface ScopeSource {
  scope: Range | undefined;
  schemaUrl: Range | undefined;
  readonly profiles: Header[];
  unknownFields: number;
}

export interface PartSource {
  readonly scopes: ScopeSource[];
  schemaUrl: Range | undefined;
  resource: Range | undefined;
  unknownFields: number;
}

/** Finds what a ResourceProfiles holds; passes over samples by their length. @throws DecodeError */
export function readPart(source: SourceDictionary, start: number, end: number): PartSource {
  const { cursor } = source;
  const part: PartSource = { scopes: [], schemaUrl: undefined, resource: undefined, unknownFields: 0 };
  let profiles = 0;
  for (let at = start; at < end; ) {
    const from = at;
    at = cursor.readNumber(at, end);
    const tag = cursor.small;
    if (tag !== 0x0a && tag !== 0x12 && tag !== 0x1a) {
      at = cursor.skip(from, end, 3);
      part.unknownFields++;
      continue;
    }
    at = cursor.readLength(at, end);
    const range = { start: at - cursor.lo, end: at };
    if (tag === 0x0a) part.resource = once(part.resource, range, 'a resource_profiles has more than one resource');
    else if (tag === 0x1a) part.schemaUrl = range;
    else {
      const scope = readScope(source, range);
      profiles += scope.profiles.length;
      if (profiles > MAX_PROFILES)
        throw new DecodeError('too_many_elements', `a resource has more than ${MAX_PROFILES} profiles`);
      part.scopes.push(scope);
    }
  }
  return part;
}

function once(before: Range | undefined, range: Range, message: string): Range {
  if (before) throw new DecodeError('duplicate_field', message);
  return range;
}

function readScope(source: SourceDictionary, { start, end }: Range): ScopeSource {
  const { cursor } = source;
  const scope: ScopeSource = { scope: undefined, schemaUrl: undefined, profiles: [], unknownFields: 0 };
  for (let at = start; at < end; ) {
    const from = at;
    at = cursor.readNumber(at, end);
    const tag = cursor.small;
    if (tag !== 0x0a && tag !== 0x12 && tag !== 0x1a) {
      at = cursor.skip(from, end, 3);
      scope.unknownFields++;
      continue;
    }
    at = cursor.readLength(at, end);
    const range = { start: at - cursor.lo, end: at };
    if (tag === 0x0a) scope.scope = once(scope.scope, range, 'a scope_profiles has more than one scope');
    else if (tag === 0x1a) scope.schemaUrl = range;
    else if (scope.profiles.length === MAX_PROFILES)
      throw new DecodeError('too_many_elements', `a scope has more than ${MAX_PROFILES} profiles`);
    else scope.profiles.push(readHeader(source, range));
  }
  return scope;
}

function readHeader(source: SourceDictionary, { start, end }: Range): Header {
  const { cursor } = source;
  const header: Header = {
    start,
    end,
    type: 0,
    unit: 0,
    timeNanos: 0n,
    durationNanos: 0n,
    periodType: undefined,
    period: 0n,
    profileId: undefined,
    droppedAttributes: 0,
    payloadFormat: undefined,
    payload: undefined,
    attributes: [],
    unknownFields: 0,
  };
  const number = () => int64(cursor.lo >>> 0, cursor.hi);
  for (let at = start; at < end; ) {
    const from = at;
    at = cursor.readNumber(at, end);
    const tag = cursor.small;
    switch (tag) {
      case 0x19:
        if (at + 8 > end) throw fieldTooLong();
        header.timeNanos = new DataView(source.bytes.buffer, source.bytes.byteOffset + at, 8).getBigUint64(0, true);
        at += 8;
        break;
      case 0x20:
        at = cursor.readNumber(at, end);
        header.durationNanos = BigInt.asUintN(64, number());
        break;
      case 0x30:
        at = cursor.readNumber(at, end);
        header.period = number();
        break;
      case 0x40:
        at = cursor.readNumber(at, end);
        header.droppedAttributes = cursor.lo >>> 0;
        break;
      case 0x58:
        at = cursor.readNumber(at, end);
        attribute(source, header, cursor.small);
        break;
      case 0x5a: {
        const stop = cursor.readLength(at, end);
        for (at = stop - cursor.lo; at < stop; ) {
          at = cursor.readNumber(at, stop);
          attribute(source, header, cursor.small);
        }
        break;
      }
      case 0x0a:
      case 0x12:
      case 0x2a:
      case 0x3a:
      case 0x4a:
      case 0x52: {
        at = cursor.readLength(at, end);
        const range = { start: at - cursor.lo, end: at };
        if (tag === 0x0a) {
          const { type, unit } = valueType(source, header, range);
          header.type = type;
          header.unit = unit;
        } else if (tag === 0x2a) header.periodType = valueType(source, header, range);
        else if (tag === 0x3a) header.profileId = range;
        else if (tag === 0x4a) header.payloadFormat = range;
        else if (tag === 0x52) header.payload = range;
        break;
      }
      default:
        at = cursor.skip(from, end, 11);
        header.unknownFields++;
    }
  }
  return header;
}

function attribute(source: SourceDictionary, header: Header, row: number): void {
  checkRow(row, source.attributes, 'an attribute');
  if (row !== 0) header.attributes.push(row);
}

function valueType(source: SourceDictionary, header: Header, { start, end }: Range): { type: number; unit: number } {
  const { cursor } = source;
  const found = { type: 0, unit: 0 };
  for (let at = start; at < end; ) {
    const from = at;
    at = cursor.readNumber(at, end);
    const tag = cursor.small;
    if (tag !== 0x08 && tag !== 0x10) {
      at = cursor.skip(from, end, 2);
      header.unknownFields++;
      continue;
    }
    at = cursor.readNumber(at, end);
    checkRow(cursor.small, source.strings, 'a string');
    found[tag === 0x08 ? 'type' : 'unit'] = cursor.small;
  }
  return found;
}

/**
 * Profiles that are the sample types of one: those of equal time, duration, period and attributes, in their order.
 * @param isOne whether their scope says that they were one profile: only then one type may come twice
 */
export function grouped(profiles: readonly Header[], isOne: boolean): Header[][] {
  const groups: Header[][] = [];
  /** The group that a profile of these facts would join. */
  const open = new Map<string, { readonly headers: Header[]; readonly types: Set<string> }>();
  for (const header of profiles) {
    const { timeNanos, durationNanos, periodType, period, attributes, droppedAttributes } = header;
    const kind = periodType ? `${periodType.type} ${periodType.unit}` : '';
    const rows = [...attributes].sort((one, other) => one - other);
    const key = `${timeNanos} ${durationNanos} ${period} ${droppedAttributes} ${kind} ${rows}`;
    const type = `${header.type} ${header.unit}`;
    let group = open.get(key);
    if (!group || group.headers.length === MAX_SAMPLE_TYPES || (!isOne && group.types.has(type))) {
      group = { headers: [], types: new Set() };
      groups.push(group.headers);
      open.set(key, group);
    }
    group.types.add(type);
    group.headers.push(header);
  }
  return groups;
}

import { DecodeError } from '../decode-error.ts';
import { Totals } from '../pprof/total.ts';
import { int64 } from '../protobuf.ts';
import type { Checker } from './checker.ts';
import { PROFILE, REQUEST, RESOURCE_PROFILES, SAMPLE, SCOPE_PROFILES } from './fields.ts';
import { MAX_PARTS, MAX_PROFILES, MAX_SAMPLES } from './limits.ts';
import { messageOf } from './schema.ts';

const MESSAGES = {
  request: messageOf('ProfilesRequest'),
  part: messageOf('ResourceProfiles'),
  scope: messageOf('ScopeProfiles'),
  profile: messageOf('Profile'),
  valueType: messageOf('ValueType'),
};
const sampleField = (number: number) => messageOf('Sample').byNumber[number]!;
const STACK_INDEX = sampleField(SAMPLE.stackIndex);
const ATTRIBUTE_INDICES = sampleField(SAMPLE.attributeIndices);
const LINK_INDEX = sampleField(SAMPLE.linkIndex);
const LAST_OF_SAMPLE = SAMPLE.timestampsUnixNano;

// Tags of the fields that are read here and not only checked: field number × 8 + wire type.
const VARINTS = { duration: PROFILE.durationNano * 8, period: PROFILE.period * 8 };
const TIME = PROFILE.timeUnixNano * 8 + 1;
const lengthTag = (field: number) => field * 8 + 2;
const PARTS = lengthTag(REQUEST.resourceProfiles);
const RESOURCE = lengthTag(RESOURCE_PROFILES.resource);
const SCOPES = lengthTag(RESOURCE_PROFILES.scopeProfiles);
const PROFILES = lengthTag(SCOPE_PROFILES.profiles);
const SAMPLES = lengthTag(PROFILE.samples);
const SAMPLE_TYPE = lengthTag(PROFILE.sampleType);
const PERIOD_TYPE = lengthTag(PROFILE.periodType);

/** Rows of the string table. */
export interface TypeAt {
  type: number;
  unit: number;
}

/** One ResourceProfiles. Its profiles are those from `firstProfile` on up to where the next one begins. */
export interface PartAt {
  readonly firstProfile: number;
  profiles: number;
  samples: number;
  /** Of its first profile. */
  periodType: TypeAt | undefined;
  period: bigint;
  startNs: bigint;
  durationNs: bigint;
}

const tooMany = (max: number, what: string) =>
  new DecodeError('too_many_elements', `the request has more than ${max} ${what}`);

/** One walk over all profiles of a request, which checks everything and sums up. An object per part and per profile, none per sample. */
export class ProfilesWalk {
  readonly parts: PartAt[] = [];
  /** By profile. */
  readonly types: TypeAt[] = [];
  /** By profile: its column. */
  readonly totals = new Totals();
  /** By profile: whether it has samples or a sample type, so that its total says something. */
  readonly counted: boolean[] = [];
  readonly #checker: Checker;
  #samples = 0;
  #profileInPart = -1;
  #sampleInProfile = -1;

  constructor(checker: Checker) {
    this.#checker = checker;
  }

  /** @throws DecodeError with the place in its sentence */
  run(): void {
    const { cursor } = this.#checker;
    const end = cursor.bytes.length;
    for (let at = 0; at < end; ) {
      const from = at;
      at = cursor.readNumber(from, end);
      if (cursor.small === lengthTag(REQUEST.dictionary)) at = cursor.readLength(at, end);
      else if (cursor.small !== PARTS) at = this.#checker.field(MESSAGES.request, from, end);
      else {
        at = cursor.readLength(at, end);
        this.#placed(at - cursor.lo, at);
      }
    }
  }

  #placed(start: number, end: number): void {
    const part = this.parts.length;
    this.#profileInPart = -1;
    this.#sampleInProfile = -1;
    try {
      this.#part(start, end);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      const place = [
        `resource_profiles ${part}`,
        ...(this.#profileInPart < 0 ? [] : [`profile ${this.#profileInPart}`]),
        ...(this.#sampleInProfile < 0 ? [] : [`sample ${this.#sampleInProfile}`]),
      ];
      throw new DecodeError(error.reason, `${error.message}; ${place.join(', ')}`);
    }
  }

  #part(start: number, end: number): void {
    const { cursor } = this.#checker;
    const part: PartAt = {
      firstProfile: this.types.length,
      profiles: 0,
      samples: 0,
      periodType: undefined,
      period: 0n,
      startNs: 0n,
      durationNs: 0n,
    };
    if (this.parts.push(part) > MAX_PARTS) throw tooMany(MAX_PARTS, 'resource_profiles');
    let hasResource = false;
    for (let at = start; at < end; ) {
      const from = at;
      at = cursor.readNumber(from, end);
      if (cursor.small === SCOPES) {
        at = cursor.readLength(at, end);
        this.#scope(part, at - cursor.lo, at);
        continue;
      }
      if (cursor.small === RESOURCE) {
        if (hasResource) throw new DecodeError('duplicate_field', 'a resource_profiles has more than one resource');
        hasResource = true;
      }
      at = this.#checker.field(MESSAGES.part, from, end);
    }
  }

  #scope(part: PartAt, start: number, end: number): void {
    const { cursor } = this.#checker;
    for (let at = start; at < end; ) {
      const from = at;
      at = cursor.readNumber(from, end);
      if (cursor.small !== PROFILES) {
        at = this.#checker.field(MESSAGES.scope, from, end);
        continue;
      }
      at = cursor.readLength(at, end);
      this.#profileInPart = part.profiles++;
      this.#profile(part, at - cursor.lo, at);
      this.#sampleInProfile = -1;
    }
    this.#profileInPart = -1;
  }

  #profile(part: PartAt, start: number, end: number): void {
    const checker = this.#checker;
    const { cursor } = checker;
    const type = { type: 0, unit: 0 };
    const column = this.types.push(type) - 1;
    if (column >= MAX_PROFILES) throw tooMany(MAX_PROFILES, 'profiles');
    const isFirst = part.profiles === 1;
    let hasType = false;
    let samples = 0;
    for (let at = start; at < end; ) {
      const from = at;
      at = cursor.readNumber(from, end);
      const tag = cursor.small;
      if (tag === SAMPLES) {
        if (++this.#samples > MAX_SAMPLES) throw tooMany(MAX_SAMPLES, 'samples');
        this.#sampleInProfile = samples++;
        at = cursor.readLength(at, end);
        this.#sample(column, at - cursor.lo, at);
        continue;
      }
      this.#sampleInProfile = -1;
      at = checker.field(MESSAGES.profile, from, end);
      if (tag === SAMPLE_TYPE) {
        hasType = true;
        this.#valueType(type, from, at);
      } else if (isFirst) this.#first(part, tag, from, at);
    }
    part.samples += samples;
    this.counted.push(hasType || samples > 0);
  }

  /** A field of the first profile that the summary has; it is checked. */
  #first(part: PartAt, tag: number, from: number, end: number): void {
    const { cursor } = this.#checker;
    if (tag === PERIOD_TYPE) {
      part.periodType ??= { type: 0, unit: 0 };
      this.#valueType(part.periodType, from, end);
    } else if (tag === TIME) {
      const { buffer, byteOffset } = cursor.bytes;
      part.startNs = new DataView(buffer, byteOffset + end - 8, 8).getBigUint64(0, true);
      // The check has left the number in the cursor.
    } else if (tag === VARINTS.duration) part.durationNs = BigInt.asUintN(64, int64(cursor.lo >>> 0, cursor.hi));
    else if (tag === VARINTS.period) part.period = int64(cursor.lo >>> 0, cursor.hi);
  }

  /** Reads a ValueType field; one that comes again is merged. It is checked. */
  #valueType(into: TypeAt, from: number, end: number): void {
    const { cursor } = this.#checker;
    let at = cursor.readNumber(from, end);
    at = cursor.readLength(at, end) - cursor.lo;
    while (at < end) {
      const field = at;
      at = cursor.readNumber(field, end);
      const tag = cursor.small;
      if (tag !== 0x08 && tag !== 0x10) at = cursor.skip(field, end, 0);
      else {
        at = cursor.readNumber(at, end);
        into[tag === 0x08 ? 'type' : 'unit'] = cursor.small;
      }
    }
  }

  #sample(column: number, start: number, end: number): void {
    const checker = this.#checker;
    const { cursor } = checker;
    let values = 0;
    let stamps = 0;
    for (let at = start; at < end; ) {
      const from = at;
      at = cursor.readNumber(from, end);
      const tag = cursor.small;
      switch (tag) {
        case 0x08:
          at = cursor.readNumber(at, end);
          checker.row(STACK_INDEX, cursor.small);
          break;
        case 0x10:
          at = cursor.readNumber(at, end);
          checker.row(ATTRIBUTE_INDICES, cursor.small);
          break;
        case 0x12:
          at = cursor.readLength(at, end);
          checker.rowList(ATTRIBUTE_INDICES, at - cursor.lo, at);
          break;
        case 0x18:
          at = cursor.readNumber(at, end);
          checker.row(LINK_INDEX, cursor.small);
          break;
        case 0x20:
          at = this.#value(column, at, end);
          values++;
          break;
        case 0x22: {
          const stop = cursor.readLength(at, end);
          for (at = stop - cursor.lo; at < stop; values++) at = this.#value(column, at, stop);
          break;
        }
        case 0x2a:
          at = cursor.readLength(at, end);
          if (cursor.lo % 8 !== 0)
            throw new DecodeError('bad_protobuf', 'timestamps_unix_nano has a length that is no multiple of 8');
          stamps += cursor.lo / 8;
          break;
        default:
          if (tag === 0x29) stamps++;
          at = cursor.skip(from, end, tag === 0x29 ? 0 : LAST_OF_SAMPLE);
      }
    }
    if (values === 0) {
      if (stamps === 0) throw new DecodeError('value_count', 'a sample has neither values nor timestamps');
      // Each is one occurrence.
      this.totals.add(column, stamps);
    } else if (stamps !== 0 && stamps !== values)
      throw new DecodeError('value_count', `a sample has ${values} values for ${stamps} timestamps`);
  }

  /** Adds the number at `at` to its column. */
  #value(column: number, at: number, end: number): number {
    const { cursor } = this.#checker;
    const next = cursor.readNumber(at, end);
    if (cursor.hi === 0 && cursor.lo >= 0) this.totals.add(column, cursor.lo);
    else this.totals.addHalves(column, cursor.lo >>> 0, cursor.hi >>> 0);
    return next;
  }
}

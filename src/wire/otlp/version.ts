import type { WireVersion } from '../../model/otlp.ts';
import { DecodeError } from '../decode-error.ts';
import { BYTES, FIXED64, Reader, VARINT } from '../protobuf.ts';
import { DICTIONARY, REQUEST, RESOURCE_PROFILES, SCOPE_PROFILES } from './fields.ts';

export type { WireVersion } from '../../model/otlp.ts';

const PROFILE_SAMPLES = 2;

/** What one request has shown so far. A verdict once given stays: the first decisive hit wins. */
interface Signs {
  /** Only whether it is too old is asked: samples are passed over. */
  readonly onlyAge: boolean;
  hasDictionary: boolean;
  /** Rows of the attribute table, and of the link table. */
  attributes: number;
  links: number;
  /** Of the fields of Profile: 1.8, or one that dropped its comments. */
  profile: '1.8' | '1.9+' | undefined;
  /** Of the fields of Sample: as up to 1.9, or as from 1.10 on. */
  sample: '1.9-' | '1.10+' | undefined;
  /** By row of the attribute table: the sample that named it last, counted from 1. Made when first needed. */
  marks: Uint32Array | undefined;
  weighed: number;
  /** A sample of fields 1, 2 and 5 whose field 2 could not be a set of attributes with one timestamp each… */
  looksOld: boolean;
  /** …and one whose fields 2 and 5 are not of one length, so that it cannot be values with timestamps. */
  looksNew: boolean;
}

const unsupported = (version: string) =>
  new DecodeError(
    'unsupported_version',
    `the request is OTLP profiles ${version}, which cannot be read; update the sender to one that speaks 1.8 or later`,
  );

/**
 * The layout of a request. Field numbers of Profile and Sample moved from 1.8 to 1.9 to 1.10 without a new name for the service, so
 * it is told by wire types (opentelemetry-proto v1.8.0, v1.9.0 and v1.10.0, profiles.proto), once for the whole request. Where 1.8 and 1.9 are the same bytes it is
 * 1.9; where all are, 1.10. No object per sample. A sender in an old layout whose samples have one unpacked value or attribute each
 * cannot be told, nor 1.8 with packed comments and no later field of Profile: `asked` is for that.
 * @param asked what the receiver's setting `wire_version` says; anything but auto is taken as true
 * @throws DecodeError bad_protobuf; unsupported_version for 1.7 and older, which have their tables elsewhere
 */
export function wireVersionOf(bytes: Uint8Array, asked: 'auto' | WireVersion): WireVersion {
  const signs: Signs = {
    onlyAge: asked !== 'auto',
    hasDictionary: false,
    attributes: 0,
    links: 0,
    profile: undefined,
    sample: undefined,
    marks: undefined,
    weighed: 0,
    looksOld: false,
    looksNew: false,
  };
  readDictionary(bytes, signs);
  const request = new Reader(bytes);
  request.each(REQUEST.resourceProfiles, () =>
    request.each(RESOURCE_PROFILES.scopeProfiles, () =>
      request.each(SCOPE_PROFILES.profiles, () => readProfile(request, signs)),
    ),
  );
  if (asked !== 'auto') return asked;
  if (signs.profile === '1.8') return '1.8';
  const ambiguous = signs.looksOld && !signs.looksNew;
  const old = signs.sample === '1.9-' || (signs.sample === undefined && ambiguous);
  return old ? '1.9' : '1.10';
}

/** The tables come first, wherever they stand: what samples mean depends on how long they are. */
function readDictionary(bytes: Uint8Array, signs: Signs): void {
  const reader = new Reader(bytes);
  while (reader.next()) {
    if (reader.field >= 3 && reader.field <= 8 && reader.type === BYTES) throw unsupported('1.6');
    if (reader.field !== REQUEST.dictionary) {
      reader.skip();
      continue;
    }
    signs.hasDictionary = true;
    const outer = reader.enter();
    readTables(reader, signs);
    reader.leave(outer);
  }
}

function readTables(reader: Reader, signs: Signs): void {
  while (reader.next()) {
    const { field } = reader;
    if (field === DICTIONARY.linkTable) signs.links++;
    if (field !== DICTIONARY.attributeTable) {
      reader.skip();
      continue;
    }
    const outer = reader.enter();
    signs.attributes++;
    while (reader.next()) {
      // A common KeyValue, with its key in place.
      if (reader.field === 1 && reader.type === BYTES) throw unsupported('1.7 or older');
      reader.skip();
    }
    reader.leave(outer);
  }
}

function readProfile(reader: Reader, signs: Signs): void {
  while (reader.next()) {
    const { field, type } = reader;
    if (isTooOld(field, type)) throw unsupported(signs.hasDictionary ? '1.7 or older' : '1.5 or older');
    if (field === PROFILE_SAMPLES && type === BYTES && !signs.onlyAge && signs.sample === undefined) {
      const outer = reader.enter();
      readSample(reader, signs);
      reader.leave(outer);
      continue;
    }
    signs.profile ??= profileSign(field, type);
    reader.skip();
  }
}

/** location_indices of 1.6 and 1.7 in field 3, their duration in 5 and period type in 6; up to 1.5 tables in 3, 4 and 6. */
function isTooOld(field: number, type: number): boolean {
  return field === 5 ? type === VARINT : (field === 3 || field === 4 || field === 6) && type === BYTES;
}

function profileSign(field: number, type: number): Signs['profile'] {
  if ((field === 8 && type === BYTES) || (field === 9 && type === VARINT) || field === 12) return '1.8';
  // A comment that is not packed; packed ones look like a profile_id, which some senders write empty or too long.
  if (field === 7 && type === VARINT) return '1.8';
  return (field === 8 && type === VARINT) || (field === 9 && type === BYTES) ? '1.9+' : undefined;
}

/** A sample that can be read in one way only decides; not every writer packs a list of one. */
function readSample(reader: Reader, signs: Signs): void {
  const { at: start, end } = reader;
  let seen = 0;
  let packed = 0;
  let timestamps = 0;
  /** Field 4 as a number: a link of 1.9, or a value of 1.10 that is not packed, which Java's agent writes. */
  let number = -1;
  while (reader.next()) {
    const { field, type } = reader;
    if (field < 8) {
      seen |= 1 << field;
      if (type === BYTES) packed |= 1 << field;
    }
    if (field === 4 && type === VARINT) {
      // A second one can be no link.
      const before = number;
      reader.varint();
      number = before >= 0 || reader.hi !== 0 ? Number.MAX_SAFE_INTEGER : reader.lo;
      continue;
    }
    const from = reader.at;
    if (field === 5 && type === FIXED64) timestamps++;
    reader.skip();
    if (field === 5 && type === BYTES) timestamps += lengthFrom(reader, from) / 8;
  }
  if (signs.sample) return;
  const has = (field: number, among = seen) => (among & (1 << field)) !== 0;
  if (has(3, packed)) signs.sample = '1.9-';
  else if (has(4, packed)) signs.sample = '1.10+';
  else if (number >= 0) {
    // A link is a row of its table, and stands beside packed values or beside timestamps alone.
    const isLink = number < Math.max(1, signs.links) && !has(3) && (has(2) ? has(2, packed) : has(5));
    signs.sample = isLink ? '1.9-' : '1.10+';
  } else if (has(2) && !has(5)) {
    // In 1.10 it would have neither a value nor a timestamp.
    signs.sample = '1.9-';
  } else if (has(3)) signs.sample = '1.10+';
  else if (has(2)) weigh(reader, start, end, timestamps, signs);
}

/** Length of the content of the field that ends here and whose length stands at `from`. */
function lengthFrom(reader: Reader, from: number): number {
  let at = from;
  while (reader.bytes[at]! > 0x7f) at++;
  return reader.at - at - 1;
}

/** Fields 1, 2 and 5: values with timestamps in 1.9, or attributes with timestamps in 1.10. */
function weigh(reader: Reader, start: number, end: number, timestamps: number, signs: Signs): void {
  let count = 0;
  let odd = false;
  signs.marks ??= new Uint32Array(signs.attributes);
  const { marks } = signs;
  const mark = ++signs.weighed;
  const take = () => {
    reader.varint();
    const row = reader.hi === 0 ? reader.lo : Number.MAX_SAFE_INTEGER;
    if (row === 0 || row >= marks.length || marks[row] === mark) odd = true;
    else marks[row] = mark;
    count++;
  };
  reader.at = start;
  while (reader.next()) {
    if (reader.field !== 2) reader.skip();
    else if (reader.type === VARINT) take();
    else {
      const outer = reader.enter();
      while (reader.at < reader.end) take();
      reader.leave(outer);
    }
  }
  reader.at = end;
  if (count !== timestamps) signs.looksNew = true;
  else if (odd) signs.looksOld = true;
}

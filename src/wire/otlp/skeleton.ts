import type { Attributes, Plain } from '../../model/attributes.ts';
import type { Payload } from '../../model/payload.ts';
import { DecodeError } from '../decode-error.ts';
import { BYTES, Reader } from '../protobuf.ts';
import { readKeyValue, type StringAt } from './any-value.ts';
import { checkReferences, checkResourceReferences } from './check-references.ts';
import { DICTIONARY, REQUEST, RESOURCE, RESOURCE_PROFILES } from './fields.ts';
import { MAX_PARTS } from './limits.ts';

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** A field of the request: byte offsets. Its tag stands at `from`, its content is `start` to `end`. */
export interface Span {
  readonly from: number;
  readonly start: number;
  readonly end: number;
}

/** One ResourceProfiles. */
export interface Part extends Span {
  readonly resource: Span | undefined;
  /** Those of the resource, references resolved; read when first asked for. @throws DecodeError as `readKeyValue` */
  readonly attributes: Attributes;
}

/** Where things lie in an ExportProfilesServiceRequest, or in ProfilesData, which is the same on the wire. */
export interface Skeleton {
  readonly bytes: Uint8Array;
  readonly parts: readonly Part[];
  readonly dictionary: Span | undefined;
  /** False where it is known that no attribute holds a reference. */
  readonly references: boolean;
  /** Strings of the dictionary, found when the first reference needs one; each is decoded once. */
  readonly stringAt: StringAt;
  /** Bytes of such a string; 0 where there is no such row. */
  readonly lengthAt: (row: number) => number;
}

class ResourcePart implements Part {
  readonly from: number;
  readonly start: number;
  readonly end: number;
  readonly resource: Span | undefined;
  readonly #bytes: Uint8Array;
  readonly #stringAt: StringAt;
  #attributes: Attributes | undefined;

  constructor(bytes: Uint8Array, span: Span, resource: Span | undefined, stringAt: StringAt) {
    this.from = span.from;
    this.start = span.start;
    this.end = span.end;
    this.resource = resource;
    this.#bytes = bytes;
    this.#stringAt = stringAt;
  }

  get attributes(): Attributes {
    this.#attributes ??= this.#read();
    return this.#attributes;
  }

  #read(): Attributes {
    const attributes = new Map<string, Plain>();
    if (!this.resource) return attributes;
    const reader = new Reader(this.#bytes, this.resource.start, this.resource.end);
    while (reader.next()) {
      if (reader.field !== RESOURCE.attributes) {
        reader.skip();
        continue;
      }
      const outer = reader.enter();
      const [key, value] = readKeyValue(reader, this.#stringAt);
      reader.leave(outer);
      attributes.set(key, value);
    }
    return attributes;
  }
}

/** The field whose tag was just read. */
export function spanOf(reader: Reader, from: number): Span {
  reader.expect(BYTES);
  const length = reader.length();
  const start = reader.at;
  reader.at = start + length;
  return { from, start, end: reader.at };
}

/**
 * Finds the resources and the dictionary of a request. Passes over profiles by their length, and over scopes and the dictionary too
 * where no attribute holds a reference: it then costs by the number of resources and not by bytes. Else it adds up what references
 * stand for, which costs by the number of scopes, rows and attributes. What lies inside profiles is not checked.
 * @param bytes may lie in shared memory
 * @param references false where it is known that no attribute holds one
 * @throws DecodeError bad_protobuf; duplicate_field where a request has two dictionaries or a part two resources: legal, and to be
 * merged by the letter of protobuf, but readers in the field disagree on it and no producer writes it; too_many_elements; too_large
 * and too_deep of references
 */
export function skeletonOf(bytes: Uint8Array, references = true): Skeleton {
  const skeleton = found(bytes, references);
  return references && !checkReferences(skeleton) ? { ...skeleton, references: false } : skeleton;
}

function found(bytes: Uint8Array, references: boolean): Skeleton {
  const spans: { span: Span; resource: Span | undefined }[] = [];
  let dictionary: Span | undefined;
  const reader = new Reader(bytes);
  for (let from = 0; reader.next(); from = reader.at) {
    if (reader.field === REQUEST.resourceProfiles) {
      const span = spanOf(reader, from);
      if (spans.push({ span, resource: resourceIn(bytes, span) }) > MAX_PARTS)
        throw new DecodeError('too_many_elements', `the request has more than ${MAX_PARTS} resource_profiles`);
    } else if (reader.field === REQUEST.dictionary) {
      if (dictionary) throw new DecodeError('duplicate_field', 'the request has more than one dictionary');
      dictionary = spanOf(reader, from);
    } else reader.skip();
  }
  const strings = stringsIn(bytes, dictionary);
  const parts = spans.map(({ span, resource }) => new ResourcePart(bytes, span, resource, strings.stringAt));
  return { bytes, parts, dictionary, references, ...strings };
}

function resourceIn(bytes: Uint8Array, part: Span): Span | undefined {
  let resource: Span | undefined;
  const reader = new Reader(bytes, part.start, part.end);
  for (let from = reader.at; reader.next(); from = reader.at) {
    if (reader.field !== RESOURCE_PROFILES.resource) {
      reader.skip();
      continue;
    }
    if (resource) throw new DecodeError('duplicate_field', 'a resource_profiles has more than one resource');
    resource = spanOf(reader, from);
  }
  return resource;
}

/** Offset and end of each string, in turns. */
export function stringRows(bytes: Uint8Array, dictionary: Span): number[] {
  const rows: number[] = [];
  const reader = new Reader(bytes, dictionary.start, dictionary.end);
  while (reader.next()) {
    if (reader.field !== DICTIONARY.stringTable) {
      reader.skip();
      continue;
    }
    const { start, end } = spanOf(reader, reader.at);
    rows.push(start, end);
  }
  return rows;
}

function stringsIn(bytes: Uint8Array, dictionary: Span | undefined): Pick<Skeleton, 'stringAt' | 'lengthAt'> {
  let known: number[] | undefined;
  const rows = () => {
    known ??= dictionary ? stringRows(bytes, dictionary) : [];
    return known;
  };
  /** By row. All references to a row share one string: a request can have thousands to a long one. */
  const texts = new Map<number, string>();
  const stringAt = (row: number) => {
    let text = texts.get(row);
    if (text === undefined) {
      const start = rows()[row * 2];
      const end = rows()[row * 2 + 1];
      if (start === undefined || end === undefined)
        throw new DecodeError('bad_reference', 'an attribute names a string that is not in the string table');
      text = textAt(bytes, start, end);
      texts.set(row, text);
    }
    return text;
  };
  const lengthAt = (row: number) => (rows()[row * 2 + 1] ?? 0) - (rows()[row * 2] ?? 0);
  return { stringAt, lengthAt };
}

/** @throws DecodeError bad_string */
export function textAt(bytes: Uint8Array, start: number, end: number): string {
  const view = bytes.subarray(start, end);
  try {
    // TextDecoder refuses shared memory.
    return UTF8.decode(view.buffer instanceof SharedArrayBuffer ? view.slice() : view);
  } catch {
    throw new DecodeError('bad_string', 'a string is not valid UTF-8');
  }
}

const memo = new WeakMap<object, Skeleton>();

/**
 * The skeleton of a payload, found once however many profiles and exporters share it. Of references only those of resources are added
 * up: `spliced` does the others before it resolves them.
 * @throws DecodeError as `skeletonOf`
 */
export function skeletonFor(payload: Pick<Payload, 'bytes' | 'references'>): Skeleton {
  let skeleton = memo.get(payload);
  if (!skeleton) {
    skeleton = found(payload.bytes, payload.references ?? true);
    if (skeleton.references) checkResourceReferences(skeleton);
    memo.set(payload, skeleton);
  }
  return skeleton;
}

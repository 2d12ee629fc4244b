import { isDeepStrictEqual } from 'node:util';
import type { Attributes } from '../../model/attributes.ts';
import { fieldHead, Reader } from '../protobuf.ts';
import { AddedStrings, stringIndexOf } from './added-strings.ts';
import { bytesField, type RowOf, readKey, writeKeyValue } from './any-value.ts';
import { checkReferences } from './check-references.ts';
import { Chunks } from './chunks.ts';
import { DICTIONARY, REQUEST, RESOURCE, RESOURCE_PROFILES, SCOPE, SCOPE_PROFILES } from './fields.ts';
import { inlinedKeyValue, inlinedKeyValueAndUnit } from './inline.ts';
import { type Part, type Skeleton, type Span, spanOf } from './skeleton.ts';

/**
 * How strings of attributes are written: in place, those of the attribute table too, or as references into the dictionary, where they
 * are new.
 */
export type References = 'inline' | 'intern';

/**
 * The request that holds these parts, in this order, with these resource attributes, as chunks for one writev. What is not touched is
 * a view on the request. An attribute that did not change keeps its bytes, unless it holds a reference that is to go; unknown fields
 * stay. Top-level fields that stand between parts come behind them. The dictionary goes along whole, however few parts do.
 * @param profiles `part` is an index among the parts of the skeleton
 * @param references `intern` is `inline` where there is no dictionary to add to
 * @throws DecodeError bad_protobuf, bad_string, bad_reference, too_deep; too_large where the references that are to go stand for more
 * than MAX_RESOLVED_BYTES, before anything is made
 */
export function spliced(
  skeleton: Skeleton,
  profiles: readonly { readonly part: number; readonly attributes: Attributes }[],
  references: References,
): Uint8Array[] {
  const { bytes, dictionary, parts } = skeleton;
  const chunks = new Chunks(bytes);
  const added = references === 'intern' && dictionary ? new AddedStrings(stringIndexOf(skeleton)) : undefined;
  const search = references === 'inline' && skeleton.references;
  if (search) checkReferences(skeleton);
  const inlined = search ? inlinedDictionary(skeleton) : undefined;
  // The dictionary may stand in front of the parts, whose strings it gains: parts come first into a list of their own.
  const written = new Chunks(bytes);
  for (const { part, attributes } of profiles) {
    const one = parts[part];
    if (!one) throw new RangeError(`there is no part ${part} in a request of ${parts.length}`);
    writePart(written, skeleton, one, attributes, search, added?.rowOf);
  }
  const firstPart = parts[0]?.from ?? bytes.length;
  const others = otherFields(bytes);
  const writeOther = (span: Span) => {
    const isDictionary = span.from === dictionary?.from;
    const strings = isDictionary ? added?.fields() : undefined;
    if (isDictionary && inlined) chunks.message(REQUEST.dictionary, inlined);
    else if (!strings?.length) chunks.view(span.from, span.end);
    else {
      chunks.add(fieldHead(REQUEST.dictionary, span.end - span.start + strings.length));
      chunks.view(span.start, span.end);
      chunks.add(strings);
    }
  };
  for (const span of others) if (span.from < firstPart) writeOther(span);
  chunks.append(written);
  for (const span of others) if (span.from > firstPart) writeOther(span);
  return chunks.list();
}

/** Top-level fields that are no part. */
function otherFields(bytes: Uint8Array): Span[] {
  const spans: Span[] = [];
  const reader = new Reader(bytes);
  for (let from = 0; reader.next(); from = reader.at) {
    const { field } = reader;
    if (field === REQUEST.dictionary) spans.push(spanOf(reader, from));
    else {
      reader.skip();
      if (field !== REQUEST.resourceProfiles) spans.push({ from, start: from, end: reader.at });
    }
  }
  return spans;
}

function writePart(
  chunks: Chunks,
  skeleton: Skeleton,
  part: Part,
  attributes: Attributes,
  search: boolean,
  rowOf: RowOf | undefined,
): void {
  const { bytes } = skeleton;
  const resource = editedResource(skeleton, part, attributes, search, rowOf);
  const inner = new Chunks(bytes);
  if (resource && !part.resource) inner.add(bytesField(RESOURCE_PROFILES.resource, resource));
  const reader = new Reader(bytes, part.start, part.end);
  for (let from = reader.at; reader.next(); from = reader.at) {
    const { field } = reader;
    if (field === RESOURCE_PROFILES.scopeProfiles && search) {
      const span = spanOf(reader, from);
      const scope = inlinedScope(skeleton, span);
      if (scope) inner.message(field, scope);
      else inner.view(from, span.end);
    } else {
      reader.skip();
      if (field === RESOURCE_PROFILES.resource && resource) inner.add(bytesField(field, resource));
      else inner.view(from, reader.at);
    }
  }
  if (inner.isView(part.start, part.end)) chunks.view(part.from, part.end);
  else chunks.message(REQUEST.resourceProfiles, inner);
}

/** The content of a Resource with these attributes; undefined where it is as it was. @param search whether references are to go */
function editedResource(
  { bytes, stringAt }: Skeleton,
  part: Part,
  wanted: Attributes,
  search: boolean,
  rowOf: RowOf | undefined,
): Uint8Array | undefined {
  const had = part.attributes;
  // Nobody touched them: most resources of a request of thousands, towards the second exporter all of them.
  if (wanted === had && !search) return undefined;
  // The value itself, mostly: what nobody touched is what was read here.
  const isChanged = (key: string) => {
    const value = wanted.get(key);
    return value === undefined || (value !== had.get(key) && !isDeepStrictEqual(value, had.get(key)));
  };
  const chunks: Uint8Array[] = [];
  const written = new Set<string>();
  let touched = false;
  const write = (key: string) => {
    written.add(key);
    touched = true;
    chunks.push(bytesField(RESOURCE.attributes, writeKeyValue(key, wanted.get(key)!, rowOf)));
  };
  const reader = new Reader(bytes, part.resource?.start ?? 0, part.resource?.end ?? 0);
  for (let from = reader.at; reader.next(); from = reader.at) {
    if (reader.field !== RESOURCE.attributes) {
      reader.skip();
      chunks.push(bytes.subarray(from, reader.at));
      continue;
    }
    const { start, end } = spanOf(reader, from);
    const key = readKey(new Reader(bytes, start, end), stringAt);
    if (!isChanged(key)) {
      written.add(key);
      const inlined = search ? inlinedKeyValue(bytes.subarray(start, end), stringAt) : undefined;
      if (inlined) touched = true;
      chunks.push(inlined ? bytesField(RESOURCE.attributes, inlined) : bytes.subarray(from, end));
    } else {
      // Of a key that comes twice, which no producer should write, the new value takes the first place and the others go.
      touched = true;
      if (wanted.has(key) && !written.has(key)) write(key);
    }
  }
  for (const key of wanted.keys()) if (!written.has(key)) write(key);
  return touched ? Buffer.concat(chunks) : undefined;
}

/** The content of a ScopeProfiles whose scope held references; undefined where it held none. */
function inlinedScope({ bytes, stringAt }: Skeleton, { start, end }: Span): Chunks | undefined {
  const chunks = new Chunks(bytes);
  const reader = new Reader(bytes, start, end);
  for (let from = start; reader.next(); from = reader.at) {
    if (reader.field !== SCOPE_PROFILES.scope) {
      reader.skip();
      chunks.view(from, reader.at);
      continue;
    }
    const scope = spanOf(reader, from);
    const content = new Chunks(bytes);
    const fields = new Reader(bytes, scope.start, scope.end);
    for (let at = scope.start; fields.next(); at = fields.at) {
      const isAttribute = fields.field === SCOPE.attributes;
      const attribute = isAttribute ? spanOf(fields, at) : undefined;
      if (!isAttribute) fields.skip();
      const inlined = attribute && inlinedKeyValue(bytes.subarray(attribute.start, attribute.end), stringAt);
      if (inlined) content.add(bytesField(SCOPE.attributes, inlined));
      else content.view(at, fields.at);
    }
    if (content.isView(scope.start, scope.end)) chunks.view(from, scope.end);
    else chunks.message(SCOPE_PROFILES.scope, content);
  }
  return chunks.isView(start, end) ? undefined : chunks;
}

/** By skeleton, so that a payload that many profiles and exporters share is looked through once; null where there was no reference. */
const inlinedDictionaries = new WeakMap<Skeleton, Chunks | null>();

/** The content of the dictionary without references in the values of its attributes; undefined where there are none. */
function inlinedDictionary(skeleton: Skeleton): Chunks | undefined {
  const { bytes, dictionary, stringAt } = skeleton;
  if (!dictionary) return undefined;
  const known = inlinedDictionaries.get(skeleton);
  if (known !== undefined) return known ?? undefined;
  const chunks = new Chunks(bytes);
  const reader = new Reader(bytes, dictionary.start, dictionary.end);
  /** Up to where `chunks` reach: a view per row would cost more than the rows. */
  let done = dictionary.start;
  for (let from = reader.at; reader.next(); from = reader.at) {
    if (reader.field !== DICTIONARY.attributeTable) {
      reader.skip();
      continue;
    }
    const { start, end } = spanOf(reader, from);
    const inlined = inlinedKeyValueAndUnit(bytes.subarray(start, end), stringAt);
    if (!inlined) continue;
    chunks.view(done, from);
    chunks.add(bytesField(DICTIONARY.attributeTable, inlined));
    done = end;
  }
  chunks.view(done, dictionary.end);
  const result = chunks.isView(dictionary.start, dictionary.end) ? undefined : chunks;
  inlinedDictionaries.set(skeleton, result ?? null);
  return result;
}

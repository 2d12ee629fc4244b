import type { Attributes } from '../../model/attributes.ts';
import type { Columns } from '../../model/columns/columns.ts';
import type { Losses } from '../convert/losses.ts';
import { BackWriter, putField } from '../pprof/back-writer.ts';
import { bytesField, writeKeyValue } from './any-value.ts';
import { sourceDictionary } from './decode-dictionary.ts';
import { Dictionary } from './encode-dictionary.ts';
import { ProfileEncoder } from './encode-profile.ts';
import { RESOURCE, RESOURCE_PROFILES, SCOPE, SCOPE_PROFILES } from './fields.ts';
import { attributesOf } from './label-values.ts';
import { DEFAULT_SAMPLE_TYPE, SAMPLE_TYPE_ORDER } from './profile-attributes.ts';
import { SourceAttributes } from './source-attributes.ts';

/** One ResourceProfiles to be. */
export interface PartColumns {
  readonly attributes: Attributes;
  readonly columns: readonly Columns[];
}

const output = new BackWriter();

/**
 * Columns as one ProfilesData (OTLP profiles 1.10), part n as resource_profiles[n]. The dictionary holds what samples lead to, each once,
 * in the order in which it is met, and row 0 of every table says nothing. Attributes are written in place, without references. Columns
 * that came as pprof become one Profile per sample type, the default type first. No object per sample.
 * @param losses counts what columns that came as pprof lose, and what an edit takes from those that came as OTLP
 * @returns a view on scratch memory that is valid until the next call
 * @throws DecodeError too_deep; and as `decodeOtlp`, where columns came from a request that changed meanwhile
 */
export function encodeOtlp(parts: readonly PartColumns[], losses?: Losses): Uint8Array {
  const dictionary = new Dictionary();
  const sources = new Map<Uint8Array, SourceAttributes>();
  let expected = 0;
  const encoders = parts.map(({ columns }) =>
    columns.map(one => {
      expected += 24 * one.samples.count * one.samples.width + 256;
      if (losses) countEdited(one, losses);
      return new ProfileEncoder(one, dictionary, sourceOf(one, dictionary, sources), losses);
    }),
  );
  output.clear(expected + dictionary.size);
  dictionary.write(output);
  for (let part = parts.length - 1; part >= 0; part--) writePart(parts[part]!.attributes, encoders[part]!);
  return output.bytes.subarray(output.at);
}

/** For when the encoded bytes are done with: the memory of large ones does not stay until the next. */
export function releaseOtlpOutput(): void {
  output.release();
}

function countEdited({ otlp, edited }: Columns, losses: Losses): void {
  if (!otlp?.observations) return;
  losses.add('edited_unknown_field', otlp.unknownFields);
  if (edited) losses.add('edited_original_payload', otlp.types.filter(({ payload }) => payload).length);
}

function sourceOf(
  { otlp, source }: Columns,
  dictionary: Dictionary,
  known: Map<Uint8Array, SourceAttributes>,
): SourceAttributes | undefined {
  if (!otlp?.observations) return undefined;
  const before = known.get(source);
  if (before) return before;
  const made = new SourceAttributes(sourceDictionary(source), dictionary);
  known.set(source, made);
  return made;
}

function writePart(attributes: Attributes, encoders: readonly ProfileEncoder[]): void {
  const before = output.written;
  const first = encoders[0]?.columns;
  const { otlp } = first ?? {};
  if (otlp?.schemaUrl) writeBytes(bytesField(RESOURCE_PROFILES.schemaUrl, first!.strings.bytes(otlp.schemaUrl)));
  for (let last = encoders.length - 1; last >= 0; ) {
    let from = last;
    const scope = encoders[last]!.columns.otlp?.scope;
    if (scope) while (from > 0 && encoders[from - 1]!.columns.otlp?.scope?.index === scope.index) from--;
    writeScope(encoders.slice(from, last + 1));
    last = from - 1;
  }
  const resource = [...attributes].map(([key, value]) => bytesField(RESOURCE.attributes, writeKeyValue(key, value)));
  writeCount(RESOURCE.droppedAttributesCount, otlp?.resourceDroppedAttributes ?? 0, resource);
  resource.push(...(otlp?.resourceFields ?? []));
  writeBytes(bytesField(RESOURCE_PROFILES.resource, Buffer.concat(resource)));
  output.head(0x0a, before);
}

/** Columns of one scope. */
function writeScope(encoders: readonly ProfileEncoder[]): void {
  const before = output.written;
  const { columns } = encoders[0]!;
  const scope = columns.otlp?.scope;
  if (scope?.schemaUrl) writeBytes(bytesField(SCOPE_PROFILES.schemaUrl, columns.strings.bytes(scope.schemaUrl)));
  for (let at = encoders.length - 1; at >= 0; at--) {
    const order = orderOf(encoders[at]!.columns);
    for (let place = order.length - 1; place >= 0; place--) encoders[at]!.write(output, order[place]!, place === 0);
  }
  const fields = scope ? scopeFields(columns) : newScopeFields(columns);
  writeBytes(bytesField(SCOPE_PROFILES.scope, Buffer.concat(fields)));
  output.head(0x12, before);
}

/** The sample types in the order of their Profiles: the default one comes first, which is the last where none is named. */
export function orderOf(columns: Columns): readonly number[] {
  const { otlp, sampleTypes, strings, defaultSampleType } = columns;
  if (otlp?.observations) return otlp.order;
  const named =
    strings.byteLength(defaultSampleType) > 0
      ? sampleTypes.findIndex(({ type }) => strings.same(type, defaultSampleType))
      : -1;
  const first = named >= 0 ? named : sampleTypes.length - 1;
  return [first, ...sampleTypes.keys().filter(type => type !== first)];
}

function newScopeFields(columns: Columns): Uint8Array[] {
  const { strings, defaultSampleType } = columns;
  const order = writeKeyValue(SAMPLE_TYPE_ORDER, orderOf(columns).map(BigInt));
  const fields = [bytesField(SCOPE.attributes, order)];
  if (strings.byteLength(defaultSampleType) > 0)
    fields.unshift(bytesField(SCOPE.attributes, writeKeyValue(DEFAULT_SAMPLE_TYPE, strings.text(defaultSampleType))));
  return fields;
}

function scopeFields(columns: Columns): Uint8Array[] {
  const { otlp, strings } = columns;
  const { name, version, firstAttribute, droppedAttributes } = otlp!.scope!;
  const fields: Uint8Array[] = [];
  if (name !== 0) fields.push(bytesField(SCOPE.name, strings.bytes(name)));
  if (version !== 0) fields.push(bytesField(SCOPE.version, strings.bytes(version)));
  for (const [key, value] of attributesOf(columns, firstAttribute))
    fields.push(bytesField(SCOPE.attributes, Buffer.concat([bytesField(1, Buffer.from(key)), bytesField(2, value)])));
  writeCount(SCOPE.droppedAttributesCount, droppedAttributes, fields);
  return fields;
}

function writeCount(field: number, count: number, fields: Uint8Array[]): void {
  if (count === 0) return;
  const bytes = new Uint8Array(8);
  fields.push(bytes.subarray(putField(bytes, 8, field * 8, count)));
}

function writeBytes(bytes: Uint8Array): void {
  output.copy(bytes, 0, bytes.length);
}

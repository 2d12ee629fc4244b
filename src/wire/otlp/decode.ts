import type { Plain } from '../../model/attributes.ts';
import { Columns } from '../../model/columns/columns.ts';
import { OtlpFields, type ScopeRows } from '../../model/columns/otlp-fields.ts';
import { fillWithin } from '../fill-within.ts';
import { MAX_DECODED_BYTES } from '../pprof/limits.ts';
import { Reader } from '../protobuf.ts';
import { readAnyValue, readKeyValue, writeAnyValue } from './any-value.ts';
import { AttributeDecoder, sourceAttribute } from './decode-attributes.ts';
import { type SourceDictionary, sourceDictionary } from './decode-dictionary.ts';
import { grouped, type Header, type PartSource, type Range, readPart, type ScopeSource } from './decode-profiles.ts';
import { SampleDecoder } from './decode-samples.ts';
import { SymbolDecoder } from './decode-symbols.ts';
import { RESOURCE, SCOPE } from './fields.ts';
import {
  commentsIn,
  DEFAULT_SAMPLE_TYPE,
  DOC_URL,
  DROP_FRAMES,
  KEEP_FRAMES,
  orderIn,
  SAMPLE_TYPE_ORDER,
} from './profile-attributes.ts';

const SAMPLES = 0x12;

/**
 * One ResourceProfiles of a request (OTLP profiles 1.10) as columns: one for each group of Profiles of a scope that agree in time,
 * duration, period and attributes, whose types are its sample types. Samples are joined by stack, attributes and link. A sample of
 * timestamps without values counts 1 for each. Only the rows of the dictionary that are used are taken; where they lie is found once
 * per `request` object, so that thousands of parts cost by what is theirs. The attributes of the resource are the envelope's.
 * @param request must not change while the columns are in use; may lie in shared memory
 * @param maxBytes what the columns of the part may take together
 * @throws DecodeError bad_protobuf, bad_reference, bad_string, bad_link, string_table, value_count, value_overflow, duplicate_field,
 * too_deep, too_many_elements
 */
export function decodeOtlp(request: Uint8Array, part: number, maxBytes = MAX_DECODED_BYTES): Columns[] {
  const source = sourceDictionary(request);
  const { starts, ends, count } = source.parts;
  if (part >= count) throw new RangeError(`there is no part ${part} in a request of ${count}`);
  return fillWithin(maxBytes, 0, () => {
    const found = readPart(source, starts.items[part]!, ends.items[part]!);
    return found.scopes.flatMap((scope, index) =>
      grouped(scope.profiles, isOneProfile(source, scope)).map((group, at) =>
        new GroupDecoder(source, found, index).read(scope, group, at === 0),
      ),
    );
  });
}

/** How many ResourceProfiles a request has. @throws DecodeError */
export function partsOf(request: Uint8Array): number {
  return sourceDictionary(request).parts.count;
}

/** Whether the Profiles of a scope were the sample types of one profile: whoever took it apart wrote their order. */
function isOneProfile({ bytes, stringAt }: SourceDictionary, { scope, profiles }: ScopeSource): boolean {
  if (!scope || profiles.length < 2) return false;
  const reader = new Reader(bytes, scope.start, scope.end);
  while (reader.next()) {
    if (reader.field !== SCOPE.attributes) {
      reader.skip();
      continue;
    }
    const outer = reader.enter();
    const [key, value] = readKeyValue(reader, stringAt);
    reader.leave(outer);
    if (key === SAMPLE_TYPE_ORDER) return orderIn(value, profiles.length) !== undefined;
  }
  return false;
}

class GroupDecoder {
  readonly #source: SourceDictionary;
  readonly #part: PartSource;
  readonly #scopeIndex: number;
  readonly #columns = new Columns();
  readonly #otlp = new OtlpFields();
  readonly #attributes: AttributeDecoder;

  constructor(source: SourceDictionary, part: PartSource, scopeIndex: number) {
    this.#source = source;
    this.#part = part;
    this.#scopeIndex = scopeIndex;
    this.#columns.clear(source.bytes);
    this.#columns.otlp = this.#otlp;
    this.#columns.strings.add(0, 0);
    this.#attributes = new AttributeDecoder(this.#columns, source);
    source.forget();
  }

  /** @param isFirst of its scope, and so the one that counts what the scope and the resource lose */
  read(scope: ScopeSource, group: readonly Header[], isFirst: boolean): Columns {
    const columns = this.#columns;
    const otlp = this.#otlp;
    const [first] = group;
    const { order, defaultType } = this.#scope(scope, group.length);
    otlp.order = order;
    columns.samples.width = group.length;
    for (const [place, header] of group.entries()) {
      const type = order[place]!;
      columns.sampleTypes[type] = this.#valueType(header);
      otlp.types[type] = {
        profileId: header.profileId && this.#view(header.profileId),
        payloadFormat: header.payloadFormat
          ? this.#source.text(header.payloadFormat.start, header.payloadFormat.end)
          : '',
        payload: header.payload && this.#view(header.payload),
      };
      otlp.unknownFields += header.unknownFields;
    }
    columns.defaultSampleType = defaultType ?? (group.length > 1 ? columns.sampleTypes[order[0]!]!.type : 0);
    columns.timeNanos = BigInt.asIntN(64, first!.timeNanos);
    columns.durationNanos = BigInt.asIntN(64, first!.durationNanos);
    columns.period = first!.period;
    columns.periodType = first!.periodType && this.#valueType(first!.periodType);
    otlp.droppedAttributes = first!.droppedAttributes;
    if (isFirst) otlp.unknownFields += scope.unknownFields + (this.#scopeIndex === 0 ? this.#part.unknownFields : 0);
    this.#profileAttributes(first!.attributes);
    this.#samples(group);
    new SymbolDecoder(columns, otlp, this.#source, this.#attributes).resolve();
    return columns;
  }

  #valueType({ type, unit }: { readonly type: number; readonly unit: number }): { type: number; unit: number } {
    return { type: this.#attributes.string(type), unit: this.#attributes.string(unit) };
  }

  #view({ start, end }: Range): Uint8Array {
    return this.#source.bytes.subarray(start, end);
  }

  #row(range: Range | undefined): number {
    return range && range.end > range.start ? this.#attributes.range(range.start, range.end) : 0;
  }

  #samples(group: readonly Header[]): void {
    const decoder = new SampleDecoder(this.#columns, this.#otlp, this.#source, this.#attributes);
    const { cursor } = this.#source;
    for (const [place, { start, end }] of group.entries()) {
      const type = this.#otlp.order[place]!;
      for (let at = start; at < end; ) {
        const from = at;
        at = cursor.readNumber(at, end);
        if (cursor.small !== SAMPLES) {
          // Read already, as part of the header: only passed over, whatever its number.
          at = cursor.skip(from, end, 0);
          continue;
        }
        at = cursor.readLength(at, end);
        decoder.read(at - cursor.lo, at, type);
      }
    }
  }

  /** Reads the scope and the resource, and tells the order of the sample types. */
  #scope(
    { scope, schemaUrl, profiles }: ScopeSource,
    count: number,
  ): { order: number[]; defaultType: number | undefined } {
    const otlp = this.#otlp;
    const { strings } = this.#columns;
    const rows = { name: 0, version: 0, droppedAttributes: 0 };
    const attributes = new Map<string, Plain>();
    let firstAttribute = 0;
    let last = 0;
    const reader = new Reader(this.#source.bytes, scope?.start ?? 0, scope?.end ?? 0);
    while (reader.next()) {
      const { field, type } = reader;
      if (field === SCOPE.attributes && type === 2) {
        const outer = reader.enter();
        const [key, value] = readKeyValue(reader, this.#source.stringAt);
        reader.leave(outer);
        attributes.set(key, value);
        const chain = this.#attributes.value(key === '' ? 0 : strings.intern(key), 0, writeAnyValue(value));
        if (firstAttribute === 0) firstAttribute = chain;
        else this.#columns.labels.next[last] = chain;
        last = this.#lastOf(chain);
      } else if ((field === SCOPE.name || field === SCOPE.version) && type === 2) {
        const length = reader.length();
        reader.at += length;
        const row = this.#row({ start: reader.at - length, end: reader.at });
        rows[field === SCOPE.name ? 'name' : 'version'] = row;
      } else if (field === SCOPE.droppedAttributesCount && type === 0) {
        reader.varint();
        rows.droppedAttributes = reader.lo;
      } else {
        reader.skip();
        otlp.unknownFields++;
      }
    }
    const found: ScopeRows = { index: this.#scopeIndex, ...rows, firstAttribute, schemaUrl: this.#row(schemaUrl) };
    otlp.scope = found;
    this.#resource();
    const listed = attributes.get(SAMPLE_TYPE_ORDER);
    const own = profiles.length === count ? orderIn(listed, count) : undefined;
    const named = attributes.get(DEFAULT_SAMPLE_TYPE);
    return {
      order: own ?? Array.from({ length: count }, (_none, at) => at),
      // Whoever wrote the order would have written a default, had there been one.
      defaultType:
        typeof named === 'string' && named !== '' ? strings.intern(named) : listed === undefined ? undefined : 0,
    };
  }

  #resource(): void {
    const { resource, schemaUrl } = this.#part;
    this.#otlp.schemaUrl = this.#row(schemaUrl);
    const reader = new Reader(this.#source.bytes, resource?.start ?? 0, resource?.end ?? 0);
    for (let from = reader.at; reader.next(); from = reader.at) {
      if (reader.field === RESOURCE.droppedAttributesCount && reader.type === 0) {
        reader.varint();
        this.#otlp.resourceDroppedAttributes = reader.lo;
        continue;
      }
      reader.skip();
      if (reader.field !== RESOURCE.attributes)
        this.#otlp.resourceFields.push(this.#source.bytes.subarray(from, reader.at));
    }
  }

  #lastOf(chain: number): number {
    const { labels } = this.#columns;
    let last = chain;
    while (labels.next[last] !== 0) last = labels.next[last]!;
    return last;
  }

  /** Those that pprof has a field for go there, the others into a chain. */
  #profileAttributes(rows: readonly number[]): void {
    const { strings, comments, labels } = this.#columns;
    const found: { place: number; texts: readonly string[] }[] = [];
    let last = 0;
    for (const row of rows) {
      const { key, unit, value } = sourceAttribute(this.#source, row);
      const name = this.#source.stringAt(key);
      if (unit === 0 && name.startsWith('pprof.profile.')) {
        const plain = readAnyValue(new Reader(value), this.#source.stringAt);
        const texts = commentsIn(name, plain);
        if (texts) {
          found.push(texts);
          continue;
        }
        if (typeof plain === 'string' && plain !== '' && this.#setField(name, plain)) continue;
      }
      const chain = this.#attributes.value(this.#attributes.string(key), this.#attributes.string(unit), value);
      if (last === 0) this.#otlp.firstAttribute = chain;
      else labels.next[last] = chain;
      last = this.#lastOf(chain);
    }
    found.sort((one, other) => one.place - other.place);
    for (const text of found.flatMap(({ texts }) => texts)) comments.push(text === '' ? 0 : strings.append(text));
  }

  #setField(name: string, text: string): boolean {
    const field =
      name === DROP_FRAMES
        ? 'dropFrames'
        : name === KEEP_FRAMES
          ? 'keepFrames'
          : name === DOC_URL
            ? 'docUrl'
            : undefined;
    if (field) this.#columns[field] = this.#columns.strings.append(text);
    return field !== undefined;
  }
}

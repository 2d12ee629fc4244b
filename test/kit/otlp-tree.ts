// What an OTLP request says, by an independent decoder (protobufjs, nothing of src), every reference resolved.
import { PROTO } from './otlp-proto.ts';

/** ExportProfilesServiceRequest of OTLP 1.10, by reflection. */
export const requestProto = PROTO.profiles;

// biome-ignore lint/suspicious/noExplicitAny: messages by reflection
type Message = any;

const DICTIONARY = ['mapping', 'location', 'function', 'link', 'string', 'attribute', 'stack'] as const;

export interface OtlpTree {
  /** By resource; profiles of a scope and samples of a profile sorted by what they say. */
  readonly resources: readonly unknown[];
  /** Rows that nothing leads to, but row 0, and rows that stand twice: `string 3`. */
  readonly orphans: readonly string[];
  readonly duplicates: readonly string[];
}

const text = (value: unknown): string => String(value ?? 0);
const hex = (value: Uint8Array | undefined): string => Buffer.from(value ?? []).toString('hex');

/** The whole request as plain values without row numbers. */
export function treeOf(request: Uint8Array): OtlpTree {
  const decoded: Message = requestProto.decode(request);
  const dictionary: Message = decoded.dictionary ?? {};
  const tables: Record<string, Message[]> = {};
  for (const name of DICTIONARY) tables[name] = dictionary[`${name}Table`] ?? [];
  const named = new Set<string>();
  const row = (table: (typeof DICTIONARY)[number], index: number): Message => {
    named.add(`${table} ${index ?? 0}`);
    const found = tables[table]![index ?? 0];
    if (found === undefined && index) throw new Error(`${table} ${index} does not exist`);
    return found;
  };
  const string = (index: number): string => row('string', index) ?? '';
  const value = (any: Message): unknown => {
    if (!any?.value) return null;
    switch (any.value) {
      case 'stringValue':
        return any.stringValue;
      case 'stringValueStrindex':
        return string(any.stringValueStrindex);
      case 'boolValue':
        return any.boolValue;
      case 'intValue':
        return { int: text(any.intValue) };
      case 'doubleValue':
        return { double: String(any.doubleValue) };
      case 'bytesValue':
        return { bytes: hex(any.bytesValue) };
      case 'arrayValue':
        return any.arrayValue.values.map(value);
      default:
        return { kvlist: any.kvlistValue.values.map(pair) };
    }
  };
  const pair = ({ key, keyStrindex, value: one }: Message): unknown => [
    keyStrindex ? string(keyStrindex) : key,
    value(one),
  ];
  const attributes = (indices: number[] | undefined): string[] =>
    (indices ?? [])
      .filter(index => index !== 0)
      .map(index => {
        const { keyStrindex, value: one, unitStrindex } = row('attribute', index);
        return JSON.stringify([string(keyStrindex), value(one), string(unitStrindex)]);
      })
      .sort();
  const fn = (index: number): unknown => {
    const found = row('function', index) ?? {};
    return [
      string(found.nameStrindex),
      string(found.systemNameStrindex),
      string(found.filenameStrindex),
      text(found.startLine),
    ];
  };
  const mapping = (index: number): unknown => {
    const found = row('mapping', index) ?? {};
    const { memoryStart, memoryLimit, fileOffset, filenameStrindex } = found;
    return [
      text(memoryStart),
      text(memoryLimit),
      text(fileOffset),
      string(filenameStrindex),
      attributes(found.attributeIndices),
    ];
  };
  const location = (index: number): unknown => {
    const found = row('location', index) ?? {};
    const lines = (found.lines ?? []).map(({ functionIndex, line, column }: Message) => [
      fn(functionIndex),
      text(line),
      text(column),
    ]);
    return [mapping(found.mappingIndex), text(found.address), lines, attributes(found.attributeIndices)];
  };
  const link = (index: number): unknown => {
    const found = row('link', index);
    // Zeros are no link, whichever row they stand in.
    if (!index || ![...(found.traceId ?? []), ...(found.spanId ?? [])].some(byte => byte !== 0)) return null;
    return [hex(found.traceId).padEnd(32, '0'), hex(found.spanId).padEnd(16, '0')];
  };
  const sample = (found: Message): string =>
    JSON.stringify({
      stack: (row('stack', found.stackIndex)?.locationIndices ?? []).map(location),
      attributes: attributes(found.attributeIndices),
      link: link(found.linkIndex),
      values: found.values.map(text),
      times: found.timestampsUnixNano.map(text),
    });
  const type = (found: Message): unknown => [string(found?.typeStrindex), string(found?.unitStrindex)];
  const profile = (found: Message): unknown => ({
    type: type(found.sampleType),
    time: text(found.timeUnixNano),
    duration: text(found.durationNano),
    periodType: found.periodType ? type(found.periodType) : null,
    period: text(found.period),
    id: hex(found.profileId),
    dropped: found.droppedAttributesCount,
    format: found.originalPayloadFormat,
    payload: hex(found.originalPayload),
    attributes: attributes(found.attributeIndices),
    samples: found.samples.map(sample).sort(),
  });
  const resources = decoded.resourceProfiles.map((found: Message) => ({
    attributes: (found.resource?.attributes ?? []).map(pair),
    dropped: found.resource?.droppedAttributesCount ?? 0,
    entities: found.resource?.entityRefs ?? [],
    schemaUrl: found.schemaUrl,
    scopes: found.scopeProfiles.map((scope: Message) => ({
      name: scope.scope?.name ?? '',
      version: scope.scope?.version ?? '',
      attributes: (scope.scope?.attributes ?? []).map(pair),
      dropped: scope.scope?.droppedAttributesCount ?? 0,
      schemaUrl: scope.schemaUrl,
      profiles: scope.profiles
        .map((one: Message) => JSON.stringify(profile(one)))
        .sort()
        .map((one: string) => JSON.parse(one)),
    })),
  }));
  const all = DICTIONARY.flatMap(name => tables[name]!.map((_one, at) => `${name} ${at}`));
  const duplicates = DICTIONARY.flatMap(name => {
    const seen = new Set<string>();
    return tables[name]!.flatMap((one, at) => {
      const key = typeof one === 'string' ? one : JSON.stringify(one);
      if (seen.has(key)) return [`${name} ${at}`];
      seen.add(key);
      return [];
    });
  });
  return { resources, orphans: all.filter(one => !named.has(one) && !one.endsWith(' 0')), duplicates };
}

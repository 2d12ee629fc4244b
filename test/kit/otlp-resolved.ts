// A profiles request with every index resolved: equal for all requests that say the same, whatever the order of their tables.
import { decodeMessage, type Plain } from './otlp-schema.ts';

export interface ResolvedSample {
  /** Leaf first; each location as one text, with its mapping, lines, functions and attributes. */
  readonly stack: readonly string[];
  /** A set, so sorted. */
  readonly attributes: readonly string[];
  readonly link: Plain | undefined;
  readonly values: readonly bigint[];
  readonly timestamps: readonly bigint[];
  readonly unknown?: readonly string[];
}
export interface ResolvedProfile {
  readonly sampleType: Plain;
  readonly periodType: Plain;
  readonly samples: readonly ResolvedSample[];
  readonly attributes: readonly string[];
  /** The fields that hold no index. */
  readonly [field: string]: unknown;
}
export interface ResolvedScope {
  readonly scope: Plain | undefined;
  readonly profiles: readonly ResolvedProfile[];
  readonly schemaUrl?: string;
  readonly unknown?: readonly string[];
}
export interface ResolvedResource {
  readonly resource: Plain | undefined;
  readonly scopes: readonly ResolvedScope[];
  readonly schemaUrl?: string;
  readonly unknown?: readonly string[];
}

/** JSON of plain values, int64 told apart from double. */
export const textOf = (value: unknown): string =>
  JSON.stringify(value, (_key, one) => (typeof one === 'bigint' ? `${one}n` : one));

/** @throws where an index points outside of its table, or the wire is broken */
export function resolvedProfiles(bytes: Uint8Array): readonly ResolvedResource[] {
  const { resourceProfiles, dictionary } = decodeMessage('ExportProfilesServiceRequest', bytes);
  const tables = new Tables(dictionary ?? {});
  return (resourceProfiles as Plain[]).map(({ resource, scopeProfiles, ...rest }) => ({
    ...rest,
    resource: resource && tables.inline(resource),
    scopes: (scopeProfiles as Plain[]).map(({ scope, profiles, ...other }) => ({
      ...other,
      scope: scope && tables.inline(scope),
      profiles: (profiles as Plain[]).map(one => tables.profile(one)),
    })),
  }));
}

/** The same with the samples of each profile in an order that says nothing. */
export const sortedProfiles = (bytes: Uint8Array): readonly ResolvedResource[] =>
  resolvedProfiles(bytes).map(one => ({
    ...one,
    scopes: one.scopes.map(scope => ({
      ...scope,
      profiles: scope.profiles.map(profile => ({
        ...profile,
        samples: profile.samples
          .map(sample => [textOf(sample), sample] as const)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([, sample]) => sample),
      })),
    })),
  }));

/** Sum of the values of a profile; a sample without values counts once per timestamp. */
export const sumOf = ({ samples }: Pick<ResolvedProfile, 'samples'>): bigint =>
  samples.reduce(
    (sum, { values, timestamps }) =>
      sum + (values.length > 0 ? values.reduce((one, two) => one + two, 0n) : BigInt(timestamps.length)),
    0n,
  );

/** Every profile of a request, with its resource. */
export const profilesIn = (bytes: Uint8Array): (ResolvedProfile & { readonly of: ResolvedResource })[] =>
  resolvedProfiles(bytes).flatMap(of => of.scopes.flatMap(({ profiles }) => profiles.map(one => ({ ...one, of }))));

/** Attributes of a resource by key, in plain words. */
export const attributesOf = (resource: Plain | undefined): Record<string, unknown> =>
  Object.fromEntries(
    ((resource?.attributes ?? []) as Plain[]).map(({ key, value }) => [key, Object.values(value ?? {})[0]]),
  );

class Tables {
  readonly #tables: Plain;
  readonly #locations: string[] = [];
  readonly #stacks: string[][] = [];

  constructor(dictionary: Plain) {
    this.#tables = dictionary;
  }

  profile(profile: Plain): ResolvedProfile {
    const { sampleType, periodType, samples, attributeIndices, ...rest } = profile;
    return {
      ...rest,
      sampleType: this.#type(sampleType),
      periodType: this.#type(periodType),
      attributes: this.#attributes(attributeIndices),
      samples: (samples as Plain[]).map(
        ({ stackIndex, attributeIndices, linkIndex, values, timestampsUnixNano, ...rest }) => ({
          ...rest,
          stack: this.#stack(stackIndex ?? 0),
          attributes: this.#attributes(attributeIndices),
          link: linkIndex ? this.#row('linkTable', linkIndex) : undefined,
          values,
          timestamps: timestampsUnixNano,
        }),
      ),
    };
  }

  /** A resource or scope, or anything below, with references to strings written out. */
  inline(message: Plain): Plain {
    const plain: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(message))
      if (name === 'keyStrindex') {
        if (value !== 0) plain.key = this.#text(value as number);
      } else if (name === 'stringValueStrindex') plain.stringValue = this.#text(value as number);
      else if (name !== 'key' || !message.keyStrindex) plain[name] = this.#inlined(value);
    return plain;
  }

  #inlined(value: unknown): unknown {
    if (Array.isArray(value)) return value.map(one => this.#inlined(one));
    return typeof value === 'object' && value !== null ? this.inline(value as Plain) : value;
  }

  #row<T = Plain>(table: string, row: number): T {
    const rows = (this.#tables[table] ?? []) as T[];
    const found = rows[row];
    if (found === undefined) throw new Error(`row ${row} of ${rows.length} in ${table}`);
    return found;
  }

  #text(row: number | undefined): string {
    return this.#row<string>('stringTable', row ?? 0);
  }

  /** An absent one is the same as one of two empty strings. */
  #type(type: Plain | undefined): Plain {
    const { typeStrindex, unitStrindex, ...rest } = type ?? {};
    return {
      ...rest,
      type: typeStrindex ? this.#text(typeStrindex) : '',
      unit: unitStrindex ? this.#text(unitStrindex) : '',
    };
  }

  #attributes(rows: readonly number[]): string[] {
    return rows
      .map(row => {
        const { keyStrindex, value, unitStrindex, ...rest } = this.#row('attributeTable', row);
        return textOf({
          ...rest,
          key: this.#text(keyStrindex),
          value: value && this.inline(value),
          unit: this.#text(unitStrindex),
        });
      })
      .sort();
  }

  #stack(row: number): readonly string[] {
    this.#stacks[row] ??= (this.#row('stackTable', row).locationIndices as number[]).map(one => this.#location(one));
    return this.#stacks[row]!;
  }

  #location(row: number): string {
    if (this.#locations[row] !== undefined) return this.#locations[row];
    const { mappingIndex, address = 0n, lines, attributeIndices, ...rest } = this.#row('locationTable', row);
    const text = textOf({
      ...rest,
      address,
      mapping: this.#mapping(mappingIndex ?? 0),
      lines: (lines as Plain[]).map(({ functionIndex, line = 0n, column = 0n, ...rest }) => ({
        ...rest,
        line,
        column,
        function: this.#function(functionIndex ?? 0),
      })),
      attributes: this.#attributes(attributeIndices),
    });
    this.#locations[row] = text;
    return text;
  }

  #mapping(row: number): unknown {
    const {
      memoryStart = 0n,
      memoryLimit = 0n,
      fileOffset = 0n,
      filenameStrindex,
      attributeIndices,
      ...rest
    } = this.#row('mappingTable', row);
    const file = this.#text(filenameStrindex);
    return { ...rest, memoryStart, memoryLimit, fileOffset, file, attributes: this.#attributes(attributeIndices) };
  }

  #function(row: number): unknown {
    const {
      nameStrindex,
      systemNameStrindex,
      filenameStrindex,
      startLine = 0n,
      ...rest
    } = this.#row('functionTable', row);
    const [name, systemName, file] = [nameStrindex, systemNameStrindex, filenameStrindex].map(one => this.#text(one));
    return { ...rest, name, systemName, file, startLine };
  }
}

/** A value that can be cloned, queued and written as YAML, JSON or an OTLP AnyValue. */
export type Plain =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly Plain[]
  | { readonly [key: string]: Plain };

/** The attributes of a resource; for profiles from Pyroscope doors, the series labels. Names stay as received. */
export type Attributes = ReadonlyMap<string, Plain>;

/**
 * Two spellings of one thing: Pyroscope's and OpenTelemetry's. Names are never rewritten on the way through; look-ups accept
 * both, and an exporter maps only where the dialect of the batch differs from its own.
 */
export const ALIASES: ReadonlyMap<string, string> = new Map([
  ['service_name', 'service.name'],
  ['service.name', 'service_name'],
]);

/** The key under which these attributes hold `key`: itself, its alias, or undefined when they hold neither. */
export function keyIn(attributes: Attributes, key: string): string | undefined {
  if (attributes.has(key)) return key;
  const alias = ALIASES.get(key);
  return alias !== undefined && attributes.has(alias) ? alias : undefined;
}

/** Attributes, and what the form of a profile says beside them of its series. */
export function withSaid(attributes: Attributes, said: ReadonlyMap<string, string>): Attributes {
  if (said.size === 0) return attributes;
  const all = new Map(attributes);
  for (const [key, value] of said) if (!all.has(key)) all.set(key, value);
  return all;
}

/** A value as label text, bytes as base64, lists and maps as JSON; undefined for null, so that it is left out rather than written as "null". */
export function labelText(value: Plain | undefined): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return base64(value);
  return typeof value === 'object' ? JSON.stringify(value, sayable) : String(value);
}

/** As OTLP's mapping to other protocols has it: JSON knows neither bytes nor all integers. */
function sayable(this: unknown, key: string, value: unknown): unknown {
  // Asked of its holder: a Buffer comes here as what its toJSON makes of it.
  const inner = (this as Record<string, unknown>)[key];
  if (inner instanceof Uint8Array) return base64(inner);
  return typeof value === 'bigint' ? value.toString() : value;
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

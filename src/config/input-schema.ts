// The JSON Schema of what a component's config accepts, and questions to it: which keys a place knows, what it wants there.
import type { Schema } from '../api/schema.ts';

export interface JsonSchema {
  readonly [keyword: string]: unknown;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly format?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly examples?: readonly unknown[];
  readonly writeOnly?: boolean;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | JsonSchema;
  readonly patternProperties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: boolean | JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, JsonSchema>>;
}

const known = new WeakMap<object, JsonSchema>();

/** Draft 2020-12, of the input side, where keys with a default are optional. `{}` (anything) for a library that prints none. */
export function inputSchema(schema: Schema<unknown>): JsonSchema {
  const before = known.get(schema);
  if (before) return before;
  // What has no JSON form (a custom check, a bigint) is anything, rather than a reason to have no schema at all.
  const options = { target: 'draft-2020-12', libraryOptions: { unrepresentable: 'any' } } as const;
  const { $schema: _, ...json } = schema['~standard'].jsonSchema?.input(options) ?? {};
  known.set(schema, json);
  return json;
}

/** Every schema that may apply at a path: branches of anyOf, oneOf and allOf each count. */
export function schemasAt(root: JsonSchema, path: readonly (string | number)[]): JsonSchema[] {
  return path.reduce((here, key) => step(here, key, root), branches(root, root));
}

/** From the schemas of a place to those of a key or item in it. */
export function step(schemas: readonly JsonSchema[], key: string | number, root: JsonSchema): JsonSchema[] {
  return schemas.flatMap(schema => children(schema, key).flatMap(child => branches(child, root)));
}

/** The keys that a mapping at a path may have; undefined when it may have any. */
export function keysAt(root: JsonSchema, path: readonly (string | number)[]): Set<string> | undefined {
  const keys = new Set<string>();
  const mappings = schemasAt(root, path).filter(
    schema => schema.properties || schema.additionalProperties !== undefined,
  );
  for (const schema of mappings) {
    if (schema.additionalProperties !== false) return undefined;
    for (const key of Object.keys(schema.properties ?? {})) keys.add(key);
  }
  return mappings.length > 0 ? keys : undefined;
}

/** What a schema wants, in a few words: `duration`, `"a" or "b"`, `list of string`. */
export function wanted(schema: JsonSchema, root: JsonSchema = schema): string {
  if (schema.format === 'duration') return 'duration';
  if (schema.format === 'bytes') return 'size';
  if (schema.format === 'uri') return 'URL';
  if (schema.enum) return schema.enum.map(value => JSON.stringify(value)).join(' or ');
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  const choices = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (choices) return [...new Set(choices.map(choice => wanted(choice, root)))].join(' or ');
  if (schema.$ref) return 'mapping';
  if (schema.type === 'array') {
    const item = typeof schema.items === 'object' ? wanted(schema.items, root) : 'any';
    return item === 'any' ? 'list' : `list of ${item}`;
  }
  if (schema.type === 'object') {
    if (schema.properties) return 'mapping';
    const value = typeof schema.additionalProperties === 'object' ? wanted(schema.additionalProperties, root) : 'any';
    return value === 'any' ? 'mapping' : `mapping of ${value}`;
  }
  return typeof schema.type === 'string' ? schema.type : 'any';
}

function branches(schema: JsonSchema, root: JsonSchema, depth = 0): JsonSchema[] {
  // A schema may refer to itself; nobody nests unions this deep.
  if (depth > 8) return [];
  const name = schema.$ref && /^#\/\$defs\/(.+)$/.exec(schema.$ref)?.[1];
  const target = schema.$ref === '#' ? root : name ? root.$defs?.[name] : undefined;
  const inner = [
    ...(target ? [target] : []),
    ...(schema.anyOf ?? []),
    ...(schema.oneOf ?? []),
    ...(schema.allOf ?? []),
  ];
  return [schema, ...inner.flatMap(branch => branches(branch, root, depth + 1))];
}

function children(schema: JsonSchema, key: string | number): JsonSchema[] {
  if (typeof key === 'number') return typeof schema.items === 'object' ? [schema.items] : [];
  const property = schema.properties && Object.hasOwn(schema.properties, key) ? schema.properties[key] : undefined;
  if (property) return [property];
  const patterns = Object.entries(schema.patternProperties ?? {}).filter(([pattern]) =>
    new RegExp(pattern, 'u').test(key),
  );
  if (patterns.length > 0) return patterns.map(([, child]) => child);
  return typeof schema.additionalProperties === 'object' ? [schema.additionalProperties] : [];
}
